"""The two-sample Kolmogorov-Smirnov test of many windows against one reference, equal to `scipy.stats.ks_2samp`.

SciPy sorts both samples anew each time; here the reference is sorted once. A test compares the two to the last digits.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class SortedReference:
    """The columns of a reference `[m, p]`."""

    def __init__(self, columns: npt.NDArray[np.float32]) -> None:
        self._columns = np.sort(columns.T, axis=1)

    def statistics(self, window: npt.NDArray[np.float32]) -> Floats:
        """The largest difference between the two distribution functions, of each column of the window `[n, p]`: [p].

        It is attained at a value of the window, or just below one.
        """
        ordered = np.sort(window.T, axis=1)
        return np.array([_largest_gap(a, b) for a, b in zip(self._columns, ordered, strict=True)])

    def smallest_p_value(self, window: npt.NDArray[np.float32]) -> float:
        """The smallest asymptotic p-value of the columns, `ks_2samp(..., method="asymp")`, as alibi-detect takes it.

        All columns have as many rows, so it is that of the largest statistic.
        """
        from scipy.stats import kstwo  # noqa: PLC0415 - SciPy is optional for the rest

        first, second = self._columns.shape[1], len(window)
        effective = np.round(first * second / (first + second))
        distribution: Any = kstwo
        return float(np.clip(distribution.sf(self.statistics(window).max(), effective), 0, 1))


def _largest_gap(reference: npt.NDArray[np.float32], window: npt.NDArray[np.float32]) -> float:
    values, counts = np.unique(window, return_counts=True)
    upto = np.cumsum(counts) / len(window)
    before = upto - counts / len(window)
    at = np.searchsorted(reference, values, side="right") / len(reference)
    below = np.searchsorted(reference, values, side="left") / len(reference)
    return float(max(np.abs(upto - at).max(), np.abs(before - below).max()))
