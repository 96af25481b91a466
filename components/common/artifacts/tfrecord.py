"""TFRecord files read record by record, without TensorFlow: damage is reported and the reading goes on, or is an error.

The framing (TensorFlow, `tensorflow/core/lib/io/record_writer.h`): length as little-endian uint64, masked CRC-32C of
those 8 bytes as uint32, the data, masked CRC-32C of the data as uint32. `tf.data` stops at the first error; here the
reader looks for the next header whose checksum is right.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import google_crc32c

from ..errors import MonitorError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8
_CHUNK = 1 << 16
# A batch of 128 float images of 224 x 224 x 3 has 77 MB; a longer length is taken for damage.
MAX_RECORD_BYTES = 1 << 28
MAX_KEPT_BYTES = 1 << 20  # of a damaged stretch
# A header of a record that is not empty and shorter than 4 GiB: four bytes that are not all zero, then four zeros.
_CANDIDATE = re.compile(rb"(?=(?!\0{4}).{4}\0{4}.{4})", re.DOTALL)
GZIP_MAGIC = b"\x1f\x8b\x08"
_UNZIP = 16 + zlib.MAX_WBITS  # zlib's number for gzip's header and trailer


class Damage(str, Enum):
    """What is wrong with a stretch of a file."""

    TORN = "torn"  # cut off: the file ends within it
    CORRUPT = "corrupt"  # a checksum is wrong; reading goes on behind it
    UNREADABLE = "unreadable"  # nothing behind it can be read


class Readable(Protocol):
    """What is needed of a stream: a read may return less than was asked for, and nothing only at the end."""

    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class Record:
    """A record, or a stretch of bytes in which none could be read.

    Attributes:
      number: place in the file, from 0; a damaged stretch counts as one.
      data: the record; of a damaged stretch its first bytes, at most `MAX_KEPT_BYTES`.
      size: bytes in the (unpacked) file, framing included.
      damage: None for a whole record.
      reason: what is wrong, for people.

    """

    number: int
    data: bytes
    size: int
    damage: Damage | None = None
    reason: str = ""


def frame(data: bytes) -> bytes:
    """The record as it stands in a TFRecord file.

    >>> import io
    >>> [record.data for record in read_records(io.BytesIO(frame(b"a") + frame(b"bc")))]
    [b'a', b'bc']
    """
    length = struct.pack("<Q", len(data))
    return b"".join((length, _FOOTER.pack(masked_crc(length)), data, _FOOTER.pack(masked_crc(data))))


def masked_crc(data: bytes) -> int:
    """The CRC-32C of `data`, rotated and shifted as TFRecords store it."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def read_records(raw: Readable, *, strict: bool = False, source: str = "The file") -> Iterator[Record]:
    """The records of a plain or gzipped TFRecord file; which of the two is told by the content, not by the name.

    Every byte of the unpacked file belongs to one of the records, whose `size` adds up to the file's. A gzip stream
    that is cut off or damaged gives all records before that, then one whose `damage` says so.

    Args:
      raw: the file.
      strict: whether the first damage is an error, so that every record that comes out is whole.
      source: the file's name, for that error's message.

    Raises:
      MonitorError: if `strict`, at the first record that is cut off or whose checksum is wrong.

    """
    records = _numbered(raw)
    return _whole(records, source) if strict else records


def _whole(records: Iterator[Record], source: str) -> Iterator[Record]:
    place = 0
    for record in records:
        if record.damage is not None:
            what = f"a record at byte {place}, and {record.reason}"
            raise MonitorError(f"{source} must be a whole TFRecord file. Received: {what}")
        yield record
        place += record.size


