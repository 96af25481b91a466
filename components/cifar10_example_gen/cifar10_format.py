"""CIFAR-10's binary format, read strictly. NumPy and the standard library only.

A file is a sequence of records of 3,073 bytes: the label, 0 to 9, then the red, the green and the blue plane of a
32 x 32 image, each row by row (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, and the
data set's home page). It may be gzipped. Nothing is skipped: whatever is not such a record is an error.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Protocol

import numpy as np
import numpy.typing as npt

from ..common.errors import MonitorError

CLASSES = 10
IMAGE_SHAPE = (32, 32, 3)
_SIDE = 32
_PLANES = 3
RECORD_BYTES = 1 + _PLANES * _SIDE * _SIDE
RECORDS_PER_PART = 10_000
GZIP_SUFFIX = ".gz"


class Readable(Protocol):
    """What is needed of a stream: a read may return less than was asked for, and nothing only at the end."""

    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of one file.

    Attributes:
      first: number in the file, from 0, of the first record.
      labels: uint8 [N], each 0 to 9.
      images: uint8 [N, 32, 32, 3], C-contiguous: rows, columns, then red, green, blue.

    """

    first: int
    labels: npt.NDArray[np.uint8]
    images: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """Consecutive records of a file: so many from `first` on, or, where `records` is None, all of them."""

    path: str
    first: int = 0
    records: int | None = None


def parts_of(path: str, size: int) -> Iterator[Part]:
    """Parts of a file of `size` bytes, each small enough for one worker; a gzipped one has one part.

    >>> [(part.first, part.records) for part in parts_of("a.bin", 25_000 * RECORD_BYTES)]
    [(0, 10000), (10000, 10000), (20000, None)]
    """
    first = 0
    if not path.endswith(GZIP_SUFFIX):
        while size - first * RECORD_BYTES > RECORDS_PER_PART * RECORD_BYTES:
            yield Part(path, first, RECORDS_PER_PART)
            first += RECORDS_PER_PART
    yield Part(path, first)


def read_part(raw: IO[bytes], part: Part) -> Iterator[Chunk]:
    """Reads a part of a file from the raw bytes of all of it; see `read_file`."""
    if not part.first and part.records is None:
        yield from read_file(raw, part.path)
        return
    raw.seek(part.first * RECORD_BYTES)
    left = part.records
    for chunk in read_records(raw, part.path, first=part.first):
        if left is not None and len(chunk.labels) >= left:
            yield Chunk(chunk.first, chunk.labels[:left], chunk.images[:left])
            return
        yield chunk
        left = None if left is None else left - len(chunk.labels)


def read_file(raw: IO[bytes], path: str, records_per_chunk: int = 1000) -> Iterator[Chunk]:
    """Reads one file from its raw bytes, unpacking them first if the path ends in `.gz`; see `read_records`."""
    if not path.endswith(GZIP_SUFFIX):
        yield from read_records(raw, path, records_per_chunk)
        return
    with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
        yield from read_records(unpacked, path, records_per_chunk)


def read_records(stream: Readable, path: str, records_per_chunk: int = 1000, first: int = 0) -> Iterator[Chunk]:
    """Yields the records of an uncompressed (or unpacking) stream in chunks of at most `records_per_chunk`.

    `first` is the number in the file of the stream's first record.

    Raises:
      MonitorError: the stream is empty, ends within a record, has a label above 9, or is damaged. The message names
        `path`, the byte offset in the uncompressed stream, and what is there.

    """
    while data := _read_up_to(stream, records_per_chunk * RECORD_BYTES, path, first * RECORD_BYTES):
        chunk = _parse(data, path, first)
        yield chunk
        first += len(chunk.labels)
    if first == 0:
        raise MonitorError(f"{path}: the file is empty; at least one record of {RECORD_BYTES} bytes is needed")


def example_id(path: str, record: int) -> str:
    """What identifies an image: file name without `.gz`, and record number from 0, such as `data_batch_1.bin:17`.

    >>> example_id("/data/cifar10/data_batch_1.bin.gz", 17)
    'data_batch_1.bin:17'
    """
    return f"{PurePosixPath(path).name.removesuffix(GZIP_SUFFIX)}:{record}"


def check_distinct_names(paths: Iterable[str]) -> None:
    """Raises `MonitorError` when two files would give their records the same ids (see `example_id`)."""
    seen: dict[str, str] = {}
    for path in paths:
        name = example_id(path, 0)
        if name in seen:
            raise MonitorError(
                f"Files of one split must have different names, for these make the ids of examples. "
                f"Received: {seen[name]} and {path}"
            )
        seen[name] = path


def _read_up_to(stream: Readable, size: int, path: str, offset: int) -> bytes:
    """Reads `size` bytes, less only at the end of the stream: a single read() may return less at any place."""
    blocks: list[bytes] = []
    missing = size
    try:
        while missing and (block := stream.read(missing)):
            blocks.append(block)
            missing -= len(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reached = offset + size - missing
        raise MonitorError(f"{path}: the gzip data is damaged after byte offset {reached}: {error}") from error
    return b"".join(blocks)


def _parse(data: bytes, path: str, first: int) -> Chunk:
    """Splits whole records into labels and images; problems are reported in the order of their offsets."""
    whole, rest = divmod(len(data), RECORD_BYTES)
    records = np.frombuffer(data, np.uint8, count=whole * RECORD_BYTES).reshape(whole, RECORD_BYTES)
    labels = records[:, 0]
    _check_labels(labels, path, first)
    if rest:
        offset = (first + whole) * RECORD_BYTES
        raise MonitorError(
            f"{path}: truncated or of another format: record {first + whole} at byte offset {offset} must have "
            f"{RECORD_BYTES} bytes. Received: {rest}"
        )
    planes = records[:, 1:].reshape(whole, _PLANES, _SIDE, _SIDE)
    return Chunk(first, labels, np.ascontiguousarray(planes.transpose(0, 2, 3, 1)))


def _check_labels(labels: npt.NDArray[np.uint8], path: str, first: int) -> None:
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        record = first + int(wrong[0])
        raise MonitorError(
            f"{path}: the label of record {record} at byte offset {record * RECORD_BYTES} must be 0 to {CLASSES - 1} "
            f"(or the records are not {RECORD_BYTES} bytes long). Received: {labels[wrong[0]]}"
        )
