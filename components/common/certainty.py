"""How sure a classifier is of what it said: confidence, entropy and margin of probabilities. NumPy only."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Certainty:
    """What the probabilities `[N, K]` of each row say of its certainty, `float32[N]` each, NaN for a row of NaN.

    Attributes:
      confidence: the largest probability, 1/K to 1.
      entropy: Shannon's, 0 to log2 K bits.
      margin: largest less second largest, 0 to 1.

    """

    confidence: Floats
    entropy: Floats
    margin: Floats


def certainty_of(probabilities: npt.NDArray[Any]) -> Certainty:
    """Those of each row of `[N, K]`, K >= 2; each depends on its row alone, to the last bit."""
    narrow = probabilities.astype(np.float32, copy=False)
    two_largest = np.partition(narrow, -2, axis=1)[:, -2:]  # NaN counts as largest
    return Certainty(two_largest[:, 1], entropy_bits(probabilities), two_largest[:, 1] - two_largest[:, 0])


def entropy_bits(probabilities: npt.NDArray[Any]) -> Floats:
    """Shannon's entropy -sum(p log2 p) of each row of `[N, K]`, 0 to log2 K bits; NaN for a row of NaN.

    >>> entropy_bits(np.array([[0.5, 0.5, 0], [1, 0, 0]], np.float32)).tolist()
    [1.0, 0.0]
    """
    wide = probabilities.astype(np.float64, order="C")
    logarithms = np.log2(np.where(wide > 0, wide, 1))  # 0 log 0 is 0
    bits = -(wide * logarithms).sum(axis=1)
    return np.where(bits > 0, bits, bits * 0).astype(np.float32) + np.float32(0)  # not -0, nor below by rounding