def _numbered(raw: Readable) -> Iterator[Record]:
    head = _read_fully(raw, _HEADER.size)
    zipped = head.startswith(GZIP_MAGIC) and _length(head) is None
    unzipped = _Unzipped(raw, head) if zipped else None
    buffer = _Buffer(unzipped) if unzipped else _Buffer(raw, head)
    number = 0
    for number, record in enumerate(_records(buffer), start=1):
        yield Record(number - 1, *record)
    if unzipped and unzipped.damage and buffer.whole:
        # it ended between two records; otherwise the last of them carries the news already
        yield Record(number, b"", 0, unzipped.damage, unzipped.reason)


class _Buffer:
    """The unread part of a stream, looked at before it is taken."""

    def __init__(self, stream: Readable, head: bytes = b"") -> None:
        self.stream = stream
        self._data = head
        self._start = 0
        self.whole = True  # whether the last thing taken from it was a whole record

    def fill(self, size: int) -> int:
        """Reads on until `size` bytes can be seen; how many there are, fewer only at the end of the stream."""
        missing = size - (len(self._data) - self._start)
        if missing > 0:
            more = _read_fully(self.stream, missing, at_least=_CHUNK)
            self._data = self._data[self._start :] + more
            self._start = 0
        return len(self._data) - self._start

    def see(self, begin: int, end: int) -> bytes:
        return self._data[self._start + begin : self._start + end]

    def find_header(self, begin: int) -> int:
        """Where, from `begin` on, the first valid header of what has been read starts; -1 without one."""
        for match in _CANDIDATE.finditer(self._data, self._start + begin):
            if _length(self._data[match.start() : match.start() + _HEADER.size]) is not None:
                return match.start() - self._start
        return -1

    def take(self, size: int) -> bytes:
        taken = self.see(0, size)
        self._start += size
        return taken


_Found = tuple[bytes, int, Damage | None, str]


def _records(buffer: _Buffer) -> Iterator[_Found]:
    while available := buffer.fill(_HEADER.size):
        length = _length(buffer.see(0, _HEADER.size))
        if length is None:
            torn = available < _HEADER.size
            yield _damaged(buffer, "it is cut off in its header" if torn else "its header is damaged", torn=torn)
        else:
            yield _framed(buffer, length)


def _framed(buffer: _Buffer, length: int) -> _Found:
    """The record behind a valid header of `length` bytes of data."""
    total = _HEADER.size + length + _FOOTER.size
    if (available := buffer.fill(total)) < total:
        return _damaged(buffer, f"it is cut off after {available} of {total} bytes", torn=True)
    data = buffer.see(_HEADER.size, _HEADER.size + length)
    buffer.whole = True
    if _FOOTER.pack(masked_crc(data)) == buffer.see(_HEADER.size + length, total):
        buffer.take(total)
        return data, total, None, ""
    if buffer.fill(total + _HEADER.size) == total or _length(buffer.see(total, total + _HEADER.size)) is not None:
        buffer.take(total)  # the length is right, the data is not
        return data[:MAX_KEPT_BYTES], total, Damage.CORRUPT, "the checksum of its data is wrong"
    return _damaged(buffer, "the checksum of its data is wrong", torn=False)


def _damaged(buffer: _Buffer, reason: str, *, torn: bool) -> _Found:
    """Takes all up to the next valid header."""
    kept, size = b"", 0
    begin = 1
    while (found := buffer.find_header(begin)) < 0:
        seen = buffer.fill(0)
        at_end = buffer.fill(seen + 1) == seen
        if at_end or size > MAX_RECORD_BYTES:
            return _rest(buffer, kept, size, reason, torn=torn and at_end)
        done = max(0, seen - _HEADER.size + 1)  # a header may straddle what is read next
        begin = 0 if done else 1
        size += done
        kept = (kept + buffer.take(done)[:MAX_KEPT_BYTES])[:MAX_KEPT_BYTES]
    buffer.whole = True
    return (kept + buffer.take(found))[:MAX_KEPT_BYTES], size + found, Damage.CORRUPT, reason


