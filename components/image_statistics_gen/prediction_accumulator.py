"""What is remembered of the predictions seen so far: mergeable, and as small for a million as for ten."""

from collections.abc import Mapping

import numpy as np

from ..common.class_scores import ScoreCounts
from ..common.statistics.usability import Reasons
from .frozen_histogram import Accumulator, FrozenFeature
from .prediction_features import Floats, Predictions
from .scores import Scores


class PredictionAccumulator:
    """Statistics of some examples' predictions. `features` are the numeric ones by name; `classes` is how many."""

    __slots__ = ("class_counts", "corrupt", "numbers", "reasons", "scores")

    def __init__(self, features: Mapping[str, FrozenFeature], corrupt: FrozenFeature, classes: int) -> None:
        self.corrupt = Accumulator(corrupt)
        self.numbers = {name: Accumulator(feature) for name, feature in features.items()}
        self.class_counts = np.zeros(classes, np.int64)
        self.scores, self.reasons = ScoreCounts(), Reasons()

    def add(self, predictions: Predictions, scores: Scores) -> Floats:
        """Adds a batch. Returns its values `[N, features + 1]`, in the order of the features, then whether corrupt."""
        corrupt = predictions.corrupt.astype(np.float32)
        for name, accumulator in self.numbers.items():
            accumulator.add(predictions.numbers[name])
        self.corrupt.add(corrupt)
        self.class_counts += np.bincount(predictions.classes[~predictions.corrupt], minlength=len(self.class_counts))
        self.scores += scores.counts
        self.reasons.merge(scores.reasons)
        unlike = int(predictions.corrupt.sum()) - scores.reasons.total
        if unlike:
            self.reasons.add("that are no probabilities", "", unlike)
        return np.column_stack([*(predictions.numbers[name] for name in self.numbers), corrupt])

    def merge(self, other: "PredictionAccumulator") -> None:
        """Adds what `other`, of the same features, has seen. Leaves `other` as it is."""
        self.corrupt.merge(other.corrupt)
        for name, accumulator in self.numbers.items():
            accumulator.merge(other.numbers[name])
        self.class_counts = self.class_counts + other.class_counts
        self.scores += other.scores
        self.reasons.merge(other.reasons)
