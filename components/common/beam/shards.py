"""How Beam writes serialised examples: into files of a bounded size, all of them or none, whatever happens to a worker.

A worker writes its files into a folder of its own name beside the splits, and what the pipeline comes to is the list of
those that count: what a worker wrote that was killed, or whose work was done twice, is not in it. When the pipeline has
ended, the files of the list become the split, and the folder goes. Beam's own files lie in the split's folder while
they are written, where a killed worker leaves some behind for whoever reads the split, and those of an earlier run
that had more of them stay for ever.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import apache_beam as beam
from tfx.components.example_gen.write_split import DEFAULT_FILE_NAME
from tfx.dsl.io import fileio

from ..artifacts.splits import split_path
from ..strict_text import parse_json
from .hand_back import scratch_folder
from .shard_writer import LIST, KeepWritten, ShardWriter, WriteBundle, write_list

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
        with ShardWriter(self.scratch) as writer:
            for row in rows:
                writer.write(row)
        write_list(writer.paths, self.scratch)

    def commit(self) -> None:
        """Makes what the pipeline has written the split, instead of whatever is there. No file is an empty one."""
        with fileio.open(os.path.join(self.scratch, LIST)) as file:
            written: list[str] = parse_json(file.read())
        if not written:
            with ShardWriter(self.scratch) as writer:
                writer.begin()
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

    Args:
      uri: of the artifact.
      splits: their names.

    """
    with scratch_folder(uri) as scratch:
        written = {split: Shards(split_path(uri, split), os.path.join(scratch, split)) for split in splits}
        for each in written.values():
            fileio.makedirs(each.scratch)
        yield written
        for each in written.values():
            each.commit()


class KeepRows(beam.PTransform):
    """Places of rows that were written ahead -> the files of a split, which are there once they are committed.

    Takes two collections: the names of files in `Shards.scratch` with as many below 0 as each has rows; the name and
    the number, from 0, of each row that is kept. So what is large is never sent from worker to worker, nor held.
    """

    def __init__(self, shards: Shards) -> None:
        super().__init__()
        self._scratch = shards.scratch

    def expand(self, places: Sequence[beam.PCollection]) -> beam.PCollection:
        return (
            places
            | "Both" >> beam.Flatten()
            | "ByFile" >> beam.GroupByKey()
            | "Keep" >> beam.ParDo(KeepWritten(self._scratch))
            | "List" >> _ListFiles(self._scratch)
        )


class WriteShards(beam.PTransform):
    """Serialised examples -> the files of a split, which are there once they are committed."""

    def __init__(self, shards: Shards) -> None:
        super().__init__()
        self._scratch = shards.scratch

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        return rows | "Write" >> beam.ParDo(WriteBundle(self._scratch)) | "List" >> _ListFiles(self._scratch)


class _ListFiles(beam.PTransform):
    """Paths -> the list of the files that count."""

    def __init__(self, scratch: str) -> None:
        super().__init__()
        self._scratch = scratch

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        return (
            paths
            | "Gather" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "List" >> beam.Map(write_list, self._scratch)
        )
