"""The spec of a served model, guessed from its signatures, from Examples, and from what it answers to these.

Never guesses between two that evidence does not tell apart: that becomes a question. Imports no TensorFlow; the model
comes as something that can be called.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from components.common import image_files
from components.common.class_scores import are_probabilities, probabilities_of
from components.common.errors import MonitorError
from components.common.model_spec import ImageSpec, ModelSpec
from components.common.proportion import Proportion
from components.served_model.questions import numbers_for, texts_for
from components.served_model.tensors import STRING

from .described import Examples, Signature, Tensor
from .draft import Draft, flat
from .evidence import Trial
from .images import EXAMPLES, FILES, guess_feature, guess_pixels, guess_signature
from .labels import guess_id, guess_label, guess_range, labels_of
from .outputs import guess_outputs

Array: TypeAlias = npt.NDArray[Any]
_BATCH = 32
# The ranges that are tried, as `--set image.range=` takes them.
_RANGES: Mapping[str, Any] = {"[0, 1]": [0, 1], "[-1, 1]": [-1, 1], "[0, 255]": [0, 255]}
# ImageNet's, which networks that were trained on it take; of pixels 0..255.
_IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
_IMAGENET_WORDS = "{mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]}"


class Served(Protocol):
    """A model with the signatures that servers can call."""

    @property
    def signatures(self) -> tuple[Signature, ...]: ...

    def call(self, signature: str, values: Any) -> dict[str, Array]:
        """Every output for one batch, images as numbers or bytes. Raises `MonitorError` where the model refuses it."""


def guess(served: Served, examples: Examples, given: Mapping[str, Any]) -> Draft:
    """What can be known of the spec, why, and what has to be asked.

    Args:
      served: the model.
      examples: Examples of the kind that it is to be held against.
      given: what the person said, keys and values of the spec.

    Raises:
      MonitorError: the model is no classifier of one image, or Examples and model do not fit together.

    """
    draft = Draft(given)
    feature = guess_feature(draft, served.signatures, examples)
    if feature is None:
        return draft
    signature = guess_signature(draft, served.signatures, _answered(served, feature.name, examples))
    if signature is None or signature.image_input is None:
        return draft
    guess_pixels(draft, signature.image_input, feature)
    if draft.questions:
        return draft
    examples, images = _readable(draft, examples)
    sent = _sent(draft, served, signature, examples, images)
    answers = {words: _in_batches(served, signature, values) for words, values in sent.items()}
    classes = guess_outputs(draft, list(answers.values()), examples)
    if classes is not None:
        guess_label(draft, examples, classes, [_predicted(draft, answer, classes) for answer in answers.values()])
        guess_id(draft, examples)
    _settle_range(draft, signature.image_input, answers, examples)
    if not draft.questions:
        check(draft, _answer(draft, answers), examples)
    return draft


def check(draft: Draft, answer: Mapping[str, Array], examples: Examples) -> None:
    """Notes what the model does on the examples under the finished spec; asks where that is no better than chance.

    Raises:
      MonitorError: the settled values do not fit together.

    """
    spec = draft.spec()
    probabilities = probabilities_of(answer[spec.outputs.scores], spec.outputs.kind, spec.num_classes)
    fine = int(are_probabilities(probabilities).sum())
    draft.checks.append(f"{fine:,} of {len(probabilities):,} answers are probabilities of {spec.num_classes} classes")
    if spec.label is None:
        return
    labels = labels_of(examples, spec.label, spec.classes, spec.labels_from)
    known = labels >= 0
    if not known.any():
        values = examples.column(spec.label)[:3]
        raise MonitorError(f"Each value of `{spec.label}` must be {spec.labels.wanted}. Received: {values}")
    unknown = int((~known).sum())
    if unknown:
        draft.checks.append(f"{unknown:,} of {len(known):,} examples have no label that is a class, and are left out")
    right = Proportion.of(int(Trial.of(probabilities[known], labels[known]).right.sum()), int(known.sum()))
    commonest = int(np.bincount(labels[known]).max())
    interval = f"95 % interval {right.low:.1%} to {right.high:.1%}"
    draft.checks.append(f"{right.count:,} of {right.total:,} labelled are right: {right.value:.1%}, {interval}")
    if right.count <= commonest < right.total:
        why = f"the commonest class is that of {commonest:,} of {right.total:,}, and only {right.count:,} are right"
        if draft.was_given("label"):
            draft.checks.append(f"{why}: is `label`, `classes` or `image.range` wrong?")
        else:
            draft.ask("label", f"{why}, so that `label`, `classes` or `image.range` must be wrong", _after_all(spec))


def _after_all(spec: ModelSpec) -> dict[str, str]:
    return {str(spec.label): "it is right, and the model no better", "null": "go without labels"}


def _answer(draft: Draft, answers: Mapping[str, Mapping[str, Array]]) -> Mapping[str, Array]:
    """The answers under the range that was settled."""
    settled = draft.value("image.range")
    settings = range_settings(draft.value("image.channels"))
    return next(
        (answers[words] for words, setting in settings.items() if setting == settled and words in answers),
        next(iter(answers.values())),
    )


def range_settings(channels: int) -> dict[str, Any]:
    """The usual ranges of an input of floats, by the words that `--set image.range=` takes."""
    return {**_RANGES, **({_IMAGENET_WORDS: _IMAGENET} if channels == 3 else {})}


def _answered(served: Served, feature: str, examples: Examples) -> dict[str, set[str]]:
    """Which kind of string each signature that takes strings answers."""
    answered: dict[str, set[str]] = {}
    image = next((value for value in examples.column(feature) if isinstance(value, bytes)), b"")
    for each in served.signatures:
        if each.image_input is None or not each.image_input.takes_strings:
            continue
        answered[each.name] = set()
        for kind, value in ((FILES, image), (EXAMPLES, examples.records[0])):
            try:
                _in_batches(served, each, [value])
            except MonitorError:
                continue  # it takes the other, or neither
            answered[each.name].add(kind)
    return answered


def _readable(draft: Draft, examples: Examples) -> tuple[Examples, list[Array]]:
    """The examples whose image can be decoded, and those images, uint8 [H, W, C]."""
    values = examples.column(draft.value("image.feature"))
    images = [_decoded(draft, value) if isinstance(value, bytes) else None for value in values]
    rows = [row for row, image in enumerate(images) if image is not None]
    if not rows:
        raise MonitorError(f"No image of `{draft.value('image.feature')}` can be decoded, such as {values[0]!r:.60}")
    return examples.only(rows), [image for image in images if image is not None]


def _decoded(draft: Draft, value: bytes) -> Array | None:
    size, channels = draft.value("image.size"), draft.value("image.channels")
    if draft.value("image.format") == "encoded":
        return image_files.decode(value, channels, tuple(size) if size else None)
    return np.frombuffer(value, np.uint8).reshape(*size, channels) if len(value) == math.prod(size) * channels else None


def _sent(
    draft: Draft, served: Served, signature: Signature, examples: Examples, images: Sequence[Array]
) -> dict[str, list[Any]]:
    """What the signature is called with, an entry an example, under each range that comes into question."""
    tensor = signature.image_input
    if tensor is None or tensor.dtype == STRING:
        whole = draft.value("signatures.examples") == signature.name
        feature = draft.value("image.feature")
        return {"": list(examples.records if whole else examples.column(feature))}
    if not tensor.dtype.startswith(("float", "bfloat")):
        return {"": _as_input(draft, tensor, images, [0, 255])}
    given = flat(draft.given).get("image.range")
    settings = range_settings(draft.value("image.channels")) if given is None else {"": given}
    return {words: _as_input(draft, tensor, images, setting) for words, setting in settings.items()}


def _as_input(draft: Draft, tensor: Tensor, images: Sequence[Array], setting: Any) -> list[Array]:
    """The images as a numeric input takes them under a range."""
    keys = ("feature", "format", "channels", "size")
    record = {key: draft.value(f"image.{key}") for key in keys if draft.value(f"image.{key}") is not None}
    spec = ImageSpec.from_record({**record, "input": tensor.name, "range": setting}, "the spec")
    return [numbers_for(image[np.newaxis], spec, tensor.info)[0] for image in images]


def _in_batches(served: Served, signature: Signature, values: Sequence[Any]) -> dict[str, Array]:
    """Every output for all examples; images of different sizes go alone, and a fixed batch is filled up."""
    tensor = signature.inputs[0]
    fixed = tensor.shape[0] if tensor.shape else None
    texts = isinstance(values[0], bytes)
    same = texts or len({value.shape for value in values}) == 1
    step = fixed or (_BATCH if same else 1)
    filled = [*values, *[values[-1]] * (-len(values) % step if fixed else 0)]
    parts = []
    for start in range(0, len(filled), step):
        batch = filled[start : start + step]
        parts.append(served.call(signature.name, texts_for(batch, tensor.info) if texts else np.stack(batch)))
    return {name: np.concatenate([part[name] for part in parts])[: len(values)] for name in parts[0]}


def _settle_range(draft: Draft, tensor: Tensor, answers: Mapping[str, Mapping[str, Array]], examples: Examples) -> None:
    if tensor.dtype == STRING:
        return
    if "" in answers and "image.range" not in flat(draft.given):
        draft.settle("image.range", [0, 255], f"the input {tensor} takes whole numbers: pixels as they are")
        return
    settings = range_settings(draft.value("image.channels"))
    names, label = draft.value("classes"), draft.value("label")
    trials = {}
    if label and names and draft.value("outputs.kind") and "" not in answers:
        labels = labels_of(examples, label, names, draft.value("labels_from") or 0)
        for words, answer in answers.items():
            trials[words] = _trial(draft, answer, labels)
    guess_range(draft, trials, settings)


def _predicted(draft: Draft, answer: Mapping[str, Array], classes: int) -> npt.NDArray[np.int64]:
    """The class of the largest score."""
    scores = answer[draft.value("outputs.scores")]
    return probabilities_of(scores, draft.value("outputs.kind"), classes).argmax(axis=1).astype(np.int64)


def _trial(draft: Draft, answer: Mapping[str, Array], labels: npt.NDArray[np.int64]) -> Trial:
    scores = answer[draft.value("outputs.scores")]
    probabilities = probabilities_of(scores, draft.value("outputs.kind"), len(draft.value("classes")))
    known = labels >= 0
    return Trial.of(probabilities[known], labels[known])
