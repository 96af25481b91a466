"""Which pushed version's windows a record goes into, by the version that answered the request."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.common import baseline_bundle
from components.common.baseline_bundle import NO_VERSION, Bundle
from components.common.errors import MonitorError
from components.common.image_spec import ImageSpec

from ..launching import monitoring
from .settings import WatchConfig

_LOOK_SECONDS = 1.0  # between two looks for the bundle of a version that has none


@dataclass(frozen=True)
class Version:
    """A version with a baseline: its number, its folder, and what its images are."""

    number: int
    bundle: str
    image: ImageSpec


class Versions:
    """The versions of a model that windows are opened for.

    Where the configuration names a bundle, that is the only one, and what others answered is left to its windows, where
    the pipeline counts and leaves it out. Otherwise each pushed version has windows of its own from its first record
    on; a record of a version without a bundle, or of none, goes where the record before it went.

    Raises:
      MonitorError: nothing with a baseline is served yet.

    """

    def __init__(self, config: WatchConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self.current = _version(monitoring.served(config))
        self._known = {self.current.number: self.current}
        self._without: dict[int, float] = {}

    def of(self, number: int | None) -> tuple[Version, bool]:
        """The version whose window takes a record that `number` answered, and whether it is one of its own examples."""
        if self._config.bundle:
            return self.current, self.current.number in (NO_VERSION, number)
        found = None if number is None else self._known.get(number) or self._look_for(number)
        if found is None:
            return self.current, False
        self.current = found
        return found, True

    def _look_for(self, number: int) -> Version | None:
        now = self._clock()
        if now < self._without.get(number, now):
            return None
        self._without = {each: until for each, until in self._without.items() if until > now}
        self._without[number] = now + _LOOK_SECONDS
        try:
            found = _version(baseline_bundle.read(str(self._folder(number))))
        except MonitorError:  # no such version, or none with a baseline: its records are counted as another's
            return None
        self._known[number] = found
        return found

    def _folder(self, number: int) -> Path:
        """The folder of a version, which may be padded with zeros."""
        serving = str(self._config.serving_path)
        return next(
            (Path(each) for each in baseline_bundle.versions(serving) if baseline_bundle.version_of(each) == number),
            self._config.serving_path / str(number),
        )


def _version(bundle: Bundle) -> Version:
    return Version(bundle.manifest.model_version, bundle.version_dir, bundle.manifest.spec.image)
