"""The executor on the embedded sample, with real Beam."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.cifar10_example_gen import cifar10_format
from components.cifar10_example_gen.executor import Executor, monitor_error_in
from components.common.errors import MonitorError
from pipelines.config import LOCAL_BEAM_ARGS
from tests.support.tfrecord_files import records_of

SAMPLE = Path(__file__).resolve().parents[3] / "data" / "cifar10_sample"
RECORD = cifar10_format.RECORD_BYTES
BEAM_ARGS = list(LOCAL_BEAM_ARGS)


def run(
    base: Path,
    output: Path,
    patterns: dict[str, str],
    buckets: dict[str, int] | None = None,
    beam_args: list[str] | None = None,
) -> standard_artifacts.Examples:
    """Runs the executor as its launcher does and returns the artifact."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(output)
    splits = [example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in patterns.items()]
    divide = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=n) for name, n in (buckets or {}).items()]
    division = example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=divide))
    properties = {
        "input_base": str(base),
        "input_config": proto_utils.proto_to_json(example_gen_pb2.Input(splits=splits)),
        "output_config": proto_utils.proto_to_json(division if divide else example_gen_pb2.Output()),
        "output_data_format": example_gen_pb2.FORMAT_TF_EXAMPLE,
        "output_file_format": example_gen_pb2.FORMAT_TFRECORDS_GZIP,
    }
    context = Executor.Context(beam_pipeline_args=beam_args or BEAM_ARGS, tmp_dir=str(output), unique_id="0")
    Executor(context).Do({}, {"examples": [artifact]}, properties)
    return artifact


def read_split(artifact: standard_artifacts.Examples, split: str) -> dict[str, tuple[int, bytes]]:
    """id -> (label, image) of a written split; fails if an id is there twice or a feature is not as described."""
    result: dict[str, tuple[int, bytes]] = {}
    for serialised in records_of(Path(artifact.uri, f"Split-{split}").iterdir()):
        feature = tf.train.Example.FromString(serialised).features.feature
        assert set(feature) == {"image", "label", "id"}
        (identity,), (label,) = feature["id"].bytes_list.value, feature["label"].int64_list.value
        assert identity.decode() not in result
        result[identity.decode()] = (label, feature["image"].bytes_list.value[0])
    return result


def reference(name: str, stem: str) -> dict[str, tuple[int, bytes]]:
    """The same of a sample file, by way of the planes."""
    records = np.frombuffer(gzip.decompress((SAMPLE / name).read_bytes()), np.uint8).reshape(-1, RECORD)
    images = np.stack([records[:, 1 + 1024 * channel : 1025 + 1024 * channel] for channel in range(3)], axis=-1)
    return {f"{stem}:{i}": (int(record[0]), images[i].tobytes()) for i, record in enumerate(records)}


