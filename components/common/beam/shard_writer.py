"""What workers run to write serialised examples, into files of a bounded size: see `shards`."""

import json
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from ..artifacts.tfrecord import frame
from .worker_files import create

SHARD_BYTES = 32 << 20  # of serialised examples; the last of a shard may go beyond
LIST = "shards.json"
_TRIED = 50  # rows that are packed to see whether that is worth while
_SMALLER = 0.8
_AT_ONCE = 1 << 18  # bytes that are gzipped together
_GZIP = 16 + zlib.MAX_WBITS  # a stream with gzip's header and footer


@beam.typehints.with_input_types(bytes)
@beam.typehints.with_output_types(str)
class WriteBundle(beam.DoFn):
    """Serialised examples -> the paths of the files that hold those of a bundle."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch

    def start_bundle(self) -> None:
        self._writer = ShardWriter(self._scratch)

    def process(self, row: bytes) -> None:
        self._writer.write(row)

    def finish_bundle(self) -> Iterator[Any]:
        self._writer.close()
        window = GlobalWindow()
        for path in self._writer.paths:
            yield WindowedValue(path, window.max_timestamp(), (window,))


def write_list(paths: Iterable[str], scratch: str) -> None:
    """Says which files of a folder count."""
    with create(os.path.join(scratch, LIST)) as file:
        file.write(json.dumps(sorted(paths)).encode())


class ShardWriter:
    """Writes examples into files of names of their own, `paths`; another one is begun when one is full.

    They are gzipped, but only packed where that makes the first rows a fifth smaller or more: pixels of photographs and
    image files stay what they are, at ten times the time to write and to read them.
    """

    def __init__(self, scratch: str) -> None:
        self.paths: list[str] = []
        self._scratch = scratch
        self._waiting: list[bytes] = []  # until there are enough of them to tell
        self._level: int | None = None
        self._written = 0
        self._file: _GzippedRecords | None = None

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, row: bytes) -> None:
        if self._level is None:
            self._waiting.append(row)
            if len(self._waiting) == _TRIED:
                self._decide()
        else:
            self._append(row)

    def close(self) -> None:
        self._decide()
        self._end()

    def open(self) -> "_GzippedRecords":
        """Begins a file."""
        self.paths.append(os.path.join(self._scratch, f"{uuid.uuid4().hex}.gz"))
        self._file = _GzippedRecords(create(self.paths[-1]), self._level or 0)
        return self._file

    def _decide(self) -> None:
        first = b"".join(self._waiting)
        if self._level is None:
            self._level = 1 if len(zlib.compress(first, 1)) < _SMALLER * len(first) else 0
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            self._append(row)

    def _append(self, row: bytes) -> None:
        (self._file or self.open()).write(row)
        self._written += len(row)
        if self._written >= SHARD_BYTES:
            self._end()

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._written = None, 0


class _GzippedRecords:
    """A gzipped TFRecord file that is written. TensorFlow's writer makes the same records, in its own process only."""

    def __init__(self, file: BinaryIO, level: int) -> None:
        self._file = file
        self._packing = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
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
