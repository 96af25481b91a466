"""Compares a window of examples with a reference: one family-wise p-value, and a threshold for every statistic.

Rows of both sides are pooled and permuted at random many times; every statistic is measured on the real split and
on every permuted one. `docs/detection.md` has the method, its sources and what it assumes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import require
from .combination import Combined, Group, combine, joined
from .false_alarms import needs_more_permutations
from .frequencies import BinnedFeature, class_codes, class_distances, feature_distances
from .joint import joint_statistics
from .permutations import Permutations, draw

JENSEN_SHANNON = "jensen_shannon"
L_INFINITY = "l_infinity"
KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
CLASS_FEATURE = "prediction_class"  # the feature that checks of predicted classes are about

_COARSE_WEIGHT = 1 / 3  # beside Kolmogorov-Smirnov, which finds most of what Jensen-Shannon does, and earlier

FIRST_LOOK = 1_999  # permutations
_AT_ONCE = 4_000  # permutations whose splits are in memory
MAX_ROWS = 10_000  # a side; beyond, a sample of so many says the same for less


@dataclass(frozen=True)
class Feature:
    """A monitored numeric feature.

    Attributes:
      name: The feature's name in the statistics.
      bin_edges: Ascending, finite. Bin i holds edges[i] <= value < edges[i + 1], the last bin its upper edge as well;
        values outside fall in the outermost bins. Kolmogorov-Smirnov is measured on these bins.
      bins_per_bucket: How many bins make a bucket of the coarse histogram on which Jensen-Shannon is measured.

    """

    name: str
    bin_edges: tuple[float, ...]
    bins_per_bucket: int = 1

    def __post_init__(self) -> None:
        edges = np.asarray(self.bin_edges, np.float64)
        ascending = (
            edges.ndim == 1 and edges.size >= 2 and bool(np.isfinite(edges).all() and (np.diff(edges) > 0).all())
        )
        require(ascending, "bin_edges", "be finite and ascending", self.bin_edges)
        whole = self.bins_per_bucket > 0 and (edges.size - 1) % self.bins_per_bucket == 0
        require(whole, "bins_per_bucket", f"divide the {edges.size - 1} bins evenly", self.bins_per_bucket)


@dataclass(frozen=True)
class Rows:
    """Examples of one side.

    Attributes:
      values: `float32[m, p]`, the features in their order; NaN where missing.
      classes: `int64[m]`, the predicted class, -1 where missing; None without predictions.
      population: How many examples the rows were drawn from; 0: they are all of them.

    """

    values: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64] | None = None
    population: int = 0

    @property
    def size(self) -> int:
        """How many examples the rows stand for."""
        return max(self.population, len(self.values))


@dataclass(frozen=True)
class TwoSampleTest:
    """One statistic, of one feature or, where `feature` is empty, of all of them together.

    Attributes:
      feature: The feature's name, "" for a joint test.
      test: "jensen_shannon", "l_infinity", "kolmogorov_smirnov" or the name of a joint test.
      measured: The statistic's value on the rows.
      threshold: What `measured` has to exceed to raise the alarm, all checks taken into account.
      p_value: Of this test taken alone.
      adjusted_p_value: The chance that any check at all deviates as much: the smallest of all checks is the window's.
      excess: How many standard deviations the transformed statistic lies above its threshold; below 0 it is within.
      population_threshold: The threshold for the statistic measured on all examples of both populations, by the
        statistic's rate of convergence; the same as `threshold` where the rows are all there is.

    """

    feature: str
    test: str
    measured: float
    threshold: float
    p_value: float
    adjusted_p_value: float
    excess: float
    population_threshold: float = math.nan


@dataclass(frozen=True)
class Comparison:
    """What a comparison found. `checks` has the most unusual first."""

    p_value: float
    alarm: bool
    false_alarm_rate: float
    window_size: int
    reference_size: int
    permutations: int
    seed: int
    checks: tuple[TwoSampleTest, ...]


def compare(  # noqa: PLR0913 - two samples, their features, and three settings
    features: Sequence[Feature],
    reference: Rows,
    window: Rows,
    *,
    false_alarm_rate: float = 0.01,
    permutations: int = 1999,
    seed: int = 0,
) -> Comparison:
    """Whether the window's examples could be the reference's, and which statistics say they could not.

    Args:
      features: What the columns of the rows are.
      reference: At least one example.
      window: At least one example, of the same features.
      false_alarm_rate: In (0, 1): the p-value at which the alarm is raised, by any check: the chance that a window from
        the reference's own distribution does so, over references drawn anew. For one that stays `p_value_threshold` has
        the value to give. The alarm can only be raised when it is at least 1 / (permutations + 1).
      permutations: How many times the pooled rows are permuted.
      seed: Of the permutations; the same seed and rows give the same comparison.

    Raises:
      MonitorError: an argument breaks a rule above.

    """
    _check_arguments(features, reference, false_alarm_rate, permutations)
    _check_rows(features, window, "window")
    has_classes = (reference.classes is None, window.classes is None)
    require(has_classes[0] == has_classes[1], "classes", "be known of both sides or of neither", has_classes)
    rng = np.random.default_rng(seed)
    reference, window = _capped(reference, rng), _capped(window, rng)
    pool, codes = _pool(features, reference, window)

    def statistics(count: int) -> list[Group]:
        splits = draw(len(window.values), len(pool.values), count, rng)
        return [
            *frequency_groups(features, pool, codes, splits, fine=True),
            *joint_statistics([feature.name for feature in features], pool.values, codes, splits),
        ]

    steps = (min(_AT_ONCE, permutations - done) for done in range(0, permutations, _AT_ONCE))
    combined = combine(joined([statistics(count) for count in steps]), false_alarm_rate)
    ratio = (1 / window.size + 1 / reference.size) / (1 / len(window.values) + 1 / len(reference.values))
    return Comparison(
        p_value=combined.p_value,
        alarm=combined.alarm,
        false_alarm_rate=false_alarm_rate,
        window_size=window.size,
        reference_size=reference.size,
        permutations=permutations,
        seed=seed,
        checks=_ranked(combined, ratio),
    )


def compare_in_looks(  # noqa: PLR0913 - likewise
    features: Sequence[Feature],
    reference: Rows,
    window: Rows,
    *,
    false_alarm_rate: float,
    permutations: int,
    seed: int = 0,
) -> Comparison:
    """As `compare`, with all permutations only where fewer do not tell that there is no alarm.

    Small rates need thousands of permutations, which few windows need: the others are compared with `FIRST_LOOK` alone,
    and have their p-value and thresholds from these, the thresholds extrapolated. The alarm is raised by all
    permutations or not at all, so that its rate is no higher.
    """

    def look(count: int) -> Comparison:
        return compare(features, reference, window, false_alarm_rate=false_alarm_rate, permutations=count, seed=seed)

    first = look(min(permutations, FIRST_LOOK))
    done = first.permutations == permutations
    if done or not needs_more_permutations(first.p_value, first.permutations, false_alarm_rate):
        return first
    return look(permutations)


def thresholds(  # noqa: PLR0913 - likewise
    features: Sequence[Feature],
    reference: Rows,
    *,
    window_size: int,
    false_alarm_rate: float = 0.01,
    permutations: int = 1999,
    seed: int = 0,
) -> dict[tuple[str, str], float]:
    """Thresholds for windows yet to come, from the reference alone: (test, feature) -> threshold.

    Only for Jensen-Shannon and L-infinity, which TFDV's comparators can check, family-wise over all of them. The
    reference's rows are split at random in the ratio of window and reference, and what is measured is scaled from
    their sizes to the planned ones.

    Args:
      features: What the columns of the rows are.
      reference: At least two examples.
      window_size: How many examples a window will have.
      false_alarm_rate: In (0, 1), of all checks together, as for `compare`.
      permutations: How many times the rows are split.
      seed: Of the splits.

    Raises:
      MonitorError: an argument breaks a rule above.

    """
    _check_arguments(features, reference, false_alarm_rate, permutations)
    require(window_size > 0, "window_size", "be at least 1", window_size)
    require(len(reference.values) > 1, "reference", "hold at least two examples", len(reference.values))
    rng = np.random.default_rng(seed)
    planned, reference = reference.size, _capped(reference, rng)
    rows = len(reference.values)
    part = min(max(round(rows * window_size / (window_size + planned)), 1), rows - 1)
    classes = None if reference.classes is None else class_codes(reference.classes)
    splits = draw(part, rows, permutations, rng)
    combined = combine(frequency_groups(features, reference, classes, splits, fine=False), false_alarm_rate)
    ratio = (1 / window_size + 1 / planned) / (1 / part + 1 / (rows - part))
    return {(c.test, c.feature): c.population_threshold for c in _ranked(combined, ratio)}


def _check_arguments(features: Sequence[Feature], reference: Rows, rate: float, permutations: int) -> None:
    names = [feature.name for feature in features]
    require(len(set(names)) == len(names), "features", "have names of their own", names)
    _check_rows(features, reference, "reference")
    require(0 < rate < 1, "false_alarm_rate", "be in (0, 1)", rate)
    require(permutations > 0, "permutations", "be at least 1", permutations)


def _check_rows(features: Sequence[Feature], rows: Rows, what: str) -> None:
    shape = rows.values.shape
    fits = rows.values.ndim == 2 and shape[0] > 0 and shape[1] == len(features)
    require(fits, f"{what}.values", f"be of shape [examples, {len(features)}] with an example at least", shape)
    known = rows.classes is None or rows.classes.shape == shape[:1]
    require(known, f"{what}.classes", f"be of shape [{shape[0]}]", None if known else rows.classes.shape)  # type: ignore[union-attr]
    require(bool(features) or rows.classes is not None, "features", "name a feature, or there be classes", features)


def _capped(rows: Rows, rng: np.random.Generator) -> Rows:
    """`rows`, or a sample of them where there are more than `MAX_ROWS`."""
    if len(rows.values) <= MAX_ROWS:
        return rows
    chosen = np.sort(rng.choice(len(rows.values), MAX_ROWS, replace=False))
    classes = None if rows.classes is None else rows.classes[chosen]
    return Rows(rows.values[chosen], classes, rows.size)


def _pool(features: Sequence[Feature], reference: Rows, window: Rows) -> tuple[Rows, npt.NDArray[np.int64] | None]:
    """All rows, the window's first, and their classes as codes from 0 up."""
    values = np.concatenate([window.values, reference.values])
    if reference.classes is None or window.classes is None:
        return Rows(values), None
    classes = np.concatenate([window.classes, reference.classes])
    return Rows(values, classes), class_codes(classes)


