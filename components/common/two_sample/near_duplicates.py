"""Are images that look nearly the same more frequent in a window than in its reference?

The same permutation argument as `comparison`, for what a sample of single examples cannot show: that the examples of a
window belong together. Frames of one client, retries and copies are more than one example, and tell as much as one.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..statistics.feature_sample import NO_HASH, Hashes
from .permutations import Remembered

_Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

MAX_BITS = 10  # of 64 in which the perceptual hashes of near-duplicates differ at most (docs/serving_logs.md)
MAX_ROWS = 2000  # a side
FEWEST_ROWS = 30
LEVEL = 0.001  # of the test: a hint what to set, which should not come by chance
LEAST_EXCESS = 0.01  # of the images: fewer hardly move anything
_NEIGHBOURS = 8  # of each image that are remembered: one is enough to have a near-duplicate, more lose nothing
_PERMUTATIONS = 1999
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class NearDuplicates:
    """What was found.

    Attributes:
      window: the proportion of the window's images that have a near-duplicate among the window's.
      reference: the same of the reference's, among as many or among all of up to 2,000, whichever is more: a part of a
        reference whose own images come in pairs would hide that.
      rows: how many images a side were compared.
      p_value: the chance that independent images of one distribution have as many in the window.

    """

    @property
    def more_frequent(self) -> bool:
        """Whether the window's images belong together, and the reference's not half as much."""
        return self.p_value <= LEVEL and self.window >= max(2 * self.reference, self.reference + LEAST_EXCESS)

    window: float
    reference: float
    rows: int
    p_value: float


def near_duplicates(reference: Hashes, window: Hashes, *, seed: int = 0) -> NearDuplicates | None:
    """Compares as many images of each side, since a larger sample has more near-duplicates by chance alone.

    Args:
      reference: `uint64[N]`, perceptual hashes, 0 where there is none.
      window: `uint64[n]`, likewise.
      seed: of the draws and permutations.

    Returns:
      None where a side has fewer than 30 images with a hash.

    """
    rng = np.random.default_rng(seed)
    sides = [side[side != NO_HASH] for side in (window, reference)]
    rows = min(MAX_ROWS, *map(len, sides))
    if rows < FEWEST_ROWS:
        return None
    pool = np.concatenate([rng.choice(side, rows, replace=False) for side in sides])
    # In an order that knows no sides: which neighbours are remembered must not depend on who is in the window.
    order = rng.permutation(2 * rows)
    pairs = _close_pairs(pool[order])
    in_window = order < rows
    observed = _with_neighbour(pairs, in_window)
    p_value = 1.0
    if observed:
        drawn = _drawn.made(in_window.tobytes(), rng, lambda: _permuted(in_window, rng))
        as_many = np.count_nonzero(_with_neighbours(pairs, drawn) >= observed)
        p_value = (1 + int(as_many)) / (1 + _PERMUTATIONS)
    of_whole = _own(rng.permutation(sides[1])[:MAX_ROWS].tobytes())
    reference_proportion = max(_with_neighbour(pairs, ~in_window) / rows, of_whole)
    return NearDuplicates(observed / rows, reference_proportion, rows, p_value)


_drawn: Remembered[npt.NDArray[np.bool_]] = Remembered(2)  # of 2,000 images a side 8 megabytes each


def _permuted(members: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    return np.stack([rng.permutation(members) for _ in range(_PERMUTATIONS)])


@functools.lru_cache(maxsize=4)
def _own(hashes: bytes) -> float:
    """The proportion of these hashes, all of `uint64`, that have a near-duplicate among them.

    Remembered, for a baseline stays the same from window to window.
    """
    rows = np.frombuffer(hashes, np.uint64)
    return _with_neighbour(_close_pairs(rows), np.ones(len(rows), np.bool_)) / len(rows)


def _with_neighbour(pairs: _Pairs, members: npt.NDArray[np.bool_]) -> int:
    """How many of the members have a near-duplicate that is a member."""
    return int(_with_neighbours(pairs, members[None])[0])


def _with_neighbours(pairs: _Pairs, members: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The same for several sets of members, `[sets, rows]`."""
    first, second = pairs  # ascending in `first`
    if not first.size:
        return np.zeros(len(members), np.int64)
    starts = np.flatnonzero(np.diff(first, prepend=-1))
    both = members[:, first] & members[:, second]
    return np.asarray(np.logical_or.reduceat(both, starts, axis=1).sum(axis=1), np.int64)


def _close_pairs(hashes: Hashes) -> _Pairs:
    """Each image with the first few others that look nearly the same, both ways."""
    bits = np.unpackbits(hashes.view(np.uint8).reshape(len(hashes), 8), axis=1).astype(np.float32)
    ones = bits.sum(axis=1)
    first, second = [], []
    for start in range(0, len(hashes), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        close = ones[part, None] + ones - 2 * bits[part] @ bits.T <= MAX_BITS
        close[np.arange(len(close)), np.arange(start, start + len(close))] = False
        rows, others = np.nonzero(close)
        remembered = np.arange(len(rows)) - np.searchsorted(rows, rows) < _NEIGHBOURS
        first.append(rows[remembered] + start)
        second.append(others[remembered])
    return np.concatenate(first), np.concatenate(second)
