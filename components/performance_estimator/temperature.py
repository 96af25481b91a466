"""Temperature scaling of probabilities (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# A probability that was rounded to 0 says nothing about how improbable: its logit is taken to be this one's.
SMALLEST_PROBABILITY = 1e-12
_BRACKET = (1e-2, 1e2)  # of the inverse temperature; a model that errs never would go to infinity
_STEPS = 100
_TOLERANCE = 1e-6  # Newton: the error is then about the square of it


def logits(probabilities: Floats) -> Floats:
    """Logarithms of probabilities, [n, K]: logits up to a constant an example, which a softmax does not see."""
    return np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))


def softmax(values: Floats) -> Floats:
    """Softmax of each row of [n, K]."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(values: Floats, labels: Labels, start: float = 1.0) -> float:
    """The temperature T for which softmax(values / T) has the least negative log-likelihood.

    The likelihood is convex in 1 / T, so its one minimum is found by Newton's method, kept between bounds by bisection;
    no chance is involved.

    Args:
      values: logits, [m, K].
      labels: [m], each in 0 .. K - 1.
      start: where to begin; the result does not depend on it in the first six digits.

    Returns:
      T in [0.01, 100]; an end of that range where the minimum lies beyond it.

    """
    low, high = _BRACKET
    inverse = min(max(1.0 / start, low), high)
    # Below their largest, logits need no guard against overflow; products with ones are how NumPy sums short rows fast.
    below = values - values.max(axis=1, keepdims=True)
    ones = np.ones(values.shape[1])
    wanted = below[np.arange(len(labels)), labels].mean()
    before = np.inf
    for _ in range(_STEPS):
        powers = np.exp(below * inverse)
        weighted, total = powers * below, powers @ ones
        expected = weighted @ ones / total
        slope = expected.mean() - wanted
        curvature = ((weighted * below) @ ones / total - expected * expected).mean()
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        # Where there is no minimum, Newton's steps keep their size and the slope falls by e each time: too slow.
        step = inverse - slope / curvature if curvature > 0 and abs(slope) <= before / 4 else low
        following = step if low < step < high else (low + high) / 2
        before = abs(slope)
        if abs(following - inverse) <= _TOLERANCE * inverse:
            break
        inverse = following
    return 1.0 / inverse
