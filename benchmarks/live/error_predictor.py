"""The idea of Amoukou et al. 2024, "Sequential harmful shift detection without labels" (NeurIPS), to compare with.

A model of the errors is fitted on half of the held-out examples; on the other half the threshold is found above which
its answers are taken for errors. The proportion of such answers among all that have been served is followed by a
confidence sequence, and rings where its lower bound exceeds the upper bound of the held-out proportion plus the
tolerance.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from benchmarks.detection.table import Table
from components.common.sequential.accuracy import SourceAccuracy

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_RIDGE = 1.0
LEVEL = 0.05  # of the confidence sequence, over all times


@dataclass(frozen=True)
class ErrorPredictor:
    """Logistic regression of the errors; `threshold` is the predicted risk from which on an answer is taken for one."""

    mean: Floats
    spread: Floats
    weights: Floats
    threshold: float
    upper: float

    @staticmethod
    def fit(table: Table, wrong: Bools) -> "ErrorPredictor":
        """From held-out answers and which of them are wrong: one half for the weights, the other for the threshold."""
        half = len(table) // 2
        inputs = _inputs(table)
        mean, spread = inputs[:half].mean(axis=0), inputs[:half].std(axis=0) + 1e-9
        columns = np.column_stack([np.ones(len(inputs)), (inputs - mean) / spread])
        weights = _logistic(columns[:half], wrong[:half])
        threshold = _threshold(columns[half:] @ weights, wrong[half:])
        taken = int((columns[half:] @ weights >= threshold).sum())
        rest = len(table) - half
        upper = 1 - SourceAccuracy(rest - taken, rest).lowest
        return ErrorPredictor(mean, spread, weights, threshold, upper)

    def taken(self, table: Table) -> Bools:
        """Which answers are taken for errors."""
        columns = (_inputs(table) - self.mean) / self.spread
        return np.asarray(self.weights[0] + columns @ self.weights[1:] >= self.threshold)


def _inputs(table: Table) -> Floats:
    """The probabilities from the largest on, their logs, and the image properties."""
    ordered = -np.sort(-table.softmax.astype(np.float64), axis=1)
    return np.concatenate([ordered, np.log(np.maximum(ordered, 1e-6)), np.nan_to_num(table.looks)], axis=1)


def _logistic(columns: Floats, wrong: Bools) -> Floats:
    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = columns @ weights
        value = np.logaddexp(0, scores).sum() - scores[wrong].sum() + _RIDGE * (weights[1:] ** 2).sum() / 2
        slope = columns.T @ (special.expit(scores) - wrong)
        slope[1:] += _RIDGE * weights[1:]
        return float(value), slope

    return np.asarray(optimize.minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B").x)


def _threshold(scores: Floats, wrong: Bools) -> float:
    """Above which as many answers are taken for errors as there are.

    The paper bounds the proportion of right answers among them instead, by 0.2; here that leaves 20 of 2,500 answers,
    and nothing would ever ring.
    """
    return float(np.sort(scores)[max(len(scores) - int(wrong.sum()), 0)])


def lower_bounds(taken: Bools) -> Floats:
    """The lower bound of the running proportion after each example.

    The predictable plug-in empirical-Bernstein confidence sequence (Waudby-Smith and Ramdas 2024, "Estimating means of
    bounded random variables by betting", JRSS B, theorem 2), one-sided.
    """
    values = taken.astype(np.float64)
    count = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (count + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (count + 1)
    before_mean, before_variance = np.concatenate([[0.5], means[:-1]]), np.concatenate([[0.25], variances[:-1]])
    bets = np.minimum(np.sqrt(2 * math.log(1 / LEVEL) / (before_variance * count * np.log(1 + count))), 0.5)
    costs = 4 * (values - before_mean) ** 2 * (-np.log1p(-bets) - bets) / 4
    total = np.cumsum(bets)
    return np.asarray((np.cumsum(bets * values) - math.log(1 / LEVEL) - np.cumsum(costs)) / total)
