"""How Beam writes serialised examples: into files of a bounded size, all of them or none, whatever happens to a worker.

A worker writes its files into a folder of its own name beside the splits, and what the pipeline comes to is the list of
those that count: what a worker wrote that was killed, or whose work was done twice, is not in it. When the pipeline has
ended, the files of the list become the split, and the folder goes. Beam's own files lie in the split's folder while
they are written, where a killed worker leaves some behind for whoever reads the split, and those of an earlier run
that had more of them stay for ever.
"""

import contextlib
import json
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from tfx.components.example_gen.write_split import DEFAULT_FILE_NAME
from tfx.dsl.io import fileio

from ..artifacts.splits import split_path
from ..strict_text import parse_json

SHARD_BYTES = 32 << 20  # of serialised examples; the last of a shard may go beyond
_WRITING = ".writing-"  # a hidden folder: readers of artifacts do not look into it
_LIST = "shards.json"
_TRIED = 50  # rows that are packed to see whether that is worth while
_SMALLER = 0.8
_RENAMED_AT_ONCE = 16  # in an object store, each is a copy


@dataclass(frozen=True)
class Shards:
    """The files of a split while they are written.

    Attributes:
      folder: of the split.
      scratch: where they are written.

    """

    folder: str
    scratch: str

    def write_here(self, rows: Iterable[bytes]) -> None:
        """Writes the split without a pipeline."""
        with _ShardWriter(self.scratch) as writer:
            for row in rows:
                writer.write(row)
        write_list(writer.paths, self.scratch)

    def commit(self) -> None:
        """Makes what the pipeline has written the split, instead of whatever is there. No file is an empty one."""
        with fileio.open(os.path.join(self.scratch, _LIST)) as file:
            written: list[str] = parse_json(file.read())
        if not written:
            with _ShardWriter(self.scratch) as writer:
                writer.open()
            written = writer.paths
        if fileio.exists(self.folder):
            fileio.rmtree(self.folder)
        fileio.makedirs(self.folder)
        names = [f"{DEFAULT_FILE_NAME}-{number:05d}-of-{len(written):05d}.gz" for number in range(len(written))]
        with ThreadPoolExecutor(_RENAMED_AT_ONCE) as threads:
            list(threads.map(fileio.rename, sorted(written), [os.path.join(self.folder, name) for name in names]))


@contextlib.contextmanager
def shards_of(uri: str, splits: Sequence[str]) -> Iterator[dict[str, Shards]]:
    """The files of each split of an `Examples` artifact: committed behind the block, unless that raises.

    What an earlier run has left behind that was killed is removed first.

    Args:
      uri: of the artifact.
      splits: their names.

    """
    _sweep(uri)
    scratch = os.path.join(uri, f"{_WRITING}{uuid.uuid4().hex}")
    written = {split: Shards(split_path(uri, split), os.path.join(scratch, split)) for split in splits}
    for each in written.values():
        fileio.makedirs(each.scratch)
    try:
        yield written
        for each in written.values():
            each.commit()
    finally:
        fileio.rmtree(scratch)


class WriteShards(beam.PTransform):
    """Serialised examples -> the files of a split, which are there once they are committed."""

    def __init__(self, shards: Shards) -> None:
        super().__init__()
        self._scratch = shards.scratch

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        return (
            rows
            | "Write" >> beam.ParDo(_WriteBundle(self._scratch))
            | "Gather" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "List" >> beam.Map(write_list, self._scratch)
        )


@beam.typehints.with_input_types(bytes)
@beam.typehints.with_output_types(str)
class _WriteBundle(beam.DoFn):
    """Serialised examples -> the paths of the files that hold those of a bundle."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch

    def start_bundle(self) -> None:
        self._writer = _ShardWriter(self._scratch)

    def process(self, row: bytes) -> None:
        self._writer.write(row)

    def finish_bundle(self) -> Iterator[Any]:
        self._writer.close()
        window = GlobalWindow()
        for path in self._writer.paths:
            yield WindowedValue(path, window.max_timestamp(), (window,))


def write_list(paths: Iterable[str], scratch: str) -> None:
    """Says which files of a folder count."""
    with fileio.open(os.path.join(scratch, _LIST), "w") as file:
        file.write(json.dumps(sorted(paths)))


class _ShardWriter:
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
        self._file: tf.io.TFRecordWriter | None = None

    def __enter__(self) -> "_ShardWriter":
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

    def open(self) -> tf.io.TFRecordWriter:
        """Begins a file."""
        how = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=self._level or 0)
        self.paths.append(os.path.join(self._scratch, f"{uuid.uuid4().hex}.gz"))
        self._file = tf.io.TFRecordWriter(self.paths[-1], how)
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


def _sweep(uri: str) -> None:
    if fileio.exists(uri):
        for name in fileio.listdir(uri):
            if name.startswith(_WRITING):
                fileio.rmtree(os.path.join(uri, name))
