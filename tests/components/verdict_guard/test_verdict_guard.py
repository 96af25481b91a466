"""A run goes on after a pass, and ends in failure after anything else."""

from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import Channel, standard_artifacts

from components import HtmlReport, ValidationReport, VerdictGuard
from components.common.errors import MonitorError
from components.verdict_guard.executor import Executor


def guard(report: HtmlReport) -> None:
    Executor().Do({"report": [report]}, {}, {})


def report(folder: Path, **properties: str) -> HtmlReport:
    made = HtmlReport()
    made.uri = str(folder)
    for name, value in properties.items():
        made.set_string_custom_property(name, value)
    return made


def test_a_pass_lets_the_run_go_on(tmp_path: Path):
    guard(report(tmp_path, outcome="passed", verdict="Span 3 is fine: no check found anything wrong."))


@pytest.mark.parametrize("outcome", ["failed", "undecided", "fine", ""])
def test_anything_else_is_an_error_with_the_verdict_and_the_page(tmp_path: Path, outcome: str):
    with pytest.raises(MonitorError) as caught:
        guard(report(tmp_path, outcome=outcome, verdict="Span 3 is not fine: it is blurred."))
    assert str(caught.value) == f"Span 3 is not fine: it is blurred. Report: {tmp_path}/report.html"


def test_a_report_without_a_verdict_is_no_pass(tmp_path: Path):
    with pytest.raises(MonitorError, match=r"The report has no verdict\."):
        guard(report(tmp_path))


@pytest.mark.parametrize("given", [None, "report", Channel(type=standard_artifacts.ExampleAnomalies)])
def test_what_is_no_report_is_refused_when_the_pipeline_is_built(given):
    with pytest.raises(MonitorError, match="`report` must be the output `report` of a ValidationReport"):
        VerdictGuard(given)


@pytest.mark.parametrize(("description", "fails"), [("", False), ("image_noise is out of bounds", True)])
def test_a_run_with_stock_anomalies_fails_as_often_as_it_is_repeated(tmp_path: Path, description: str, fails: bool):
    """The anomalies are those of ExampleValidator; TFX's own runner runs the pipeline twice."""
    anomalies = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    if description:
        info = anomalies.anomaly_info["image_noise"]
        info.severity, info.short_description = anomalies_pb2.AnomalyInfo.ERROR, description
    split = tmp_path / "anomalies" / "Split-eval"
    split.mkdir(parents=True)
    (split / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString())

    def run() -> None:
        importer = Importer(
            source_uri=str(tmp_path / "anomalies"),
            artifact_type=standard_artifacts.ExampleAnomalies,
            properties={"split_names": '["eval"]'},
        ).with_id("Anomalies")
        page = ValidationReport(anomalies=[importer.outputs["result"]])
        pipeline = Pipeline(
            pipeline_name="stock",
            pipeline_root=str(tmp_path / "root"),
            components=[importer, page, VerdictGuard(page.outputs["report"])],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")),
            enable_cache=True,
        )
        LocalDagRunner().run(pipeline)

    for _ in range(2):
        if fails:
            with pytest.raises(MonitorError, match=f"{description}.* Report: .*report.html"):
                run()
        else:
            run()
    assert len(list((tmp_path / "root").glob("ValidationReport/report/*/report.html"))) == 1, "cached"
