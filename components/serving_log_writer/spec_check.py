"""Whether what a server logs is what the model's spec says, so that a mistake shows at once and not after a span."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.canonical_rows import predictions_of
from ..common.errors import MonitorError, nearest
from ..common.image_shapes import fits, shapes_of_batches, wanted
from ..common.model_spec import ModelSpec


def problems(inputs: Mapping[str, Any], outputs: Mapping[str, Any], spec: ModelSpec) -> list[str]:
    """What is not as the spec says, a sentence each without a full stop.

    Args:
      inputs: arrays by name, or what NumPy makes arrays of.
      outputs: likewise.
      spec: the model's.

    """
    return [*_of_inputs(inputs, spec), *_of_outputs(outputs, spec)]


def _of_inputs(inputs: Mapping[str, Any], spec: ModelSpec) -> Iterator[str]:
    if spec.input not in inputs:
        names = sorted(inputs)
        yield f"the inputs must have {spec.input!r}, the model's input of images. Received: {names}" + nearest(
            spec.input, names
        )
        return
    images = np.asarray(inputs[spec.input])
    if images.dtype.kind not in "OSU":
        yield from _of_numbers(images, spec)


def _of_numbers(images: npt.NDArray[Any], spec: ModelSpec) -> Iterator[str]:
    name, image, one = spec.input, spec.image, (1, *images.shape)
    if image.dtype is not None and images.dtype.name != image.dtype:
        yield f"input {name!r} must be of type {image.dtype}. Received: {images.dtype}"
    shape = next((s for s in (images.shape, one) if any(fits(s, w) for w in shapes_of_batches(image))), None)
    if shape is None:
        yield f"input {name!r} must have the shape {wanted(image)}. Received: {list(images.shape)}"
        return
    if images.size == 0:
        return
    low, high = image.range.extremes(images.reshape(shape[0], -1, image.channels))
    floats = images.dtype.kind not in "iu"
    scales = [scale.words for scale, rows in image.range.wrong_scales(low, high, floats=floats).items() if rows.any()]
    if scales or not image.range.inside(low, high).all():
        found = f"{low.min():.4g} to {high.max():.4g}" + (f", as of pixels on the scale {scales[0]}" if scales else "")
        yield f"input {name!r} must hold pixels on the scale {image.range}. Received: {found}"


def _of_outputs(outputs: Mapping[str, Any], spec: ModelSpec) -> Iterator[str]:
    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    scores = arrays.get(spec.outputs.scores)
    batch = 1 if scores is None or scores.ndim == 0 else len(scores)
    try:
        found = predictions_of(arrays, spec, batch)
    except MonitorError as error:
        yield str(error)
        return
    wrong_kind = found.counts.wrong_kind(spec.outputs.kind)
    if wrong_kind:
        yield f"output {spec.outputs.scores!r} must be of `kind: {spec.outputs.kind}`. Received: {wrong_kind}"
    elif not found.usable.all():
        unusable = int(np.count_nonzero(~found.usable))
        yield f"answers must be probabilities of {spec.num_classes} classes. Received: {unusable} of {batch} are not"
