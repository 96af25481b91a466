"""Parts of a TFRecord file that workers read each by itself: the headers of the records alone tell where they lie.

A file is cut where a record with a valid header begins, once `PART_BYTES` have gone by, so that its parts depend on the
file and on nothing else. From the first header on that is damaged, all is one part: what is a record behind it, reading
finds out. A gzipped file has no places to begin at; `pieces_of` hands its records on in pieces, as they are unpacked.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeAlias

from .gunzip import Readable
from .tfrecord import FOOTER_BYTES, HEADER_BYTES, Record, is_packed, length_in, read_records, whole_data

PART_BYTES = 32 << 20  # 10,000 images of 32 x 32: a second or two of work
PIECE_BYTES = 4 << 20  # of records that are sent to other workers
_RECORD_OVERHEAD = 256  # bytes that an empty record takes


@dataclass(frozen=True)
class Part:
    """A part of a file.

    Attributes:
      path: of the file.
      begin: the byte at which its first record begins.
      end: the byte behind its last record; None: it goes to the end of the file.
      first: the number of its first record in the file, from 0.
      packed: whether it is a whole gzipped file of more than `PART_BYTES`, packed.

    """

    path: str
    begin: int = 0
    end: int | None = None
    first: int = 0
    packed: bool = False


@dataclass(frozen=True)
class Piece:
    """Records of a gzipped file.

    Attributes:
      path: of the file.
      begin: the byte of the unpacked file at which the first of them begins.
      first: the number of the first in the file, from 0.
      records: they themselves.

    """

    path: str
    begin: int
    first: int
    records: tuple[Record, ...]


Given: TypeAlias = Part | Piece


def parts_of(path: str, file: BinaryIO, most: int = PART_BYTES) -> Iterator[Part]:
    """The parts of a file, which can be sought in; they are in order, and every byte is in one of them."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(0)
    head = file.read(HEADER_BYTES)
    packed = is_packed(head)
    if size <= most or packed:
        yield Part(path, packed=packed and size > most)
        return
    begin = first = number = place = 0
    header_at = _headers(file)
    while (length := length_in(head)) is not None:
        if place - begin >= most:
            yield Part(path, begin, place, first)
            begin, first = place, number
        place += HEADER_BYTES + length + FOOTER_BYTES
        number += 1
        head = header_at(place)
    yield Part(path, begin, None, first)


def _headers(file: BinaryIO) -> Callable[[int], bytes]:
    """Reads the header at a place of a file: of one of this machine nothing else, where `read` fills its buffer."""
    try:
        return partial(os.pread, file.fileno(), HEADER_BYTES)
    except (AttributeError, OSError):  # a file in memory, or in an object store

        def header_at(place: int) -> bytes:
            file.seek(place)
            return file.read(HEADER_BYTES)

        return header_at


def records_in(part: Part, file: BinaryIO, *, strict: bool = False) -> Iterator[Record]:
    """The records of a part of a file, numbered as in the whole of it. Raises as `read_records`."""
    return read_records(_part_of(file, part), strict=strict, source=part.path, first=part.first, begin=part.begin)


def data_in(part: Part, file: BinaryIO) -> Iterator[bytes]:
    """The data of the records of a part of a file. Raises `MonitorError` at the first that is damaged."""
    return whole_data(_part_of(file, part), part.path, part.begin)


def _part_of(file: BinaryIO, part: Part) -> Readable:
    if part.begin:
        file.seek(part.begin)
    return file if part.end is None else _Limited(file, part.end - part.begin)


def pieces_of(path: str, records: Iterable[Record], most: int | None = None) -> Iterator[Piece]:
    """Records of a file, in its order, as pieces of one record or more, of about `most` bytes; None: `PIECE_BYTES`."""
    most = PIECE_BYTES if most is None else most
    held: list[Record] = []
    begin = place = size = 0
    for record in records:
        held.append(record)
        place += record.size
        size += len(record.data) + _RECORD_OVERHEAD
        if size >= most:
            yield Piece(path, begin, held[0].number, tuple(held))
            held, begin, size = [], place, 0
    if held:
        yield Piece(path, begin, held[0].number, tuple(held))


class _Limited:
    """The next bytes of a file, so many at most."""

    def __init__(self, file: Readable, left: int) -> None:
        self._file = file
        self._left = left

    def read(self, size: int = 1 << 16, /) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block
