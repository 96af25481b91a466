"""TFRecord files read record by record, without TensorFlow: damage is reported and the reading goes on, or is an error.

The framing (TensorFlow, `tensorflow/core/lib/io/record_writer.h`): length as little-endian uint64, masked CRC-32C of
those 8 bytes as uint32, the data, masked CRC-32C of the data as uint32. `tf.data` stops at the first error; here the
reader looks for the next header whose checksum is right.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import google_crc32c

from ..errors import MonitorError
from .file_formats import HEAD_BYTES, looks_like
from .gunzip import GZIP_MAGIC, Damage, Readable, Unzipped

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
HEADER_BYTES, FOOTER_BYTES = _HEADER.size, _FOOTER.size
_MASK_DELTA = 0xA282EAD8
_CHUNK = 1 << 16  # bytes that are read at once: of ten times as many each read costs fresh pages of memory
# A batch of 128 float images of 224 x 224 x 3 has 77 MB; a longer length is taken for damage.
MAX_RECORD_BYTES = 1 << 28
MAX_KEPT_BYTES = 1 << 20  # of a damaged stretch
# In a damaged stretch, valid headers are tried while the bytes checksummed in vain are at most so many times the bytes
# passed; then none is looked for until that is so again. Header after header, each of a record that reaches to the
# file's end, would otherwise cost the square of their number. In noise, one offset in four billion has a valid header.
_VAIN_FACTOR = 8
_VAIN_BYTES = 1 << 20
_VAIN_HEADER = 1 << 12  # what a header counts for besides the bytes that it had checksummed
# A header of a record that is not empty: four bytes, not all zero, of at most `MAX_RECORD_BYTES`, then four zeros.
_CANDIDATE = re.compile(rb"(?=(?!\0{4}).{3}[\0-\x10]\0{4}.{4})", re.DOTALL)


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


def framed_wrongly(record: Record) -> bytes:
    """A damaged stretch as a record of its size whose checksum is wrong: a reader goes on behind it.

    >>> import io
    >>> stretch = Record(0, b"ab", 40, Damage.CORRUPT)
    >>> file = io.BytesIO(frame(b"a") + framed_wrongly(stretch) + frame(b"c"))
    >>> [(each.data[:2], each.size, each.damage is None) for each in read_records(file)]
    [(b'a', 17, True), (b'ab', 40, False), (b'c', 17, True)]
    """
    size = min(max(len(record.data), record.size - _HEADER.size - _FOOTER.size), MAX_RECORD_BYTES)
    data = record.data[:size].ljust(size, b"\0")
    length = struct.pack("<Q", size)
    return b"".join((length, _FOOTER.pack(masked_crc(length)), data, _FOOTER.pack(masked_crc(data) ^ 1)))


def masked_crc(data: bytes) -> int:
    """The CRC-32C of `data`, rotated and shifted as TFRecords store it."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def read_records(
    raw: Readable, *, strict: bool = False, source: str = "The file", first: int = 0, begin: int = 0
) -> Iterator[Record]:
    """The records of a plain or gzipped TFRecord file; which of the two is told by the content, not by the name.

    Every byte of the unpacked file belongs to one of the records, whose `size` adds up to the file's. A gzip stream
    that is cut off or damaged gives all records before that, then one whose `damage` says so.

    Args:
      raw: the file.
      strict: whether the first damage is an error, so that every record that comes out is whole.
      source: the file's name, for that error's message.
      first: the number of the first record, where `raw` is a later part of a file.
      begin: the byte of the file at which `raw` begins, for that error's message too.

    Raises:
      MonitorError: if `strict`, at the first record that is cut off or whose checksum is wrong.

    """
    records = _numbered(*_opened(raw), first)
    return whole_records(records, source, begin) if strict else records


def whole_data(raw: Readable, source: str = "The file", begin: int = 0) -> Iterator[bytes]:
    """The data of the records that `read_records` gives if `strict`, in a quarter of the time."""
    stream, rest = _opened(raw)
    place, wanted = 0, HEADER_BYTES
    while wanted:
        more = _read_fully(stream, max(wanted - len(rest), _CHUNK))
        data = rest + more
        found, taken, wanted = _whole_at_once(data)
        yield from found
        place += taken
        rest = data[taken:]
        if not more:
            break
    # at the end, or before what is damaged: the other reader says what it is
    records = _numbered(stream, rest, 0, place)
    yield from (record.data for record in whole_records(records, source, begin + place))


