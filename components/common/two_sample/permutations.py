"""Random splits of a pool of rows, and sums over the rows of each split."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_ROWS_AT_ONCE = 1 << 17  # row numbers handled in a step: what stays in a processor's cache
_MEMBERS_AT_ONCE = 1 << 21  # cells of the membership matrix handled in a step: a few megabytes
# Summing rows one by one moves memory, a product with the 0/1 membership matrix computes: which is faster depends on
# the proportion of the rows that a split takes (measured: break-even near a thirtieth).
_DENSE_SHARE = 30


@dataclass(frozen=True)
class Permutations:
    """The observed split of a pool and random ones.

    Attributes:
      drawn: `int32[1 + permutations, k]`: rows of the smaller side, in the first line those of the observed split.
      rows: How many rows the pool has.
      window: How many of them are the window's.

    """

    drawn: npt.NDArray[np.int32]
    rows: int
    window: int

    @property
    def draws_window(self) -> bool:
        """Whether `drawn` are the window's rows, and not the reference's."""
        return self.drawn.shape[1] == self.window

    @property
    def count(self) -> int:
        return len(self.drawn)

    def chunks(self) -> Iterator[slice]:
        """Consecutive splits, as many at a time as make `_ROWS_AT_ONCE` row numbers."""
        step = max(1, _ROWS_AT_ONCE // self.drawn.shape[1])
        for start in range(0, self.count, step):
            yield slice(start, min(start + step, self.count))

    def sums(self, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums of `columns[rows, q]` over the window's rows: `[1 + permutations, q]`."""
        found = np.empty((self.count, columns.shape[1]))
        dense = self.drawn.shape[1] * _DENSE_SHARE > self.rows
        step = max(1, _MEMBERS_AT_ONCE // (self.rows if dense else self.drawn.shape[1] * columns.shape[1] + 1))
        for start in range(0, self.count, step):
            part = self.drawn[start : start + step]
            if dense:
                member = np.zeros((len(part), self.rows))
                np.put_along_axis(member, part, 1.0, axis=1)
                found[start : start + step] = member @ columns
            else:
                found[start : start + step] = columns[part].sum(axis=1)
        return found if self.draws_window else columns.sum(axis=0) - found

    def counts(self, codes: npt.NDArray[np.int64], bins: int) -> npt.NDArray[np.int64]:
        """How many of the window's rows have each code: `[1 + permutations, bins]`, for codes 0 to bins - 1."""
        found = np.empty((self.count, bins), np.int64)
        small: npt.NDArray[np.unsignedinteger[Any]] = codes.astype(np.uint16 if bins > 256 else np.uint8)
        for part in self.chunks():
            lines = part.stop - part.start
            flat = np.take(small, self.drawn[part]) + bins * np.arange(lines)[:, None]
            found[part] = np.bincount(flat.ravel(), minlength=lines * bins).reshape(lines, bins)
        return found if self.draws_window else np.bincount(codes, minlength=bins) - found


def draw(window: int, rows: int, permutations: int, rng: np.random.Generator) -> Permutations:
    """The observed split, whose window is the first rows, and `permutations` random ones of the same sizes."""
    smaller = min(window, rows - window)
    drawn = np.empty((permutations + 1, smaller), np.int32)
    drawn[0] = np.arange(window) if smaller == window else np.arange(window, rows)
    for line in drawn[1:]:
        line[:] = rng.choice(rows, smaller, replace=False, shuffle=False)
    return Permutations(drawn, rows, window)
