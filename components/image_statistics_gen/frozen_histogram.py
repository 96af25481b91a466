"""Histograms whose edges are fixed before any data is seen, so that those of two data sets compare bin by bin.

Statistics of a part of the data are an `Accumulator`: counts and sums, small, and mergeable in any order.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from ..common.errors import require

Counts: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]

QUANTILE_BUCKETS = 10  # as many as TFDV's own quantile histograms have


@dataclass(frozen=True)
class FrozenFeature:
    """A numeric feature and the edges of its bins.

    Attributes:
      name: The feature's name in the statistics.
      edges: Ascending, finite; bin i holds edges[i] <= value < edges[i + 1], the last bin its upper edge as well.
        Values outside fall in the first or the last bin: nothing is dropped, and minimum and maximum tell.
      bins_per_bucket: How many bins make a bucket of the coarse histogram, which comparators of frequencies use.
      integer: Whether values are whole numbers.

    """

    name: str
    edges: tuple[float, ...]
    bins_per_bucket: int = 1
    integer: bool = False

    def __post_init__(self) -> None:
        ascending = len(self.edges) >= 2 and all(a < b for a, b in itertools.pairwise(self.edges))
        require(ascending and all(map(math.isfinite, self.edges)), "edges", "be finite and ascending", self.edges)
        whole = self.bins_per_bucket > 0 and (len(self.edges) - 1) % self.bins_per_bucket == 0
        require(whole, "bins_per_bucket", f"divide the {len(self.edges) - 1} bins evenly", self.bins_per_bucket)


@dataclass(frozen=True)
class Bucket:
    """`count` values from `low` to `high`. A quantile's bucket may hold a fraction of a value."""

    low: float
    high: float
    count: float


@dataclass(frozen=True, eq=False)
class Buckets(Sequence[Bucket]):
    """The buckets of a histogram, as columns: their low ends, high ends and counts, [n] each."""

    lows: Values
    highs: Values
    counts: Values

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, index: int) -> Bucket: ...
    @overload
    def __getitem__(self, index: slice) -> list[Bucket]: ...
    def __getitem__(self, index: int | slice) -> Bucket | list[Bucket]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return Bucket(float(self.lows[index]), float(self.highs[index]), float(self.counts[index]))


@dataclass(frozen=True)
class Summary:
    """What is known of the values of one feature. `count` is above 0; `std_dev` is the population's.

    Median and quantiles are interpolated in the bins: right to within one bin's width.
    """

    count: int
    mean: float
    std_dev: float
    minimum: float
    maximum: float
    zeros: int
    median: float
    bins: Buckets
    buckets: Buckets
    quantiles: Buckets


class Accumulator:
    """Counts and sums of one feature's values. Picklable; its size does not grow with the data.

    Mean and sum of squared residuals are merged by the pairwise formula of Chan, Golub and LeVeque 1979, "Updating
    formulae and a pairwise algorithm for computing sample variances": sums of squares would lose digits.
    """

    __slots__ = ("counts", "edges", "maximum", "mean", "minimum", "residuals", "zeros")

    def __init__(self, feature: FrozenFeature) -> None:
        self.edges = np.asarray(feature.edges)
        self.counts: Counts = np.zeros(len(feature.edges) - 1, np.int64)
        self.mean = 0.0
        self.residuals = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        self.zeros = 0

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def add(self, values: Values) -> None:
        """Counts `values` (any shape). NaN stands for a value that is missing and is left out."""
        present = np.asarray(values, np.float64).ravel()
        ordered = np.sort(present)  # a few edges are then looked for among the values, not each value among the edges
        if present.size and math.isnan(ordered[-1]):
            present = present[~np.isnan(present)]
            ordered = ordered[: present.size]
        if not present.size:
            return
        below = ordered.searchsorted(self.edges[1:-1])
        mean = float(present.mean())
        self._merge_moments(present.size, mean, float(np.square(present - mean).sum()))
        self.counts = self.counts + np.diff(below, prepend=0, append=present.size)
        self.minimum = min(self.minimum, float(ordered[0]))
        self.maximum = max(self.maximum, float(ordered[-1]))
        self.zeros += int(ordered.searchsorted(0.0, side="right") - ordered.searchsorted(0.0))

    def merge(self, other: "Accumulator") -> None:
        """Adds what `other`, of the same feature, has counted. Leaves `other` as it is."""
        self._merge_moments(other.count, other.mean, other.residuals)
        self.counts = self.counts + other.counts
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.zeros += other.zeros

    def _merge_moments(self, count: int, mean: float, residuals: float) -> None:
        """To be called before `counts` changes."""
        before = self.count
        if not count:
            return
        distance = mean - self.mean
        self.mean += distance * count / (before + count)
        self.residuals += residuals + distance * distance * before * count / (before + count)


def summarise(feature: FrozenFeature, counted: Accumulator) -> Summary | None:
    """The summary of what `counted` has counted; None when it has counted nothing."""
    count = counted.count
    if not count:
        return None
    proportions = np.linspace(0, 1, QUANTILE_BUCKETS + 1)
    bounds = quantiles(counted, proportions, integer=feature.integer)
    coarse = counted.counts.reshape(-1, feature.bins_per_bucket).sum(axis=1)
    return Summary(
        count=count,
        mean=counted.mean,
        std_dev=math.sqrt(counted.residuals / count),
        minimum=counted.minimum,
        maximum=counted.maximum,
        zeros=counted.zeros,
        median=float(quantiles(counted, np.array([0.5]), integer=feature.integer)[0]),
        bins=_buckets(counted.edges, counted.counts),
        buckets=_buckets(counted.edges[:: feature.bins_per_bucket], coarse),
        quantiles=_buckets(bounds, np.full(QUANTILE_BUCKETS, count / QUANTILE_BUCKETS)),
    )


def quantiles(counted: Accumulator, proportions: npt.NDArray[np.float64], *, integer: bool = False) -> Values:
    """The values below which `proportions` (ascending, 0 to 1) of the values lie, interpolated linearly in the bins."""
    edges = np.clip(counted.edges, counted.minimum, counted.maximum)
    edges[0], edges[-1] = counted.minimum, counted.maximum
    upto = np.cumsum(counted.counts)
    ranks = proportions * counted.count
    # The first bin that reaches the rank; of rank 0, the first bin that holds anything.
    bins = np.searchsorted(upto, np.maximum(ranks, np.nextafter(0, 1)))
    held = counted.counts[bins]
    proportion = (ranks - (upto[bins] - held)) / held
    values = edges[bins] * (1 - proportion) + edges[bins + 1] * proportion  # exact at both ends
    return np.rint(values) if integer else values


def _buckets(edges: Values, counts: Counts | Values) -> Buckets:
    return Buckets(edges[:-1], edges[1:], counts.astype(np.float64))
