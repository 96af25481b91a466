"""The component's checks, and its runs under the local runner with ML Metadata and the stock driver."""

import json
import re
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import data_types, metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import proto_utils

from components import Cifar10ExampleGen
from components.common.errors import MonitorError
from pipelines.config import LOCAL_BEAM_ARGS

RECORD = 3073
SPAN_1 = range_config_pb2.RangeConfig(static_range=range_config_pb2.StaticRange(start_span_number=1, end_span_number=1))


def make_input(**patterns: str) -> example_gen_pb2.Input:
    splits = [example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in patterns.items()]
    return example_gen_pb2.Input(splits=splits)


def make_output(**buckets: int) -> example_gen_pb2.Output:
    splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=n) for name, n in buckets.items()]
    return example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits))


def write_records(path: Path, count: int, label: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([label]) * RECORD * count)


def run(example_gen: Cifar10ExampleGen, root: Path) -> None:
    LocalDagRunner().run(
        tfx_pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "pipeline"),
            components=[example_gen],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
            beam_pipeline_args=list(LOCAL_BEAM_ARGS),
        )
    )


def runs_in(root: Path) -> tuple[list[metadata_store_pb2.Artifact], list[str]]:
    """The Examples artifacts, oldest first, and the state of every execution."""
    with metadata.Metadata(metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))) as handle:
        executions = handle.store.get_executions_by_type("components.cifar10_example_gen.component.Cifar10ExampleGen")
        states = [
            metadata_store_pb2.Execution.State.Name(execution.last_known_state)
            for execution in sorted(executions, key=lambda execution: execution.id)
        ]
        return sorted(handle.store.get_artifacts_by_type("Examples"), key=lambda artifact: artifact.id), states


def test_default_splits_are_train_and_eval() -> None:
    example_gen = Cifar10ExampleGen("/data")
    config = proto_utils.json_to_proto(example_gen.exec_properties["input_config"], example_gen_pb2.Input())
    assert config == make_input(train="data_batch_*", eval="test_batch*")
    assert set(example_gen.outputs) == {"examples"}


def test_single_split_can_keep_its_name() -> None:
    example_gen = Cifar10ExampleGen("/data", make_input(serving="*.bin"), make_output(serving=1))
    assert json.loads(example_gen.exec_properties["output_config"])["split_config"]["splits"][0]["name"] == "serving"


def test_runtime_parameters_are_accepted() -> None:
    base = data_types.RuntimeParameter(name="input_base", ptype=str)
    assert Cifar10ExampleGen(base).exec_properties["input_base"] is base


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_base": ""}, "`input_base` must be the path of a folder, as text. Received: ''"),
        ({"input_base": None}, "`input_base` must be the path of a folder, as text. Received: None"),
        ({"input_config": example_gen_pb2.Input()}, "`input_config.splits` must have at least one split"),
        ({"input_config": make_input(train="")}, "`input_config.splits[0].pattern` must be a file pattern"),
        ({"input_config": make_input(**{"a/b": "*"})}, "`input_config.splits[0].name` must be letters, digits"),
        (
            {"input_config": make_input(a="*", b="*"), "output_config": make_output(train=2, eval=1)},
            "`input_config.splits` must have exactly one split where output_config divides it. Received: ['a', 'b']",
        ),
        (
            {"input_config": make_input(a="{SPAN}/a", b="b")},
            "`input_config.splits patterns` must use {SPAN}, {VERSION} and dates all alike",
        ),
        ({"input_config": make_input(a="{SPAN}/{SPAN}")}, "`input_config.splits`, 'a': Only one {SPAN} is allowed"),
        ({"range_config": SPAN_1}, "`input_config.splits patterns` must have a {SPAN} for range_config"),
    ],
)
def test_arguments_are_checked_when_the_pipeline_is_built(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(MonitorError) as error:
        Cifar10ExampleGen(**{"input_base": "/data", **arguments})  # type: ignore[arg-type]
    assert message in str(error.value)


def test_repeated_split_name_is_an_error() -> None:
    split = example_gen_pb2.Input.Split(name="train", pattern="*")
    with pytest.raises(MonitorError, match="must have different names"):
        Cifar10ExampleGen("/data", example_gen_pb2.Input(splits=[split, split]))


def test_runs_with_cache_until_a_file_changes(tmp_path: Path) -> None:
    write_records(tmp_path / "in" / "data_batch_1.bin", 3)
    write_records(tmp_path / "in" / "test_batch.bin", 2)
    run(Cifar10ExampleGen(str(tmp_path / "in")), tmp_path)
    run(Cifar10ExampleGen(str(tmp_path / "in")), tmp_path)
    (artifact,), states = runs_in(tmp_path)
    assert states == ["COMPLETE", "CACHED"]
    assert json.loads(artifact.properties["split_names"].string_value) == ["train", "eval"]
    assert sorted(path.name for path in Path(artifact.uri).iterdir()) == ["Split-eval", "Split-train"]
    write_records(tmp_path / "in" / "test_batch.bin", 4)
    run(Cifar10ExampleGen(str(tmp_path / "in")), tmp_path)
    assert runs_in(tmp_path)[1] == ["COMPLETE", "CACHED", "COMPLETE"]


def test_latest_span_is_taken_unless_another_is_asked_for(tmp_path: Path) -> None:
    for span, count in ((1, 3), (2, 4), (10, 5)):
        write_records(tmp_path / "in" / f"span-{span}" / "window.bin", count)
    spans = make_input(serving="span-{SPAN}/*.bin"), make_output(serving=1)
    run(Cifar10ExampleGen(str(tmp_path / "in"), *spans), tmp_path)
    run(Cifar10ExampleGen(str(tmp_path / "in"), *spans, range_config=SPAN_1), tmp_path)
    artifacts, states = runs_in(tmp_path)
    assert states == ["COMPLETE", "COMPLETE"]
    assert [artifact.custom_properties["span"].int_value for artifact in artifacts] == [10, 1]
    fingerprints = [artifact.custom_properties["input_fingerprint"].string_value for artifact in artifacts]
    sizes = [re.findall(r"total_bytes:(\d+)", fingerprint) for fingerprint in fingerprints]
    assert sizes == [[str(5 * RECORD)], [str(3 * RECORD)]]


def test_error_of_a_file_reaches_the_one_who_runs_the_pipeline(tmp_path: Path) -> None:
    write_records(tmp_path / "in" / "data_batch_1.bin", 3)
    write_records(tmp_path / "in" / "test_batch.bin", 2, label=10)
    with pytest.raises(MonitorError, match=r"test_batch\.bin: the label of record 0 at byte offset 0 .* Received: 10$"):
        run(Cifar10ExampleGen(str(tmp_path / "in")), tmp_path)
    assert runs_in(tmp_path)[1] == ["FAILED"]
