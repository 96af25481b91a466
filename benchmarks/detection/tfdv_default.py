"""TFDV's Jensen-Shannon divergence with default histograms, without the protos in between.

TFDV draws a numeric feature's ten default buckets over that data set's own minimum to maximum, from a sketch of 1,000
quantiles (`basic_stats_generator`, `quantiles_util.generate_equi_width_histogram`), and its comparator re-buckets the
two histograms to common edges as if values were spread evenly (`anomalies/metrics.cc`). The sketch here is TFDV's own;
a test compares the result with `tfdv.validate_statistics` on data frames.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tfx_bsl import sketches

BUCKETS = 10
_QUANTILES = 1000
_EPSILON = 0.01
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Ten buckets of equal width: `edges` [11] and how many values lie below each, `below` [11].

    Of a feature that has one value everywhere, both edges are that value: a point.
    """

    edges: Floats
    below: Floats


def default_histograms(values: npt.NDArray[np.float32]) -> list[Histogram]:
    """The histogram of each column of `values` [n, p], n > 0, no NaN."""
    return [_histogram(column) for column in values.T.astype(np.float64)]


def _histogram(column: Floats) -> Histogram:
    sketch = sketches.QuantilesSketch(_EPSILON, 1 << 32, 1)
    sketch.AddValues(pa.array(column))
    quantiles, weights = sketch.GetQuantilesAndCumulativeWeights(_QUANTILES)
    bounds = quantiles.flatten().to_numpy(zero_copy_only=False)
    low, high = column.min(), column.max()
    if low == high:
        return Histogram(np.array([low, high]), np.array([0.0, len(column)]))
    return _equal_width(bounds, weights.flatten().to_numpy(zero_copy_only=False), low, high)


def _equal_width(bounds: Floats, weights: Floats, low: float, high: float) -> Histogram:
    """Buckets of quantiles, joined and cut: a bucket's values are spread evenly over it, a point's lie at the point."""
    lower, upper = bounds[:-1], bounds[1:]
    counts = _bucket_weights(bounds, weights)
    edges = np.linspace(low, high, BUCKETS + 1)
    width = upper - lower
    point = width == 0
    share = np.clip((edges[:, None] - lower) / np.where(point, 1, width), 0, 1)
    # A point on an edge belongs to the bucket below it, on the first edge to the first bucket.
    share[:, point] = (edges[:, None] >= upper[point]) & (edges[:, None] > low)
    return Histogram(edges, share @ counts)


def _bucket_weights(bounds: Floats, weights: Floats) -> Floats:
    """How many values each bucket of quantiles holds: buckets that end at the same value share theirs evenly.

    What lies at the very first quantile goes to the buckets that are the same as the first one, evenly too.
    """
    lower, upper = bounds[:-1], bounds[1:]
    group = np.cumsum(np.concatenate([[0], upper[1:] != upper[:-1]]))
    counts = (np.bincount(group, np.diff(weights)) / np.bincount(group))[group]
    first = (lower == lower[0]) & (upper == upper[0])
    counts[first] += weights[0] / first.sum()
    return counts


def largest_divergence(first: list[Histogram], second: list[Histogram]) -> float:
    """The largest divergence, in bits, over the features."""
    return max(divergence(a, b) for a, b in zip(first, second, strict=True))


def divergence(first: Histogram, second: Histogram) -> float:
    """Jensen-Shannon divergence in bits between the two histograms, brought to common edges."""
    spread = [each.edges for each in (first, second) if len(each.edges) > 2]
    edges = np.unique(np.concatenate(spread)) if spread else np.zeros(0)
    points = np.unique([each.edges[0] for each in (first, second) if len(each.edges) == 2])
    shares = [np.concatenate([_spread_mass(each, edges), _point_mass(each, points)]) for each in (first, second)]
    p, q = (share / share.sum() for share in shares)
    middle = (p + q) / 2
    return min(1.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _spread_mass(histogram: Histogram, edges: Floats) -> Floats:
    if len(histogram.edges) == 2:
        return np.zeros(max(len(edges) - 1, 0))
    return np.diff(np.interp(edges, histogram.edges, histogram.below))


def _point_mass(histogram: Histogram, points: Floats) -> Floats:
    if len(histogram.edges) > 2:
        return np.zeros(len(points))
    return np.where(points == histogram.edges[0], histogram.below[-1], 0.0)


def _relative_entropy(p: Floats, middle: Floats) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / middle[some])).sum())
