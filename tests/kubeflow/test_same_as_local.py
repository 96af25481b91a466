"""Training and monitoring on Kubeflow come to what the same pipelines come to on this machine, to the last digit.

A story in two roots. On Kubeflow a model is trained and pushed; another, of images a tenth of which are black, is held
against it and blocked; two spans of logs are judged, the second against the first. Then the same on this machine, with
the examples and models that Kubeflow has made: how Beam shuffles examples, and so what is learnt, is left to chance.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.common import baseline_bundle
from components.common.artifacts import evaluation
from components.common.artifacts.files import local_files
from model_monitor.reading import run_store
from pipelines import nodes, training
from pipelines.cifar10 import training as cifar10
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import MonitoringConfig, load
from pipelines.kubeflow_settings import KubeflowConfig, Mount
from pipelines.monitoring import monitoring_pipeline
from pipelines.runners.kubeflow import compile_pipeline
from tests.support.kubeflow.lenient import TINY, policy
from tests.support.kubeflow.walk import KFP_2_0_5, KFP_2_5, KFP_2_14, KFP_2_17, Dialect, Run, Walk
from tests.support.sample_copies import copy_of_sample
from tests.support.warm.starting import warm

pytestmark = pytest.mark.long

COUNTED = ("accuracy", "example_count", "worst_class_accuracy")


def blacken_a_tenth(records: np.ndarray) -> None:
    records[::10, 1:] = 0


@dataclass(frozen=True)
class Place:
    """Where the story takes place: two serving folders, which are volumes to Kubeflow, and what both sides read."""

    folder: Path

    @property
    def mounted(self) -> Path:
        """The volume, with the models that Kubeflow pushes."""
        return self.folder / "volume"

    def config(self, serving: Path) -> Cifar10Config:
        places = [f"root={self.folder / 'runs'}", f"serving_dir={serving}", f"schema_dir={self.folder / 'policy'}"]
        return load(Cifar10Config, None, [*places, *TINY])

    def on_kubeflow(self, pipeline: Pipeline, dialect: Dialect) -> Run:
        volume = KubeflowConfig(mounts=(Mount(claim="story", path=str(self.folder)),))
        text = compile_pipeline(pipeline, image="image", settings=volume)
        return Walk(text, self.folder / "kfp", dialect, commands=warm().commands).run()

    def monitoring(self, version: str, logs: Path, **arguments: Any) -> Pipeline:
        config = load(MonitoringConfig, None, [f"root={self.folder / 'runs'}", "cache=false"])
        return monitoring_pipeline(version, logs=logs, **arguments, **nodes.pipeline_arguments(config))

    def here(self, pipeline: Pipeline) -> run_store.Run:
        LocalDagRunner().run(pipeline)
        store = run_store.open_store(self.folder / "runs" / "metadata.sqlite")
        return next(iter(run_store.runs(store, pipeline.pipeline_info.pipeline_name, newest_first=True)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("same")
    copy_of_sample(folder / "data", training=400, held_out=200)
    copy_of_sample(folder / "black", blacken_a_tenth, training=400, held_out=200)
    policy(folder / "policy")
    (folder / "volume").mkdir()
    return Place(folder)


@dataclass(frozen=True)
class Both:
    """One run on Kubeflow and the same on this machine."""

    kubeflow: Run
    here: run_store.Run

    def files(self, node: str, key: str, *names: str) -> list[Path]:
        """What lies in an artifact, on either side."""
        there = self.kubeflow.folder(node, key)
        there = there.parent if there.suffix == ".html" else there
        return [there.joinpath(*names), Path(self.here.node(node).output(key).uri).joinpath(*names)]

    def properties(self, node: str, key: str, name: str) -> list[Any]:
        """A property of an artifact, on either side."""
        said = self.kubeflow.tasks[node].output(key)["metadata"]
        return [said[name], self.here.node(node).output(key).properties[name]]

    def same(self, node: str, key: str, *names: str, read: Callable[[Path], Any] = Path.read_bytes) -> Any:
        """What both sides say, which is the same."""
        there, here = (read(path) for path in self.files(node, key, *names))
        assert there == here
        return there


@pytest.fixture(scope="module")
def trained(place: Place) -> Run:
    """Pushed, without a baseline."""
    return place.on_kubeflow(cifar10.create_pipeline(place.config(place.mounted), place.folder / "data"), KFP_2_17)


@pytest.fixture(scope="module")
def blocked(place: Place, version: str) -> Run:
    """Held against the first, and blocked."""
    config = place.config(place.mounted)
    return place.on_kubeflow(cifar10.create_pipeline(config, place.folder / "black", baseline_uri=version), KFP_2_5)


def imported(run: Run) -> dict[str, Any]:
    """The nodes that give what a run has read and learnt, under the ids and outputs of those that did."""
    said = run.tasks["Cifar10ExampleGen"].output("examples")["metadata"]
    examples = Importer(
        source_uri=str(run.folder("Cifar10ExampleGen", "examples")),
        artifact_type=standard_artifacts.Examples,
        properties={"split_names": said["split_names"]},
        custom_properties={key: said[key] for key in ("file_format", "payload_format")},
        output_key="examples",
    )
    model = Importer(
        source_uri=str(run.folder("Trainer", "model")), artifact_type=standard_artifacts.Model, output_key="model"
    )
    return {"example_gen": examples.with_id("Cifar10ExampleGen"), "trainer": model.with_id("Trainer")}


@pytest.fixture(scope="module")
def pushes(place: Place, trained: Run) -> Both:
    config = place.config(place.folder / "serving")
    return Both(trained, place.here(training.create_pipeline(config, **imported(trained))))


@pytest.fixture(scope="module")
def version(place: Place, trained: Run) -> str:
    """What Kubeflow has pushed."""
    found = baseline_bundle.newest(str(place.mounted))
    assert found is not None
    return found.version_dir


@pytest.fixture(scope="module")
def blocks(place: Place, blocked: Run, version: str) -> Both:
    config = place.config(place.folder / "serving")
    return Both(blocked, place.here(training.create_pipeline(config, **imported(blocked), baseline_uri=version)))


@pytest.fixture(scope="module")
def logs(place: Place, version: str) -> Path:
    """Span 1 as it is, span 2 out of focus."""
    folder = place.folder / "logs"
    for number, shift in enumerate(([], ["--shift", "gaussian_blur", "--severity", "5"]), 1):
        done = warm().call(
            "model-monitor", "replay", "--serving", str(place.mounted), "--dataset", str(place.folder / "data"),
            "--logs", str(folder), "--labels", str(place.folder / f"labels-{number}.csv"), "--count", "150", *shift,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def first(place: Place, logs: Path, version: str) -> Both:
    """The first span, which has no previous one, with labels."""
    pipeline = place.monitoring(version, logs, span=1, labels=str(place.folder / "labels-1.csv"))
    return Both(place.on_kubeflow(pipeline, KFP_2_0_5), place.here(pipeline))


@pytest.fixture(scope="module")
def second(place: Place, logs: Path, version: str, first: Both) -> Both:
    """The newest span, held against the first."""
    there, here = (str(folder) for folder in first.files("ImageStatisticsGen", "statistics"))
    run = place.on_kubeflow(place.monitoring(version, logs, previous=there, previous_span=1), KFP_2_14)
    return Both(run, place.here(place.monitoring(version, logs, previous=here, previous_span=1)))


def decision(path: Path) -> Any:
    """What PushGate says, but for where the model is."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "model"}


