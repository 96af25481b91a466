"""Random splits of a pool of rows, and sums over the rows of each: products with the matrix of who was drawn."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import scipy  # which imports `sparse` when it is used

from ..recent import Recent

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.unsignedinteger[Any]]
Made = TypeVar("Made")

_MEMBERS_AT_ONCE = 1 << 21  # cells of the membership matrix handled in a step: a few megabytes
# Summing rows one by one moves memory, a product with the 0/1 membership matrix computes: which is faster depends on
# the proportion of the rows that a split takes (measured: break-even near a thirtieth).
_DENSE_SHARE = 30
_KEPT = 4  # splits that are remembered, for the next window of the same size
_KEPT_CELLS = 4_000_000  # of the largest that is remembered: 16 megabytes, and with its members less than 40


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

    def sums(self, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums of `columns[rows, q]` over the window's rows: `[1 + permutations, q]`."""
        found = np.empty((self.count, columns.shape[1]))
        if self.drawn.shape[1] * _DENSE_SHARE > self.rows:
            for part, members in self._members():
                found[part] = members.astype(np.float64).T @ columns
        else:
            step = max(1, _MEMBERS_AT_ONCE // (self.drawn.shape[1] * columns.shape[1] + 1))
            for start in range(0, self.count, step):
                found[start : start + step] = columns[self.drawn[start : start + step]].sum(axis=1)
        return found if self.draws_window else columns.sum(axis=0) - found

    def counts(self, codes: Sequence[Ints], bins: Sequence[int]) -> list[Counts]:
        """How many of the window's rows have each code, for several numberings of the rows.

        Args:
          codes: `int64[rows]` each, from 0 to the number of its bins - 1.
          bins: how many bins each has.

        Returns:
          `[bins, 1 + permutations]` for each.

        """
        table = _table(codes, bins, np.uint16 if self.rows < 1 << 16 else np.uint32)
        found = np.empty((table.shape[0], self.count), table.dtype)
        for part, members in self._members():
            found[:, part] = table @ members.astype(table.dtype, copy=False)
        if not self.draws_window:
            found = np.diff(table.indptr).astype(table.dtype)[:, None] - found
        return np.split(found, np.cumsum(bins)[:-1])

    def _members(self) -> Iterator[tuple[slice, npt.NDArray[np.uint16]]]:
        """Some of the splits at a time, and for each row of the pool whether it was drawn: `uint16[rows, splits]`."""
        step = max(1, _MEMBERS_AT_ONCE // self.rows)
        if self.drawn.size <= _KEPT_CELLS:
            yield from ((slice(at, at + step), self._kept[:, at : at + step]) for at in range(0, self.count, step))
        else:
            yield from ((slice(at, at + step), self._drawn_in(at, at + step)) for at in range(0, self.count, step))

    @cached_property
    def _kept(self) -> npt.NDArray[np.uint16]:
        return self._drawn_in(0, self.count)

    def _drawn_in(self, start: int, end: int) -> npt.NDArray[np.uint16]:
        part = self.drawn[start:end]
        members = np.zeros((self.rows, len(part)), np.uint16)
        members[part.T, np.arange(len(part))] = 1
        return members


def _table(codes: Sequence[Ints], bins: Sequence[int], dtype: Any) -> Any:
    """`[bins of all, rows]`, 1 where a row has a code; scipy's sparse matrix by rows."""
    kind = np.uint16 if max(bins) <= 1 << 16 else np.int64  # of so few bits a radix sort
    order = [np.argsort(each.astype(kind), kind="stable") for each in codes]
    counted = [np.bincount(each, minlength=size) for each, size in zip(codes, bins, strict=True)]
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counted))])
    rows = np.concatenate(order)
    return scipy.sparse.csr_matrix((np.ones(len(rows), dtype), rows, starts), shape=(len(starts) - 1, len(codes[0])))


class Remembered(Generic[Made]):
    """The last few things that were drawn, for the next window that asks the same of a generator in the same state."""

    def __init__(self, most: int) -> None:
        self._recent: Recent[tuple[Made, Any]] = Recent(most)

    def made(self, what: Hashable, rng: np.random.Generator, make: Callable[[], Made]) -> Made:
        """What `make` draws from `rng`, which is left as if it had just been drawn. Nobody may change it.

        Args:
          what: all that the result depends on beside the generator's state.
          rng: the generator that `make` draws from.
          make: called where nothing is remembered.

        """
        key = (what, repr(rng.bit_generator.state))
        made, after = self._recent.get(key, lambda: (make(), rng.bit_generator.state))
        rng.bit_generator.state = after
        return made


_splits: Remembered[Permutations] = Remembered(_KEPT)


def draw(window: int, rows: int, permutations: int, rng: np.random.Generator) -> Permutations:
    """The observed split, whose window is the first rows, and `permutations` random ones of the same sizes."""

    def make() -> Permutations:
        return _draw(window, rows, permutations, rng)

    if (permutations + 1) * min(window, rows - window) > _KEPT_CELLS:
        return make()
    return _splits.made((window, rows, permutations), rng, make)


def _draw(window: int, rows: int, permutations: int, rng: np.random.Generator) -> Permutations:
    smaller = min(window, rows - window)
    drawn = np.empty((permutations + 1, smaller), np.int32)
    drawn[0] = np.arange(window) if smaller == window else np.arange(window, rows)
    for line in drawn[1:]:
        line[:] = rng.choice(rows, smaller, replace=False, shuffle=False)
    drawn.flags.writeable = False
    return Permutations(drawn, rows, window)
