"""How the artifacts of runs are read: TFX's on this machine, Kubeflow's in the object store that it keeps them in."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from components.common.artifacts.files import Files, confined_files
from components.common.bounded_files import MOST_BYTES, too_large
from components.common.errors import MonitorError
from components.common.object_store.address import BucketError, is_address, parse
from components.common.object_store.files import store_files

_REMEMBERED = 64 << 20  # bytes
_LARGEST_REMEMBERED = 1 << 20
_SECONDS = 300.0  # that what was read is remembered; artifacts do not change once they are recorded
_REFUSED_SECONDS = 30.0  # that a bucket which could not be asked is not asked again


def kubeflow_files(*, local: bool, most: int = MOST_BYTES) -> Files:
    """Files of object stores; a path without a scheme is one of a container that is gone.

    Args:
      local: whether such a path may be one of this machine as well, as in the record of a run of `kfp.local`. That
        there is nothing here says nothing of what was in a container.
      most: bytes of a file.

    """
    files = _remembering(store_files(most))
    if not local:
        return replace(files, check=_require_address, local=False)
    return replace(files, there=lambda path: not is_address(path) or files.there(path))


def shown_files(root: str | Path, places: Collection[str], most: int = MOST_BYTES) -> Files:
    """What pages in a browser may show: what is below a folder of this machine, and below addresses.

    Args:
      root: the folder; "" for none.
      places: the addresses.
      most: bytes of a file.

    """
    local, stores = confined_files(root, most) if root else None, _remembering(store_files(most))

    def check(path: str) -> None:
        if "://" not in path and local is not None:
            local.check(path)
        elif not _is_below(path, places):
            shown = ", ".join([*([str(root)] if root else []), *places]) or "nowhere"
            raise MonitorError(f"{path} is not below {shown} and is not shown")

    return replace(stores, check=check, remote=bool(places), local=local is not None)


def _require_address(path: str) -> None:
    if not is_address(path):
        raise MonitorError(f"{path} must be in an object store to be read. Received: a place in a container")


def _is_below(path: str, places: Collection[str]) -> bool:
    """Whether an address is one of these places or below it; what is no address is not.

    >>> _is_below("s3://data/runs/1", ["s3://data/runs"]), _is_below("s3://data/runs/../keys", ["s3://data/runs"])
    (True, False)
    """
    try:
        address = parse(path)
    except MonitorError:
        return False
    return any(f"{address}/".startswith(f"{place.rstrip('/')}/") for place in places)


@dataclass
class _Memory:
    """What was read of object stores lately, for all threads of a process."""

    known: "OrderedDict[tuple[str, str], tuple[float, Any, int]]" = field(default_factory=OrderedDict)
    refused: dict[str, tuple[float, str]] = field(default_factory=dict)
    bytes: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def get(self, what: str, path: str, make: Callable[[], Any]) -> Any:
        """What is remembered, or else what `make` gives; an error is not remembered."""
        key, now = (what, path), time.monotonic()
        with self.turn:
            at, value, _ = self.known.get(key, (float("-inf"), None, 0))
            if now - at < _SECONDS:
                self.known.move_to_end(key)
                return value
        value = self.ask(path, make)
        self._keep(key, value)
        return value

    def ask(self, path: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, unless the bucket could not be asked a moment ago: each question waits for long."""
        bucket = parse(path).root if is_address(path) else ""
        with self.turn:
            until, why = self.refused.get(bucket, (0.0, ""))
        if time.monotonic() < until:
            raise BucketError(why)
        try:
            return make()
        except BucketError as error:
            with self.turn:
                self.refused[bucket] = (time.monotonic() + _REFUSED_SECONDS, str(error))
            raise

    def _keep(self, key: tuple[str, str], value: Any) -> None:
        size = len(value) if isinstance(value, bytes) else 100 * (len(value) + 1)
        if size > _LARGEST_REMEMBERED:
            return
        with self.turn:
            self.bytes -= self.known.pop(key, (0.0, None, 0))[2]
            self.known[key] = (time.monotonic(), value, size)
            self.bytes += size
            while self.bytes > _REMEMBERED:
                self.bytes -= self.known.popitem(last=False)[1][2]


def _remembering(files: Files) -> Files:
    """The same, which asks a store once for what is asked for again and again: by the next check, by the next page."""
    memory = _Memory()

    def read(path: str, most: int) -> bytes:
        if not is_address(path):
            return files.read(path, most)
        content: bytes = memory.get("content", path, lambda: files.read(path, most))
        if len(content) > most:  # remembered of somebody who reads more
            raise too_large(path, len(content), most)
        return content

    def names(folder: str) -> list[str]:
        return list(memory.get("names", folder, lambda: files.names(folder)))

    return replace(
        files,
        read=read,
        names=lambda folder: names(folder) if is_address(folder) else files.names(folder),
        there=lambda path: bool(memory.ask(path, lambda: files.there(path))),
        count=lambda path: dict(memory.ask(path, lambda: files.count(path))),
    )
