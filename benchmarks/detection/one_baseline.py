"""How often windows that have not changed raise the alarm, given one baseline: the rate that a user of one has.

Baselines and windows are drawn independently, with replacement, from the held-out images, which are then the population
itself. Every window is compared with every baseline: the statistics are the product's own, and the p-value of a pair is
its score's rank among all pairs, which is what a permutation test estimates. So a hundred thousand pairs cost what a
hundred permutation tests do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from components.common.two_sample.combination import Group, family_scores
from components.common.two_sample.comparison import frequency_groups_of
from components.common.two_sample.false_alarms import p_value_threshold
from components.common.two_sample.frequencies import BinnedFeature, jensen_shannon, kolmogorov_smirnov, l_infinity
from components.common.two_sample.joint import (
    LOCATION,
    joint_columns,
    joint_groups,
    least_ridge,
    name_parts,
    whitening,
)

from . import results
from .data import table_path
from .draws import generator
from .plan import core_version
from .suites import CLEAN
from .table import NAMES, Table, monitored_features

PART = "one_baseline"
BASELINES, WINDOWS = 100, 600
LEVELS = (0.01, 0.05)
RULES = ("plain", "guarded")
# n / N: windows below, at and above the baseline's size, and small baselines as they are adopted.
CELLS = (
    (300, 2000), (1000, 2000), (3000, 2000), (1000, 10_000), (10_000, 10_000), (300, 300), (1000, 600),
)  # fmt: skip
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Samples of the population: how many rows of each bin of each feature, of each class, and the mean of each column.

    Attributes:
      bins: by feature, int64 [samples, bins].
      classes: int64 [samples, classes].
      means: by joint test, [samples, q].

    """

    bins: list[npt.NDArray[np.int64]]
    classes: npt.NDArray[np.int64]
    means: dict[str, Floats]


class Population:
    """The rows of a table, with what the statistics are made of."""

    def __init__(self, table: Table) -> None:
        self._rows = len(table)
        self._classes = table.classes
        self.features = monitored_features()
        values = table.values
        self._bins = [BinnedFeature.of(values[:, i], f.bin_edges, f.bins_per_bucket)
                      for i, f in enumerate(self.features)]  # fmt: skip
        self._columns = joint_columns(values, table.classes)
        self.parts = name_parts(NAMES)
        self._columns |= {f"{LOCATION}_{word}": self._columns[LOCATION][:, kept] for word, kept in self.parts.items()}

    def whitening(self, rows: int) -> dict[str, Floats]:
        """By joint test, for pools of so many rows."""
        return {name: whitening(each, least_ridge(name), rows) for name, each in self._columns.items()}

    def draw(self, samples: int, size: int, rng: np.random.Generator) -> Samples:
        """Samples of `size` rows, independent draws."""
        return self.of_rows(rng.integers(self._rows, size=(samples, size)))

    def of_rows(self, drawn: npt.NDArray[np.int64]) -> Samples:
        """The samples of these rows: [samples, size]."""
        return Samples(
            [_counts(each.codes, each.bins + 1, drawn)[:, : each.bins] for each in self._bins],
            _counts(self._classes, int(self._classes.max()) + 1, drawn),
            {name: np.stack([each[rows].mean(axis=0) for rows in drawn]) for name, each in self._columns.items()},
        )


