"""Harm over time: the accuracy with labels, our estimate without, and the error predictor of the reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.detection.draws import generator
from benchmarks.detection.table import Table
from components.common.sequential.accuracy import AccuracyFollowed, AccuracyWindow, SourceAccuracy
from components.performance_estimator.accuracy_estimation import DEFAULT_ESTIMATOR, HeldOut, estimate

from .error_predictor import ErrorPredictor, lower_bounds

TOLERANCE, RUN_LENGTH = 0.05, 1000
_RESAMPLES = 20  # of the bootstrap; its interval is never narrower than that of a proportion
SOME = 0.1  # of the labels
LABELS, FEW_LABELS, ESTIMATED = "all labels", "a tenth of the labels", "our estimate"
REFERENCE_METHOD, PROXY = "error predictor, since the start", "error predictor, begun with every window"
METHODS = (LABELS, FEW_LABELS, ESTIMATED, REFERENCE_METHOD, PROXY)
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """A baseline: its held-out examples, the rows that are left for windows, and what all methods make of it."""

    held: Table
    labels: Integers
    rest: Integers

    @staticmethod
    def draw(clean: Table, labels: Integers, among: int, reference: int, seed: int) -> "Source":
        """`among`: windows are of the first so many rows, of which the shifted images are known too."""
        order = generator("harm", seed).permutation(len(clean))
        known = order[:reference]
        return Source(clean.take(known), labels[known], np.setdiff1d(np.arange(among), known))

    @property
    def accuracy(self) -> SourceAccuracy:
        return SourceAccuracy(int((self.held.classes == self.labels).sum()), len(self.labels))


@dataclass(frozen=True)
class Plan:
    """Sizes of window and baseline; of each shift, and of windows without one, how many paths of how many windows.

    `growth` is the proportion of the images that each window has more with the shift than the one before.
    """

    size: int = 500
    reference: int = 5000
    paths: int = 3
    length: int = 80
    clean_paths: int = 4
    clean_length: int = 200
    growth: float = 0.0125  # to all images after 80 windows: at half a percent few of the shifts do harm


@dataclass(frozen=True)
class _Change:
    """From clean images to shifted ones, the same images, and their labels; the fraction of each window."""

    clean: Table
    shifted: Table
    labels: Integers
    fractions: npt.NDArray[np.float64]

    def lost(self) -> npt.NDArray[np.float64]:
        """What each window loses of its accuracy."""
        labels = self.labels[: len(self.shifted)]
        right = [float(np.mean(each.classes[: len(labels)] == labels)) for each in (self.clean, self.shifted)]
        return np.asarray((right[0] - right[1]) * self.fractions)


def measure(clean: Table, labels: Integers, shifted: Mapping[str, Table], plan: Plan) -> dict[str, Any]:
    """For each shift its paths, and those without one as "none": when harm begins, and when each method rings."""
    among = min(len(table) for table in shifted.values())
    growing = plan.growth * np.arange(1, plan.length + 1)
    kinds = {name: (_Change(clean, table, labels, growing), plan.paths) for name, table in shifted.items()}
    kinds["none"] = _Change(clean, clean, labels, np.zeros(plan.clean_length)), plan.clean_paths
    found = {}
    for name, (change, paths) in kinds.items():
        sources = [Source.draw(clean, labels, among, plan.reference, path) for path in range(paths)]
        found[name] = [_path(source, change, plan.size, generator("harm", name, i)) for i, source in enumerate(sources)]
        print(f"harm, {name}: {found[name]}", flush=True)
    return found


def _path(source: Source, change: _Change, size: int, rng: np.random.Generator) -> dict[str, Any]:
    """Numbers of windows, from 1 on; None where there is none. `harm`: the first that loses more than is allowed."""
    drawn = [rng.choice(source.rest, size) for _ in change.fractions]
    pairs = list(zip(drawn, change.fractions, strict=True))
    windows = [change.clean.mixed(rows, change.shifted, rng.random(size) < f) for rows, f in pairs]
    right = [window.classes == change.labels[rows] for window, rows in zip(windows, drawn, strict=True)]
    lost = change.lost()
    harmful = np.flatnonzero(lost > TOLERANCE)
    begins = int(harmful[0]) + 1 if harmful.size else None
    return {"harm": begins, "lost": float(lost[-1]), **_rungs(source, windows, right, rng)}


def _rungs(source: Source, windows: list[Table], right: list[Any], rng: np.random.Generator) -> dict[str, int | None]:
    followed = AccuracyFollowed(source.accuracy, TOLERANCE, RUN_LENGTH)
    names = [f"w{number}" for number in range(len(windows))]
    few = [each[rng.random(len(each)) < SOME] for each in right]
    known = HeldOut(source.held.softmax, source.labels, source.held.looks)
    estimates = [
        estimate(DEFAULT_ESTIMATOR, known, window.softmax, features=window.looks, resamples=_RESAMPLES)
        for window in windows
    ]
    predictor = ErrorPredictor.fit(source.held, source.held.classes != source.labels)
    taken = [predictor.taken(window) for window in windows]
    total = len(source.labels) - len(source.labels) // 2
    proxy = AccuracyFollowed(SourceAccuracy(round(total * (1 - predictor.upper)), total), TOLERANCE, RUN_LENGTH)
    running = lower_bounds(np.concatenate(taken)) > predictor.upper + TOLERANCE
    return {
        LABELS: _first(followed, map(_counted, names, right)),
        FEW_LABELS: _first(followed, map(_counted, names, few)),
        ESTIMATED: _first(followed, map(AccuracyWindow.estimated, names, estimates)),
        REFERENCE_METHOD: int(running.argmax()) // len(taken[0]) + 1 if running.any() else None,
        PROXY: _first(proxy, map(_counted, names, (~each for each in taken))),
    }


def _counted(name: str, right: npt.NDArray[np.bool_]) -> AccuracyWindow:
    return AccuracyWindow(name, int(right.sum()), len(right))


def _first(followed: AccuracyFollowed, windows: Any) -> int | None:
    """The number of the first window at which it rings."""
    state = followed.start()
    for number, window in enumerate(windows, 1):
        state = followed.step(state, window)
        if state.rings:
            return number
    return None
