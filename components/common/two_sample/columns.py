"""Columns for the joint tests, made of the features of a pool of rows and of nothing else: never of who is who."""

import functools
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]

_CLIP = 4.0  # standard deviations; heavy tails would otherwise decide means and covariances
_PRODUCT_CLIP = 3.0
_LARGEST = float(np.finfo(np.float32).max)  # what an infinite value counts as
MAX_CLASS_COLUMNS = 32
PRODUCT_COMPONENTS = 16  # leading principal components whose products are taken


def standardised(columns: Floats) -> Floats:
    """`columns[rows, q]` with mean 0 and variance 1; a column that does not vary becomes 0."""
    if not columns.size:
        return np.zeros(columns.shape)
    found = columns - columns.mean(axis=0)
    spread = np.sqrt(np.einsum("ij,ij->j", found, found) / len(columns))
    largest = np.maximum(columns.max(axis=0), -columns.min(axis=0))
    varies = spread > 1e-9 * largest
    found /= np.where(varies, spread, 1)
    found[:, ~varies] = 0
    return found


def normal_scores(values: Values) -> Floats:
    """The normal quantile of each value's rank in its column; equal values share the mean, missing ones have 0.

    Whatever a feature's distribution, its scores are nearly normal, so that no tail decides and curved relations
    between features become straighter.
    """
    found = np.zeros(values.shape)
    for i in range(values.shape[1]):
        present = np.flatnonzero(~np.isnan(values[:, i]))
        column = values[present, i]
        order = np.argsort(column)  # not a stable one, which is five times as slow: equal values share their score
        ranked = column[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else order
        ends = np.append(starts[1:], len(ranked))
        upto = _cumulative_quantiles(len(ranked))
        found[present[order], i] = np.repeat((upto[ends] - upto[starts]) / (ends - starts), ends - starts)
    return found


def clipped(values: Values) -> Floats:
    """The values in standard deviations from their column's mean, cut off at 4; missing ones have 0."""
    missing = np.isnan(values)
    present = np.maximum(np.count_nonzero(~missing, axis=0), 1)
    finite = np.clip(np.where(missing, 0, values.astype(np.float64)), -_LARGEST, _LARGEST)
    mean = finite.sum(axis=0) / present
    return np.clip(standardised(np.where(missing, mean, finite)), -_CLIP, _CLIP)


def indicators(values: Values, codes: npt.NDArray[np.int64] | None) -> Floats:
    """Standardised 0/1 columns: which values are missing, for features where some are, and the row's class.

    Of many classes the 32 most frequent have a column; the predicted class as a whole has a test of its own.
    """
    missing = np.isnan(values)
    some = missing[:, missing.any(axis=0) & ~missing.all(axis=0)]
    counts = np.bincount(codes[codes >= 0]) if codes is not None else np.zeros(0)
    frequent = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLASS_COLUMNS])
    classes = codes[:, None] == frequent if codes is not None else np.zeros((len(values), 0))
    return standardised(np.concatenate([some, classes], axis=1).astype(np.float64))


def products(columns: Floats) -> Floats:
    """Squares and products of the leading principal components: how features move together, not only how far."""
    values, vectors = np.linalg.eigh(columns.T @ columns / len(columns))
    kept = np.flatnonzero(values > 1e-6 * max(values.max(initial=0), 1e-30))[-PRODUCT_COMPONENTS:]
    scores = columns @ (vectors[:, kept] / np.sqrt(values[kept]))
    scores = np.clip(scores, -_PRODUCT_CLIP, _PRODUCT_CLIP)
    first, second = np.triu_indices(len(kept))
    return scores[:, first] * scores[:, second]


@functools.lru_cache(maxsize=8)
def _cumulative_quantiles(count: int) -> Floats:
    """Entry k: the sum of the normal quantiles of ranks 0 to k - 1 out of `count`."""
    normal = NormalDist()
    return np.cumsum([0.0, *(normal.inv_cdf((rank + 0.5) / count) for rank in range(count))])
