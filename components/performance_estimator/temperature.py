"""Temperature scaling of probabilities (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# A probability that was rounded to 0 says nothing about how improbable: its logit is taken to be this one's.
SMALLEST_PROBABILITY = 1e-12
_COLDEST, _HOTTEST = 1e-2, 1e2  # a model that errs never would go to 0
_TOLERANCE = 1e-9  # of the inverse


def logits(probabilities: Floats) -> Floats:
    """Logarithms of probabilities, [n, K]: logits up to a constant an example, which a softmax does not see."""
    return np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))


def softmax(values: Floats) -> Floats:
    """Softmax of each row of [n, K]."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(values: Floats, labels: Labels) -> float:
    """The temperature T for which softmax(values / T) has the least negative log-likelihood.

    The likelihood is convex in 1 / T, so it has one minimum, where its slope is 0; no chance is involved. The slope is
    solved for instead of the minimum searched for: around it the loss is flat to half of the digits.

    Args:
      values: logits, [m, K].
      labels: [m], each in 0 .. K - 1.

    Returns:
      T in [0.01, 100]; an end of that range where the minimum lies beyond it.

    """
    # Below their largest, logits need no guard against overflow; products with ones are how NumPy sums short rows fast.
    below = values - values.max(axis=1, keepdims=True)
    ones = np.ones(values.shape[1])
    wanted = below[np.arange(len(labels)), labels].mean()

    def slope(inverse: float) -> float:
        powers = np.exp(below * inverse)
        return float(((powers * below) @ ones / (powers @ ones)).mean() - wanted)

    hottest, coldest = 1 / _HOTTEST, 1 / _COLDEST
    if slope(hottest) >= 0:
        return _HOTTEST
    if slope(coldest) <= 0:
        return _COLDEST
    return float(1 / brentq(slope, hottest, coldest, xtol=_TOLERANCE))
