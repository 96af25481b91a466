"""What workers run to write serialised examples, into files of a bounded size: see `shards`."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import apache_beam as beam

from ..artifacts.packing import packing
from ..artifacts.tfrecord import frame, read_records
from .bundles import at_the_end
from .worker_files import create, open_records

SHARD_BYTES = 32 << 20  # of serialised examples; the last of a shard may go beyond
LIST = "shards.json"
_TRIED = 50  # rows that are packed to see whether that is worth while
_SMALLER = 0.8
_AT_ONCE = 1 << 18  # bytes that are gzipped together


class WritingFn(beam.DoFn):
    """Writes rows of a bundle into files of its own, whose paths it gives at the end."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch

    def start_bundle(self) -> None:
        self._writer = ShardWriter(self._scratch)

    def finish_bundle(self) -> Iterator[Any]:
        self._writer.close()
        yield from map(at_the_end, self._writer.paths)


@beam.typehints.with_input_types(bytes)
@beam.typehints.with_output_types(str)
class WriteBundle(WritingFn):
    """Serialised examples -> the paths of the files that hold those of a bundle."""

    def process(self, row: bytes) -> None:
        self._writer.write(row)


@beam.typehints.with_output_types(str)
class KeepWritten(WritingFn):
    """A file that was written ahead, and what of it is kept -> the paths of files that hold these rows and no others.

    A file of which all is kept stays as it is; of others the rows are written anew. The numbers of a file are those of
    its rows that are kept, from 0, and below 0 how many it has: as many as that is.
    """

    def process(self, file: tuple[str, Iterable[int]]) -> Iterator[str]:
        path, numbers = os.path.join(self._scratch, file[0]), set(file[1])
        count = -min(numbers)
        if count < 1:
            raise ValueError(f"of {path}, it must be told how many rows it has")
        numbers.discard(-count)
        if len(numbers) == count:
            yield path
        elif numbers:
            with open_records(path) as records:
                for record in read_records(records, strict=True, source=path):
                    if record.number in numbers:
                        self._writer.write(record.data)


def write_list(paths: Iterable[str], scratch: str) -> None:
    """Says which files of a folder count."""
    with create(os.path.join(scratch, LIST)) as file:
        file.write(json.dumps(sorted(paths)).encode())


class ShardWriter:
    """Writes examples into files of names of their own, `counts`; another one is begun when one is full.

    They are gzipped, but only packed where that makes the first rows a fifth smaller or more: pixels of photographs and
    image files stay what they are, at ten times the time to write and to read them.
    """

    def __init__(self, scratch: str) -> None:
        self.counts: dict[str, int] = {}  # how many rows each file has or will have, by its name, in order
        self._scratch = scratch
        self._size = SHARD_BYTES  # of the rows for the last of them
        self._waiting: list[tuple[str, bytes]] = []  # until there are enough of them to tell
        self._stored: bool | None = None  # whether rows stay what they are
        self._open = ""  # the name of the file that is written
        self._file: _GzippedRecords | None = None

    @property
    def paths(self) -> list[str]:
        return [os.path.join(self._scratch, name) for name in self.counts]

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, row: bytes) -> tuple[str, int]:
        """Writes a row, now or later; the name of the file, and the number of the row in it, from 0."""
        name = next(reversed(self.counts)) if self._size < SHARD_BYTES else self.begin()
        number = self.counts[name]
        self.counts[name] += 1
        self._size += len(row)
        if self._stored is None:
            self._waiting.append((name, row))
            if len(self._waiting) == _TRIED:
                self._decide()
        else:
            self._append(name, row)
        return name, number

    def close(self) -> None:
        self._decide()
        for name in self.counts:
            if not self.counts[name]:
                self._append(name)
        self._end()

    def begin(self) -> str:
        """The next row begins a file, which is there even if none comes; its name."""
        name = f"{uuid.uuid4().hex}.gz"
        self.counts[name] = self._size = 0
        return name

    def _decide(self) -> None:
        first = b"".join(row for _, row in self._waiting)
        if self._stored is None:
            tried = packing()
            self._stored = len(tried.compress(first) + tried.flush()) >= _SMALLER * len(first)
        waiting, self._waiting = self._waiting, []
        for name, row in waiting:
            self._append(name, row)

    def _append(self, name: str, *rows: bytes) -> None:
        if name != self._open or self._file is None:
            self._end()
            self._open = name
            self._file = _GzippedRecords(create(os.path.join(self._scratch, name)), bool(self._stored))
        for row in rows:
            self._file.write(row)

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class _GzippedRecords:
    """A gzipped TFRecord file that is written. TensorFlow's writer makes the same records, in its own process only."""

    def __init__(self, file: BinaryIO, stored: bool) -> None:
        self._file = file
        self._packing = packing(stored=stored)
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        framed = frame(data)
        self._waiting.append(framed)
        self._size += len(framed)
        if self._size >= _AT_ONCE:
            self._pack()

    def close(self) -> None:
        self._pack()
        with self._file as file:
            file.write(self._packing.flush())

    def _pack(self) -> None:
        self._file.write(self._packing.compress(b"".join(self._waiting)))
        self._waiting.clear()
        self._size = 0
