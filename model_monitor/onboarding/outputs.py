"""Guesses about what a model answers: which output has the scores, of what kind, and what the others are."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from components.common.class_scores import Kind, ScoreCounts, are_probabilities, probabilities_of
from components.common.errors import MonitorError, require_known

from .described import Examples
from .draft import Draft, in_words

Array: TypeAlias = npt.NDArray[Any]
_MIN_ROWS = 20  # fewer scores in 0..1 may be logits by chance
_MOSTLY = 0.9  # of the rows: some examples may be broken


def guess_outputs(draft: Draft, readings: Sequence[Mapping[str, Array]], examples: Examples) -> int | None:
    """Settles `outputs`; returns the number of classes, or None where something has to be asked.

    Args:
      draft: what is known.
      readings: every output of the served signature, [N, ...], for the N examples, under each reading of the images.
      examples: the examples.

    Raises:
      MonitorError: the outputs are no classification.

    """
    answers = _unsorted(readings)
    scores = _scores(draft, answers, examples)
    if scores is None:
        return None
    require_known(scores, answers, "--set outputs.scores")
    values = answers[scores]
    kind = _kind(draft, scores, values)
    if kind is None:
        return None
    single = _width(values) == 1
    classes = 2 if single else values.shape[1]
    _guess_others(draft, answers, scores, probabilities_of(values, kind, classes).argmax(axis=1))
    return int(classes)


def _unsorted(readings: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
    """The outputs under the first reading, without those that are sorted by size under all."""
    listed = {
        name: _sorted([each[name] for each in readings]) for name, values in readings[0].items() if _width(values)
    }
    if listed and all(listed.values()):
        told = in_words(f"{name}: {why}" for name, why in listed.items())
        raise MonitorError(f"The outputs are no scores by class. {told}")
    return {name: values for name, values in readings[0].items() if not listed.get(name)}


def _sorted(readings: Sequence[Array]) -> str:
    said = [ScoreCounts.of(values).sorted_by_size() for values in readings]
    return said[0] if all(said) else ""


def _scores(draft: Draft, answers: Mapping[str, Array], examples: Examples) -> str | None:
    widths = {name: _width(values) for name, values in answers.items() if _width(values)}
    sure = [name for name, width in widths.items() if width > 1 and _are_distributions(answers[name])]
    if len(sure) == 1 and not draft.was_given("outputs.scores"):
        reason = "the only output whose rows are probabilities that add up to 1"
        return str(draft.settle("outputs.scores", sure[0], f"{reason}, of {widths[sure[0]]} classes"))
    candidates = {name: _words(answers[name]) for name in sure or widths}
    if len(candidates) > 1:
        labels = _label_counts(examples)
        fitting = [name for name in candidates if max(2, widths[name]) in labels]
        if len(fitting) == 1:
            words = (
                f"the only output with as many scores as a feature has different labels, {_words(answers[fitting[0]])}"
            )
            return str(draft.settle("outputs.scores", fitting[0], words))
    return draft.choose(
        "outputs.scores",
        candidates,
        only="the only output with a score for each class",
        several="several outputs may be the scores of the classes",
        none="The outputs are no classification, which is [batch, classes] or one sigmoid [batch, 1]: "
        + in_words(f"{name} is {_words(values)}" for name, values in answers.items()),
    )


def _kind(draft: Draft, name: str, values: Array) -> str | None:
    key = "outputs.kind"
    if draft.was_given(key):
        return str(draft.settle(key, "", ""))
    counts, single = ScoreCounts.of(values), _width(values) == 1
    if counts.not_finite > (1 - _MOSTLY) * counts.rows:
        raise MonitorError(f"{counts.not_finite:,} of {counts.rows:,} rows of {name} are not finite: {values[:1]}")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if counts.outside and (single or counts.outside > (1 - _MOSTLY) * counts.rows):
        reach = f"its scores reach from {low:.3g} to {high:.3g}, outside of 0..1"
        return str(draft.settle(key, Kind.LOGITS.value, reach))
    if single and counts.rows < _MIN_ROWS:
        seen = f"{counts.rows} scores, all in 0..1, are too few to tell"
        draft.ask(key, seen, {Kind.SIGMOID.value: "a probability", Kind.LOGITS.value: "a logit"})
        return None
    if single:
        return str(draft.settle(key, Kind.SIGMOID.value, f"one score an image, from {low:.3g} to {high:.3g}"))
    if not _are_distributions(values):
        wrong = counts.wrong_kind(Kind.PROBABILITIES) or "not all rows add up to 1"
        unless = f"If they are logits, which happen to lie in 0..1, say --set {key}={Kind.LOGITS.value}"
        raise MonitorError(f"The output {name} is no classification: {wrong}. {unless}")
    every = f"{counts.distributions:,} of {counts.rows:,} rows"
    return str(draft.settle(key, Kind.PROBABILITIES.value, f"{every} are not negative and add up to 1"))


def _guess_others(draft: Draft, answers: Mapping[str, Array], scores: str, classes: Array) -> None:
    """Settles `outputs.class_id` and `outputs.embedding`, neither of which has to be there."""
    rest = {name: values for name, values in answers.items() if name != scores}
    key = "outputs.class_id"
    same = {name: first for name, values in rest.items() if (first := _class_ids_from(values, classes)) is not None}
    if len(same) == 1 or draft.was_given(key):
        name, first = next(iter(same.items()), (None, 0))
        draft.settle(key, name, "the number of the largest score in every row")
        if first:
            draft.settle(f"{key}_from", first, f"{name} is one more than that")
    elif same:
        draft.settle(key, None, f"left out: {in_words(same)} are the same (--set {key}=NAME)")
    key = "outputs.embedding"
    vectors = [name for name, values in rest.items() if _width(values) > 1 and not _ranks_alike(values, classes)]
    if len(vectors) == 1 or draft.was_given(key):
        words = f"the only other output of several numbers an image, {_words(rest[vectors[0]])}" if vectors else ""
        draft.settle(key, next(iter(vectors), None), words)
    elif vectors:
        draft.settle(key, None, f"left out: {in_words(vectors)} would do (--set {key}=NAME)")


def _class_ids_from(values: Array, classes: Array) -> int | None:
    """The number that an output has for the first class, 0 or 1; None where it is no number of the class."""
    if not np.issubdtype(values.dtype, np.integer) or values.reshape(len(values), -1).shape[1] != 1:
        return None
    numbers = values.reshape(-1).astype(np.int64)
    return next((first for first in (0, 1) if np.array_equal(numbers - first, classes)), None)


def _ranks_alike(values: Array, classes: Array) -> bool:
    """Whether an output is the scores once more, as their logits."""
    return bool((values.argmax(axis=1) == classes).mean() >= _MOSTLY)


def _are_distributions(values: Array) -> bool:
    return bool(are_probabilities(values).mean() >= _MOSTLY)


def _width(values: Array) -> int:
    """How many scores an example has; 0 for what cannot be scores."""
    if not np.issubdtype(values.dtype, np.floating) or values.ndim not in (1, 2):
        return 0
    return 1 if values.ndim == 1 else int(values.shape[1])


def _label_counts(examples: Examples) -> set[int]:
    """How many different values each feature has that may be a label."""
    return {
        feature.distinct
        for feature in examples.features.values()
        if feature.single and (feature.whole or feature.texts) and 2 <= feature.distinct < feature.rows
    }


def _words(values: Array) -> str:
    return f"{values.dtype} [batch{''.join(f', {side}' for side in values.shape[1:])}]"
