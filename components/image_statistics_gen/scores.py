"""The scores that examples hold, in lists of any length, as the probabilities that everything is computed of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.class_scores import Kind, ScoreCounts, probabilities_of
from ..common.model_spec import ModelSpec
from ..common.statistics.usability import Reasons
from .prediction_features import Counts, Floats


@dataclass(frozen=True)
class Scores:
    """The scores of N examples.

    Attributes:
      probabilities: `float32[N, K]`; a row of NaN where there are no scores, or another number of them.
      counts: how the scores look, of the rows that have as many as they should.
      reasons: why other rows have none.

    """

    probabilities: Floats
    counts: ScoreCounts
    reasons: Reasons


def numbers_of_scores(spec: ModelSpec) -> tuple[int, ...]:
    """How many scores an example may have: one a class, or the one of two classes."""
    if spec.outputs.kind == Kind.SIGMOID.value:
        return (1,)
    single = spec.num_classes == 2 and spec.outputs.kind == Kind.LOGITS.value
    return (spec.num_classes, 1) if single else (spec.num_classes,)


def read_scores(lengths: Counts, values: npt.NDArray[Any], spec: ModelSpec) -> Scores:
    """Lists of scores, `lengths` of each and `values` of all one after the other, as probabilities."""
    probabilities = np.full((len(lengths), spec.num_classes), np.nan, np.float32)
    counts, reasons = ScoreCounts(), Reasons()
    for width in numbers_of_scores(spec):
        rows = lengths == width
        if rows.any():
            scores = table_of(lengths, values.astype(np.float32), width)[rows]
            probabilities[rows] = probabilities_of(scores, spec.outputs.kind, spec.num_classes)
            counts += ScoreCounts.of(scores)
    others, numbers = np.unique(lengths[~np.isin(lengths, numbers_of_scores(spec))], return_counts=True)
    for length, count in zip(others.tolist(), numbers.tolist(), strict=True):
        wanted = " or ".join(map(str, numbers_of_scores(spec)))
        words = ("without scores", "") if length == 0 else (f"without {wanted} scores", f"one of {length}")
        reasons.add(*words, count)
    return Scores(probabilities, counts, reasons)


def table_of(lengths: Counts, values: Floats, width: int) -> Floats:
    """Lists of numbers, `lengths` of each and `values` of all one after the other, as `[N, width]`.

    A list of another length is a row of NaN.

    >>> table_of(np.array([2, 1, 2]), np.array([1, 2, 3, 4, 5], np.float32), 2).tolist()
    [[1.0, 2.0], [nan, nan], [4.0, 5.0]]
    """
    rows = np.full((len(lengths), width), np.nan, np.float32)
    fits = lengths == width
    starts = (np.cumsum(lengths) - lengths)[fits]
    rows[fits] = values[starts[:, None] + np.arange(width)]
    return rows