def anomalies(path: Path) -> anomalies_pb2.Anomalies:
    """The message: its features are in any order in the file."""
    return anomalies_pb2.Anomalies.FromString(path.read_bytes())


def counted(path: Path) -> Any:
    """What TFMA has counted. What it sums up depends in the seventh digit on how Beam cuts the data into batches."""
    found = evaluation.metrics(str(path), local_files())
    return [(each.slice, [each.metrics.get(name) for name in COUNTED]) for each in found]


def test_the_same_model_is_pushed(pushes: Both, version: str):
    assert pushes.properties("AtomicPusher", "pushed_model", "pushed") == [1, 1]
    assert pushes.same("PushGate", "blessing", "reasons.json", read=decision)["blessed"]
    assert pushes.same("Evaluator", "evaluation", read=counted)
    pushes.same("ThresholdCalibrator", "schema", "schema.pbtxt")
    pushes.same("AtomicPusher", "pushed_model", "saved_model.pb")
    manifest = baseline_bundle.read(version).manifest
    assert (manifest.pipeline_name, manifest.pipeline_run_id) == ("cifar10-training", pushes.kubeflow.run_id)
    assert manifest.model_uri == pushes.kubeflow.tasks["Trainer"].output("model")["uri"]
    assert manifest.judged_against is None


def test_the_same_model_is_blocked_for_the_same_reasons(blocks: Both, version: str):
    said = blocks.same("PushGate", "blessing", "reasons.json", read=decision)
    assert not said["blessed"]
    assert "image_" in said["summary"]
    assert blocks.same("Evaluator", "evaluation", read=counted)
    assert blocks.properties("AtomicPusher", "pushed_model", "pushed") == [0, 0]
    assert [Path(version).name] == [path.name for path in Path(version).parent.iterdir() if path.name.isdecimal()]


@pytest.mark.parametrize("which", ["first", "second"])
def test_the_same_is_said_of_a_span(which: str, request: pytest.FixtureRequest):
    both: Both = request.getfixturevalue(which)
    drift = both.same(
        "SkewDriftValidator", "anomalies", "drift_report.json", read=lambda path: json.loads(path.read_text())
    )
    assert 0 < drift["p_value"] <= 1
    both.same("PerformanceEstimator", "anomalies", "performance.json", read=lambda path: json.loads(path.read_text()))
    sentences = both.properties("ValidationReport", "report", "verdict")
    assert sentences[0] == sentences[1]
    for node in ("ServingLogExampleGen", "SkewDriftValidator", "PerformanceEstimator"):
        both.same(node, "anomalies", "Split-serving", "SchemaDiff.pb", read=anomalies)


def test_what_differs_between_the_spans_is_told(first: Both, second: Both):
    assert first.properties("SkewDriftValidator", "anomalies", "state") == ["no_previous_span"] * 2
    assert second.properties("SkewDriftValidator", "anomalies", "state") != ["no_previous_span"] * 2
    assert second.properties("SkewDriftValidator", "anomalies", "outcome") == ["failed"] * 2


def test_nothing_that_is_kept_names_the_folders_of_a_pod(pushes: Both, second: Both):
    for run in (pushes.kubeflow, second.kubeflow):
        for task in run.tasks.values():
            assert str(run.walk.pod) not in json.dumps(task.outputs)
        said = run.folder("ValidationReport", "report").read_text()
        assert str(run.walk.pod) not in said
