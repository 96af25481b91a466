"""Pushes to a store in processes of their own, and what a server sees of them."""

import contextlib
import functools
import json
import multiprocessing
import os
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from components.atomic_pusher.publish import publish
from components.common.baseline_bundle import is_version
from components.common.object_store.address import parse
from components.common.object_store.bucket import Bucket
from components.common.object_store.settings import settings_of
from tests.support.pushed_files import seal, write_files

FILES = {
    "saved_model.pb": b"1" * 5000,
    "variables/variables.index": b"2" * 300,
    "variables/variables.data-00000-of-00001": b"3" * 70_000,
    "assets.extra/baseline/manifest.json": b"{}",
}
# With a file that is uploaded in three parts, see `Bucket.upload`.
LARGE = {**FILES, "variables/variables.data-00000-of-00001": b"4" * (17 << 20)}
fill = functools.partial(write_files, FILES)
_SECONDS = 300


@dataclass(frozen=True)
class Came:
    """What came of a push: its version, or what it said; neither where it was killed."""

    version: int | None = None
    said: str = ""


class Push:
    """A push in a process of its own."""

    def __init__(self, serving: str, environment: Mapping[str, str], now: float, *, large: bool = False) -> None:
        here, there = _processes().Pipe(duplex=False)
        self._answer = here
        self._came: Came | None = None
        self._process: BaseProcess = _processes().Process(
            target=_push, args=(serving, dict(environment), now, large, there)
        )
        self._process.start()
        there.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.join(_SECONDS)

    def ended(self) -> bool:
        """Whether it has said what came of it, or was killed."""
        return self._answer.poll()

    def end(self) -> Came:
        """Waits for it."""
        if self._came is None:
            try:
                self._came = Came(*self._answer.recv()) if self._answer.poll(_SECONDS) else Came(said="it hangs")
            except EOFError:
                self._came = Came()
            self.kill()
        return self._came


def _push(
    serving: str, environment: dict[str, str], now: float, large: bool, answer: "multiprocessing.connection.Connection"
) -> None:
    os.environ.update(environment)
    filled = functools.partial(write_files, LARGE) if large else fill
    try:
        answer.send((publish(serving, filled, seal, lambda: now), ""))
    except Exception as error:
        answer.send((None, f"{type(error).__name__}: {error}"))


def _processes() -> ForkServerContext:
    """Processes that have imported what a push needs, and have opened nothing yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.stores.pushing"])
    return context


class Watcher:
    """A server that polls a serving folder: it takes a folder that is called by a number and has `saved_model.pb`."""

    def __init__(self, serving: str, environment: Mapping[str, str], *, large: bool = False) -> None:
        self._files = LARGE if large else FILES
        address = parse(serving)
        self._bucket, self._folder = Bucket(address, settings_of(address, environment)), address.key
        self._served: set[int] = set()

    def versions(self) -> list[int]:
        """The versions that it would take, sorted."""
        return sorted(number for number, names in self._folders().items() if "saved_model.pb" in names)

    def partial(self) -> list[str]:
        """What is wrong with what it takes: parts of a version, one that is gone again, a pointer that lies."""
        wrong = []
        named = self.pointer().get("version")  # before the versions: what it names must be there by then
        versions = self.versions()
        wrong += [f"version {number} was served and is gone" for number in sorted(self._served - set(versions))]
        self._served |= set(versions)
        for number in versions:
            there = {
                entry.key.split(f"/{number}/")[1]: entry.key for entry in self._bucket.tree(f"{self._folder}/{number}")
            }
            content = {name: self._bucket.read(key, 1 << 30).content for name, key in there.items()}
            if content != {**self._files, "number": str(number).encode()}:
                wrong.append(f"version {number} has {sorted(content)}")
        if named is not None and named not in versions:
            wrong.append(f"the pointer names {named}, and there are {versions}")
        return wrong

    def left(self) -> list[str]:
        """What is in the serving folder besides whole versions and the pointer."""
        versions = [str(number) for number in self.versions()]
        names = self._bucket.names(self._folder)
        return [name for name in names if name not in (*versions, "newest.json")]

    def pointer(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads(self._bucket.read(f"{self._folder}/newest.json", 1000).content)
        except FileNotFoundError:
            return {}
        return found

    def _folders(self) -> dict[int, list[str]]:
        names = [name for name in self._bucket.names(self._folder) if is_version(name)]
        return {int(name): self._bucket.names(f"{self._folder}/{name}") for name in names}
