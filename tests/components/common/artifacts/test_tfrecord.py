"""The framing, whole and damaged."""

import contextlib
import gzip
import io
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.artifacts import tfrecord
from components.common.artifacts.tfrecord import Damage, Record, frame, read_records
from components.common.errors import MonitorError

RECORDS = [bytes([65 + i]) * (50 + i) for i in range(6)]
FILE = b"".join(frame(record) for record in RECORDS)


class Trickle(io.BytesIO):
    """A stream that gives less than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 7) if size and size > 0 else size)


def read(content: bytes) -> list[Record]:
    found = list(read_records(io.BytesIO(content)))
    assert [record.number for record in found] == list(range(len(found)))
    return found


def whole(found: list[Record]) -> list[bytes]:
    return [record.data for record in found if record.damage is None]


def damages(found: list[Record]) -> list[tuple[int, Damage]]:
    return [(record.number, record.damage) for record in found if record.damage is not None]


@pytest.mark.parametrize(
    "packed",
    [FILE, gzip.compress(FILE), gzip.compress(FILE[:99]) + gzip.compress(FILE[99:]), gzip.compress(FILE) + bytes(5)],
    ids=["plain", "gzip", "two members", "padded"],
)
def test_whole_files(packed: bytes) -> None:
    assert read(packed) == [Record(i, record, len(record) + 16) for i, record in enumerate(RECORDS)]
    assert [record.data for record in read_records(Trickle(packed))] == RECORDS


def test_agrees_with_tensorflow(tmp_path) -> None:
    import tensorflow as tf

    for options, name in ((None, "plain"), ("GZIP", "gzip")):
        path = str(tmp_path / name)
        with tf.io.TFRecordWriter(path, options) as writer:
            for record in RECORDS:
                writer.write(record)
        with open(path, "rb") as raw:
            assert [record.data for record in read_records(raw)] == RECORDS
    (tmp_path / "ours").write_bytes(FILE)
    assert list(tf.data.TFRecordDataset(str(tmp_path / "ours")).as_numpy_iterator()) == RECORDS


def test_empty_files_and_records() -> None:
    assert read(b"") == []
    assert read(gzip.compress(b"")) == []
    assert whole(read(frame(b"") + frame(b"x"))) == [b"", b"x"]


@pytest.mark.parametrize("cut", [1, 4, 20, 58, 70])
def test_torn_last_record_is_one_and_the_rest_is_read(cut: int) -> None:
    found = read(FILE[:-cut])
    assert whole(found) == RECORDS[:5]
    assert damages(found) == [(5, Damage.TORN)]
    assert sum(record.size for record in found) == len(FILE) - cut


def test_every_cut_of_a_gzip_stream_keeps_what_came_before() -> None:
    packed = gzip.compress(FILE)
    for cut in range(1, len(packed) - 11):
        found = read(packed[:-cut])
        assert whole(found) == RECORDS[: len(whole(found))]
        assert damages(found) == [(len(found) - 1, Damage.TORN)]
    # only the trailer is missing: all records are there, and that the stream was cut is still said
    assert whole(read(packed[:-8])) == RECORDS


def test_damaged_gzip_stream_keeps_what_came_before_the_damage() -> None:
    records = [np.random.default_rng(i).bytes(1000) for i in range(100)]
    packed = bytearray(gzip.compress(b"".join(frame(record) for record in records)))
    packed[len(packed) // 2] ^= 0xFF
    found = read(bytes(packed))
    kept = whole(found)
    assert len(kept) > 40
    assert set(kept) <= set(records)
    assert found[-1].damage is not None


@pytest.mark.parametrize(
    ("place", "number"),
    [(66 + 67 + 3, 2), (66 + 67 + 9, 2), (66 + 67 + 40, 2), (66 + 67 + 66, 2), (5, 0)],
    ids=["length", "its checksum", "data", "checksum of the data", "first length"],
)
def test_flipped_bit_costs_one_record(place: int, number: int) -> None:
    content = bytearray(FILE)
    content[place] ^= 4
    found = read(bytes(content))
    assert damages(found) == [(number, Damage.CORRUPT)]
    assert whole(found) == [record for i, record in enumerate(RECORDS) if i != number]
    assert sum(record.size for record in found) == len(FILE)


def test_file_that_was_torn_and_then_appended_to() -> None:
    found = read(FILE[:-40] + FILE)
    assert whole(found) == RECORDS[:5] + RECORDS
    assert damages(found) == [(5, Damage.CORRUPT)]


def test_stretch_longer_than_what_is_read_at_once() -> None:
    noise = np.random.default_rng(1).bytes(300_000)
    found = read(FILE + noise + FILE)
    assert whole(found) == RECORDS + RECORDS
    assert damages(found) == [(6, Damage.CORRUPT)]
    assert found[6].size == len(noise)
    assert found[6].data == noise


def test_huge_length_allocates_nothing() -> None:
    length = (1 << 62).to_bytes(8, "little")
    header = length + tfrecord._FOOTER.pack(tfrecord.masked_crc(length))
    tracemalloc.start()
    found = read(header + b"x" * 100)
    assert damages(found) == [(0, Damage.CORRUPT)]
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_bomb_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "MAX_RECORD_BYTES", 1 << 20)
    found = read(gzip.compress(b"\x01" * (50 << 20)))
    assert damages(found) == [(0, Damage.UNREADABLE)]
    assert found[0].size < 2 << 20
    assert len(found[0].data) <= tfrecord.MAX_KEPT_BYTES


@given(st.binary(max_size=300), st.lists(st.binary(max_size=80), max_size=5), st.data())
def test_any_bytes_between_records_are_accounted_for(noise: bytes, records: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(records)))
    content = b"".join(map(frame, records[:place])) + noise + b"".join(map(frame, records[place:]))
    found = read(content)
    assert sum(record.size for record in found) == len(content)
    assert whole(found)[:place] == records[:place]
    if not noise:
        assert whole(found) == records


@given(st.data())
def test_any_flips_and_cuts_of_plain_and_gzip(data: st.DataObject) -> None:
    packed = data.draw(st.sampled_from([FILE, gzip.compress(FILE)]))
    content = bytearray(packed)
    for place in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    content = content[: data.draw(st.integers(0, len(packed)))]
    found = read(bytes(content))
    assert len(whole(found)) <= len(RECORDS)
    if bytes(content) != packed and content:
        # the stream's checksum, or a record's, has noticed; a header of gzip has bytes without meaning
        assert damages(found) or whole(found) == RECORDS or bytes(content) == packed[: len(content)]


def read_strictly(content: bytes) -> list[bytes]:
    """By both readers, which come to the same and say the same."""
    records = (record.data for record in read_records(io.BytesIO(content), strict=True, source="a file"))
    data = tfrecord.whole_data(io.BytesIO(content), "a file")
    found = []
    while True:
        try:
            record = next(records, None)
        except MonitorError as error:
            with pytest.raises(MonitorError, match=f"^{re.escape(str(error))}$"):
                next(data)
            raise
        assert next(data, None) == record
        if record is None:
            return found
        found.append(record)


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_strict_reading_of_damaged_files_is_the_same_by_both_readers(records: list[bytes], draw: st.DataObject) -> None:
    content = bytearray(b"".join(map(frame, records)))
    for _ in range(draw.draw(st.integers(0, 2))):
        if content:
            content[draw.draw(st.integers(0, len(content) - 1))] ^= draw.draw(st.integers(1, 255))
    content = content[: draw.draw(st.integers(0, len(content)))]
    for packed in (bytes(content), gzip.compress(content, mtime=0)[: draw.draw(st.integers(20, 60))]):
        with contextlib.suppress(MonitorError):
            read_strictly(packed)


def test_strict_reading_of_records_that_reach_over_what_is_read_at_once(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    records = [rng.bytes(int(size)) for size in rng.integers(0, 3000, 200)]
    content = b"".join(map(frame, records))
    for size in (1, 13, 1000, 4096):
        monkeypatch.setattr(tfrecord, "_CHUNK", size)
        assert read_strictly(content) == records
        assert list(tfrecord.whole_data(Trickle(content))) == records


@pytest.mark.parametrize("packed", [FILE, gzip.compress(FILE)], ids=["plain", "gzip"])
def test_strict_reading_gives_whole_files_as_they_are(packed: bytes) -> None:
    assert read_strictly(packed) == RECORDS
    assert read_strictly(b"") == []


def test_a_plain_file_that_begins_like_gzip_is_plain() -> None:
    record = bytes(0x088B1F)  # its length begins with gzip's magic number
    assert frame(record).startswith(b"\x1f\x8b\x08")
    assert read_strictly(frame(record)) == [record]


TWO = frame(b"first") + frame(b"second")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TWO[:-1], "byte 21, and it is cut off"),
        (TWO[:25], "byte 21, and it is cut off in its header"),
        (TWO[:-6] + b"X" + TWO[-5:], "byte 21, and the checksum of its data is wrong"),
        (b"\1" + TWO[1:], "byte 0, and its header is damaged"),
        (b"\x1f\x8b\x08 no gzip at all", "byte 0, and the gzip data is damaged"),
        (gzip.compress(TWO, mtime=0)[:-3], "byte 43, and the gzip data is cut off"),
    ],
)
def test_strict_reading_raises_at_the_first_damage_and_names_the_place(content: bytes, says: str) -> None:
    with pytest.raises(MonitorError, match=f"a file must be a whole TFRecord file. Received: a record at {says}"):
        read_strictly(content)


def test_strict_reading_gives_what_precedes_the_damage() -> None:
    records = read_records(io.BytesIO(FILE[:-1]), strict=True)
    assert [next(records).data for _ in RECORDS[:-1]] == RECORDS[:-1]
    with pytest.raises(MonitorError):
        next(records)
