"""What the model answered, from the messages of a log: canonical predictions, and what is wrong with each row."""

import bisect
import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..common import canonical_rows
from ..common.canonical_rows import Predictions
from ..common.class_scores import Kind, ScoreCounts, probabilities_of, why_none
from ..common.errors import MonitorError
from ..common.label_numbering import Agreement
from ..common.model_spec import ModelSpec, OutputSpec
from .problems import BrokenError, Problem
from .stacking import groups, stacked
from .tensor_decoding import Array, decode_numbers

_SHOWN = 5  # numbers of a row in a message
_SCORES = "scores"  # what those of a Classify response are called here, which have no name
_WANTED = {
    Kind.PROBABILITIES.value: "probabilities, which add up to 1",
    Kind.LOGITS.value: "logits, finite numbers",
    Kind.SIGMOID.value: "a sigmoid's, 0 to 1",
}

Flags: TypeAlias = list[tuple[int, Problem, str]]  # row, problem, what was found


class Answer(NamedTuple):
    """What the response to one request holds; what its numbers say is not looked at yet.

    Attributes:
      arrays: numbers `[B, N]` by the name of the output.
      kind: of the scores, where these are classifications; "": that of the spec.
      missing: why outputs are missing beside these; "": none are.

    """

    arrays: dict[str, Array]
    kind: str = ""
    missing: str = ""

    @property
    def rows(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return sum([array.nbytes for array in self.arrays.values()])

    @property
    def form(self) -> Hashable:
        """What answers that are looked at at once have in common."""
        return self.kind, *((name, array.dtype, array.shape[1]) for name, array in self.arrays.items())


@dataclass
class Answered:
    """The predictions for the images of one request, and the rows with something wrong.

    Attributes:
      predictions: of many requests; None: the response has none.
      first: the row of them that is this request's first.
      flags: row of the request, problem, what was found.

    """

    predictions: Predictions | None = None
    first: int = 0
    flags: Flags = field(default_factory=list)


def answer_of_tensors(outputs: Mapping[str, Any], spec: ModelSpec, batch: int) -> Answer:
    """What a Predict response holds.

    Args:
      outputs: TensorProtos by the name of the output.
      spec: the names of the outputs, the kind of the scores, and the classes.
      batch: number of rows of the request.

    Raises:
      BrokenError: RESPONSE_ROWS or BAD_RESPONSE, with what was found; none of the rows has a prediction.

    """
    names = spec.outputs
    if names.scores not in outputs and (names.class_id is None or names.class_id not in outputs):
        raise _bad(f"the response must have the output {names.scores!r}, and has {sorted(outputs)[:20]}")
    wanted = [name for name in (names.scores, names.class_id, names.embedding) if name]
    arrays = {name: _rows_of(outputs[name], name, batch) for name in wanted if name in outputs}
    derived = names.class_id if names.scores in arrays else None  # the class of the largest score
    missing = [name for name in wanted if name not in arrays and name != derived]
    if not missing:
        return Answer(arrays)
    named, held = ", ".join(map(repr, missing)), sorted(outputs)[:20]
    return Answer(arrays, missing=f"the response must have the output {named}, too, and has {held}")


def answer_of_classifications(classifications: Sequence[Any], spec: ModelSpec, batch: int) -> Answer:
    """What a Classify response holds: each row's labels and scores.

    Labels are the names or the numbers of the spec's classes, and say which score is whose: servers list classes in any
    order, mostly by score. Scores without labels are in the order of the classes.

    Raises:
      BrokenError: as `answer_of_tensors`.

    """
    if len(classifications) != batch:
        raise BrokenError(Problem.RESPONSE_ROWS, f"{len(classifications)} classifications for {batch} images")
    numbers = sorted({len(row.classes) for row in classifications})
    if len(numbers) != 1:
        raise _bad(
            f"each row must have as many classes, {spec.num_classes}, and they have {numbers[0]} to {numbers[-1]}"
        )
    scores = np.array([_scores_in_order(row.classes, spec) for row in classifications], np.float32).reshape(batch, -1)
    kind = spec.outputs.kind
    if kind == Kind.SIGMOID.value and scores.shape[1] == spec.num_classes:
        kind = Kind.PROBABILITIES.value  # both classes of a sigmoid are listed
    return Answer({_SCORES: scores}, kind)


def check_answers(answers: Sequence[Answer], spec: ModelSpec) -> tuple[list[Answered], ScoreCounts, Agreement]:
    """The predictions in the answers to many requests.

    Answers of one type and shape are looked at all at once; what comes of each depends on it alone.

    Returns:
      The predictions of each request, how the scores of all look, and how often class ids are those of the scores.

    """
    answered = [Answered() for _ in answers]
    counts, numbering = ScoreCounts(), Agreement()
    pairs = zip(answers, answered, strict=True)
    for members in groups(pairs, key=lambda pair: pair[0].form, size=lambda pair: pair[0].size):
        for predictions in _check_together(members, spec):
            counts += predictions.counts
            numbering += predictions.numbering
    return answered, counts, numbering


def _check_together(members: Sequence[tuple[Answer, Answered]], spec: ModelSpec) -> list[Predictions]:
    """Fills in what came of answers of one form; the predictions of all of them, of none where they have none."""
    first = members[0][0]
    arrays = {name: stacked([answer.arrays[name] for answer, _ in members]) for name in first.arrays}
    starts = list(itertools.accumulate((answer.rows for answer, _ in members), initial=0))
    try:
        predictions, flags = _predictions(arrays, _as_answered(spec, first.kind), starts[-1])
    except BrokenError as error:
        if len(members) > 1:  # what is wrong is told with the number of rows of each
            return [found for member in members for found in _check_together([member], spec)]
        members[0][1].flags = [(row, error.problem, error.reason) for row in range(first.rows)]
        return []
    for row, problem, reason in flags:
        owner = bisect.bisect_right(starts, row) - 1
        members[owner][1].flags.append((row - starts[owner], problem, reason))
    for start, (answer, answered) in zip(starts, members, strict=False):
        answered.predictions, answered.first = predictions, start
        if answer.missing:
            answered.flags += [(row, Problem.MISSING_OUTPUT, answer.missing) for row in range(answer.rows)]
    return [predictions]


def _as_answered(spec: ModelSpec, kind: str) -> ModelSpec:
    """The spec that names the arrays of an answer."""
    if not kind:
        return spec
    return spec.model_copy(update={"outputs": OutputSpec.from_record({"scores": _SCORES, "kind": kind})})


def _scores_in_order(classes: Sequence[Any], spec: ModelSpec) -> list[float]:
    labels = [one.label for one in classes]
    if not any(labels):
        return [one.score for one in classes]
    answers = spec.answers
    numbers = [answers.number(label) for label in labels]
    unknown = [label for label, number in zip(labels, numbers, strict=True) if number is None]
    if unknown:
        raise _bad(f"each label must be {answers.wanted}, and some are {', '.join(map(repr, unknown[:3]))}")
    if sorted(number for number in numbers if number is not None) != list(range(spec.num_classes)):
        different = len(set(numbers))
        raise _bad(f"each of the {spec.num_classes} classes must have one score; {different} have {len(numbers)}")
    by_number = dict(zip(numbers, (one.score for one in classes), strict=True))
    return [by_number[number] for number in range(spec.num_classes)]


def _predictions(arrays: Mapping[str, Array], spec: ModelSpec, batch: int) -> tuple[Predictions, Flags]:
    """Of the outputs that are there; the flags say why a row is not usable."""
    outputs = spec.outputs
    known = spec
    if outputs.embedding is not None and outputs.embedding not in arrays:
        known = spec.model_copy(update={"outputs": outputs.model_copy(update={"embedding": None})})
    try:
        predictions = canonical_rows.predictions_of(arrays, known, batch)
    except MonitorError as error:
        raise _bad(str(error)) from error
    flags: Flags = [
        (row, Problem.BAD_RESPONSE, _why_unusable(arrays, spec, row))
        for row in np.flatnonzero(~predictions.usable).tolist()
    ]
    flags += [
        (row, Problem.OTHER_CLASS, _why_other(arrays, spec, row))
        for row in np.flatnonzero(predictions.disagreeing & predictions.usable).tolist()
    ]
    return predictions, flags


def _why_other(arrays: Mapping[str, Array], spec: ModelSpec, row: int) -> str:
    names, first = spec.outputs, spec.outputs.class_id_from
    largest = int(probabilities_of(arrays[names.scores][[row]], names.kind, spec.num_classes).argmax()) + first
    told = f"output {names.class_id!r} must be the class of the largest of {names.scores!r}, {largest}"
    return f"{told}, and is {arrays[names.class_id or ''][row, 0]}"


def _why_unusable(arrays: Mapping[str, Array], spec: ModelSpec, row: int) -> str:
    names = spec.outputs
    numbers = {name: values[row] for name, values in arrays.items()}
    embedding, class_id = numbers.get(names.embedding or ""), numbers.get(names.class_id or "")
    first = names.class_id_from
    if class_id is not None and not first <= class_id[0] < first + spec.num_classes:
        rule = f"must be a class, {first} to {first + spec.num_classes - 1}"
        return f"output {names.class_id!r} {rule}, and is {class_id[0]}"
    if embedding is not None and not (np.abs(embedding) <= np.finfo(np.float32).max).all():  # nor a NaN
        return f"output {names.embedding!r} must be finite numbers, and is {_shown(embedding)}"
    told = f"output {names.scores!r} must be {_WANTED[names.kind]}, and is {_shown(numbers[names.scores])}"
    why = why_none(numbers[names.scores]) if names.kind == Kind.PROBABILITIES.value else ""
    return f"{told}: {why}" if why else told


def _shown(numbers: Array) -> str:
    """The first of a row."""
    first = ", ".join(f"{number:.4g}" for number in numbers[:_SHOWN].tolist())
    return f"{first} ..." if len(numbers) > _SHOWN else first


def _rows_of(proto: Any, name: str, batch: int) -> Array:
    """An output as [B, N]: a vector is one number a row, or the one row of a single image."""
    try:
        values = decode_numbers(proto)
    except BrokenError as error:
        raise _bad(f"output {name!r}: {error.reason}") from error
    if values.ndim == 1 and len(values) == batch:
        values = values[:, np.newaxis]
    elif values.ndim < 2 and batch == 1:
        values = values.reshape(1, -1)
    if values.ndim != 2 or values.shape[1] == 0:
        rule = "must be [batch, numbers], as the output of an image classifier is"
        raise _bad(f"output {name!r} {rule}, and has the shape {list(values.shape)}")
    if len(values) != batch:
        raise BrokenError(Problem.RESPONSE_ROWS, f"{len(values)} rows in output {name!r} for {batch} images")
    return values


def _bad(reason: str) -> BrokenError:
    return BrokenError(Problem.BAD_RESPONSE, reason)
