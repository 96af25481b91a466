"""Canonical rows: the one form of images and a model's answers to them, whatever their own names are. NumPy only.

ServingLogExampleGen makes them of logs and HeldOutScorer of held-out examples, so that both are described and compared
by the same names: `ModelSpec.rows` says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .certainty import Certainty, certainty_of
from .class_scores import Floats, Rows, ScoreCounts, are_probabilities, disagreeing, probabilities_of
from .errors import MonitorError
from .image_files import encode_png
from .image_spec import ImageSpec
from .label_numbering import Agreement
from .model_spec import CLASS_ID, CONFIDENCE, EMBEDDING, PROBABILITIES, ModelSpec, OutputSpec

ENTROPY = "entropy"
MARGIN = "margin"
# Every feature of a row that says what a model answered; the others say what it was asked.
PREDICTED = (CLASS_ID, PROBABILITIES, CONFIDENCE, ENTROPY, MARGIN, EMBEDDING)
# Features of logged rows alone, with the types that a schema has for them.
LOGGED = {"request_id": "BYTES", "model_name": "BYTES", "model_version": "INT", "timestamp": "INT",
          "sampling_rate": "FLOAT"}  # fmt: skip
_NAMES_SHOWN = 20

Array: TypeAlias = npt.NDArray[Any]
Value: TypeAlias = bytes | int | float | npt.NDArray[np.float32]


@dataclass(frozen=True)
class Predictions:
    """What a model answered for the B images of a batch.

    Attributes:
      probabilities: [B, K] or None.
      class_ids: int64 [B], counted from 0.
      embeddings: [B, D] or None.
      certainty: what follows from the probabilities; None without them.
      usable: bool [B]; False: the row's probabilities, class or embedding are none.
      counts: how the scores looked before they became probabilities.
      disagreeing: bool [B]; whether the model's own class is another than that of its largest probability.
      numbering: how often the two agree, as the model counts its classes and one number beside.

    """

    probabilities: Floats | None
    class_ids: npt.NDArray[np.int64]
    embeddings: Floats | None
    certainty: Certainty | None
    usable: Rows
    counts: ScoreCounts
    disagreeing: Rows
    numbering: Agreement

    def features(self, row: int) -> dict[str, Value]:
        """What a row says of the answer; nothing where that is not usable."""
        numbers = self._numbers
        if not numbers.usable[row]:
            return {}
        features: dict[str, Value] = {CLASS_ID: numbers.class_ids[row]}
        if self.probabilities is not None:
            features[PROBABILITIES] = self.probabilities[row]
            features[CONFIDENCE] = numbers.confidence[row]
            features[ENTROPY] = numbers.entropy[row]
            features[MARGIN] = numbers.margin[row]
        if self.embeddings is not None:
            features[EMBEDDING] = self.embeddings[row]
        return features

    @cached_property
    def _numbers(self) -> "_Numbers":
        certain = self.certainty or Certainty(*[np.zeros(0, np.float32)] * 3)
        return _Numbers(*(each.tolist() for each in (self.usable, self.class_ids, *vars(certain).values())))


class _Numbers(NamedTuple):
    """What there is one of for each row, as Python's own numbers."""

    usable: list[bool]
    class_ids: list[int]
    confidence: list[float]
    entropy: list[float]
    margin: list[float]


