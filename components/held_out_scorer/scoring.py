"""A batch of held-out examples and a model that can be asked -> the features of their rows. NumPy only."""

from collections.abc import Sequence

import numpy as np

from ..common.canonical_rows import Predictions, Value, predictions_of
from ..common.label_numbering import Agreement
from ..common.model_spec import ModelSpec
from ..served_model.asking import Asker, Question
from ..served_model.questions import UnusableImageError
from .held_out import HeldOut
from .tally import Tally

_FEATURES_SHOWN = 20


def score(examples: Sequence[HeldOut], asker: Asker, tally: Tally) -> list[dict[str, Value]]:
    """The rows of some examples, with what the model answers where it can be asked; counts what cannot be used.

    Args:
      examples: a batch of any size.
      asker: the model and its spec.
      tally: is added to.

    Raises:
      MonitorError: the model fails, or its outputs are not what its spec says.

    """
    rows: list[dict[str, Value]] = [dict(example.features) for example in examples]
    questions: dict[int, Question] = {}
    for number, example in enumerate(examples):
        if example.bad_label:
            tally.labels.add("that mean no class", example.bad_label)
        try:
            questions[number] = asker.question(example.image, example.record)
        except UnusableImageError as error:
            tally.images.add(error.reason, error.found)
            if example.image is None:
                _note_features(example, tally)
    asked = list(questions)
    for answer in asker.ask([questions[number] for number in asked]):
        predictions = predictions_of(answer.outputs, asker.spec, len(answer.rows))
        for row, number in enumerate(answer.rows):
            rows[asked[number]].update(predictions.features(row))
        _count(predictions, [examples[asked[number]].label for number in answer.rows], asker.spec, tally)
    tally.examples += len(examples)
    return rows


def _count(predictions: Predictions, labels: Sequence[int | None], spec: ModelSpec, tally: Tally) -> None:
    tally.scores += predictions.counts
    unusable = int(np.count_nonzero(~predictions.usable))
    if unusable:
        tally.predictions.add("that are no probabilities, no class or no finite embedding", "", unusable)
    other = np.flatnonzero(predictions.disagreeing & predictions.usable)
    if len(other):
        such = f"{predictions.class_ids[other[0]] + spec.outputs.class_id_from}"
        tally.class_ids.add("that are not the class of the largest score", such, len(other))
    tally.class_id_numbering += predictions.numbering
    if predictions.probabilities is not None:
        best = np.where(predictions.usable, predictions.probabilities.argmax(axis=1), -1)
        tally.agreement += Agreement.of(best, np.array([-1 if label is None else label for label in labels]))


def _note_features(example: HeldOut, tally: Tally) -> None:
    if len(tally.features) < _FEATURES_SHOWN:
        tally.features |= example.names
