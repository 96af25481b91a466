"""Optimal transport between a window's probabilities and a distribution of classes, as COT uses it.

Lu et al., "Characterizing Out-of-Distribution Error via Optimal Transport", NeurIPS 2023: hand every example to a
class, so that the classes get the proportions of the labels, at the least cost in probability mass moved. Moving the
probabilities p of an example onto class y costs half the L1 distance from p to y's corner, which is 1 - p_y.

With K classes the dual has K variables, one price a class: the least of q.v + mean_i max_j (p_ij - v_j) over v is the
largest mean probability that such a hand-out can keep. It is solved by Newton's method on a smooth version (a maximum
replaced by a log-sum-exp with a small `_SMOOTHING`), whose optimum is within `_SMOOTHING` * ln K of the exact one.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMOOTHING = (0.1, 0.02, 0.005, 0.001, 2e-4)  # each starts where the one before it ended
_STEPS = 50
_RIDGE = 1e-9  # prices have a free constant, which makes the curvature singular
_TOLERANCE = 1e-5  # of a class's proportion


def class_prices(probabilities: Floats, proportions: Floats) -> Floats:
    """The price of each class at which the examples, each taking the class of largest p - price, fill the proportions.

    Args:
      probabilities: [n, K].
      proportions: of each class, [K], not negative, summing to 1. A class without a proportion has the price infinity.

    Returns:
      [K].

    """
    wanted = proportions > 0
    prices = np.zeros(int(wanted.sum()))
    for smoothing in _SMOOTHING:
        prices = _newton(probabilities[:, wanted], proportions[wanted], prices, smoothing)
    result = np.full(len(proportions), np.inf)
    result[wanted] = prices
    return result


def kept_probability(probabilities: Floats, prices: Floats) -> Floats:
    """Per example, [n], the probability of the class it takes at these prices."""
    taken = np.argmax(probabilities - prices, axis=1)
    return np.asarray(probabilities[np.arange(len(probabilities)), taken])


def dual_terms(probabilities: Floats, prices: Floats) -> Floats:
    """Per example, [n], its part max_j (p_j - v_j) of the dual; the rest is proportions . prices."""
    return np.asarray((probabilities - prices).max(axis=1))


def dual_value(terms: Floats, proportions: Floats, prices: Floats) -> float:
    """The dual: never less than the largest mean probability that can be kept, and equal to it at the best prices."""
    wanted = proportions > 0
    return float(terms.mean() + proportions[wanted] @ prices[wanted])


def _newton(probabilities: Floats, proportions: Floats, prices: Floats, smoothing: float) -> Floats:
    value, taken = _smooth_dual(probabilities, proportions, prices, smoothing)
    for _ in range(_STEPS):
        gradient = proportions - taken.mean(axis=0)
        if np.abs(gradient).max() <= _TOLERANCE:
            break
        curvature = (np.diag(taken.mean(axis=0)) - taken.T @ taken / len(taken)) / smoothing
        step = np.linalg.solve(curvature + _RIDGE * np.eye(len(proportions)), gradient)
        size = 1.0
        while size > 1e-6:
            trial = prices - size * step
            trial_value, trial_taken = _smooth_dual(probabilities, proportions, trial, smoothing)
            if trial_value <= value - 1e-4 * size * float(gradient @ step):
                break
            size /= 2
        else:
            break  # no smaller value to be told from this one
        prices, value, taken = trial - trial.mean(), trial_value, trial_taken
    return prices


def _smooth_dual(probabilities: Floats, proportions: Floats, prices: Floats, smoothing: float) -> tuple[float, Floats]:
    """The smooth dual and, [n, K], the proportion of each example that each class takes."""
    values = (probabilities - prices) / smoothing
    largest = values.max(axis=1, keepdims=True)
    powers = np.exp(values - largest)
    total = powers.sum(axis=1, keepdims=True)
    value = smoothing * float((largest + np.log(total)).mean()) + float(proportions @ prices)
    return value, np.asarray(powers / total)