def _whole_at_once(data: bytes) -> tuple[list[bytes], int, int]:
    """The whole records that some bytes begin with, the bytes they take, and how many the next takes; 0: it is damaged.

    Everything is written out: a call for each record would take as long as all there is to be done with it.
    """
    checksum, header, footer = google_crc32c.value, _HEADER.unpack_from, _FOOTER.unpack_from
    found: list[bytes] = []
    begin, size = 0, len(data)
    while begin + HEADER_BYTES <= size:
        length, crc = header(data, begin)
        found_crc = checksum(data[begin : begin + 8])
        if crc != ((found_crc >> 15 | found_crc << 17) + _MASK_DELTA) & 0xFFFFFFFF or length > MAX_RECORD_BYTES:
            return found, begin, 0
        end = begin + HEADER_BYTES + length
        if end + FOOTER_BYTES > size:
            return found, begin, end + FOOTER_BYTES - begin
        record = data[begin + HEADER_BYTES : end]
        found_crc = checksum(record)
        if footer(data, end)[0] != ((found_crc >> 15 | found_crc << 17) + _MASK_DELTA) & 0xFFFFFFFF:
            return found, begin, 0
        found.append(record)
        begin = end + FOOTER_BYTES
    return found, begin, HEADER_BYTES


def whole_records(records: Iterable[Record], source: str, place: int = 0) -> Iterator[Record]:
    """The same records, read from byte `place` of a file on. Raises `MonitorError` at the first that is damaged."""
    for record in records:
        if record.damage is not None:
            foreign = record.damage is Damage.FOREIGN
            what = record.reason if foreign else f"a record at byte {place}, and {record.reason}"
            raise MonitorError(f"{source} must be a whole TFRecord file. Received: {what}")
        yield record
        place += record.size


def _opened(raw: Readable) -> tuple[Readable, bytes]:
    """The stream of records, and what has been read of it."""
    head = _read_fully(raw, _HEADER.size)
    return (Unzipped(raw, head), b"") if is_packed(head) else (raw, head)


def _numbered(stream: Readable, head: bytes, first: int, passed: int = 0) -> Iterator[Record]:
    """The records of what `_opened` gives, or of what is left of it behind `passed` bytes."""
    buffer = _Buffer(stream, head, passed)
    number = first
    for number, record in enumerate(_records(buffer), start=first + 1):
        yield Record(number - 1, *record)
    if isinstance(stream, Unzipped) and stream.damage and buffer.whole:
        # it ended between two records; otherwise the last of them carries the news already
        yield Record(number, b"", 0, stream.damage, stream.reason)


