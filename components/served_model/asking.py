"""A served model, asked about stored images the way its spec says. NumPy only: the signature is handed in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.class_scores import probabilities_of
from ..common.errors import MonitorError, nearest
from ..common.model_spec import ModelSpec
from .questions import Pixels, UnusableImageError, check_input, file_for, numbers_for, pixels_of, texts_for
from .tensors import STRING, Askable, Batch, TensorInfo, described

# What a model is asked about at a time: so many images, and fewer where they have more bytes.
LARGEST_BATCH = 128
LARGEST_BYTES = 64 << 20


@dataclass(frozen=True)
class Question:
    """One image that a model can be asked about.

    Attributes:
      stored: as the Examples hold it.
      pixels: the same decoded, `uint8[H, W, C]`.
      record: the serialised tf.Example, for signatures that take these.

    """

    stored: bytes
    pixels: Pixels
    record: bytes


@dataclass(frozen=True)
class Answer:
    """The outputs for some of the questions, `rows`, in this order; every output has a row for each."""

    rows: list[int]
    inputs: Batch
    outputs: Batch


class Asker:
    """A signature of a served model and the spec that says how to ask it.

    Attributes:
      spec: the model's.
      takes_examples: whether it takes serialised tf.Examples; else it takes image files or numbers.

    Raises:
      MonitorError: signature and spec do not fit: an input or an output that the spec names is missing, there are
        other inputs, or a shape is another. The message says what was wanted and what the signature has.

    """

    def __init__(self, signature: Askable, spec: ModelSpec) -> None:
        self.spec = spec
        self.takes_examples = signature.name == spec.signatures.examples
        self._signature = signature
        self._input = _only_input(signature) if self.takes_examples else _image_input(signature, spec)
        info = signature.inputs[self._input]
        if self.takes_examples and info.dtype != STRING:
            rule = f"signature {signature.name!r} must take serialised tf.Examples, strings"
            raise MonitorError(f"{rule}. Received: {described(signature.inputs)}")
        check_input(info, spec.image, self._input)
        _check_outputs(signature, spec)
        self._info = info

    @property
    def takes_numbers(self) -> bool:
        """Whether it takes pixels as numbers."""
        return self._info.dtype != STRING

    def question(self, stored: bytes | None, record: bytes = b"") -> Question:
        """An image as something that can be asked.

        Args:
          stored: the image as the Examples hold it; None where an Example has none.
          record: the serialised tf.Example; of use only where `takes_examples`.

        Raises:
          UnusableImageError: there is no image, it cannot be decoded, or it has another size than spec or model want.

        """
        if stored is None:
            raise UnusableImageError("missing", "")
        pixels = pixels_of(stored, self.spec.image)
        if self.takes_numbers and not _fits_size(pixels, self._info):
            height, width = pixels.shape[:2]
            raise UnusableImageError("of a size that the model does not take", f"{height} x {width} for {self._info}")
        return Question(stored, pixels, record)

    def ask(self, questions: Sequence[Question], batch_size: int = LARGEST_BATCH) -> Iterator[Answer]:
        """Asks about images in batches, images of one size together where the model takes pixels.

        Args:
          questions: what to ask.
          batch_size: how many images a batch holds at most; a signature with a batch of fixed size gets that size.

        Raises:
          MonitorError: the model fails, or an output has not a row an image.

        """
        fixed = self._info.shape[0] if self._info.shape else None
        for rows in self._groups(questions):
            for start in range(0, len(rows), fixed or batch_size):
                part = rows[start : start + (fixed or batch_size)]
                padded = part + [part[-1]] * ((fixed or len(part)) - len(part))
                inputs = {self._input: self._value([questions[row] for row in padded])}
                outputs = self._signature(inputs)
                yield Answer(part, _cut(inputs, len(part), len(padded)), _cut(outputs, len(part), len(padded)))

    def _groups(self, questions: Sequence[Question]) -> list[list[int]]:
        if not self.takes_numbers:
            return [list(range(len(questions)))]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for row, question in enumerate(questions):
            by_size.setdefault(question.pixels.shape, []).append(row)
        return list(by_size.values())

    def _value(self, questions: Sequence[Question]) -> Any:
        if self.takes_examples:
            return texts_for([each.record for each in questions], self._info)
        if self.takes_numbers:
            return numbers_for(np.stack([each.pixels for each in questions]), self.spec.image, self._info)
        files = [file_for(each.stored, each.pixels, self.spec.image) for each in questions]
        return texts_for(files, self._info)


def _only_input(signature: Askable) -> str:
    if len(signature.inputs) != 1:
        rule = f"signature {signature.name!r} must have one input, of serialised tf.Examples"
        raise MonitorError(f"{rule}. Received: {described(signature.inputs)}")
    return next(iter(signature.inputs))


def _image_input(signature: Askable, spec: ModelSpec) -> str:
    name, inputs = spec.input, signature.inputs
    if name not in inputs:
        rule = f"`image.input` must be an input of signature {signature.name!r}: {described(inputs)}"
        raise MonitorError(f"{rule}. Received: {name!r}{nearest(name, list(inputs))}")
    if len(inputs) > 1:
        rule = f"signature {signature.name!r} must have one input, that of images, for what is monitored is one image"
        raise MonitorError(f"{rule} classifier. Received: {described(inputs)}")
    return name


def _check_outputs(signature: Askable, spec: ModelSpec) -> None:
    names = spec.outputs
    wanted = {"scores": names.scores, "embedding": names.embedding, "class_id": names.class_id}
    for key, name in wanted.items():
        if name is not None and name not in signature.outputs:
            rule = f"`outputs.{key}` must be an output of signature {signature.name!r}: {described(signature.outputs)}"
            raise MonitorError(f"{rule}. Received: {name!r}{nearest(name, list(signature.outputs))}")
    shape = signature.outputs[names.scores].shape
    if shape and None not in shape[1:]:
        try:
            probabilities_of(np.zeros((1, *(size or 0 for size in shape[1:]))), names.kind, spec.num_classes)
        except MonitorError as error:
            told = f"the spec has {spec.num_classes} classes, and output {names.scores!r} is"
            raise MonitorError(f"{told} {signature.outputs[names.scores]}: {error}") from error


def _fits_size(pixels: Pixels, info: TensorInfo) -> bool:
    if info.shape is None:
        return True
    if len(info.shape) == 2:
        return info.shape[1] in (None, pixels.size)
    return all(size in (None, given) for size, given in zip(info.shape[1:3], pixels.shape[:2], strict=True))


def _cut(tensors: Batch, rows: int, asked: int) -> Batch:
    """Without the rows of padding; an output that has not a row an image stays as it is, to be found."""
    return {name: value[:rows] if value.ndim and len(value) == asked else value for name, value in tensors.items()}