def predictions_of(outputs: Mapping[str, Array], spec: ModelSpec, batch: int) -> Predictions:
    """What the outputs of a model say, by the names and the kind of its spec.

    Args:
      outputs: arrays by the name of the output, with a row an image: scores `[B, K]`, of one sigmoid `[B]` or `[B, 1]`;
        embeddings `[B, D]`; class ids, whole numbers, `[B]` or `[B, 1]`. Others are not looked at.
      spec: the model's. An answer without scores will do where it has the class ids that the spec names.
      batch: B, how many images the model was asked for.

    Raises:
      MonitorError: an output that the spec names is missing or has another shape; the message says which shape was
        wanted and which was received. Rows that hold no numbers that a score can be are no error but not usable.

    """
    names = spec.outputs
    wanted = [name for name in (names.scores, names.embedding, names.class_id) if name is not None]
    given = {name: outputs[name] for name in wanted if name in outputs}
    _require_names(given, outputs, spec)
    for name, values in given.items():
        _require_rows(name, values, batch)
    usable = np.ones(batch, np.bool_)
    probabilities, counts = None, ScoreCounts()
    if names.scores in given:
        probabilities, counts = _probabilities(given[names.scores], spec)
        usable &= are_probabilities(probabilities)
    classes = _class_ids(given.get(names.class_id or ""), probabilities, names)
    differ, numbering = np.zeros(batch, np.bool_), Agreement()
    if probabilities is not None and names.class_id in given:
        differ = disagreeing(probabilities, classes, usable)
        numbering = Agreement.of(np.where(usable, probabilities.argmax(axis=1), -1), np.maximum(classes, -1))
    usable &= (classes >= 0) & (classes < spec.num_classes)
    embeddings = _embeddings(given.get(names.embedding or ""), names.embedding or "")
    if embeddings is not None:
        usable &= np.isfinite(embeddings).all(axis=1)
    certainty = None if probabilities is None else certainty_of(np.where(usable[:, np.newaxis], probabilities, 0))
    return Predictions(probabilities, classes, embeddings, certainty, usable, counts, differ, numbering)


def stored_image(pixels: npt.NDArray[np.uint8], image: ImageSpec) -> bytes:
    """Pixels `uint8[H, W, C]` as a row holds them: raw, or a PNG file, which loses nothing, where images are files."""
    return np.ascontiguousarray(pixels).tobytes() if image.format == "raw" else encode_png(pixels)


def _require_names(given: Mapping[str, Array], outputs: Mapping[str, Array], spec: ModelSpec) -> None:
    names = spec.outputs
    wanted = {"scores": names.scores} if names.class_id not in given else {}
    wanted |= {"embedding": names.embedding} if names.embedding else {}
    for key, name in wanted.items():
        if name not in given:
            known = ", ".join(sorted(outputs)[:_NAMES_SHOWN]) or "there are none"
            raise MonitorError(f"`outputs.{key}` must be among the model's outputs, {known}. Received: {name!r}")


def _require_rows(name: str, values: Array, batch: int) -> None:
    if values.ndim == 0 or len(values) != batch:
        rule = f"must have a row for each of {batch} images"
        raise MonitorError(f"output {name!r} {rule}. Received: the shape {list(values.shape)}")


def _probabilities(scores: Array, spec: ModelSpec) -> tuple[Floats, ScoreCounts]:
    try:
        values = scores.astype(np.float64)
        probabilities = probabilities_of(scores, spec.outputs.kind, spec.num_classes)
    except (MonitorError, ValueError) as error:  # text is no number
        raise MonitorError(f"output {spec.outputs.scores!r}: {error}") from error
    return probabilities, ScoreCounts.of(values)


def _class_ids(values: Array | None, probabilities: Floats | None, names: OutputSpec) -> npt.NDArray[np.int64]:
    """Those that the model gave, counted from 0; else the class of the largest probability, the first of equals."""
    if values is None:
        return np.zeros(0, np.int64) if probabilities is None else probabilities.argmax(axis=1).astype(np.int64)
    if values.size != len(values) or values.dtype.kind not in "iu":
        rule = "must be one whole number an image"
        raise MonitorError(
            f"output {names.class_id!r} {rule}. Received: {values.dtype} of the shape {list(values.shape)}"
        )
    return values.reshape(-1).astype(np.int64) - names.class_id_from


def _embeddings(values: Array | None, name: str) -> Floats | None:
    if values is None:
        return None
    if values.ndim != 2 or values.shape[1] == 0:
        raise MonitorError(f"output {name!r} must have the shape [batch, D]. Received: {list(values.shape)}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is found to be
        return values.astype(np.float32)
