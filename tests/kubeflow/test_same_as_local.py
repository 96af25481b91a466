"""Training and monitoring on Kubeflow come to what the same pipelines come to on this machine, to the last digit.

A story in two roots. On Kubeflow a model is trained and pushed into an object store; another, of images a tenth of
which are black, is held against it and blocked; two spans of logs are judged, the second against the first. The
pipelines are compiled for other places, and each run says its own. Then the same on this machine, with the examples and
models that Kubeflow has made: how Beam shuffles examples, and so what is learnt, is left to chance.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.orchestration.pipeline import Pipeline

from components.common import baseline_bundle
from components.common.object_store import places
from model_monitor.reading import run_store
from pipelines import monitoring, nodes, training
from pipelines.cifar10 import training as cifar10
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import MonitoringConfig, load
from pipelines.kubeflow_settings import KubeflowConfig, Mount
from pipelines.runners.kubeflow import compile_pipeline
from tests.support.kubeflow.lenient import TINY, policy
from tests.support.kubeflow.same import Both, counted, decision, here, imported, record
from tests.support.kubeflow.walk import KFP_2_0_5, KFP_2_5, KFP_2_14, KFP_2_17, Dialect, Run, Walk
from tests.support.sample_copies import copy_of_sample
from tests.support.stores.running import running_store
from tests.support.warm.starting import warm

pytestmark = pytest.mark.long

RATE = 0.02  # of false alarms; the pipelines are compiled for another


def blacken_a_tenth(records: np.ndarray) -> None:
    records[::10, 1:] = 0


@dataclass(frozen=True)
class Place:
    """Where the story takes place: an object store, a folder that is a volume to Kubeflow, and one of this machine.

    Attributes:
      folder: the volume; what only this machine reads is in it, too.
      bucket: the address of the store's.
      variables: of the environment of every container, by which it finds the store.

    """

    folder: Path
    bucket: str
    variables: Mapping[str, str]

    def store(self, name: str) -> str:
        """What is in the store under a name."""
        return f"{self.bucket}/{name}"

    def config(self, *settings: str) -> Cifar10Config:
        places = [f"root={self.folder / 'runs'}", f"schema_dir={self.folder / 'policy'}"]
        return load(Cifar10Config, None, [*places, *TINY, *settings])

    def training_here(self, run: Run, **arguments: Any) -> run_store.Run:
        """The training of this machine, with the examples and the model of one on Kubeflow."""
        config = self.config(f"serving_dir={self.folder / 'serving'}", f"monitor.false_alarm_rate={RATE}")
        return self.here(training.create_pipeline(config, **imported(run), **arguments))

    def train(self, dialect: Dialect, **parameters: str) -> Run:
        """Compiled for other places, and run with these."""
        config = self.config("dataset=s3://elsewhere/data", "serving_dir=s3://elsewhere/serving")
        return self.on_kubeflow(cifar10.pipeline_for_kubeflow(config), dialect, parameters)

    def monitor(self, version: str, dialect: Dialect, **parameters: str) -> Run:
        """Compiled for other places, and run on logs in the store, against the newest version there."""
        settings = [f"bundle={version}", "serving_logs=s3://elsewhere/logs", "statistics_dir=s3://elsewhere/statistics"]
        config = load(MonitoringConfig, None, [*settings, "monitor.drift_against=previous"])
        given = {name: self.store(name) for name in ("logs", "published")}
        pipeline = monitoring.pipeline_for_kubeflow(config)
        return self.on_kubeflow(pipeline, dialect, {**given, "baseline": self.store("serving"), **parameters})

    def on_kubeflow(self, pipeline: Pipeline, dialect: Dialect, parameters: Mapping[str, str]) -> Run:
        volume = KubeflowConfig(mounts=(Mount(claim="story", path=str(self.folder)),))
        text = compile_pipeline(pipeline, image="image", settings=volume)
        walk = Walk(text, self.folder / "kfp", dialect, "s3://artifacts/of/runs", self.variables, warm().commands)
        return walk.run({**parameters, "false_alarm_rate": RATE})

    def monitoring_here(self, version: str, **arguments: Any) -> run_store.Run:
        settings = [f"root={self.folder / 'runs'}", "cache=false", f"monitor.false_alarm_rate={RATE}"]
        config = load(MonitoringConfig, None, settings)
        told = {"logs": self.folder / "logs", "settings": config.monitor, **arguments}
        return self.here(monitoring.monitoring_pipeline(version, **told, **nodes.pipeline_arguments(config)))

    def here(self, pipeline: Pipeline) -> run_store.Run:
        return here(pipeline, self.folder / "runs" / "metadata.sqlite")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("same")
    copy_of_sample(folder / "data", training=400, held_out=200)
    copy_of_sample(folder / "black", blacken_a_tenth, training=400, held_out=200)
    policy(folder / "policy")
    with running_store() as store, pytest.MonkeyPatch.context() as patch:
        variables = {key: value for key, value in store.environment.items() if key != "HOME"}
        for key, value in variables.items():
            patch.setenv(key, value)
        place = Place(folder, f"s3://{store.make_bucket()}", variables)
        places.copy_out(str(folder / "data"), place.store("data"))
        yield place


@pytest.fixture(scope="module")
def trained(place: Place) -> Run:
    """Pushed into the store, without a baseline."""
    return place.train(KFP_2_17, data=place.store("data"), destination=place.store("serving"), baseline="none")


@pytest.fixture(scope="module")
def blocked(place: Place, version: str) -> Run:
    """From the volume, held against the first, and blocked."""
    data, destination = str(place.folder / "black"), str(place.folder / "volume")
    return place.train(KFP_2_5, data=data, destination=destination, baseline=version)


@pytest.fixture(scope="module")
def pushes(place: Place, trained: Run) -> Both[Run]:
    return Both(trained, place.training_here(trained))


@pytest.fixture(scope="module")
def version(place: Place, trained: Run) -> str:
    """What Kubeflow has pushed."""
    found = baseline_bundle.newest(place.store("serving"))
    assert found is not None
    return found.version_dir


@pytest.fixture(scope="module")
def blocks(place: Place, blocked: Run, version: str) -> Both[Run]:
    return Both(blocked, place.training_here(blocked, baseline_uri=version))


@pytest.fixture(scope="module")
def logged(place: Place, version: str) -> None:
    """Span 1 as it is, span 2 out of focus, in the store and here."""
    served = place.folder / "served" / version.rpartition("/")[2]
    places.copy_here(version, str(served))
    for number, shift in enumerate(([], ["--shift", "gaussian_blur", "--severity", "5"]), 1):
        done = warm().call(
            "model-monitor", "replay", "--serving", str(served.parent), "--dataset", str(place.folder / "data"),
            "--logs", str(place.folder / "logs"), "--labels", str(place.folder / f"labels-{number}.csv"),
            "--count", "150", *shift,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    places.copy_out(str(place.folder / "logs"), place.store("logs"))


@pytest.fixture(scope="module")
def first(place: Place, logged: None, version: str) -> Both[Run]:
    """The first span, which has no previous one, with labels."""
    labels = str(place.folder / "labels-1.csv")
    run = place.monitor(version, KFP_2_0_5, span="1", labels=labels)
    return Both(run, place.monitoring_here(version, span=1, labels=labels))


@pytest.fixture(scope="module")
def second(place: Place, version: str, first: Both[Run]) -> Both[Run]:
    """The newest span, held against what the run on the first has published."""
    run = place.monitor(version, KFP_2_14)
    previous = str(first.files("ImageStatisticsGen", "statistics")[1])
    return Both(run, place.monitoring_here(version, previous=previous, previous_span=1))


def test_the_same_model_is_pushed(pushes: Both[Run], version: str, place: Place):
    assert pushes.properties("AtomicPusher", "pushed_model", "pushed") == [1, 1]
    assert pushes.same("PushGate", "blessing", "reasons.json", read=decision)["blessed"]
    assert pushes.same("Evaluator", "evaluation", read=counted)
    pushes.same("ThresholdCalibrator", "schema", "schema.pbtxt")
    pushes.same("AtomicPusher", "pushed_model", "saved_model.pb")
    manifest = baseline_bundle.read(version).manifest
    assert (manifest.pipeline_name, manifest.pipeline_run_id) == ("cifar10-training", pushes.kubeflow.run_id)
    assert manifest.model_uri == pushes.kubeflow.tasks["Trainer"].output("model")["uri"]
    assert manifest.judged_against is None
    assert version.startswith(place.store("serving/"))


def test_the_same_model_is_blocked_for_the_same_reasons(blocks: Both[Run], version: str):
    said = blocks.same("PushGate", "blessing", "reasons.json", read=decision)
    assert not said["blessed"]
    assert "image_" in said["summary"]
    assert blocks.same("Evaluator", "evaluation", read=counted)
    assert blocks.properties("AtomicPusher", "pushed_model", "pushed") == [0, 0]
    assert baseline_bundle.versions(version.rpartition("/")[0]) == [version]


@pytest.mark.parametrize("which", ["first", "second"])
def test_the_same_is_said_of_a_span(which: str, request: pytest.FixtureRequest):
    both: Both[Run] = request.getfixturevalue(which)
    found = both.same_of_a_span()
    assert 0 < found["p_value"] <= 1
    assert found["false_alarm_rate"] == RATE


def test_what_differs_between_the_spans_is_told(first: Both[Run], second: Both[Run]):
    assert first.properties("SkewDriftValidator", "anomalies", "state") == ["no_previous_span"] * 2
    assert second.properties("SkewDriftValidator", "anomalies", "state") != ["no_previous_span"] * 2
    assert second.properties("SkewDriftValidator", "anomalies", "outcome") == ["failed"] * 2
    assert second.same("SkewDriftValidator", "anomalies", "drift_report.json", read=record)["previous"]["span"] == 1


def test_nothing_that_is_kept_names_the_folders_of_a_pod(pushes: Both[Run], second: Both[Run]):
    for run in (pushes.kubeflow, second.kubeflow):
        for task in run.tasks.values():
            assert str(run.walk.pod) not in json.dumps(task.outputs)
        said = run.folder("ValidationReport", "report").read_text()
        assert str(run.walk.pod) not in said
