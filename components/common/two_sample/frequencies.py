"""Distances between the frequencies of two samples, on the observed split and on every permuted one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .permutations import Counts, Permutations

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ROUNDING = 1e-12


@dataclass(frozen=True)
class BinnedFeature:
    """The bin of every row of a pool, `bins` for a value that is missing."""

    codes: Ints
    bins: int
    bins_per_bucket: int

    @staticmethod
    def of(values: npt.NDArray[np.float32], edges: tuple[float, ...], bins_per_bucket: int) -> "BinnedFeature":
        bins = len(edges) - 1
        found = np.searchsorted(np.asarray(edges), values.astype(np.float64), side="right") - 1
        codes = np.where(np.isnan(values), bins, np.clip(found, 0, bins - 1))
        return BinnedFeature(codes.astype(np.int64), bins, bins_per_bucket)


def feature_distances(
    features: Sequence[BinnedFeature], splits: Permutations, *, fine: bool
) -> list[tuple[Floats, Floats | None]]:
    """Jensen-Shannon on the buckets and, if `fine`, Kolmogorov-Smirnov on the bins: `[1 + permutations]` each."""
    steps = [1 if fine else feature.bins_per_bucket for feature in features]
    bins = [feature.bins // step for feature, step in zip(features, steps, strict=True)]
    codes = [
        np.where(feature.codes == feature.bins, count, feature.codes // step)
        for feature, step, count in zip(features, steps, bins, strict=True)
    ]
    counted = splits.counts(codes, [count + 1 for count in bins]) if features else []
    found = []
    for feature, step, count, code, window in zip(features, steps, bins, codes, counted, strict=True):
        total = np.bincount(code, minlength=count + 1)[:count]
        starts = np.arange(0, count, feature.bins_per_bucket // step)
        in_buckets = np.add.reduceat(window[:count], starts, axis=0, dtype=np.int64).T
        coarse = jensen_shannon(in_buckets, np.add.reduceat(total, starts) - in_buckets)
        found.append((coarse, _largest_gap(window[:count], total) if fine else None))
    return found


def _largest_gap(window: Counts, total: Ints) -> Floats:
    """As `kolmogorov_smirnov`, of counts `[bins, splits]` of what the window has of the totals `[bins]`.

    In whole numbers, which are exact and take half of the memory: W / w - (T - W) / r is (W (w + r) - T w) / (w r).
    """
    upto = np.cumsum(window.T, axis=1, dtype=np.int32)
    sizes, whole = upto[:, -1].astype(np.int64), int(total.sum())
    gap = upto * np.int32(whole) - sizes[:, None].astype(np.int32) * np.cumsum(total, dtype=np.int32)
    largest = np.maximum(gap.max(axis=1), -gap.min(axis=1))
    area = sizes * (whole - sizes)
    return np.where(area > 0, largest / np.maximum(area, 1), np.where(whole > 0, 1.0, 0.0))


def class_codes(classes: Ints) -> Ints:
    """Codes 0, 1, ... of the classes that there are, -1 for a class that is missing."""
    known, codes = np.unique(classes, return_inverse=True)
    return np.maximum(codes - np.count_nonzero(known < 0), -1).astype(np.int64)


def class_distances(codes: Ints, splits: Permutations) -> Floats:
    """L-infinity: the largest difference between the proportions of a class. `[1 + permutations]`."""
    bins = int(codes.max()) + 1
    if not bins:
        return np.zeros(splits.count)
    shifted = np.where(codes < 0, bins, codes)
    (counted,) = splits.counts([shifted], [bins + 1])
    window = counted[:bins].T.astype(np.int64)
    return l_infinity(window, np.bincount(shifted, minlength=bins + 1)[:bins] - window)


def jensen_shannon(first: Ints, second: Ints) -> Floats:
    """Jensen-Shannon divergence in bits between lines of counts (Lin 1991): 0 to 1; 1 if only one side has any."""
    proportions = (_proportions(first), _proportions(second))
    middle = (proportions[0] + proportions[1]) / 2
    total = np.zeros(len(first))
    for proportion in proportions:
        ratio = np.divide(proportion, middle, out=np.ones_like(proportion), where=proportion > 0)
        total += (proportion * np.log2(ratio)).sum(axis=1) / 2
    total[total < _ROUNDING] = 0  # equal histograms are a tie, whatever the order of the sums
    return _with_empty(np.minimum(total, 1), first, second)


def kolmogorov_smirnov(first: Ints, second: Ints) -> Floats:
    """Largest difference between the cumulative frequencies of lines of counts: 0 to 1; 1 if only one side has any."""
    gap = np.abs(np.cumsum(_proportions(first) - _proportions(second), axis=1))
    return _with_empty(gap.max(axis=1), first, second)


def l_infinity(first: Ints, second: Ints) -> Floats:
    """Largest difference between the frequencies of lines of counts: 0 to 1; 1 if only one side has any."""
    return _with_empty(np.abs(_proportions(first) - _proportions(second)).max(axis=1), first, second)


def _proportions(counts: Ints) -> Floats:
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _with_empty(distance: Floats, first: Ints, second: Ints) -> Floats:
    empty = np.stack([first.sum(axis=1) == 0, second.sum(axis=1) == 0])
    return np.where(empty.all(axis=0), 0.0, np.where(empty.any(axis=0), 1.0, distance))
