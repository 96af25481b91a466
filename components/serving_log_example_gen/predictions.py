"""What the model answered: probabilities, class and embedding of each image, and what follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .problems import BrokenError, Problem
from .tensor_decoding import Array, decode_numbers

# How far the sum of probabilities may be from 1: a thousand of them in half precision are off by a few thousandths.
_SUM_TOLERANCE = 0.02

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Summary:
    """What the probabilities [B, K] of each row say of its certainty.

    Attributes:
      confidences: [B], the largest probability, 1/K to 1.
      entropies: [B], 0 to log2 K bits.
      margins: [B], largest less second largest, 0 to 1.

    """

    confidences: Floats
    entropies: npt.NDArray[np.float64]
    margins: Floats


@dataclass(frozen=True)
class Predictions:
    """The answers to the rows of one request.

    Attributes:
      probabilities: [B, K] or None.
      summary: what follows from the probabilities; 0 in rows that are not usable. None without them.
      class_ids: int64 [B] or None.
      embeddings: [B, D] or None.
      usable: bool [B]; False: the row's probabilities or embedding are none, and the row is without predictions.

    """

    probabilities: Floats | None
    summary: Summary | None
    class_ids: npt.NDArray[np.int64] | None
    embeddings: Floats | None
    usable: npt.NDArray[np.bool_]


def entropy_bits(probabilities: Floats) -> npt.NDArray[np.float64]:
    """Shannon's entropy -sum(p log2 p) of each row of [B, K], 0 to log2 K bits.

    >>> entropy_bits(np.array([[1, 0], [0.5, 0.5]], np.float32)).tolist()
    [0.0, 1.0]
    """
    p = np.clip(probabilities.astype(np.float64), 0, 1)
    return np.abs((p * np.log2(np.where(p > 0, p, 1))).sum(axis=1))


def summarise(probabilities: Floats) -> Summary:
    """The summary of [B, K], K at least 2."""
    top = np.partition(probabilities, -2, axis=1)
    return Summary(top[:, -1], entropy_bits(probabilities), top[:, -1] - top[:, -2])


def predictions_of_tensors(outputs: Mapping[str, Any], names: Mapping[str, str], batch: int) -> Predictions:
    """The predictions in a Predict response.

    Args:
      outputs: TensorProtos by the name of the output.
      names: names of the outputs by "probabilities", "class_id" and "embedding".
      batch: number of rows of the request.

    Raises:
      BrokenError: RESPONSE_ROWS or BAD_RESPONSE, with what was found; none of the rows has a prediction.

    """
    found = {key: _rows_of(outputs[name], name, batch) for key, name in names.items() if name in outputs}
    if "probabilities" not in found and "class_id" not in found:
        wanted = f"{names['probabilities']!r} or {names['class_id']!r}"
        raise _bad(f"there is no output {wanted} among {sorted(outputs)[:20]}")
    probabilities, classes = found.get("probabilities"), found.get("class_id")
    if classes is not None and (classes.shape[1] != 1 or classes.dtype.kind not in "iu"):
        raise _bad(f"{names['class_id']!r} must be one integer a row, not {classes.dtype} {list(classes.shape)}")
    return _predictions(
        _as_floats(probabilities),
        None if classes is None else classes[:, 0].astype(np.int64),
        _as_floats(found.get("embedding")),
        batch,
    )


def _as_floats(values: Array | None) -> Floats | None:
    if values is None or values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is found to be
        return values.astype(np.float32)


def predictions_of_classifications(classifications: Sequence[Any], batch: int) -> Predictions:
    """The predictions in a Classify response: each row's labels and scores.

    Scores are taken for probabilities in the order they come in, unless all labels are numbers from 0 on, which then
    say the order: a server without class names gives those.

    Raises:
      BrokenError: as `predictions_of_tensors`.

    """
    if len(classifications) != batch:
        raise BrokenError(Problem.RESPONSE_ROWS, f"{len(classifications)} rows for {batch} images")
    if len({len(row.classes) for row in classifications}) != 1:
        raise _bad("the rows have different numbers of classes")
    scores = [_scores_in_order(row.classes) for row in classifications]
    return _predictions(np.array(scores, np.float32).reshape(batch, -1), None, None, batch)


def _scores_in_order(classes: Sequence[Any]) -> list[float]:
    by_label = {one.label: one.score for one in classes}
    numbers = [str(number) for number in range(len(classes))]
    if set(by_label) == set(numbers):
        return [by_label[number] for number in numbers]
    return [one.score for one in classes]


def _predictions(
    probabilities: Floats | None, classes: npt.NDArray[np.int64] | None, embeddings: Floats | None, batch: int
) -> Predictions:
    usable = np.ones(batch, np.bool_)
    if probabilities is not None:
        if probabilities.shape[1] < 2:
            raise _bad(f"there must be at least 2 probabilities a row, not {probabilities.shape[1]}")
        usable &= _are_distributions(probabilities)
        classes = probabilities.argmax(axis=1).astype(np.int64) if classes is None else classes
    if embeddings is not None:
        usable &= np.isfinite(embeddings).all(axis=1)
    if classes is not None:
        usable &= classes >= 0
    summary = None if probabilities is None else summarise(np.where(usable[:, np.newaxis], probabilities, 0))
    return Predictions(probabilities, summary, classes, embeddings, usable)


def _are_distributions(probabilities: Floats) -> npt.NDArray[np.bool_]:
    """Which rows are finite, not negative and add up to 1."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = probabilities.sum(axis=1, dtype=np.float64)
        near_1 = np.abs(sums - 1) <= _SUM_TOLERANCE  # False for NaN and infinity
        return near_1 & (probabilities.min(axis=1) >= -_SUM_TOLERANCE)


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
        raise _bad(f"output {name!r} must be one or two-dimensional, not {list(values.shape)}")
    if len(values) != batch:
        raise BrokenError(Problem.RESPONSE_ROWS, f"{len(values)} rows in output {name!r} for {batch} images")
    return values


def _bad(reason: str) -> BrokenError:
    return BrokenError(Problem.BAD_RESPONSE, reason)
