"""Reference and window of a trial: drawn afresh from one pool and disjoint."""

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.common.errors import require
from model_monitor.traffic import shifts

from .suites import CLEAN, Shift

Integers = npt.NDArray[np.int64]
_CLASS_SHARE = 0.1  # of the pool
_SPARE = 1500


@dataclass(frozen=True)
class Window:
    """Rows of the pool [n], and which of them are shifted, bool [n]."""

    rows: Integers
    shifted: npt.NDArray[np.bool_]


def generator(*key: object) -> np.random.Generator:
    """The random numbers that belong to `key`: the same in every process and run."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def candidates_needed(shift: Shift, size: int) -> int:
    """How many images are put aside for windows of `size`: more than one window takes.

    Shifts that share a reference would otherwise share the window too, and be found or missed all together.
    """
    if shift.only:
        return math.ceil((size + 5 * math.sqrt(size) + 10) / _CLASS_SHARE)
    spare = min(4 * size, size + _SPARE) if size <= _SPARE else size
    if shift.classes:
        return max(4 * size, 1000)
    if shift.dropped:
        return max(spare, math.ceil(size / (1 - _CLASS_SHARE * shift.dropped) + 4 * math.sqrt(size)) + 20)
    return spare


def split(
    rng: np.random.Generator, pool: int, *, candidates: int, among: int, reference: int
) -> tuple[Integers, Integers]:
    """Disjoint random rows of a pool: `candidates` for windows, out of the first `among` rows, and the reference's.

    Args:
      rng: random numbers.
      pool: rows there are.
      candidates: how many rows windows may be made of.
      among: at least as many as `candidates`; the tables of some shifts hold no later rows.
      reference: how many rows at most; 0: all that are left.

    Raises:
      MonitorError: the pool is too small for the candidates.

    """
    require(candidates <= among, "n", f"need no more than {among} images to draw from", candidates)
    chosen = rng.permutation(among)[:candidates]
    free = np.ones(pool, np.bool_)
    free[chosen] = False
    rest = rng.permutation(np.flatnonzero(free))
    return chosen, rest[:reference] if reference else rest


def window(shift: Shift, candidates: Integers, labels: Integers, size: int, rng: np.random.Generator) -> Window:
    """`size` of the candidates as the shift has them.

    Each image is shifted, or left out, by its own chance: the number of shifted images varies as it does where a window
    is drawn from a shifted data set, which is how Failing Loudly draws them.

    Raises:
      MonitorError: too few candidates have what the shift wants.

    """
    rows = rng.permutation(candidates)
    if shift.classes:
        rows = _class_shift(shift, candidates, labels, size, int(rng.integers(1 << 31)))
    if shift.only:
        rows = rows[labels[rows] == 0]
    if shift.dropped:
        left_out = rng.integers(10) if shift.dropped_class < 0 else shift.dropped_class
        rows = rows[(labels[rows] != left_out) | (rng.random(len(rows)) >= shift.dropped)]
    require(len(rows) >= size, "candidates", f"hold {size} images for {shift.name}", len(rows))
    rows = rows[:size]
    shifted = rng.random(size) < shift.fraction if shift.variant != CLEAN else np.zeros(size, np.bool_)
    return Window(rows, shifted)


def _class_shift(shift: Shift, candidates: Integers, labels: Integers, size: int, seed: int) -> Integers:
    blank = np.zeros((len(candidates), 1, 1, 1), np.uint8)  # a shift of classes looks at no pixel
    found = shifts.apply(
        shift.classes, blank, labels[candidates], severity=shift.severity, seed=seed, count=size
    ).indices
    return candidates[found]
