"""Running counts from which the metrics follow. They are small, and merging them gives what one pass would have given.

Both take, for one example, its label (the number of its class), the model's probabilities [C] and its weight. The
answer of the model is the class of largest probability, the first of them where several are equal. Probabilities of
which any is NaN or infinite count as a wrong answer given with confidence 1: a broken model must not look good.
"""

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..common.class_scores import why_none
from ..common.errors import require

Probabilities: TypeAlias = npt.NDArray[np.floating[Any]]


class ClassAccuracyTally:
    """Accuracy of each class that occurs among the labels, and the lowest of them."""

    def __init__(self) -> None:
        self._examples: dict[int, float] = {}
        self._correct: dict[int, float] = {}

    def add(self, label: int, probabilities: Probabilities, weight: float = 1.0) -> None:
        """Counts one example. Raises `MonitorError` where `label` is no index of `probabilities`."""
        _, correct = _answer(label, probabilities)
        self._examples[label] = self._examples.get(label, 0.0) + weight
        self._correct[label] = self._correct.get(label, 0.0) + weight * correct

    def merge(self, other: "ClassAccuracyTally") -> None:
        """Adds all that `other` counted."""
        for label, examples in other._examples.items():
            self._examples[label] = self._examples.get(label, 0.0) + examples
            self._correct[label] = self._correct.get(label, 0.0) + other._correct[label]

    def result(self) -> float:
        """The lowest proportion of right answers among the classes with any weight, 0..1; NaN where there is none."""
        proportions = [self._correct[label] / examples for label, examples in self._examples.items() if examples > 0]
        return min(proportions, default=math.nan)


class CalibrationTally:
    """Expected calibration error of the answer: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
    Networks" (ICML 2017), equation 3.

    Confidences are sorted into `bins` equal intervals (0, 1/bins], (1/bins, 2/bins] ... up to 1. The error is the mean,
    weighted by the bins' examples, of the distance between a bin's accuracy and its mean confidence.
    """

    def __init__(self, bins: int) -> None:
        require(bins >= 1, "bins", "be 1 or more", bins)
        self._weight = np.zeros(bins)
        self._surplus = np.zeros(bins)  # confidence minus right answers, summed

    def add(self, label: int, probabilities: Probabilities, weight: float = 1.0) -> None:
        """Counts one example. Raises `MonitorError` where `label` is no index, or a probability is not in 0..1."""
        confidence, correct = _answer(label, probabilities)
        index = max(math.ceil(confidence * len(self._weight)) - 1, 0)
        self._weight[index] += weight
        self._surplus[index] += weight * (confidence - correct)

    def merge(self, other: "CalibrationTally") -> None:
        """Adds all that `other`, which must have as many bins, counted."""
        self._weight += other._weight
        self._surplus += other._surplus

    def result(self) -> float:
        """The error, 0 (the confidences are right) to 1; NaN without any example."""
        total = float(self._weight.sum())
        return float(np.abs(self._surplus).sum()) / total if total > 0 else math.nan


def _answer(label: int, probabilities: Probabilities) -> tuple[float, bool]:
    """The confidence, 0..1, of the model's answer, and whether it is right."""
    require(probabilities.ndim == 1 and len(probabilities) >= 2, "probabilities", "be [2 or more]", probabilities.shape)
    require(0 <= label < len(probabilities), "label", f"be 0 to {len(probabilities) - 1}", label)
    if not np.isfinite(probabilities).all():
        return 1.0, False
    broken = why_none(probabilities)
    require(not broken, "probabilities", "add up to 1, and none be below 0 (not logits)", broken)
    return min(float(probabilities.max()), 1.0), int(probabilities.argmax()) == label
