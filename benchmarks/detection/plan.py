"""What is run, part by part and the most important first: units of work that are done once and kept."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from components.common.two_sample.comparison import Rows, compare

from . import suites
from .methods import OURS, QUICK_PEERS
from .suites import NULL, Shift
from .table import monitored_features

REFERENCE = 5000  # where the reference is a fixed number of images
ALL_LEFT = 0  # the reference is all that the window does not use
PAIRED = -1  # the reference is as large as the window, as in Failing Loudly

PEERS = ("bbsds", "untrained_ks", "all_features_ks")


@dataclass(frozen=True)
class Unit:
    """Some trials of some methods on some shifts, which share references and windows.

    Attributes:
      part: Of the benchmark.
      reference: How many images; `ALL_LEFT` or `PAIRED`.
      size: n, the images of a window.
      first: Number of the first trial.
      trials: How many.
      methods: Names of `methods.METHODS`.
      shifts: All of them in every trial.

    """

    part: str
    reference: int
    size: int
    first: int
    trials: int
    methods: tuple[str, ...]
    shifts: tuple[Shift, ...]

    @property
    def key(self) -> str:
        """Names the unit in the results: a unit that is there is not run again, one of an older core is."""
        of_core = f" core {core_version()}" if any(name.startswith("ours") for name in self.methods) else ""
        names = hashlib.sha256(repr(self.shifts).encode()).hexdigest()[:8]
        trials = f"{self.first}+{self.trials}"
        return f"{self.part} {self.reference} n={self.size} {trials} {','.join(self.methods)} {names}{of_core}"


@lru_cache(maxsize=1)
def core_version() -> str:
    """A digest of what the two-sample core answers on made-up rows: rewriting it is no new version, a new answer is."""
    rng = np.random.default_rng(0)
    features = monitored_features()
    values = rng.random((200, len(features))).astype(np.float32)
    reference, window = Rows(values[:160], rng.integers(0, 10, 160)), Rows(values[160:] ** 2, rng.integers(0, 10, 40))
    found = compare(features, reference, window, permutations=99)
    checks = sorted((c.feature, c.test, f"{c.measured:.6g}", f"{c.adjusted_p_value:.4f}") for c in found.checks)
    return hashlib.sha256(repr((f"{found.p_value:.4f}", checks)).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Part:
    """Units made of every size, in blocks of trials."""

    reference: int
    sizes: tuple[int, ...]
    trials: int
    methods: tuple[tuple[str, ...], ...]  # groups that are run apart
    shifts: Callable[[], list[Shift]]
    block: int = 10

    def units(self, name: str, trials: int) -> list[Unit]:
        """The part's units; `trials` replaces its own number of trials, 0 keeps it."""
        wanted = trials or self.trials
        shifts = tuple(self.shifts())
        return [
            Unit(name, self.reference, size, first, min(self.block, wanted - first), methods, shifts)
            for methods in self.methods
            for size in self.sizes
            for first in range(0, wanted, self.block)
        ]


def _with_null(shifts: list[Shift]) -> list[Shift]:
    return [NULL, *shifts]


def _large() -> list[Shift]:
    """Failing Loudly's for windows of 10,000: there are not that many images of class 0."""
    return _with_null([shift for shift in suites.failing_loudly() if not shift.only])


def _failing_loudly() -> list[Shift]:
    return _with_null(suites.failing_loudly())


PARTS: Mapping[str, Part] = {
    "false_alarms": Part(REFERENCE, (100, 500, 2000), 2000, (OURS, PEERS), lambda: [NULL], block=50),
    "power_full": Part(ALL_LEFT, suites.SIZES, 100, (OURS, QUICK_PEERS), _failing_loudly),
    "power_full_null": Part(ALL_LEFT, suites.SIZES, 400, (QUICK_PEERS,), lambda: [NULL], block=50),
    "power_paired": Part(PAIRED, suites.SIZES, 100, (OURS, PEERS), _failing_loudly),
    "nine_half": Part(
        REFERENCE, (10, 20, 50, 200, 1000), 100, (OURS, QUICK_PEERS), lambda: _with_null(suites.nine_shifts(0.5))
    ),
    "nine_tenth": Part(
        REFERENCE, (50, 200, 1000), 100, (OURS, QUICK_PEERS), lambda: _with_null(suites.nine_shifts(0.1))
    ),
    "null": Part(REFERENCE, suites.SEVERITY_SIZES, 400, (QUICK_PEERS,), lambda: [NULL], block=50),
    "severity": Part(REFERENCE, suites.SEVERITY_SIZES, 50, (OURS, QUICK_PEERS), suites.severity_shifts),
    "power_large": Part(ALL_LEFT, (suites.LARGE,), 100, (OURS, PEERS), _large),
    "false_alarms_1999": Part(REFERENCE, (100,), 2000, (("ours_1999",),), lambda: [NULL], block=50),
    "evidently": Part(ALL_LEFT, suites.SIZES, 100, (("evidently",),), _failing_loudly),
    "evidently_null": Part(ALL_LEFT, suites.SIZES, 400, (("evidently",),), lambda: [NULL], block=50),
    "mmd": Part(PAIRED, (10, 50, 200), 100, (("alibi_mmd",),), _failing_loudly),
}
IN_PEERS_ENVIRONMENT = ("evidently", "evidently_null", "mmd")
# The draws of a part that repeats another's are those of the other: the methods then see the same windows.
SAME_DRAWS = {"evidently": "power_full", "evidently_null": "power_full_null", "mmd": "power_paired"}
