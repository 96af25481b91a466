"""Files that are read piece by piece give what they hold, and never more than is allowed."""

import gzip
import io

import numpy as np
import pytest

from components.common.artifacts.files import Files, local_files
from components.common.artifacts.streams import Bounded, Unpacked
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError

CONTENT = np.random.default_rng(2).integers(0, 4, 300_000, np.uint8).tobytes()


def unpacked(content, most=1 << 20):
    return Unpacked(io.BytesIO(content), "labels", most)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("size", [1_000, 70_001, 1 << 20])
def test_a_file_is_unpacked_piece_by_piece(pack, size):
    stream, pieces = unpacked(pack(CONTENT)), []
    while piece := stream.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    assert b"".join(pieces) == CONTENT
    assert stream.tell() == len(CONTENT)


@pytest.mark.parametrize("content", [b"", b"a", b"\x1f\x8b"])
def test_a_file_shorter_than_a_header_is_plain(content):
    assert unpacked(content).read() == content


def test_what_unpacks_to_too_much_is_no_longer_read():
    stream = unpacked(gzip.compress(CONTENT), len(CONTENT) - 1)
    with pytest.raises(MonitorError, match=r"labels must unpack to at most 300\.0 kB to be read. Received: more"):
        stream.read()
    assert unpacked(gzip.compress(CONTENT), len(CONTENT)).read() == CONTENT


def test_damaged_gzip_data_is_an_error():
    with pytest.raises(MonitorError, match=r"labels must be a whole gzip file\. Received: the gzip data is cut off"):
        unpacked(gzip.compress(CONTENT)[:-20]).read()


def test_a_file_that_is_too_large_is_not_begun(tmp_path):
    (tmp_path / "labels").write_bytes(CONTENT)
    told = r"labels must have at most 1\.0 kB to be read\. Received: 300\.0 kB"
    with pytest.raises(MonitorError, match=told), local_files().stream(str(tmp_path / "labels"), 1_000):
        raise AssertionError("it has been opened")


def test_a_file_without_a_size_is_read_up_to_the_bound():
    stream = Bounded(io.BytesIO(CONTENT), "labels", 1_000)
    assert stream.read(1_000) == CONTENT[:1_000]
    with pytest.raises(MonitorError, match=r"labels must have at most 1\.0 kB to be read"):
        stream.read(1)


def test_files_that_can_only_be_read_whole_are_streamed_all_the_same():
    files = Files(lambda path, most: CONTENT[:most], lambda folder: [])
    with files.stream("labels", 1_000) as file:
        assert file.read(400) == CONTENT[:400]


def test_records_are_read_up_to_a_number_of_bytes(tmp_path):
    (tmp_path / "packed.gz").write_bytes(gzip.compress(frame(b"a" * 84) * 10))
    files = local_files()
    assert list(files.long_records(str(tmp_path / "packed.gz"), 1_000)) == [b"a" * 84] * 10
    with pytest.raises(MonitorError, match="must unpack to at most 999 bytes to be read"):
        list(files.long_records(str(tmp_path / "packed.gz"), 999))