def _rest(buffer: _Buffer, kept: bytes, size: int, reason: str, *, torn: bool) -> _Found:
    """The last bytes of a stream, which hold no record any more."""
    while seen := buffer.fill(1):
        if size > MAX_RECORD_BYTES:  # of bytes without a record: this is another kind of file, or a bomb
            buffer.stream = _Nothing()
            reason = f"there is no record in {size} bytes; the file is not read any further"
            torn = False
        kept = (kept + buffer.take(seen)[:MAX_KEPT_BYTES])[:MAX_KEPT_BYTES]
        size += seen
    buffer.whole = False
    unzipped = buffer.stream
    if isinstance(unzipped, _Unzipped) and unzipped.damage:
        return kept, size, unzipped.damage, unzipped.reason
    if isinstance(unzipped, _Nothing):
        return kept, size, Damage.UNREADABLE, reason
    return kept, size, Damage.TORN if torn else Damage.CORRUPT, reason


class _Nothing:
    def read(self, size: int = -1, /) -> bytes:
        return b""


class _Unzipped:
    """The content of a gzip file, as far as it can be unpacked. `damage` says how it ended."""

    def __init__(self, raw: Readable, head: bytes) -> None:
        self.damage: Damage | None = None
        self.reason = ""
        self._raw = raw
        self._packed = head
        self._offset = len(head)
        self._member = zlib.decompressobj(_UNZIP)
        self._ended = False

    def read(self, size: int = _CHUNK, /) -> bytes:
        while not self._ended:
            if not self._packed:
                self._packed = self._raw.read(_CHUNK)
                self._offset += len(self._packed)
            if not self._packed:
                return self._finish()
            if self._member.eof and not self._next_member():
                return b""
            if unpacked := self._inflate(size):
                return unpacked
        return b""

    def _inflate(self, size: int) -> bytes:
        before = self._member.copy()
        packed = self._packed
        try:
            unpacked = self._member.decompress(packed, size)
        except zlib.error as error:
            self._end(Damage.UNREADABLE, f"the gzip data is damaged before byte {self._offset}: {error}")
            return _until_error(before, packed)
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return unpacked

    def _next_member(self) -> bool:
        """Begins the gzip stream behind one that has ended: files may be concatenated, and padded with zeros."""
        self._packed = self._packed.lstrip(b"\0")
        if self._packed:
            self._member = zlib.decompressobj(_UNZIP)
        return bool(self._packed) or self._more_members()

    def _more_members(self) -> bool:
        while (packed := self._raw.read(_CHUNK)) and not packed.strip(b"\0"):
            self._offset += len(packed)
        self._packed = packed.lstrip(b"\0")
        self._offset += len(packed)
        self._ended = not self._packed
        self._member = zlib.decompressobj(_UNZIP)
        return not self._ended

    def _finish(self) -> bytes:
        rest = b"" if self._member.eof else self._member.flush()
        if self._member.eof:
            self._ended = True
        else:
            self._end(Damage.TORN, f"the gzip data is cut off after {self._offset} bytes")
        return rest

    def _end(self, damage: Damage, reason: str) -> None:
        self._ended, self.damage, self.reason = True, damage, reason


def _until_error(member: "zlib._Decompress", packed: bytes) -> bytes:
    """What zlib can still unpack: given all at once, it would keep what precedes the damage to itself."""
    unpacked = []
    for place in range(len(packed)):
        try:
            unpacked.append(member.decompress(packed[place : place + 1]))
        except zlib.error:
            break
    return b"".join(unpacked)


def _read_fully(stream: Readable, size: int, at_least: int = 0) -> bytes:
    """Reads `size` bytes, fewer only at the end; up to `at_least` if they come at once."""
    blocks: list[bytes] = []
    while size > 0 and (block := stream.read(max(size, at_least))):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def _length(header: bytes) -> int | None:
    """The length that a header states; None if its checksum is wrong or no record is that long."""
    if len(header) < _HEADER.size:
        return None
    length, crc = _HEADER.unpack(header)
    return length if length <= MAX_RECORD_BYTES and crc == masked_crc(header[:8]) else None
