"""What `monitored_push` appends to a pipeline of stock components. Nothing runs."""

import json
from pathlib import Path

import pytest
from tfx import types
from tfx.components import Evaluator, ImportExampleGen
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components import BaselineImporter
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from pipelines import MonitorConfig, monitored_push
from tests.support.model_specs import digits_spec

APPENDED = {"HeldOutScorer", "BaselineStatisticsGen", "ThresholdCalibrator", "PushGate", "AtomicPusher",
            "ValidationReport"}  # fmt: skip
WATCHING = {"ServingLogExampleGen", "ServingScorer", "ServingStatisticsGen", "SkewDriftValidator",
            "PerformanceEstimator"}  # fmt: skip


def channel(kind) -> types.Channel:
    return types.Channel(type=kind)


def appended(**changes):
    """The appended nodes by their ids."""
    examples = ImportExampleGen(input_base="/data").outputs["examples"]
    model = channel(standard_artifacts.Model)
    given = {
        "examples": examples,
        "model": model,
        "evaluator": Evaluator(examples=examples, model=model),
        "anomalies": [channel(standard_artifacts.ExampleAnomalies)],
        "serving_dir": "/serving",
        **changes,
    }
    return {node.id: node for node in monitored_push(digits_spec(), **given)}


def test_what_is_appended_scores_describes_judges_pushes_and_reports():
    nodes = appended()
    assert set(nodes) == APPENDED
    for name in ("HeldOutScorer", "AtomicPusher"):
        assert ModelSpec.from_json(nodes[name].exec_properties["spec"]) == digits_spec()
    assert ModelSpec.from_json(nodes["BaselineStatisticsGen"].exec_properties["spec"]) == digits_spec().rows
    destination = json.loads(nodes["AtomicPusher"].exec_properties["push_destination"])
    assert destination == {"filesystem": {"base_directory": "/serving"}}


def test_the_order_follows_from_what_each_needs():
    nodes = appended()
    ordered = [node.id for node in Pipeline(pipeline_name="p", components=list(nodes.values())).components]
    assert ordered.index("PushGate") < ordered.index("AtomicPusher") < ordered.index("ValidationReport")


def test_with_serving_logs_the_newest_span_can_block_the_push():
    nodes = appended(serving_logs="/logs")
    assert set(nodes) == APPENDED | WATCHING
    assert nodes["ServingScorer"].exec_properties["logged"] == 1
    assert json.loads(nodes["ServingScorer"].exec_properties["splits"]) == ["serving"]
    asked = set(json.loads(nodes["PushGate"].exec_properties["anomalies_sources"]).values())
    assert {"ServingLogExampleGen", "SkewDriftValidator", "PerformanceEstimator"} <= asked


def test_the_split_the_settings_and_the_baseline_are_told_on():
    settings = MonitorConfig(false_alarm_rate=0.05, window_size=300)
    nodes = appended(split="test", settings=settings, baseline="/serving/3", run_key="k", serving_logs=Path("/logs"))
    assert json.loads(nodes["HeldOutScorer"].exec_properties["splits"]) == ["test"]
    calibrated = nodes["ThresholdCalibrator"].exec_properties
    assert (calibrated["split"], calibrated["window_size"], calibrated["false_alarm_rate"]) == ("test", 300, 0.05)
    for name in ("SkewDriftValidator", "PerformanceEstimator", "ValidationReport"):
        assert nodes[name].exec_properties["baseline_split"] == "test"
    pushed = nodes["AtomicPusher"].exec_properties
    assert (pushed["judged_against"], pushed["run_key"]) == ("/serving/3", "k")


def test_a_run_whose_model_is_not_pushed_can_end_in_failure():
    nodes = appended(fail_unless_fine=True)
    assert set(nodes) == APPENDED | {"VerdictGuard"}


def test_a_pipeline_that_checks_no_data_is_judged_without_unless_its_policy_asks_for_a_check():
    assert "PushGate" in appended(anomalies=[])
    with pytest.raises(MonitorError, match=r"`anomalies` must hold a channel, because the policy has"):
        appended(anomalies=[], policy="anomalies: {required: true}")


def test_held_out_examples_may_be_in_a_split_of_any_name():
    """Even that of serving logs, which are scored in another way."""
    nodes = appended(split="serving")
    assert nodes["HeldOutScorer"].exec_properties["logged"] == 0
    assert nodes["ThresholdCalibrator"].exec_properties["split"] == "serving"


def test_what_the_model_was_compared_with_can_be_what_an_importer_finds():
    importer = BaselineImporter("none", needed=False)
    pusher = appended(baseline=importer.outputs["model"])["AtomicPusher"]
    assert pusher.inputs["baseline_model"].producer_component_id == "BaselineImporter"
    assert pusher.exec_properties["judged_against"] == ""
