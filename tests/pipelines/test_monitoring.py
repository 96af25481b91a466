"""What a monitoring pipeline is made of, and from what it takes what it has to know. Nothing runs."""

import json
from pathlib import Path

import pytest
from tfx.orchestration import metadata

from components.common import baseline_bundle
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from pipelines import MonitorConfig, monitoring_pipeline
from pipelines.config import MonitoringConfig, load
from pipelines.monitoring import create_pipeline, pipeline_for_kubeflow
from tests.support.model_specs import digits_spec
from tests.support.pushed_version import write_version

NODES = {"BaselineImporter", "ServingLogExampleGen", "ImageStatisticsGen", "SkewDriftValidator",
         "PreviousStatistics", "PerformanceEstimator", "ValidationReport"}  # fmt: skip


def nodes(pipeline):
    return {node.id: node for node in pipeline.components}


def properties(pipeline, node):
    return nodes(pipeline)[node].exec_properties


def version_read(pipeline) -> int:
    return properties(pipeline, "ServingLogExampleGen")["model_version"]


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    write_version(tmp_path / "serving", 7, spec=digits_spec(classes=["even", "odd"]))
    write_version(tmp_path / "serving", 9)
    return tmp_path / "serving"


def test_a_folder_of_versions_gives_the_newest_and_all_that_its_bundle_says(serving: Path):
    pipeline = monitoring_pipeline(serving, logs="/logs", pipeline_root="/root")
    assert set(nodes(pipeline)) == NODES
    assert properties(pipeline, "BaselineImporter")["bundle_uri"] == str(serving / "9")
    assert version_read(pipeline) == 9
    assert pipeline.pipeline_info.pipeline_name == "monitoring"
    assert pipeline.pipeline_info.pipeline_root == "/root"


def test_a_version_s_folder_or_its_bundle_means_that_version(serving: Path):
    for given in (serving / "7", str(serving / "7"), baseline_bundle.read(str(serving / "7"))):
        pipeline = monitoring_pipeline(given, logs="/logs")
        assert properties(pipeline, "BaselineImporter")["bundle_uri"] == str(serving / "7")
        assert version_read(pipeline) == 7


def test_a_spec_goes_with_a_folder_that_is_read_only_when_the_pipeline_runs():
    pipeline = monitoring_pipeline(digits_spec(), baseline="/not/here/3", logs="/logs")
    assert properties(pipeline, "BaselineImporter")["bundle_uri"] == "/not/here/3"
    assert version_read(pipeline) == 0, "of any version"
    with pytest.raises(MonitorError, match="`baseline` must be the folder of a pushed version"):
        monitoring_pipeline(digits_spec(), logs="/logs")


def test_what_has_no_bundle_is_refused(tmp_path: Path, serving: Path):
    with pytest.raises(MonitorError, match="has no baseline bundle"):
        monitoring_pipeline(tmp_path, logs="/logs")
    with pytest.raises(MonitorError, match="`baseline` must be left out"):
        monitoring_pipeline(serving, baseline=str(serving / "7"), logs="/logs")


def test_the_span_the_version_the_labels_and_the_settings_are_told_on(serving: Path):
    settings = MonitorConfig(false_alarm_rate=0.05, max_accuracy_drop=0.2, one_example_per="request", max_rows=70)
    pipeline = monitoring_pipeline(
        serving, logs="/logs", span=20, model_version=0, labels="/labels.csv", settings=settings, enable_cache=True
    )
    read = properties(pipeline, "ServingLogExampleGen")
    assert json.loads(read["range_config"])["static_range"] == {"start_span_number": 20, "end_span_number": 20}
    assert (read["input_base"], version_read(pipeline)) == ("/logs", 0)
    assert (read["one_example_per"], read["max_rows"]) == ("request", 70)
    assert properties(pipeline, "SkewDriftValidator")["false_alarm_rate"] == 0.05
    estimator = properties(pipeline, "PerformanceEstimator")
    assert (estimator["max_accuracy_drop"], estimator["labels_file"]) == (0.2, "/labels.csv")
    assert pipeline.enable_cache


