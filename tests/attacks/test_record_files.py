"""Files made to cost the reader more than their size, counted in bytes touched: no machine is too slow for that."""

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from components.common.artifacts import tfrecord
from components.common.artifacts.gunzip import Damage
from components.common.artifacts.tfrecord import Record, frame, masked_crc, read_records

pytestmark = pytest.mark.long

MOST_TOUCHED = 64  # of each byte


def header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + struct.pack("<I", masked_crc(packed))


def to_the_end(size: int) -> bytes:
    """Headers, each of a record that reaches to the end of the file."""
    return b"".join(header(max(1, size - place - 16)) for place in range(0, size - 11, 12))


def nested(size: int) -> bytes:
    """The same, of records that end in the file."""
    return b"".join(header(size // 2) for _ in range(size // 12))


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "headers to the end": to_the_end,
    "headers of half of the file": nested,
    "headers beyond the end": lambda size: header(1 << 27) * (size // 12),
    "headers of short records": lambda size: header(100) * (size // 12),
    "what is no header, nearly": lambda size: b"\1\0\0\0\0\0\0\0\0" * (size // 9),
    "zeros": bytes,
    "ones": lambda size: b"\1" * size,
    "noise": lambda size: np.random.default_rng(3).bytes(size),
    "empty records": lambda size: frame(b"") * (size // 16),
    "corrupt records": lambda size: (frame(b"x" * 100)[:-1] + b"!") * (size // 116),
    "one corrupt record": lambda size: frame(bytes(size))[:-1] + b"!",
    "text": lambda size: b'{"specversion": "1.0"}\n' * (size // 23),
    "growing records": lambda size: b"".join(header(length) for length in range(0, size, 12)),
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gzip": lambda content: gzip.compress(content, 1, mtime=0),
    "gzip, cut": lambda content: gzip.compress(content, 1, mtime=0)[:-9],
}


class Counter:
    """Bytes that were read, copied, looked through and checksummed."""

    def __init__(self) -> None:
        self.bytes = 0


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    counter = Counter()
    buffer, real = tfrecord._Buffer, tfrecord.google_crc32c.value
    see, find = buffer.see, buffer.find_header

    def count_see(self, begin, end):
        seen = see(self, begin, end)
        counter.bytes += len(seen)
        return seen

    def count_find(self, begin):
        found = find(self, begin)
        counter.bytes += (found if found >= 0 else self.fill(0)) - begin
        return found

    def count_crc(data):
        counter.bytes += len(data)
        return real(data)

    with monkeypatch.context() as patch:
        patch.setattr(buffer, "see", count_see)
        patch.setattr(buffer, "find_header", count_find)
        patch.setattr(tfrecord.google_crc32c, "value", count_crc)
        yield counter


def touched(content: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """How often each byte of an unpacked file is touched on average, and its size: all are in one record or another."""
    with counted(monkeypatch) as counter:
        size = sum(record.size for record in read_records(io.BytesIO(content)))
    return counter.bytes // max(1, size), size


def test_the_reader_is_linear_in_the_bytes_it_is_given(tries, report, monkeypatch):
    """Each byte is touched a bounded number of times, in a file twice, four and eight times as long, too."""
    tried = held = 0
    for name, make in HOSTILE.items():
        for pack_name, pack in PACKED.items():
            for times in (1, 2, 4, 8):
                content = make(times * tries(1 << 15, 1 << 19))
                often, size = touched(pack(content), monkeypatch)
                tried += 1
                held += often <= MOST_TOUCHED and (size == len(content) or pack_name == "gzip, cut")
                assert often <= MOST_TOUCHED, (name, pack_name, times)
    report("hostile record files read in linear time", tried, held)


def whole(records: list[Record]) -> list[bytes]:
    return [record.data for record in records if record.damage is None]


def test_records_behind_false_headers_are_found_again(tries, report):
    """The bound on work costs at most an eighth of the bytes that the false headers speak of."""
    good = [b"%08d" % number * 100 for number in range(2000)]
    behind = b"".join(map(frame, good))
    tried = held = 0
    for size in (1000, 10_000, tries(100_000, 1_000_000)):
        for make in (to_the_end, nested, lambda size: header(100) * (size // 12)):
            found = list(read_records(io.BytesIO(frame(b"first") + make(size) + behind)))
            kept = whole(found)
            tried += 1
            held += kept[0] == b"first" and kept[1:] == good[len(good) - len(kept) + 1 :] and len(kept) > 1500
            assert {record.damage for record in found if record.damage} == {Damage.CORRUPT}
    report("records behind false headers", tried, held)
