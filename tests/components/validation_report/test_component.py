"""The component in TFX: its inputs, and the page that its executor writes."""

import json
from pathlib import Path

import pytest
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.types import Channel, standard_artifacts

import components
from components.common.errors import MonitorError
from components.validation_report.artifact import HtmlReport
from components.validation_report.component import ValidationReport
from components.validation_report.executor import Executor
from tests.support.model_specs import digits_spec

ANOMALIES = standard_artifacts.ExampleAnomalies


def channel(kind):
    return Channel(type=kind)


def test_only_what_is_given_is_an_input_and_none_is_optional():
    report = ValidationReport(
        anomalies=[channel(ANOMALIES), channel(ANOMALIES)], statistics=channel(standard_artifacts.ExampleStatistics)
    )
    assert set(report.inputs) == {"statistics", "anomalies_0", "anomalies_1"}
    assert not any(each.optional for each in report.spec.INPUTS.values())
    assert set(json.loads(report.exec_properties["connected"])) == set(report.inputs)
    assert report.outputs["report"].type is HtmlReport


def test_two_reports_do_not_share_their_inputs():
    first, second = ValidationReport(anomalies=[channel(ANOMALIES)]), ValidationReport(
        blessing=channel(standard_artifacts.ModelBlessing)
    )  # fmt: skip
    assert (set(first.inputs), set(second.inputs)) == ({"anomalies_0"}, {"blessing"})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "be given at least one channel"),
        ({"anomalies": [channel(ANOMALIES)], "split": ""}, "`split` must be a split's name"),
        ({"anomalies": [channel(ANOMALIES)], "spec": "monitor.yaml"}, "`spec` must be a ModelSpec.*'monitor.yaml'"),
    ],
)
def test_wrong_arguments_are_refused_when_the_pipeline_is_built(arguments, says):
    with pytest.raises(MonitorError, match=says):
        ValidationReport(**arguments)


def test_kubeflow_takes_the_artifact_type():
    assert f"{components.__name__}.HtmlReport" == HtmlReport.TYPE_NAME
    assert f"title: {HtmlReport.TYPE_NAME}" in compiler_utils.get_artifact_schema(HtmlReport)


def artifact(kind, given):
    made = kind()
    made.uri = given.uri
    for key, value in given.properties.items():
        setattr(made, key, value)
    return made


def run(tmp_path, inputs, connected):
    output = HtmlReport()
    output.uri = str(tmp_path / "report")
    spec = digits_spec(classes=["plane", "car", "bird", "cat"]).to_json()
    names = {"spec": spec, "split": "serving", "baseline_split": "eval"}
    Executor().Do(inputs, {"report": [output]}, {"connected": json.dumps(connected), **names})
    return output, (Path(output.uri) / "report.html").read_text()


def test_the_executor_writes_the_page(tmp_path, monitored):
    statistics = standard_artifacts.ExampleStatistics
    inputs = {
        "statistics": [artifact(statistics, monitored.statistics)],
        "baseline_statistics": [artifact(statistics, monitored.baseline_statistics)],
        "anomalies_0": [artifact(ANOMALIES, monitored.anomalies[1])],
    }
    output, text = run(tmp_path, inputs, dict.fromkeys(inputs, "SkewDriftValidator"))
    assert output.get_string_custom_property("outcome") == "failed"
    assert output.get_string_custom_property("verdict").startswith("Span 7 is changed")
    assert text.count("<svg") > 5
    assert "Images of the window are not shown: the run names no examples of it" in text


def test_a_connected_input_that_holds_nothing_is_said(tmp_path, monitored):
    logs = artifact(ANOMALIES, monitored.anomalies[0])
    inputs = {"anomalies_0": [logs], "statistics": []}
    connected = {"anomalies_0": "Logs", "anomalies_1": "SkewDriftValidator", "statistics": "StatisticsGen"}
    output, text = run(tmp_path, inputs, connected)
    assert output.get_string_custom_property("outcome") == "undecided"
    assert "SkewDriftValidator gave no anomalies" in text
    assert "StatisticsGen gave no statistics" in text