def frequency_groups(
    features: Sequence[Feature],
    pool: Rows,
    codes: npt.NDArray[np.int64] | None,
    splits: Permutations,
    *,
    fine: bool,
) -> list[Group]:
    """Jensen-Shannon with L-infinity as one group and, if `fine`, Kolmogorov-Smirnov as another."""
    columns = [BinnedFeature.of(pool.values[:, i], f.bin_edges, f.bins_per_bucket) for i, f in enumerate(features)]
    distances = feature_distances(columns, splits, fine=fine)
    found = dict(zip((feature.name for feature in features), distances, strict=True))
    return frequency_groups_of(
        {name: coarse for name, (coarse, _) in found.items()},
        {name: distance for name, (_, distance) in found.items() if distance is not None},
        None if codes is None else class_distances(codes, splits),
    )


def frequency_groups_of(
    coarse: Mapping[str, npt.NDArray[np.float64]],
    fine: Mapping[str, npt.NDArray[np.float64]],
    classes: npt.NDArray[np.float64] | None,
) -> list[Group]:
    """The groups of what was measured on every split: Jensen-Shannon and Kolmogorov-Smirnov by feature, L-infinity."""
    first = Group(JENSEN_SHANNON, weight=_COARSE_WEIGHT)
    for name, distances in coarse.items():
        first.add(name, JENSEN_SHANNON, distances, power=1 / 3, rate=1.0)
    if classes is not None:
        first.add(CLASS_FEATURE, L_INFINITY, classes, power=2 / 3, rate=0.5)
    second = Group(KOLMOGOROV_SMIRNOV)
    for name, distances in fine.items():
        second.add(name, KOLMOGOROV_SMIRNOV, distances, power=2 / 3, rate=0.5)
    return [group for group in (first, second) if group.columns]


def _ranked(combined: Combined, ratio: float) -> tuple[TwoSampleTest, ...]:
    checks = [
        TwoSampleTest(
            feature=found.column.feature,
            test=found.column.test,
            measured=found.measured,
            threshold=found.threshold,
            p_value=found.p_value,
            adjusted_p_value=found.adjusted_p_value,
            excess=found.excess,
            population_threshold=found.threshold * ratio**found.column.rate,
        )
        for found in combined.checks
    ]
    return tuple(sorted(checks, key=lambda check: (check.adjusted_p_value, -check.excess)))
