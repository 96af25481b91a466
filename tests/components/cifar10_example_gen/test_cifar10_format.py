"""The reader against a reference implementation that takes one byte at a time."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.cifar10_example_gen import cifar10_format
from components.cifar10_example_gen.cifar10_format import RECORD_BYTES, check_distinct_names, example_id, read_file
from components.common.errors import MonitorError

SAMPLE = Path(__file__).resolve().parents[3] / "data" / "cifar10_sample"

repeatable = settings(max_examples=50)


def make_records(labels: list[int], seed: int = 0) -> bytes:
    generator = np.random.default_rng(seed)
    return b"".join(bytes([label]) + generator.bytes(RECORD_BYTES - 1) for label in labels)


def read_slowly(data: bytes) -> list[tuple[int, list[list[list[int]]]]]:
    """(label, image as rows of columns of [red, green, blue]) of each record."""
    result = []
    for start in range(0, len(data), RECORD_BYTES):
        plane = [data[start + 1 + 1024 * channel :] for channel in range(3)]
        rows = [[[plane[c][32 * y + x] for c in range(3)] for x in range(32)] for y in range(32)]
        result.append((data[start], rows))
    return result


class Dribble(io.BytesIO):
    """A stream whose reads return less than was asked for, as sockets and object stores do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 1000))


def chunks_of(data: bytes, records_per_chunk: int = 1000, path: str = "x.bin") -> list[cifar10_format.Chunk]:
    return list(read_file(Dribble(data), path, records_per_chunk))


@repeatable
@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), st.integers(1, 8), st.booleans())
def test_records_equal_the_reference(labels: list[int], records_per_chunk: int, packed: bool) -> None:
    data = make_records(labels)
    path = "x.bin.gz" if packed else "x.bin"
    chunks = chunks_of(gzip.compress(data) if packed else data, records_per_chunk, path)
    assert [chunk.first for chunk in chunks] == list(range(0, len(labels), records_per_chunk))
    assert all(chunk.images.dtype == np.uint8 and chunk.images.flags.c_contiguous for chunk in chunks)
    read = [pair for chunk in chunks for pair in zip(chunk.labels.tolist(), chunk.images.tolist(), strict=True)]
    assert read == read_slowly(data)


@repeatable
@given(st.integers(1, 6), st.integers(1, RECORD_BYTES - 1), st.integers(1, 4))
def test_truncation_anywhere_is_an_error_at_the_records_offset(records: int, rest: int, per_chunk: int) -> None:
    data = make_records([1] * (records + 1))[: records * RECORD_BYTES + rest]
    with pytest.raises(MonitorError) as error:
        chunks_of(data, per_chunk)
    assert f"x.bin: truncated or of another format: record {records} at byte offset {records * RECORD_BYTES} " in str(
        error.value
    )
    assert str(error.value).endswith(f"Received: {rest}")


@repeatable
@given(st.integers(0, 5), st.integers(10, 255), st.integers(1, 4))
def test_label_above_9_is_an_error_with_offset_and_value(record: int, label: int, per_chunk: int) -> None:
    data = bytearray(make_records([9] * 6))
    data[record * RECORD_BYTES] = label
    with pytest.raises(MonitorError) as error:
        chunks_of(bytes(data), per_chunk)
    assert f"x.bin: the label of record {record} at byte offset {record * RECORD_BYTES} must be 0 to 9" in str(
        error.value
    )
    assert str(error.value).endswith(f"Received: {label}")


def test_first_of_two_problems_is_reported() -> None:
    data = bytearray(make_records([0, 0, 0]))
    data[RECORD_BYTES] = 77
    with pytest.raises(MonitorError, match="label of record 1 at byte offset 3073"):
        chunks_of(bytes(data[:-1]))


def test_whole_chunks_before_a_problem_are_given() -> None:
    firsts = []
    with pytest.raises(MonitorError, match="record 4 at byte offset 12292"):
        firsts.extend(chunk.first for chunk in read_file(io.BytesIO(make_records([0] * 5)[:-1]), "x.bin", 2))
    assert firsts == [0, 2]


def test_wrong_record_length_is_an_error() -> None:
    """CIFAR-100 has two label bytes: 3,074 bytes a record, so the second label is sought in the pixels of the first."""
    pixel = bytes([200])
    cifar100 = (bytes([3, 14]) + pixel * 3072) * 4
    with pytest.raises(MonitorError, match=r"byte offset 3073 must be 0 to 9 .*records are not 3073 .*Received: 200"):
        chunks_of(cifar100)


@pytest.mark.parametrize(
    ("data", "path"), [(b"", "x.bin"), (gzip.compress(b"", mtime=0), "x.bin.gz"), (b"", "x.bin.gz")]
)
def test_empty_file_is_an_error(data: bytes, path: str) -> None:
    with pytest.raises(MonitorError, match=rf"{path}: the file is empty"):
        chunks_of(data, path=path)


def test_gzip_cut_at_a_record_boundary_is_an_error() -> None:
    """All records can be unpacked, but gzip's own end is missing: more may have followed."""
    with pytest.raises(MonitorError, match=r"x\.bin\.gz: the gzip data is damaged after byte offset \d+: .*end"):
        chunks_of(gzip.compress(make_records([1, 2]))[:-8], path="x.bin.gz")


@pytest.mark.parametrize("place", [0, 5000, -6], ids=["header", "data", "checksum"])
def test_damaged_gzip_is_an_error(place: int) -> None:
    packed = bytearray(gzip.compress(make_records([1, 2, 3])))
    packed[place] ^= 0xFF
    with pytest.raises(MonitorError, match=r"x\.bin\.gz: "):
        chunks_of(bytes(packed), path="x.bin.gz")


def test_ids_are_of_the_file_name_and_the_record() -> None:
    assert example_id("gs://bucket/span-3/data_batch_1.bin", 0) == "data_batch_1.bin:0"
    assert example_id("data_batch_1.bin.gz", 4001) == "data_batch_1.bin:4001"


def test_files_with_the_same_ids_are_refused() -> None:
    check_distinct_names(["a/x.bin", "a/y.bin"])
    with pytest.raises(MonitorError, match=r"different names.* Received: a/x\.bin and a/x\.bin\.gz"):
        check_distinct_names(["a/x.bin", "a/x.bin.gz"])


def test_sample_is_read_whole() -> None:
    """The mean of CIFAR-10's training images is .4914 .4822 .4465; 4,000 of them give it to within .005."""
    with (SAMPLE / "data_batch_1.bin.gz").open("rb") as raw:
        chunks = list(read_file(raw, "data_batch_1.bin.gz"))
    assert [len(chunk.labels) for chunk in chunks] == [1000] * 4
    assert np.bincount(np.concatenate([chunk.labels for chunk in chunks])).tolist() == [400] * 10
    images = np.concatenate([chunk.images for chunk in chunks])
    means = images.reshape(-1, 3).astype(np.float64).mean(axis=0) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=0.005)
