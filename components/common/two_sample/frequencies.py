"""Distances between the frequencies of two samples, on the observed split and on every permuted one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .permutations import Counts, Permutations

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ROUNDING = 1e-12
_HALF_OF_THE_BITS = 46_000  # whose square an int32 holds


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
        upto = window[:count]
        for i in range(1, count):  # faster than cumsum, which goes along the rows of a matrix that lies in columns
            np.add(upto[i - 1], upto[i], out=upto[i])
        last = np.arange(feature.bins_per_bucket // step - 1, count, feature.bins_per_bucket // step)
        in_buckets = np.diff(upto[last].astype(np.int64), axis=0, prepend=0).T
        coarse = _jensen_shannon_of(in_buckets, np.diff(np.cumsum(total)[last], prepend=0))
        found.append((coarse, _largest_gap(upto, np.cumsum(total)) if fine else None))
    return found


def _jensen_shannon_of(window: Ints, total: Ints) -> Floats:
    """As `jensen_shannon`, of counts `[splits, buckets]` of what the window has of the totals `[buckets]`.

    Where no value is missing the sizes of both sides stay the same, and what a bucket adds depends on its count alone:
    it is worked out once for each count that there can be.
    """
    sizes, whole = window.sum(axis=1), int(total.sum())
    size = int(sizes[0])
    if not 0 < size < whole or bool((sizes != size).any()):
        return jensen_shannon(window, total - window)
    starts = np.cumsum(total + 1) - total - 1
    counts = np.arange(whole + len(total)) - np.repeat(starts, total + 1)
    proportions = counts / size, (np.repeat(total, total + 1) - counts) / (whole - size)
    middle = (proportions[0] + proportions[1]) / 2
    summed = np.zeros(len(window))
    for proportion in proportions:
        summed += np.take(_information(proportion, middle), window + starts).sum(axis=1) / 2
    summed[summed < _ROUNDING] = 0
    return np.minimum(summed, 1)


def _largest_gap(window: Counts, total: Ints) -> Floats:
    """As `kolmogorov_smirnov`, of cumulative counts `[bins, splits]` of what the window has of the totals `[bins]`.

    In whole numbers, which are exact and take half of the memory: W / w - (T - W) / r is (W (w + r) - T w) / (w r).
    """
    sizes, whole = window[-1].astype(np.int64), int(total[-1])
    kind = np.int32 if whole < _HALF_OF_THE_BITS else np.int64
    gap = np.multiply(window, kind(whole), dtype=kind)
    gap -= total[:, None].astype(kind) * sizes.astype(kind)
    largest = np.maximum(gap.max(axis=0), -gap.min(axis=0))
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
        total += _information(proportion, middle).sum(axis=1) / 2
    total[total < _ROUNDING] = 0  # equal histograms are a tie, whatever the order of the sums
    return _with_empty(np.minimum(total, 1), first, second)


def kolmogorov_smirnov(first: Ints, second: Ints) -> Floats:
    """Largest difference between the cumulative frequencies of lines of counts: 0 to 1; 1 if only one side has any."""
    gap = np.abs(np.cumsum(_proportions(first) - _proportions(second), axis=1))
    return _with_empty(gap.max(axis=1), first, second)


def l_infinity(first: Ints, second: Ints) -> Floats:
    """Largest difference between the frequencies of lines of counts: 0 to 1; 1 if only one side has any."""
    return _with_empty(np.abs(_proportions(first) - _proportions(second)).max(axis=1), first, second)


def _information(proportion: Floats, middle: Floats) -> Floats:
    """What each proportion adds to the divergence from the middle, in bits; nothing where it is 0."""
    ratio = np.divide(proportion, middle, out=np.ones_like(proportion), where=proportion > 0)
    return np.asarray(proportion * np.log2(ratio))


def _proportions(counts: Ints) -> Floats:
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _with_empty(distance: Floats, first: Ints, second: Ints) -> Floats:
    empty = np.stack([first.sum(axis=1) == 0, second.sum(axis=1) == 0])
    return np.where(empty.all(axis=0), 0.0, np.where(empty.any(axis=0), 1.0, distance))
