"""What is said of windows whose accuracy is estimated, by the interval alone and by the bounds, and what is right.

    python -m benchmarks.accuracy_words CACHE

CACHE is that of `python -m benchmarks.detection data`: images that the model was not trained on, as they are and
shifted, with its probabilities for them. 5,000 are held out with their labels; of the others windows of 2,000 are made,
in which a quarter, a half or all of the images are shifted, and the same with their classes subsampled, the rarest to a
tenth. Seconds for each window, so those in the cache are all that there are.
Printed is how often interval and bounds hold the accuracy, and of the windows that lost more than is allowed, and of
those that did not, how many are called degraded, undecided or fine by the one and by the other.
"""

import argparse
import collections
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.proportion import Proportion
from components.common.records.performance import STATES
from components.common.verdict import Outcome
from components.performance_estimator.accuracy_bounds import SECOND_OPINION, accuracy_bounds
from components.performance_estimator.accuracy_estimation import DEFAULT_ESTIMATOR, HeldOut, estimate
from components.performance_estimator.measurement import judge

from .detection.data import CORRUPTED_ROWS, read_labels, table_path
from .detection.suites import CLEAN
from .detection.table import Table

WINDOW, HELD_OUT = 2_000, 5_000
ALLOWED = 0.05  # how much accuracy a window may lose
SHIFTED = (0.25, 0.5, 1.0)  # proportion of a window's images
RESAMPLES = 40
NO_SHIFT, PIXELS, CLASSES, BOTH = "no shift", "pixels", "classes", "both"
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Told:
    """What is known of one window: whether it lost too much, and by interval and bounds the ends and the outcome."""

    lost: bool
    held: tuple[bool, bool]
    widths: tuple[float, float]
    outcomes: tuple[Outcome, Outcome]


def windows(cache: Path, labels: Integers) -> Iterator[tuple[str, Table, Integers]]:
    """The kind of each window, its images, and their labels."""
    clean, rng = Table.read(table_path(cache, CLEAN)), np.random.default_rng(0)
    variants = sorted(path.stem for path in (cache / "features").glob("*.npz") if path.stem != CLEAN)
    for start in range(0, CORRUPTED_ROWS, WINDOW):
        rows = np.arange(start, start + WINDOW)
        yield NO_SHIFT, clean.take(rows), labels[rows]
        for _ in variants:
            kept = rows[_subsampled(labels[rows], rng)]
            yield CLASSES, clean.take(kept), labels[kept]
        for variant, proportion in itertools.product(variants, SHIFTED):
            table, shifted = Table.read(table_path(cache, variant)), rng.random(WINDOW) < proportion
            yield PIXELS, clean.mixed(rows, table, shifted), labels[rows]
            kept = _subsampled(labels[rows], rng)
            yield BOTH, clean.mixed(rows[kept], table, shifted[kept]), labels[rows[kept]]


def _subsampled(labels: Integers, rng: np.random.Generator) -> Integers:
    """Which rows are kept of a geometric tail of classes in random order, down to a tenth."""
    parts = 10.0 ** -(rng.permutation(labels.max() + 1) / labels.max())
    each = [np.flatnonzero(labels == number) for number in range(len(parts))]
    return np.concatenate([found[: round(len(found) * part)] for found, part in zip(each, parts, strict=True)])


def tell(held_out: HeldOut, baseline: Proportion, table: Table, labels: Integers) -> Told:
    """As the component does, of one window."""
    found = [
        estimate(name, held_out, table.softmax, features=table.looks, resamples=RESAMPLES)
        for name in (DEFAULT_ESTIMATOR, SECOND_OPINION)
    ]
    bounds = accuracy_bounds(found, baseline.value)
    ends = ((found[0].low, found[0].high), bounds)
    truth = float((table.softmax.argmax(axis=1) == labels).mean())
    held = [low <= truth <= high for low, high in ends]
    widths = [100 * (high - low) for low, high in ends]
    outcomes = [judge("", found[0], baseline, ALLOWED, each).outcome for each in (None, bounds)]
    lost = truth < baseline.value - ALLOWED
    return Told(lost, (held[0], held[1]), (widths[0], widths[1]), (outcomes[0], outcomes[1]))


def show(kind: str, told: list[Told]) -> None:
    for number, name in enumerate(("interval", "bounds")):
        held = np.mean([each.held[number] for each in told])
        width = np.mean([each.widths[number] for each in told])
        print(f"{kind:9} {len(told)} windows, {name} held {held:.0%}, {width:.1f} points wide")
        for lost in (True, False):
            counted = collections.Counter(each.outcomes[number] for each in told if each.lost is lost)
            words = ", ".join(f"{word} {counted[outcome]}" for outcome, word in STATES.items())
            print(f"{'':9} {counted.total()} {'lost too much' if lost else 'did not'}: {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    cache = parser.parse_args().cache
    labels = read_labels(cache)
    rows = np.random.default_rng(1).choice(np.arange(CORRUPTED_ROWS, len(labels)), HELD_OUT, replace=False)
    known = Table.read(table_path(cache, CLEAN)).take(rows)
    right = known.softmax.argmax(axis=1) == labels[rows]
    held_out, baseline = HeldOut(known.softmax, labels[rows], known.looks), Proportion.of(int(right.sum()), len(right))
    found: dict[str, list[Told]] = {NO_SHIFT: [], PIXELS: [], CLASSES: [], BOTH: []}
    for kind, table, truth in windows(cache, labels):
        found[kind].append(tell(held_out, baseline, table, truth))
    print(f"held out: {baseline}")
    for kind, told in found.items():
        show(kind, told)


if __name__ == "__main__":
    main()
