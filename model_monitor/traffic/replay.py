"""Images of a data set, sent to a served model as a client would send them, and the logs that its server would write.

The model is asked by `components.served_model`, the log written by `ServingLogWriter`: what is in it is what was sent,
numbers in the model's range, image files, or serialised tf.Examples.
"""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.common import baseline_bundle, image_files
from components.common.artifacts.tf_example import parse_example
from components.common.canonical_rows import predictions_of
from components.common.errors import MonitorError, require
from components.common.image_files import encode_png
from components.common.model_spec import ModelSpec
from components.served_model.asking import Asker, Question
from components.served_model.questions import UnusableImageError, numbers_for, pixels_of
from components.served_model.tensors import Askable, TensorInfo
from components.serving_log_writer.writer import ServedModel, ServingLogWriter

from ..onboarding.described import files_of, records_of
from . import shifts

if TYPE_CHECKING:
    from components.served_model.saved_model import SavedModel

MODEL_NAME = "model"  # what the logs call it
FIRST_SPAN = 1
NO_LABEL = -1
_JPEG = b"\xff\xd8\xff"
_JPEG_QUALITY = 95
Array: TypeAlias = npt.NDArray[Any]
Labels: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """The images that may be sent.

    Attributes:
      images: uint8 [H, W, C] each.
      stored: the same as the data set has them: raw pixels or image files.
      records: the serialised tf.Examples that they are in; b"" where they are in none.
      labels: int64 [N], `NO_LABEL` where there is none.
      left_out: how many images could not be decoded.

    """

    images: list[Array]
    stored: list[bytes]
    records: list[bytes]
    labels: Labels
    left_out: int = 0


@dataclass(frozen=True)
class Sent:
    """One request with its answer; `rows` are those of the window that it is about."""

    rows: list[int]
    inputs: dict[str, Array]
    outputs: dict[str, Array]


def from_arrays(images: Array, labels: Labels, spec: ModelSpec, what: str) -> Source:
    """A data set in memory, uint8 [N, H, W, C]. Raises `MonitorError` unless that is the shape the model takes."""
    _require_shape(images.shape[1:], spec, what)
    raw = spec.image.format == "raw"
    stored = [image.tobytes() if raw else encode_png(image) for image in images]
    return Source(list(images), stored, [b""] * len(images), labels)


def from_examples(pattern: str, spec: ModelSpec) -> Source:
    """The Examples in the TFRecord files that a pattern names, as the spec describes them.

    Raises:
      MonitorError: there are none, a file is damaged, an image has another shape than the model takes, or no image can
        be decoded.

    """
    found = [_example(record, spec, pattern) for file in files_of(pattern) for record in records_of(file)]
    usable = [each for each in found if each is not None]
    require(bool(usable), "--examples", f"hold images in the feature {spec.image.feature!r}", pattern)
    images, stored, records, labels = (list(column) for column in zip(*usable, strict=True))
    return Source(images, stored, records, np.array(labels, np.int64), len(found) - len(usable))


def plain(source: Source, count: int | None, seed: int) -> shifts.ShiftedImages:
    """The images as they are, or `count` of them drawn by the seed."""
    indices = shifts.draw(len(source.images), count, seed)
    return shifts.ShiftedImages([source.images[row] for row in indices], indices, np.zeros(len(indices), np.bool_))


def load(folder: str) -> "SavedModel":
    """The SavedModel in a folder. Raises `MonitorError` where it cannot be loaded."""
    from components.served_model.saved_model import SavedModel  # noqa: PLC0415 - takes seconds

    return SavedModel(folder)


def send(
    signature: Askable, spec: ModelSpec, source: Source, window: shifts.ShiftedImages, size: int
) -> Iterator[Sent]:
    """Asks the model in requests of at most `size` images; images of different sizes go in different requests.

    Where the shift makes numbers of another type, these go in requests of their own: a client sends one or the other.
    The model then gets them cast to its own type, as from a server that casts; the log has what was sent.

    Args:
      signature: the served one.
      spec: the model's.
      source: where the window is from.
      window: what is sent.
      size: 1 or more.

    Raises:
      MonitorError: the model fails, or takes no numbers and the shift makes such.

    """
    asker = Asker(signature, spec)
    rescaled = [row for row, image in enumerate(window.images) if image.dtype != np.uint8]
    rule = "keep pixels whole numbers where the model takes image files"
    require(not rescaled or asker.takes_numbers, "--shift", rule, "one that scales them")
    for rows in _groups(window.images, rescaled, size):
        info = TensorInfo(signature.inputs[spec.input].shape, "float32")
        inputs = {spec.input: numbers_for(np.stack([window.images[row] for row in rows]), spec.image, info)}
        yield Sent(rows, inputs, signature(inputs))
    others = sorted({*range(len(window.images))} - {*rescaled})
    questions = [_question(asker, source, window, row) for row in others]
    for answer in asker.ask(questions, size):
        yield Sent([others[row] for row in answer.rows], answer.inputs, answer.outputs)


