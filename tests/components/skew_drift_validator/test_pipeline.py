"""Calibrator and validator in one pipeline, run by TFX's own local runner."""

from pathlib import Path

import pytest
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import standard_artifacts

from components.common.records.drift_report import DriftReport, State
from components.skew_drift_validator.component import SkewDriftValidator
from components.threshold_calibrator.component import ThresholdCalibrator

CURATED = Path(__file__).parents[3] / "schemas" / "cifar10" / "schema.pbtxt"


def imported(name, artifact):
    properties = {"split_names": artifact.split_names}
    importer = Importer(artifact.uri, standard_artifacts.ExampleStatistics, properties=properties)
    return importer.with_id(name)


@pytest.mark.parametrize(
    ("window", "previous", "state"), [("clean", True, State.FINE), ("blurred", False, State.CHANGED)]
)
def test_both_components_in_a_pipeline(tmp_path, pool, write_statistics, shifts, window, previous, state):
    images = {"clean": pool[2000:2300], "blurred": shifts["blurred"](pool[2000:2300])}
    sides = {
        "Baseline": write_statistics(tmp_path / "baseline", {"eval": pool[:1000]}),
        "Window": write_statistics(tmp_path / "window", {"serving": images[window]}),
        "Previous": write_statistics(tmp_path / "previous", {"serving": pool[2300:2600]}),
    }
    importers = {name: imported(name, artifact) for name, artifact in sides.items() if previous or name != "Previous"}
    outputs = {name: importer.outputs["result"] for name, importer in importers.items()}
    schema = ImportSchemaGen(schema_file=str(CURATED))
    calibrator = ThresholdCalibrator(outputs["Baseline"], schema.outputs["schema"], window_size=300, permutations=999)
    validator = SkewDriftValidator(
        outputs["Window"], outputs["Baseline"], calibrator.outputs["schema"], outputs.get("Previous"), permutations=999
    )
    LocalDagRunner().run(
        pipeline.Pipeline(
            "watch",
            str(tmp_path / "root"),
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db")),
            components=[*importers.values(), schema, calibrator, validator],
        )
    )
    (path,) = (tmp_path / "root" / "SkewDriftValidator" / "anomalies").glob("*/drift_report.json")
    report = DriftReport.from_json(path.read_text())
    assert report.state is state
    assert (report.previous is not None) == previous
    assert (path.parent / "Split-serving" / "SchemaDiff.pb").stat().st_size > 0
