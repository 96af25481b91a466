"""Which shapes of a numeric input are a batch of images, one image, or neither."""

import math
from typing import TypeAlias

from ..common.image_spec import ImageSpec
from .problems import BrokenError, Problem

Batch: TypeAlias = tuple[int, int, int, int]  # batch, height, width, channels


def as_batch(shape: tuple[int, ...], image: ImageSpec, name: str) -> Batch:
    """The shape [batch, height, width, channels] of an input, which may lack the batch, grey images their channel axis.

    Images of one size may be flat, too: [batch, height * width * channels].

    Args:
      shape: as it came.
      image: what is expected.
      name: of the input, for the message.

    Raises:
      BrokenError: it is no batch of images, or an empty one. Channel before row and column has a name of its own.

    """
    batch = _one_size(shape, image.shape) if image.shape else _any_size(shape, image.channels)
    if batch is not None and 0 in batch:
        raise BrokenError(Problem.NO_IMAGE, f"input {name!r} is empty, it has the shape {list(shape)}")
    if batch is not None:
        return batch
    problem = Problem.CHANNELS_FIRST if _channels_first(shape, image) else Problem.WRONG_SHAPE
    raise BrokenError(problem, f"input {name!r} must have the shape {wanted(image)}, and has {list(shape)}")


def wanted(image: ImageSpec) -> str:
    """The shapes of a batch that are images, in words.

    >>> wanted(ImageSpec(feature="image", format="raw", channels=1, size=(28, 28)))
    '[batch, 28, 28, 1], [batch, 28, 28] or [batch, 784]'
    """
    height, width = image.size or ("height", "width")
    shapes = [f"[batch, {height}, {width}, {image.channels}]"]
    if image.channels == 1:
        shapes.append(f"[batch, {height}, {width}]")
    if image.shape:
        shapes.append(f"[batch, {math.prod(image.shape)}]")
    return " or ".join(filter(None, [", ".join(shapes[:-1]), shapes[-1]]))


def _one_size(shape: tuple[int, ...], image: tuple[int, int, int]) -> Batch | None:
    height, width, channels = image
    forms: list[tuple[int, ...]] = [image, (height, width)] if channels == 1 else [image]
    forms.append((math.prod(image),))
    if shape in forms:
        return 1, height, width, channels
    return (shape[0], height, width, channels) if shape[1:] in forms else None


def _any_size(shape: tuple[int, ...], channels: int) -> Batch | None:
    if len(shape) == 4 and shape[3] == channels:
        return shape[0], shape[1], shape[2], channels
    if len(shape) == 3 and shape[2] == channels:
        return 1, shape[0], shape[1], channels
    if channels == 1 and len(shape) in (2, 3):
        return (shape[0], shape[1], shape[2], 1) if len(shape) == 3 else (1, shape[0], shape[1], 1)
    return None


def _channels_first(shape: tuple[int, ...], image: ImageSpec) -> bool:
    """Whether it is a batch with the channels in front. Three numbers may as well be grey images without a channel."""
    if len(shape) != 4:
        return False
    channels, height, width = shape[1:]
    return channels == image.channels and image.size in (None, (height, width))
