"""Which version of a model is served: the largest number in its folder, taken up while the one before still answers.

Knows no TensorFlow: what loads a version is handed in. As in TensorFlow Serving, the old version goes when the new one
is ready, one that cannot be loaded changes nothing, and a version whose folder is gone goes too.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from components.common.baseline_bundle import version_of, versions
from components.common.errors import MonitorError

from .errors import Code, NotAnsweredError

Loaded = TypeVar("Loaded")
_logger = logging.getLogger(__name__)
_AGAIN_SECONDS = 10.0  # after which a version that could not be loaded is tried again
_MOST_ENDED = 20  # versions that are gone and still told of


class State(Enum):
    """What a version is at, by the numbers of tensorflow_serving.apis.ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class Status:
    """What is known of a version: its state, and why it could not be loaded."""

    version: int
    state: State
    error: str = ""


class Versions(Generic[Loaded]):
    """The served version of one model, kept up with its folder by `poll`.

    Args:
      folder: of the versions.
      name: of the model, for messages.
      load: loads the version in a folder; raises `MonitorError` where that holds no model.

    """

    def __init__(self, folder: str, name: str, load: Callable[[str], Loaded]) -> None:
        self._folder, self.name, self._load = folder, name, load
        self._lock = threading.Lock()
        self._loaded: dict[int, Loaded] = {}
        self._statuses: dict[int, Status] = {}
        self._failed: dict[int, float] = {}

    def get(self, name: str, version: int | None = None, label: str = "") -> tuple[int, Loaded]:
        """The version that answers a request: the one asked for, else the largest, with what was loaded of it.

        Raises:
          NotAnsweredError: there is no such model or version, in TensorFlow Serving's words.

        """
        if not name:
            raise NotAnsweredError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        if label:
            raise NotAnsweredError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        with self._lock:
            wanted = max(self._loaded, default=None) if version is None else version
            if name == self.name and wanted is not None and wanted in self._loaded:
                return wanted, self._loaded[wanted]
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise NotAnsweredError(Code.NOT_FOUND, f"Servable not found for request: {asked}")

    def statuses(self, name: str, version: int | None = None) -> list[Status]:
        """What is known of the model's versions, or of one; the newest first. Raises `NotAnsweredError` for none."""
        with self._lock:
            known = sorted(self._statuses.values(), key=lambda each: -each.version) if name == self.name else []
        found = [each for each in known if version in (None, each.version)]
        if not found:
            what = "any versions" if version is None else f"version {version}"
            raise NotAnsweredError(Code.NOT_FOUND, f"Could not find {what} of model {name}")
        return found

    @property
    def is_ready(self) -> bool:
        """Whether any version answers."""
        return bool(self._loaded)

    def poll(self) -> None:
        """Looks at the folder once, and loads and unloads what that asks for; called by one thread."""
        try:
            os.listdir(self._folder)  # a folder that is away for now is not one without versions
            found = {version_of(path): path for path in versions(self._folder)}
        except OSError as error:
            _logger.warning("%s cannot be listed, the version served stays: %s", self._folder, error)
            return
        newest = max(found, default=None)
        if newest is not None and newest not in self._loaded and self._may_load(newest):
            self._take_up(newest, found[newest])
        if newest is None or newest in self._loaded:
            for old in [each for each in self._loaded if each != newest]:
                self._drop(old)
        else:
            for gone in [each for each in self._loaded if each not in found and len(self._loaded) > 1]:
                self._drop(gone)

    def _may_load(self, version: int) -> bool:
        return time.monotonic() - self._failed.get(version, -_AGAIN_SECONDS) >= _AGAIN_SECONDS

    def _take_up(self, version: int, path: str) -> None:
        self._say(Status(version, State.LOADING))
        try:
            loaded = self._load(path)
        except MonitorError as error:
            self._failed[version] = time.monotonic()
            self._say(Status(version, State.END, str(error)))
            _logger.warning("Version %d of %s cannot be served: %s", version, self.name, error)
            return
        with self._lock:
            self._loaded[version] = loaded
        self._failed.pop(version, None)
        self._say(Status(version, State.AVAILABLE))
        _logger.info("Version %d of %s is served", version, self.name)

    def _drop(self, version: int) -> None:
        """Requests that have it already are still answered by it."""
        with self._lock:
            del self._loaded[version]
        self._say(Status(version, State.END))
        _logger.info("Version %d of %s is not served any more", version, self.name)

    def _say(self, status: Status) -> None:
        with self._lock:
            self._statuses[status.version] = status
            ended = [each for each, known in self._statuses.items() if known.state is State.END]
            for version in sorted(ended)[: max(0, len(ended) - _MOST_ENDED)]:
                del self._statuses[version]
