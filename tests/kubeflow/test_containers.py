"""Both pipelines in real containers, by Kubeflow's own kfp.local, come to what they come to on this machine.

The image is the project's, built of its Dockerfile. Steps see the folder that stands for the object store, and nothing
else of this machine. Skipped where there can be no Docker: `python3 .ci/with_docker.py COMMAND` starts one.
"""

from importlib.metadata import version
from pathlib import Path

import pytest

from components.common import baseline_bundle
from components.common.verdict_words import State
from pipelines import nodes, training
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import MonitoringConfig, load
from pipelines.monitoring import monitoring_pipeline
from tests.support.kubeflow import containers
from tests.support.kubeflow.containers_demo import Demo
from tests.support.kubeflow.lenient import TINY, policy
from tests.support.kubeflow.same import Both, counted, decision, here, imported
from tests.support.sample_copies import copy_of_sample

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    if not (here := version("tfx")).startswith(containers.TFX):
        pytest.skip(f"the image has TFX {containers.TFX}, and what it says is compared with what TFX {here} says here")
    try:
        image = containers.image()
    except containers.NoContainersError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("containers")
    copy_of_sample(folder / "data", training=400, held_out=200)
    (folder / "store").mkdir()
    return Demo(folder, image, (*TINY, f"schema_dir={policy(folder / 'policy')}"))


def on_this_machine(demo: Demo, *settings: str) -> list[str]:
    return [f"root={demo.folder / 'runs'}", "cache=false", *settings]


@pytest.fixture(scope="module")
def pushed(demo: Demo) -> Both[containers.LocalRun]:
    """A training that pushes the first version; on this machine, with the examples and the model of the containers."""
    trained = demo.train(demo.folder / "data")
    settings = on_this_machine(demo, *demo.settings, f"serving_dir={demo.folder / 'serving'}")
    pipeline = training.create_pipeline(load(Cifar10Config, None, settings), **imported(trained))
    return Both(trained, here(pipeline, demo.folder / "runs" / "metadata.sqlite"))


@pytest.fixture(scope="module")
def judged(demo: Demo, pushed: Both[containers.LocalRun]) -> Both[containers.LocalRun]:
    """A span of images out of focus."""
    data = ("--dataset", str(demo.folder / "data"), "--count", "150")
    demo.replay(*data, "--shift", "gaussian_blur", "--severity", "5")
    there = demo.monitor(span="1")
    config = load(MonitoringConfig, None, on_this_machine(demo))
    served = baseline_bundle.newest(str(demo.store / "serving"))
    assert served is not None
    pipeline = monitoring_pipeline(served, logs=demo.store / "logs", span=1, **nodes.pipeline_arguments(config))
    return Both(there, here(pipeline, config.metadata_path))


def test_a_training_in_containers_pushes_what_one_on_this_machine_pushes(pushed: Both[containers.LocalRun], demo: Demo):
    assert pushed.properties("AtomicPusher", "pushed_model", "pushed") == [1, 1]
    assert pushed.same("PushGate", "blessing", "reasons.json", read=decision)["blessed"]
    assert pushed.same("Evaluator", "evaluation", read=counted)
    pushed.same("ThresholdCalibrator", "schema", "schema.pbtxt")
    pushed.same("AtomicPusher", "pushed_model", "saved_model.pb")
    sentences = pushed.properties("ValidationReport", "report", "verdict")
    (there, here), (pushed_version,) = sentences, baseline_bundle.versions(str(demo.store / "serving"))
    assert there.startswith(f"Pushed as version {Path(pushed_version).name}")
    assert there.partition(":")[2] == here.partition(":")[2]


def test_a_span_in_containers_is_judged_as_on_this_machine(judged: Both[containers.LocalRun]):
    found = judged.same_of_a_span()
    assert found["outcome"] == "failed"


def test_what_was_run_in_containers_is_asked_of_their_metadata(demo: Demo, judged: Both[containers.LocalRun]):
    history, run = demo.newest()
    verdict = history.verdict(run)
    assert verdict.sentence == judged.kubeflow.said("ValidationReport", "report")["verdict"]
    # the window differs; whether that has cost accuracy, a model that has seen 400 images may leave undecided
    assert verdict.p_value is not None
    assert verdict.p_value < 0.01
    assert verdict.state in (State.CHANGED, State.DEGRADED, State.UNDECIDED)
