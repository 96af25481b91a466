"""TFRecord files read without TensorFlow: whole files whose every checksum is right, or an error that says where not.

The framing (TensorFlow, `tensorflow/core/lib/io/record_writer.h`): length as little-endian uint64, masked CRC-32C of
those 8 bytes as uint32, the data, masked CRC-32C of the data as uint32.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator

import google_crc32c

from .common.errors import MonitorError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8
_GZIP_MAGIC = b"\x1f\x8b\x08"


def read_records(content: bytes, source: str) -> Iterator[bytes]:
    """The records of a plain or gzipped TFRecord file; which of the two is told by the content.

    Args:
      content: the file.
      source: its name, for messages.

    Raises:
      MonitorError: at the first record that is cut off or whose checksum is wrong.

    """
    data = _unpacked(content, source)
    place = 0
    while place < len(data):
        begin = place + _HEADER.size
        if begin > len(data):
            raise _damaged(source, place, "it is cut off in its header")
        length, crc = _HEADER.unpack_from(data, place)
        if crc != masked_crc(data[place : place + 8]):
            raise _damaged(source, place, "the checksum of its length is wrong")
        end = begin + length
        if end + _FOOTER.size > len(data):
            raise _damaged(source, place, "it is cut off")
        record = data[begin:end]
        if _FOOTER.unpack_from(data, end)[0] != masked_crc(record):
            raise _damaged(source, place, "the checksum of its data is wrong")
        yield record
        place = end + _FOOTER.size


def frame(record: bytes) -> bytes:
    """The record as it stands in a TFRecord file.

    >>> list(read_records(frame(b"a") + frame(b"bc"), "two"))
    [b'a', b'bc']
    """
    length = struct.pack("<Q", len(record))
    return b"".join((length, _FOOTER.pack(masked_crc(length)), record, _FOOTER.pack(masked_crc(record))))


def masked_crc(data: bytes) -> int:
    """The CRC-32C of `data`, rotated and shifted as TFRecords store it."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _unpacked(content: bytes, source: str) -> bytes:
    """The content without gzip. A plain file whose first record happens to begin like gzip's magic number is told by
    the checksum of its length.
    """
    plain = len(content) >= _HEADER.size and _HEADER.unpack_from(content)[1] == masked_crc(content[:8])
    if plain or not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise MonitorError(f"{source} must be a whole gzip file. Received: {error}") from error


def _damaged(source: str, place: int, why: str) -> MonitorError:
    return MonitorError(f"{source} must be a whole TFRecord file. Received: a record at byte {place}, and {why}")