class _Buffer:
    """The unread part of a stream, looked at before it is taken. Each byte is copied a bounded number of times."""

    def __init__(self, stream: Readable, head: bytes, passed: int) -> None:
        self.stream = stream
        self.passed = passed  # bytes taken
        self.vain = 0  # bytes checksummed in records that turned out to be none
        self.whole = True  # whether the last thing taken from it was a whole record
        self._data = bytearray(head)
        self._start = 0
        self._ended = False

    def fill(self, size: int) -> int:
        """Reads on until `size` bytes can be seen; how many there are, fewer only at the end of the stream."""
        while (missing := size - (len(self._data) - self._start)) > 0 and not self._ended:
            block = self.stream.read(max(missing, _CHUNK))
            self._ended = not block
            self._data += block
        return len(self._data) - self._start

    def end(self) -> None:
        """Reads no further."""
        self._ended = True

    def see(self, begin: int, end: int) -> bytes:
        with memoryview(self._data) as view:
            return bytes(view[self._start + begin : self._start + end])

    def find_header(self, begin: int) -> int:
        """Where, from `begin` on, the first valid header of what has been read starts; -1 without one."""
        with memoryview(self._data) as view:
            for match in _CANDIDATE.finditer(view, self._start + begin):
                place = match.start()
                if length_in(bytes(view[place : place + _HEADER.size])) is not None:
                    return place - self._start
        return -1

    def take(self, size: int) -> bytes:
        """Takes up to `size` bytes, and gives the first of them, at most `MAX_KEPT_BYTES`."""
        taken = self.see(0, min(size, MAX_KEPT_BYTES))
        self.skip(min(size, self.fill(0)))
        return taken

    def skip(self, size: int) -> None:
        self.passed += size
        self._start += size
        if self._start > max(_CHUNK, len(self._data) // 2):  # so that what is moved is less than what has gone
            del self._data[: self._start]
            self._start = 0

    @property
    def patience(self) -> int:
        """How many bytes have to be passed before there may be more checksums in vain; 0: none."""
        return max(0, (self.vain - _VAIN_BYTES) // _VAIN_FACTOR - self.passed)


_Found = tuple[bytes, int, Damage | None, str]


def _records(buffer: _Buffer) -> Iterator[_Found]:
    header = buffer.fill(_HEADER.size) >= _HEADER.size
    if header and not buffer.passed and length_in(buffer.see(0, _HEADER.size)) is None:
        buffer.fill(HEAD_BYTES)
        if kind := looks_like(buffer.see(0, HEAD_BYTES)):
            yield _foreign(buffer, kind)
    while available := buffer.fill(_HEADER.size):
        length = length_in(buffer.see(0, _HEADER.size))
        if length is None:
            torn = available < _HEADER.size
            yield _damaged(buffer, "it is cut off in its header" if torn else "its header is damaged", torn=torn)
        else:
            yield _framed(buffer, length)


def _foreign(buffer: _Buffer, kind: str) -> _Found:
    """All of a file of another kind."""
    packed = "gzipped, and unpacked it " if isinstance(buffer.stream, Unzipped) else "it "
    kept, size, damage, reason = _rest(buffer, bytearray(), 0, "", torn=False)
    what = f"this is no TFRecord file; {packed}looks like {kind}. Wanted are TFRecords, plain or gzipped"
    return kept, size, Damage.FOREIGN, what if damage is Damage.CORRUPT else f"{what}; {reason}"


def _framed(buffer: _Buffer, length: int) -> _Found:
    """The record behind a valid header of `length` bytes of data."""
    total = _HEADER.size + length + _FOOTER.size
    if (available := buffer.fill(total)) < total:
        return _damaged(buffer, f"it is cut off after {available} of {total} bytes", torn=True)
    data = buffer.see(_HEADER.size, _HEADER.size + length)
    if _is_whole(buffer, data, total):
        buffer.whole = True
        buffer.skip(total)
        return data, total, None, ""
    if _is_followed(buffer, total):  # the length is right, the data is not
        buffer.whole = True
        buffer.skip(total)
        return data[:MAX_KEPT_BYTES], total, Damage.CORRUPT, "the checksum of its data is wrong"
    return _damaged(buffer, "the checksum of its data is wrong", torn=False)


def _is_whole(buffer: _Buffer, data: bytes, total: int) -> bool:
    """Whether the checksum behind a record's data is that of the data."""
    if _FOOTER.pack(masked_crc(data)) == buffer.see(total - _FOOTER.size, total):
        return True
    buffer.vain += total
    return False


def _is_followed(buffer: _Buffer, total: int) -> bool:
    """Whether another record, or the end of the file, is where a record of `total` bytes ends."""
    return buffer.fill(total + _HEADER.size) == total or length_in(buffer.see(total, total + _HEADER.size)) is not None


def _begins_record(buffer: _Buffer) -> bool:
    """Whether what is next is a record, for it has a valid header and is whole or of the right length."""
    length = length_in(buffer.see(0, _HEADER.size)) or 0
    total = _HEADER.size + length + _FOOTER.size
    buffer.vain += _VAIN_HEADER
    if buffer.fill(total) < total:
        return False
    data = buffer.see(_HEADER.size, _HEADER.size + length)
    return _is_whole(buffer, data, total) or _is_followed(buffer, total)


def _damaged(buffer: _Buffer, reason: str, *, torn: bool) -> _Found:
    """Takes all up to the next record."""
    kept, size, begin = bytearray(), 0, 1
    while size <= MAX_RECORD_BYTES:
        found = buffer.find_header(begin)
        seen = buffer.fill(0)
        if found < 0 and buffer.fill(seen + 1) == seen:
            return _rest(buffer, kept, size, reason, torn=torn)
        # a header may straddle what is read next
        done = found if found >= 0 else max(0, seen - _HEADER.size + 1)
        _keep(kept, buffer.take(done))
        size += done
        begin = 1 if found >= 0 or not done else 0
        if found >= 0 and _begins_record(buffer):
            buffer.whole = True
            return bytes(kept), size, Damage.CORRUPT, reason
        begin = max(begin, min(buffer.patience, buffer.fill(0)))
    return _rest(buffer, kept, size, reason, torn=False)


def _keep(kept: bytearray, more: bytes) -> None:
    kept += more[: MAX_KEPT_BYTES - len(kept)]


def _rest(buffer: _Buffer, kept: bytearray, size: int, reason: str, *, torn: bool) -> _Found:
    """The last bytes of a stream, which hold no record any more."""
    alone, too_long = buffer.passed == size, False
    while seen := buffer.fill(1):
        if size > MAX_RECORD_BYTES:  # of bytes without a record: this is another kind of file, or a bomb
            buffer.end()
            too_long = True
        _keep(kept, buffer.take(seen))
        size += seen
    buffer.whole = False
    damage = Damage.TORN if torn else Damage.CORRUPT
    if too_long:
        damage, reason = Damage.UNREADABLE, f"there is no record in {size} bytes; the file is not read any further"
    elif isinstance(buffer.stream, Unzipped) and buffer.stream.damage:
        damage, reason = buffer.stream.damage, buffer.stream.reason
    elif alone and not torn:
        reason = f"{reason}, and there is no record in all {size} bytes of the file"
    return bytes(kept), size, damage, reason


def _read_fully(stream: Readable, size: int) -> bytes:
    """Reads `size` bytes, fewer only at the end."""
    blocks: list[bytes] = []
    while size > 0 and (block := stream.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with these bytes, `HEADER_BYTES` or more, is gzipped."""
    return head.startswith(GZIP_MAGIC) and length_in(head[:HEADER_BYTES]) is None


def length_in(header: bytes) -> int | None:
    """The length that a header states; None if its checksum is wrong or no record is that long."""
    if len(header) < _HEADER.size:
        return None
    length, crc = _HEADER.unpack(header)
    return length if length <= MAX_RECORD_BYTES and crc == masked_crc(header[:8]) else None