def test_the_pipeline_is_the_same_with_a_previous_span_and_without(serving: Path):
    told = [
        properties(monitoring_pipeline(serving, logs="/logs", span=7, **previous), "PreviousStatistics")
        for previous in ({}, {"previous": "/statistics", "previous_span": 6})
    ]
    assert told[0] == {"statistics_uri": "none", "split": "serving", "cache_key": "span 7"}
    assert told[1] == {"statistics_uri": "/statistics", "split": "serving", "span": 6, "cache_key": "span 7"}


def test_what_is_said_only_when_a_run_starts_is_a_runtime_parameter_of_the_step_that_takes_it(serving: Path):
    config = load(MonitoringConfig, None, [f"serving_dir={serving}"])
    pipeline = pipeline_for_kubeflow(config)
    assert set(nodes(pipeline)) == NODES
    importer, read = nodes(pipeline)["BaselineImporter"], nodes(pipeline)["ServingLogExampleGen"]
    said = {"bundle_uri": importer, "input_base": read, "range_config": read,
            "statistics_uri": nodes(pipeline)["PreviousStatistics"],
            "labels_file": nodes(pipeline)["PerformanceEstimator"],
            "false_alarm_rate": nodes(pipeline)["SkewDriftValidator"]}  # fmt: skip
    parameters = {node.exec_properties[key].name: node.exec_properties[key].default for key, node in said.items()}
    assert parameters == {
        "baseline": str(serving), "logs": None, "span": "newest", "previous": "none", "labels": "none",
        "false_alarm_rate": 0.01,
    }  # fmt: skip
    assert ModelSpec.from_json(importer.exec_properties["spec"]) == baseline_bundle.find(str(serving)).manifest.spec
    assert (list(read.inputs), read.exec_properties["model_version"]) == (["baseline"], 0)


def test_a_pipeline_for_kubeflow_needs_to_know_the_model(tmp_path: Path):
    with pytest.raises(MonitorError, match="`model_spec` must be the file that describes the model"):
        pipeline_for_kubeflow(load(MonitoringConfig, None, ["bundle=s3://models/7"]))
    (tmp_path / "spec.yaml").write_text(digits_spec().to_yaml())
    settings = ["bundle=s3://models/7", f"model_spec={tmp_path / 'spec.yaml'}"]
    pipeline = pipeline_for_kubeflow(load(MonitoringConfig, None, settings))
    assert properties(pipeline, "BaselineImporter")["bundle_uri"].default == "s3://models/7"


def test_a_guard_comes_after_the_report_where_the_run_is_to_fail(serving: Path):
    pipeline = monitoring_pipeline(serving, logs="/logs", fail_unless_fine=True)
    assert set(nodes(pipeline)) == NODES | {"VerdictGuard"}
    assert nodes(pipeline)["ValidationReport"] in nodes(pipeline)["VerdictGuard"].upstream_nodes


def test_the_baseline_s_split_is_the_one_that_the_bundle_has(serving: Path):
    folder = serving / "9" / baseline_bundle.BUNDLE / baseline_bundle.BASELINE_STATISTICS_DIR
    (folder / "Split-eval").rename(folder / "Split-held_out")
    pipeline = monitoring_pipeline(serving, logs="/logs")
    for name in ("SkewDriftValidator", "PerformanceEstimator", "ValidationReport"):
        assert properties(pipeline, name)["baseline_split"] == "held_out"
    (folder / "Split-eval").mkdir()
    assert properties(monitoring_pipeline(serving, logs="/logs"), "SkewDriftValidator")["baseline_split"] == "eval"


def test_a_configuration_gives_the_same_pipeline(serving: Path, tmp_path: Path):
    (tmp_path / "logs" / "20").mkdir(parents=True)
    settings = [f"root={tmp_path / 'root'}", "monitor.false_alarm_rate=0.05", "cache=false"]
    config = load(MonitoringConfig, None, settings, {"serving_logs": str(tmp_path / "logs")})
    pipeline = create_pipeline(config, span=20, baseline_uri=str(serving / "7"), model_version=7)
    assert set(nodes(pipeline)) == NODES
    store = metadata.sqlite_metadata_connection_config(str(tmp_path / "root" / "metadata.sqlite"))
    assert pipeline.metadata_connection_config == store
    assert pipeline.pipeline_info.pipeline_root == str(tmp_path / "root" / "artifacts")
    assert not pipeline.enable_cache
    assert properties(pipeline, "SkewDriftValidator")["false_alarm_rate"] == 0.05
