"""What is checked when the pipeline is built, and one real run of the component alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components import FileBasedExampleGen
from tfx.orchestration import data_types, metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import proto_utils

from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from components.serving_log_example_gen.component import ServingLogExampleGen, make_input
from components.serving_log_example_gen.read_options import ReadOptions
from pipelines.config import LOCAL_BEAM_ARGS
from tests.components.serving_log_example_gen.conftest import SPEC, make_good_log


def static_range(span: int) -> range_config_pb2.RangeConfig:
    return range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    )


def test_defaults() -> None:
    logs = ServingLogExampleGen("/logs", spec=SPEC)
    config = proto_utils.json_to_proto(logs.exec_properties["input_config"], example_gen_pb2.Input())
    assert config == make_input("{SPAN}/*")
    assert set(logs.outputs) == {"examples", "anomalies"}
    assert ReadOptions.from_properties(logs.exec_properties) == ReadOptions(SPEC, 0, "example", 0.01)
    assert all(isinstance(value, str | int | float | None) for value in logs.exec_properties.values())
    assert isinstance(logs, FileBasedExampleGen)  # by which Kubeflow's runner knows that it needs the driver


def test_runtime_parameters_are_accepted() -> None:
    base = data_types.RuntimeParameter(name="input_base", ptype=str)
    assert ServingLogExampleGen(base, spec=SPEC).exec_properties["input_base"] is base


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_base": ""}, "`input_base` must be the path of a folder, as text. Received: ''"),
        ({"input_config": example_gen_pb2.Input()}, "`input_config.splits` must be one split named serving"),
        ({"input_config": make_input("")}, "`input_config.splits[0].pattern` must be a file pattern"),
        ({"input_config": make_input("{SPAN}/{SPAN}")}, "`input_config.splits[0].pattern`: Only one {SPAN} is allowed"),
        ({"input_config": make_input("*"), "range_config": static_range(1)}, "must have a {SPAN} or a date"),
        ({"spec": "model_spec.yaml"}, "`spec` must be a ModelSpec. Received: 'model_spec.yaml'"),
        ({"model_version": -1}, "`model_version` must be a version, or 0 for all. Received: -1"),
        ({"one_example_per": "day"}, "`one_example_per` must be"),
        ({"one_example_per": "0s"}, "`one_example_per` must be"),
        ({"one_example_per": "clients"}, "`one_example_per` must be"),
        ({"one_example_per": "client:"}, '`one_example_per` must be "client", "client:field:NAME"'),
        ({"one_example_per": "client:user"}, '`one_example_per` must be "client", "client:field:NAME"'),
        ({"one_example_per": "client:prefix:"}, '`one_example_per` must be "client", "client:field:NAME"'),
        ({"one_example_per": "client:pattern:(a"}, "`one_example_per` must have a regular expression"),
        ({"one_example_per": "client:pattern:a"}, "`one_example_per` must have one group"),
        ({"one_example_per": "client:pattern:(a)(b)"}, "`one_example_per` must have one group"),
        ({"max_broken_fraction": 1.0}, "`max_broken_fraction` must be in [0, 1). Received: 1.0"),
    ],
)
def test_arguments_are_checked_when_the_pipeline_is_built(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(MonitorError) as error:
        ServingLogExampleGen(**{"input_base": "/logs", "spec": SPEC, **arguments})
    assert message in str(error.value)


def run(root: Path, **arguments: Any) -> dict[str, Any]:
    """The newest artifact of each type."""
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    LocalDagRunner().run(
        tfx_pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "pipeline"),
            components=[ServingLogExampleGen(str(root / "logs"), spec=SPEC, **arguments)],
            enable_cache=True,
            metadata_connection_config=connection,
            beam_pipeline_args=list(LOCAL_BEAM_ARGS),
        )
    )
    with metadata.Metadata(connection) as handle:
        return {
            kind: max(handle.store.get_artifacts_by_type(kind), key=lambda artifact: artifact.id)
            for kind in ("Examples", "ExampleAnomalies")
        }


def test_runs_on_the_newest_span_or_the_one_asked_for(tmp_path: Path) -> None:
    for span, requests in ((9, 2), (10, 3)):
        folder = tmp_path / "logs" / str(span)
        folder.mkdir(parents=True)
        logs = b"".join(frame(make_good_log(2, request_id=f"r{i}").SerializeToString()) for i in range(requests))
        (folder / "part-0.tfrecord").write_bytes(logs)
    newest = run(tmp_path)["Examples"].custom_properties
    assert (newest["span"].int_value, newest["rows"].int_value, newest["records"].int_value) == (10, 6, 3)
    artifacts = run(tmp_path, range_config=static_range(9))
    older = artifacts["Examples"].custom_properties
    assert (older["span"].int_value, older["rows"].int_value) == (9, 4)
    anomalies = artifacts["ExampleAnomalies"]
    assert json.loads(anomalies.properties["split_names"].string_value) == ["serving"]
    content = Path(anomalies.uri, "Split-serving", "SchemaDiff.pb").read_bytes()
    assert content  # PushGate takes an empty file for a damaged one
    assert not anomalies_pb2.Anomalies.FromString(content).anomaly_info
    statistics = tfdv.generate_statistics_from_tfrecord(str(Path(artifacts["Examples"].uri, "Split-serving", "*.gz")))
    assert statistics.datasets[0].num_examples == 4