def log(sent: Sequence[Sent], model: ServedModel, logs: Path, span: int, prefix: str) -> None:
    """Writes requests and answers as a server would. Raises `MonitorError` unless all could be written."""
    with ServingLogWriter(str(logs), model, span=span, when_full="block") as writer:
        for number, each in enumerate(sent):
            writer.log(each.inputs, each.outputs, request_id=f"{prefix}-{number}")
    if writer.counts.written != len(sent):
        raise MonitorError(
            f"Of {len(sent)} requests {writer.counts.written} could be written to {logs}: {writer.counts}"
        )


def right(sent: Sequence[Sent], labels: Labels, spec: ModelSpec) -> tuple[int, int]:
    """How many answers are the label's class, and of how many that have a label. `labels` are those of the window."""
    correct = known = 0
    for each in sent:
        expected = labels[each.rows]
        classes = predictions_of(each.outputs, spec, len(each.rows)).class_ids
        known += int((expected != NO_LABEL).sum())
        correct += int(((classes == expected) & (expected != NO_LABEL)).sum())
    return correct, known


def write_labels(path: Path, sent: Sequence[Sent], labels: Labels, prefix: str) -> None:
    """The true labels as CSV with the header `id,label`: delayed labels, to be joined by id."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "label"))
        for number, each in enumerate(sent):
            for place, row in enumerate(each.rows):
                if labels[row] != NO_LABEL:
                    writer.writerow((f"{prefix}-{number}/{place}", int(labels[row])))


def next_span(logs: Path) -> int:
    """One more than the highest span there is a folder of."""
    names = os.listdir(logs) if logs.is_dir() else []
    return max((int(name) + 1 for name in names if baseline_bundle.is_version(name)), default=FIRST_SPAN)


def _question(asker: Asker, source: Source, window: shifts.ShiftedImages, row: int) -> Question:
    place = int(window.indices[row])
    stored, record = source.stored[place], source.records[place]
    image = window.images[row]
    if image is not source.images[place]:
        stored = image.tobytes() if asker.spec.image.format == "raw" else _encoded(image, stored)
        record = _with_image(record, asker.spec.image.feature, stored) if asker.takes_examples else b""
    try:
        return asker.question(stored, record)
    except UnusableImageError as error:
        raise MonitorError(f"The model cannot be asked about an image: {error}") from error


def _encoded(image: Array, like: bytes) -> bytes:
    """An image file of the type of another: JPEG at quality 95, or PNG."""
    if not like.startswith(_JPEG):
        return encode_png(image)
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _with_image(record: bytes, feature: str, stored: bytes) -> bytes:
    import tensorflow as tf  # noqa: PLC0415 - takes seconds; the model has imported it already

    example = tf.train.Example.FromString(record)
    example.features.feature[feature].bytes_list.value[:] = [stored]
    return bytes(example.SerializeToString())


def _groups(images: Sequence[Array], rows: Sequence[int], size: int) -> Iterator[list[int]]:
    """These rows, those with images of one shape together, at most `size` at a time."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row in rows:
        by_shape.setdefault(images[row].shape, []).append(row)
    for same in by_shape.values():
        yield from (same[start : start + size] for start in range(0, len(same), size))


def _example(record: bytes, spec: ModelSpec, pattern: str) -> tuple[Array, bytes, bytes, int] | None:
    """Image, as it is stored, record and label; None where the image cannot be decoded."""
    row = parse_example(record)
    value = next(iter(row.get(spec.image.feature, ())), None)
    if not isinstance(value, bytes):
        return None
    header = image_files.header(value) if spec.image.format == "encoded" else None
    if header is not None:
        _require_shape((header.height, header.width, spec.image.channels), spec, pattern)
    try:
        image = pixels_of(value, spec.image)
    except UnusableImageError:
        return None
    label = next(iter(row.get(spec.label or "", ())), None)
    number = None if label is None else spec.class_number(label)
    return image, value, record, NO_LABEL if number is None else number


def _require_shape(shape: tuple[int, ...], spec: ModelSpec, what: str) -> None:
    fits = shape == spec.image_shape if spec.image_shape else shape[2] == spec.image.channels
    wanted = " x ".join(map(str, spec.image_shape)) if spec.image_shape else f"any size x {spec.image.channels}"
    require(fits, what, f"hold images of {wanted}, as the model takes them", " x ".join(map(str, shape)))
