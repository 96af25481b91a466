"""Whether labels count classes as the model's scores do: told by how often model and labels agree. NumPy only."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_NONE = 1 << 62  # more than any class
_STANDARD_ERRORS = 5.0  # of a difference of two counts: one in three million by chance


@dataclass(frozen=True)
class Agreement:
    """On how many examples a model and its labels agree, as these are read and one number beside. Add them up.

    Attributes:
      labelled: examples with a label that is a class, and an answer.
      right: of these, where the label's class is the model's.
      one_less: where the class before the label's is: labels are counted from one more than they are read.
      one_more: where the class behind it is: the model's first class is one that labels leave out.
      lowest, highest: of the labels' classes.

    """

    labelled: int = 0
    right: int = 0
    one_less: int = 0
    one_more: int = 0
    lowest: int = _NONE
    highest: int = -1

    @staticmethod
    def of(predicted: npt.NDArray[Any], labels: npt.NDArray[Any]) -> "Agreement":
        """Of class numbers [N] each, below 0 where there is none.

        >>> Agreement.of(np.array([0, 1, 2, -1]), np.array([1, 2, 2, 3]))
        Agreement(labelled=3, right=1, one_less=2, one_more=0, lowest=1, highest=2)
        """
        known = (predicted >= 0) & (labels >= 0)
        difference = labels[known].astype(np.int64) - predicted[known].astype(np.int64)
        counts = (int(np.count_nonzero(difference == by)) for by in (0, 1, -1))
        reach = (int(labels[known].min()), int(labels[known].max())) if known.any() else ()
        return Agreement(int(known.sum()), *counts, *reach)

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            self.labelled + other.labelled,
            self.right + other.right,
            self.one_less + other.one_less,
            self.one_more + other.one_more,
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
        )

    def better_from(self, labels_from: int, classes: int) -> int | None:
        """The `labels_from` under which all labels are classes too, and the model is right more often, beyond chance.

        None: there is none. A model of two classes that is mostly wrong is not taken for one whose labels are.

        Args:
          labels_from: under which the labels were read.
          classes: how many there are.

        """
        by = 1 if self.one_less >= self.one_more else -1
        possible = self.lowest >= 1 if by > 0 else self.highest < classes - 1
        beside = max(self.one_less, self.one_more)
        beyond_chance = beside - self.right > _STANDARD_ERRORS * math.sqrt(beside + self.right)
        return labels_from + by if possible and beyond_chance else None

    def words(self, labels_from: int, classes: int, *, numbers: str = "labels", key: str = "labels_from") -> str:
        """What speaks for labels that are counted otherwise, and what to write; "" where nothing does.

        Args:
          labels_from: under which they were read.
          classes: how many there are.
          numbers: what was read, labels or class ids.
          key: of the spec that says from what they are counted.

        >>> Agreement(90, 3, 82, 2, 1, 9).words(0, 10)
        'the scores agree with 82 of 90 labels if they are counted from 1, and with 3 as they are: say `labels_from: 1`'

        """
        better = self.better_from(labels_from, classes)
        if better is None:
            return ""
        beside = max(self.one_less, self.one_more)
        told = f"the scores agree with {beside:,} of {self.labelled:,} {numbers} if they are counted from {better}"
        return f"{told}, and with {self.right:,} as they are: say `{key}: {better}`"

    def words_of_class_ids(self, first: int, classes: int) -> str:
        """The same of the class ids that a model answers beside its scores."""
        return self.words(first, classes, numbers="class ids", key="outputs.class_id_from")
