"""Which of several readings of the same examples is the right one, told by how well the model does under each."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.common.class_scores import are_probabilities

_LEAST_PROBABILITY = 1e-12
_CHANCE = 0.001  # that two equally good readings are told apart
_STANDARD_ERRORS = 3.3  # the same, of a difference of means
# A model that is never wrong looks best under the reading that makes it most sure; mistakes punish that.
_MIN_MISTAKES = 5


@dataclass(frozen=True)
class Trial:
    """How a model does on labelled examples under one reading of them.

    Attributes:
      right: bool [N], whether the class with the largest probability is the label's.
      loss: float64 [N], minus the logarithm of the label's probability.

    """

    right: npt.NDArray[np.bool_]
    loss: npt.NDArray[np.float64]

    @staticmethod
    def of(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> "Trial":
        """Of probabilities [N, K] and class numbers [N]; a row that is no distribution is wrong."""
        fine = are_probabilities(probabilities)
        of_label = np.where(fine, probabilities[np.arange(len(labels)), labels], 0.0)
        right = fine & (probabilities.argmax(axis=1) == labels)
        return Trial(right, -np.log(np.maximum(of_label, _LEAST_PROBABILITY)))

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    def __str__(self) -> str:
        return f"{self.right.sum():,} of {len(self.right):,} right, mean log loss {self.loss.mean():.3g}"

    def beats(self, other: "Trial") -> bool:
        """Whether this reading is better than another by more than chance.

        That is by the sign test on examples that only one of the two gets right; or, where accuracy is no worse and
        there are mistakes enough, by the paired difference of the losses.
        """
        won, lost = int((self.right & ~other.right).sum()), int((other.right & ~self.right).sum())
        if won > lost and sign_test(lost, won + lost) < _CHANCE:
            return True
        mistakes = len(self.right) - int(self.right.sum())
        if won < lost or mistakes < _MIN_MISTAKES:
            return False
        gain = other.loss - self.loss
        error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
        return float(gain.mean()) > _STANDARD_ERRORS * error


def best(trials: dict[str, Trial]) -> str | None:
    """The reading that beats every other; None where none does."""
    for name, trial in trials.items():
        if all(trial.beats(other) for key, other in trials.items() if key != name):
            return name
    return None


def sign_test(fewer: int, total: int) -> float:
    """The two-sided chance of a split of `total` fair coins as uneven as `fewer` to the rest.

    >>> sign_test(0, 10)
    0.001953125
    """
    tail = sum(math.comb(total, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / 2**total)
