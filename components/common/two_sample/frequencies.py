"""Distances between the frequencies of two samples, on the observed split and on every permuted one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .permutations import Permutations

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


def feature_distances(feature: BinnedFeature, splits: Permutations, *, fine: bool) -> tuple[Floats, Floats | None]:
    """Jensen-Shannon on the buckets and, if `fine`, Kolmogorov-Smirnov on the bins: `[1 + permutations]` each."""
    step = 1 if fine else feature.bins_per_bucket
    codes = np.where(feature.codes == feature.bins, feature.bins // step, feature.codes // step)
    bins = feature.bins // step
    window = splits.counts(codes, bins + 1)[:, :bins]
    total = np.bincount(codes, minlength=bins + 1)[:bins]
    starts = np.arange(0, bins, feature.bins_per_bucket // step)
    in_buckets = np.add.reduceat(window, starts, axis=1)
    coarse = jensen_shannon(in_buckets, np.add.reduceat(total, starts) - in_buckets)
    return coarse, kolmogorov_smirnov(window, total - window) if fine else None


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
    window = splits.counts(shifted, bins + 1)[:, :bins]
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