def _counts(codes: npt.NDArray[np.int64], bins: int, drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.stack([np.bincount(codes[rows], minlength=bins) for rows in drawn])


def run(cache: Path, results_file: Path, *, baselines: int = BASELINES, windows: int = WINDOWS) -> None:
    """One record for each pair of sizes that is not there yet."""
    done, _ = results.read_all(cache)
    population = None
    for size, reference in CELLS:
        unit = f"{PART} {size} {reference} {baselines} {windows} core {core_version()}"
        if unit in done:
            continue
        population = population or Population(Table.read(table_path(cache, CLEAN)))
        found = measure(population, size, reference, baselines=baselines, windows=windows)
        results.append(results_file, unit, [{"unit": unit, "part": PART, "size": size, "method": "ours", **found}])
        told = (f"{rule} {level}: {summary(found, rule, level)}" for rule in RULES for level in LEVELS)
        print("\n  ".join([f"n = {size}, N = {reference}", *told]), flush=True)


def measure(population: Population, size: int, reference: int, *, baselines: int, windows: int) -> dict[str, Any]:
    """The rate of alarms of each baseline, by the level: `plain` (p at most the level), `guarded` (the product)."""
    scores = pair_scores(population, size, reference, baselines=baselines, windows=windows)
    p_values = 1 - (np.argsort(np.argsort(scores, axis=None)).reshape(scores.shape) + 0.5) / scores.size
    thresholds = {level: p_value_threshold(level, size, reference) for level in LEVELS}
    return {
        "reference": reference,
        "windows": windows,
        "plain": {f"{level:g}": _rates(p_values, level) for level in LEVELS},
        "guarded": {f"{level:g}": _rates(p_values, limit) for level, limit in thresholds.items()},
    }


def _rates(p_values: Floats, limit: float) -> list[float]:
    """Of each baseline, the least first."""
    return sorted(np.mean(p_values <= limit, axis=1).tolist())


@dataclass(frozen=True)
class Summary:
    """The rates of alarms over baselines, as multiples of the nominal rate.

    Attributes:
      mean: over all baselines.
      median: of the baselines.
      twentieth: what one baseline in twenty exceeds.
      worst: of the baselines that were drawn.

    """

    mean: float
    median: float
    twentieth: float
    worst: float


def summary(found: Mapping[str, Any], rule: str, level: float) -> Summary:
    """The rates of one rule, "plain" or "guarded".

    A rate that is counted on so many windows is off by chance, which makes baselines look more different than they are:
    median and twentieth are those of the beta distribution whose counts have the mean and variance that were measured.
    """
    rates = np.array(found[rule][f"{level:g}"])
    mean, windows = float(rates.mean()), found["windows"]
    variance = max((float(rates.var(ddof=1)) - mean * (1 - mean) / windows) * windows / (windows - 1), 1e-12)
    size = mean * (1 - mean) / variance - 1
    median, twentieth = stats.beta.ppf([0.5, 0.95], mean * size, (1 - mean) * size)
    return Summary(mean / level, float(median) / level, float(twentieth) / level, float(rates.max()) / level)


def pair_scores(population: Population, size: int, reference: int, *, baselines: int, windows: int) -> Floats:
    """The family-wise score of every baseline with every window: [baselines, windows]."""
    rng = generator(PART, size, reference)
    known, seen = population.draw(baselines, reference, rng), population.draw(windows, size, rng)
    return family_scores(pair_groups(population, known, seen, size + reference)).reshape(baselines, windows)


def pair_groups(population: Population, known: Samples, seen: Samples, rows: int) -> list[Group]:
    """The statistics of every baseline with every window, in one row, for pools of so many rows."""
    matrices = population.whitening(rows)
    joint = {name: _squared_distances(known.means[name] @ m, seen.means[name] @ m) for name, m in matrices.items()}
    return [*_frequency_groups(population, known, seen), *joint_groups(joint, population.parts)]


def _squared_distances(first: Floats, second: Floats) -> Floats:
    """Between each line of one and each of the other, in one row."""
    squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2 * first @ second.T
    return np.maximum(squares, 0).ravel()


def _frequency_groups(population: Population, known: Samples, seen: Samples) -> Iterable[Group]:
    coarse, fine = {}, {}
    for feature, ours, theirs in zip(population.features, seen.bins, known.bins, strict=True):
        starts = np.arange(0, ours.shape[1], feature.bins_per_bucket)
        buckets = [np.add.reduceat(each, starts, axis=1) for each in (ours, theirs)]
        coarse[feature.name] = _paired(jensen_shannon, *buckets)
        fine[feature.name] = _paired(kolmogorov_smirnov, ours, theirs)
    return frequency_groups_of(coarse, fine, _paired(l_infinity, seen.classes, known.classes))


def _paired(distance: Any, seen: npt.NDArray[np.int64], known: npt.NDArray[np.int64]) -> Floats:
    return np.concatenate([distance(seen, np.broadcast_to(each, seen.shape)) for each in known])
