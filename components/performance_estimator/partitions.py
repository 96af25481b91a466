"""Rows of two files brought together by id, however many there are: on disk, in parts small enough to be held."""

import marshal
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, TypeAlias

Entry: TypeAlias = tuple[int, str, int]  # which of the two it is from, its id, a number

MOST_HELD = 200_000  # entries: 30 MB or so
_BITS = 6
_PARTS = 1 << _BITS
_LEVELS = 5  # a part of a part ...: of what is too many still, almost all has one id


class Partitions:
    """Entries in any order -> groups, each with all entries of its ids, in the order in which they came.

    Up to `most` entries are held in memory, and are one group. More are partitioned by a hash of the id into files
    without a name, which are gone when this process is, and a file with too many is partitioned again (Grace's hash
    join). Python's hash of a text has another seed in each process: no client can choose ids that all fall together.

    Args:
      most: entries that are held at a time.
      level: how many times these have been partitioned before.

    """

    def __init__(self, most: int, level: int = 0) -> None:
        self._most = most
        self._level = level
        self._held: list[Entry] = []
        self._files: list[IO[bytes]] = []
        self._counts = [0] * _PARTS

    def __enter__(self) -> "Partitions":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()

    def add(self, entry: Entry) -> None:
        self._held.append(entry)
        if len(self._held) > self._most:
            self._spill()

    def groups(self) -> Iterator[Iterable[Entry]]:
        """The groups, each to be read to its end before the next."""
        if not self._files:
            yield self._held
            return
        self._spill()
        for file, count in zip(self._files, self._counts, strict=True):
            file.seek(0)
            if count <= self._most or self._level == _LEVELS - 1:
                yield _entries(file)
            else:
                yield from self._again(file)

    def _again(self, file: IO[bytes]) -> Iterator[Iterable[Entry]]:
        with Partitions(self._most, self._level + 1) as parts:
            for entry in _entries(file):
                parts.add(entry)
            yield from parts.groups()

    def _spill(self) -> None:
        if not self._files:
            self._files = [tempfile.TemporaryFile() for _ in range(_PARTS)]  # noqa: SIM115 - closed behind the block
        buckets: list[list[Entry]] = [[] for _ in range(_PARTS)]
        shift = _BITS * self._level
        for entry in self._held:
            buckets[hash(entry[1]) >> shift & (_PARTS - 1)].append(entry)
        for number, bucket in enumerate(buckets):
            self._counts[number] += len(bucket)
            marshal.dump(bucket, self._files[number])
        self._held = []


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    while True:
        try:
            bucket: list[Entry] = marshal.load(file)  # noqa: S302 - of this process's own making
        except EOFError:
            return
        yield from bucket
