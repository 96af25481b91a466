"""Files in an object store that an ExampleGen is to read: as files of this machine, those alone that it takes.

Which it takes is known when its driver has resolved the span, and the driver goes by names, sizes and times. So all are
there first as files of the right size and time that take up no space, and what the pattern then names is fetched.
"""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.common.errors import require
from components.common.object_store.address import parse
from components.common.object_store.bucket import Bucket, Entry, bucket_of
from components.common.object_store.places import at_once, below

_FIRST_WILD = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class RemoteInput:
    """A folder of a store, and the folder of this machine that stands for it. Raises `MonitorError` as a `Bucket` does.

    Attributes:
      address: of the folder in the store.
      folder: that stands for it.
      entries: the objects that are in both, by their path below the folder.

    """

    address: str
    folder: Path
    entries: dict[str, Entry]

    @staticmethod
    def outline(address: str, folder: Path, patterns: Iterable[str]) -> "RemoteInput":
        """Makes the files that patterns may name, with nothing in them.

        Args:
          address: of the folder in the store.
          folder: to stand for it, which is made.
          patterns: of ExampleGens, below the folder.

        """
        parsed = parse(address, "input_base")
        bucket = bucket_of(parsed)
        folders = {below(parsed.key, _fixed(pattern)).rstrip("/") for pattern in patterns}
        found = {each.key[len(parsed.key) :].lstrip("/"): each for place in folders for each in bucket.tree(place)}
        require(bool(found), "input_base", "be a folder of a store that holds what the patterns name", address)
        for name, entry in found.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, entry.size)
            os.utime(path, (entry.changed, entry.changed))
        return RemoteInput(address, folder, found)

    def fetch(self, patterns: Iterable[str]) -> None:
        """Fetches what these patterns name, in which the span is resolved, and removes the rest."""
        wanted = {name for pattern in patterns for name in _named(self.folder, pattern)}
        for name in self.entries.keys() - wanted:
            (self.folder / name).unlink()
        bucket = bucket_of(parse(self.address))
        at_once(lambda name: _fetch(bucket, self.entries[name], self.folder / name), wanted & self.entries.keys())


def _fixed(pattern: str) -> str:
    """The folder that everything is in which a pattern names.

    >>> _fixed("logs/day-{SPAN}/*"), _fixed("train*"), _fixed("2026/01/part.gz")
    ('logs', '', '2026/01')
    """
    wild = _FIRST_WILD.search(pattern)
    return os.path.dirname(pattern[: wild.start()] if wild else pattern)


def _named(folder: Path, pattern: str) -> Iterable[str]:
    """The files that a pattern names, or that are in the folders which it names, as paths below `folder`."""
    for name in glob.glob(pattern, root_dir=folder):
        path = folder / name
        for file in [path] if path.is_file() else path.rglob("*"):
            if file.is_file():
                yield file.relative_to(folder).as_posix()


def _fetch(bucket: Bucket, entry: Entry, path: Path) -> None:
    bucket.download(entry, path)
    os.utime(path, (entry.changed, entry.changed))