def write_records(path: Path, labels: Iterable[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(bytes([label]) * RECORD for label in labels))


def test_sample_arrives_whole_and_shuffled(tmp_path: Path) -> None:
    artifact = run(SAMPLE, tmp_path / "out", {"train": "data_batch_*", "eval": "test_batch*"})
    assert json.loads(artifact.split_names) == ["train", "eval"]
    assert artifact.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    assert read_split(artifact, "train") == reference("data_batch_1.bin.gz", "data_batch_1.bin")
    test = read_split(artifact, "eval")
    assert test == reference("test_batch.bin.gz", "test_batch.bin")
    assert Counter(label for label, _ in test.values()) == dict.fromkeys(range(10), 200)
    assert all(len(image) == 3072 for _, image in test.values())


def test_plain_and_gzipped_files_of_other_splits(tmp_path: Path) -> None:
    write_records(tmp_path / "in" / "day" / "a.bin", [1, 2, 3])
    (tmp_path / "in" / "day" / "b.bin.gz").write_bytes(gzip.compress(bytes([4]) * RECORD))
    write_records(tmp_path / "in" / "night.bin", [5])
    artifact = run(tmp_path / "in", tmp_path / "out", {"day": "day/*.bin*", "night": "night.bin"})
    day = {identity: label for identity, (label, _) in read_split(artifact, "day").items()}
    assert day == {"a.bin:0": 1, "a.bin:1": 2, "a.bin:2": 3, "b.bin:0": 4}
    assert read_split(artifact, "night") == {"night.bin:0": (5, bytes([5]) * 3072)}


def test_one_split_is_divided_without_loss(tmp_path: Path) -> None:
    write_records(tmp_path / "in" / "all.bin", [i % 10 for i in range(90)])
    artifact = run(tmp_path / "in", tmp_path / "out", {"all": "*.bin"}, buckets={"train": 2, "eval": 1})
    train, test = read_split(artifact, "train"), read_split(artifact, "eval")
    assert train
    assert test
    assert not set(train) & set(test)
    assert set(train) | set(test) == {f"all.bin:{i}" for i in range(90)}


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (bytes(2 * RECORD + 5), "data_batch_1.bin", r"record 2 at byte offset 6146 must have 3073 .*: 5$"),
        (bytes(RECORD) + b"\x0b" * RECORD, "data_batch_1.bin", r"byte offset 3073 must be 0 to 9 .*: 11$"),
        (b"", "data_batch_1.bin", r"the file is empty"),
        (gzip.compress(bytes(RECORD))[:-8], "data_batch_1.bin.gz", r"gzip data is damaged after byte offset"),
    ],
    ids=["truncated", "bad label", "empty", "cut gzip"],
)
def test_bad_file_is_an_error_that_names_it(tmp_path: Path, content: bytes, name: str, message: str) -> None:
    write_records(tmp_path / "in" / "data_batch_0.bin", [1])
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(MonitorError, match=rf"^{tmp_path}/in/{name.replace('.', '[.]')}: .*{message}"):
        run(tmp_path / "in", tmp_path / "out", {"train": "data_batch_*"})


def test_error_is_readable_where_beam_passes_it_on_as_text(tmp_path: Path) -> None:
    """Workers of their own (threads here, processes and machines elsewhere) send the traceback in a RuntimeError."""
    write_records(tmp_path / "in" / "data_batch_1.bin", [1, 99])
    workers = [*BEAM_ARGS, "--direct_num_workers=1", "--direct_running_mode=multi_threading"]
    message = r"data_batch_1\.bin: the label of record 1 at byte offset 3073 .*: 99$"
    with pytest.raises(MonitorError, match=message) as error:
        run(tmp_path / "in", tmp_path / "out", {"train": "data_batch_*"}, beam_args=workers)
    assert type(error.value.__cause__) is RuntimeError


def test_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    write_records(tmp_path / "in" / "data_batch_1.bin", [1])
    with pytest.raises(MonitorError, match=rf"at least one file. Received: {tmp_path}/in/test_batch\*$"):
        run(tmp_path / "in", tmp_path / "out", {"train": "data_batch_*", "eval": "test_batch*"})


def test_same_file_plain_and_gzipped_is_an_error(tmp_path: Path) -> None:
    write_records(tmp_path / "in" / "data_batch_1.bin", [1])
    (tmp_path / "in" / "data_batch_1.bin.gz").write_bytes(gzip.compress(bytes(RECORD)))
    with pytest.raises(MonitorError, match="must have different names"):
        run(tmp_path / "in", tmp_path / "out", {"train": "data_batch_*"})


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    (tmp_path / "in" / "data_batch_1.bin").mkdir(parents=True)
    with pytest.raises(Exception, match="directory") as error:
        run(tmp_path / "in", tmp_path / "out", {"train": "data_batch_*"})
    assert not isinstance(error.value, MonitorError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("components.common.errors.MonitorError: a.bin: bad", "a.bin: bad"),
        ("MonitorError: a.bin: bad [while running 'Read']", "a.bin: bad"),
        ("RuntimeError: Traceback:\n  File x\nv.MonitorError: bad [while running 'A-ptransform-3']\n\nmore", "bad"),
        ("ValueError: something else", None),
        ("ValueError: about MonitorError: no", None),
    ],
)
def test_message_is_found_in_a_traceback(text: str, message: str | None) -> None:
    assert monitor_error_in(text) == message
