"""One bucket of a store: what is in it, reading, and writing with or without a precondition."""

import contextlib
import io
import itertools
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import GCSStore, S3Store

from ..bounded_files import too_large
from ..errors import MonitorError
from ..recent import Recent
from .address import Address
from .failures import failure
from .settings import Settings, settings_of

_PART = 8 << 20  # bytes of one part of a large upload, and of a download that is written to a file
_PARTS_AT_ONCE = 2
_opened: "Recent[Bucket]" = Recent(16)


@dataclass(frozen=True)
class Entry:
    """An object.

    Attributes:
      key: its key.
      size: its bytes.
      changed: when it was written, in seconds since 1970.

    """

    key: str
    size: int
    changed: float


@dataclass(frozen=True)
class State:
    """What an object holds, and how the store tells that from what it may hold later.

    Attributes:
      content: its bytes.
      e_tag, version: by which the store knows it; Amazon's goes by the first, Google's by the second.

    """

    content: bytes
    e_tag: str | None
    version: str | None


class Bucket:
    """A bucket. Keys are those of `Address`; folders are what keys have before a slash.

    Every method raises `MonitorError` where the store cannot be reached, has no such bucket, or refuses: see `failure`.
    """

    def __init__(self, address: Address, settings: Settings) -> None:
        self._root = Address(address.scheme, address.bucket)
        with self._told(""):
            self._store = _open(self._root, settings)

    def at(self, key: str) -> Address:
        """The address of a key."""
        return Address(self._root.scheme, self._root.bucket, key)

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; nothing where there is no such folder."""
        with self._told(folder):
            found = obstore.list_with_delimiter(self._store, folder or None)
        keys = {*found["common_prefixes"], *(each["path"] for each in found["objects"])}
        return sorted(posixpath.basename(key) for key in keys if key != folder)

    def tree(self, folder: str, most: int | None = None) -> list[Entry]:
        """Every object below a folder, sorted by key, without the empty ones that stand for a folder in some tools.

        Raises `MonitorError` also where there are more than `most` of them.
        """
        with self._told(folder):
            pages = obstore.list(self._store, folder or None, chunk_size=1000)
            entries = (
                Entry(each["path"], each["size"], each["last_modified"].timestamp()) for page in pages for each in page
            )
            found = list(itertools.islice(entries, None if most is None else most + 1))
        if most is not None and len(found) > most:
            raise MonitorError(f"{self.at(folder)} must have at most {most:,} objects below it. Received: more")
        folders = {parent for entry in found for parent in _parents(entry.key)} | {folder}
        return sorted((each for each in found if each.size or each.key not in folders), key=lambda entry: entry.key)

    def holds(self, key: str) -> bool:
        """Whether there is an object."""
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def size(self, key: str) -> int:
        """The bytes of an object. Raises `FileNotFoundError`."""
        with self._told(key):
            return obstore.head(self._store, key)["size"]

    def read(self, key: str, most: int) -> State:
        """An object. Raises `FileNotFoundError`, or `MonitorError` where it has more than `most` bytes."""
        with self._told(key):
            found = obstore.get(self._store, key)
            meta = found.meta
            if meta["size"] > most:
                raise too_large(str(self.at(key)), meta["size"], most)
            return State(bytes(found.bytes()), meta["e_tag"], meta["version"])

    def open(self, key: str) -> BinaryIO:
        """An object, to be read piece by piece. Raises as `read`, also while it is read, and where it then changes."""
        return io.BufferedReader(_Object(self, key), _PART)

    def part(self, key: str, begin: int, end: int) -> State:
        """Some bytes of an object, from `begin` to before `end`, which is behind it. Raises as `read`."""
        with self._told(key):
            found = obstore.get(self._store, key, options={"range": (begin, end)})
            return State(bytes(found.bytes()), found.meta["e_tag"], found.meta["version"])

    def download(self, entry: Entry, path: Path) -> None:
        """Writes an object into a file. Raises as `read`, or `MonitorError` where its size is not as listed."""
        with self._told(entry.key), path.open("wb") as file:
            for block in obstore.get(self._store, entry.key).stream(min_chunk_size=_PART):
                file.write(block)
            size = file.tell()
        if size != entry.size:
            raise MonitorError(f"{self.at(entry.key)} had {entry.size} bytes when it was listed, and {size} when read")

    def upload(self, path: Path, key: str) -> None:
        """Writes a file's content into an object, which appears whole."""
        with self._told(key):
            obstore.put(self._store, key, path, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def create(self, key: str, content: bytes) -> bool:
        """Writes an object that is not there. Returns whether it was so; an answer that got lost is asked for again."""
        return self._put(key, content, "create")

    def replace(self, key: str, content: bytes, state: State) -> bool:
        """Writes an object in the place of the `state` that was read of it. Returns whether it still was that one."""
        known = {"e_tag": state.e_tag, "version": state.version}
        return self._put(key, content, {name: value for name, value in known.items() if value is not None})

    def copy(self, source: str, target: str) -> None:
        """Copies an object within the store, whole. Raises `FileNotFoundError` where there is no source."""
        with self._told(source):
            obstore.copy(self._store, source, target)

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes objects. Those that are gone already are no error."""
        wanted = list(keys)
        try:
            with self._told(posixpath.commonpath(wanted) if wanted else ""):
                obstore.delete(self._store, wanted)
        except FileNotFoundError:  # as Google's says of one, without saying of which, and leaves others
            for key in wanted:
                self._delete(key)

    def _delete(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._told(key):
            obstore.delete(self._store, key)

    def _put(self, key: str, content: bytes, mode: Any) -> bool:
        try:
            with self._told(key):
                obstore.put(self._store, key, content, mode=mode)
        except (AlreadyExistsError, PreconditionError):
            # The client asks again where no answer came, and finds then what it has written itself.
            return self._is(key, content)
        except FileNotFoundError:  # what was to be replaced is gone
            return False
        return True

    def _is(self, key: str, content: bytes) -> bool:
        try:
            return self.read(key, max(len(content), 1 << 20)).content == content
        except FileNotFoundError:
            return False

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Makes one sentence of what the client raises; of a precondition that does not hold its caller makes sense."""
        try:
            yield
        except (MonitorError, AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, FileNotFoundError, ValueError) as error:
            raise failure(error, self.at(key)) from error


class _Object(io.RawIOBase):
    """An object as Python has files, each read of which is a request: for `io.BufferedReader`."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._size = bucket.size(key)
        self._place = 0
        self._state: State | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._place + len(buffer), self._size)
        if self._place == end:
            return 0
        part = self._bucket.part(self._key, self._place, end)
        first = self._state = self._state or part
        if (part.e_tag, part.version) != (first.e_tag, first.version):
            raise MonitorError(f"{self._bucket.at(self._key)} was written anew while it was read")
        buffer[: len(part.content)] = part.content
        self._place += len(part.content)
        return len(part.content)


def bucket_of(address: Address) -> Bucket:
    """The bucket of an address, by the environment's settings. Raises `MonitorError` where there are no credentials."""
    settings = settings_of(address, os.environ)
    key = (os.getpid(), address.root, repr(settings), repr(settings.config))
    return _opened.get(key, lambda: Bucket(address, settings))


def _open(root: Address, settings: Settings) -> S3Store | GCSStore:
    kind: Callable[..., Any] = GCSStore if root.scheme == "gs" else S3Store
    return kind(root.bucket, client_options=settings.client, retry_config=settings.retry, **settings.config)


def _parents(key: str) -> Iterator[str]:
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key
