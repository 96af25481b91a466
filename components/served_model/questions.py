"""Stored images to what a served input takes: files or numbers, of its range, shape and type. NumPy only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..common.artifacts.tf_example import Values
from ..common.errors import MonitorError
from ..common.image_files import ImageFileError, decode_or_raise, encode_png
from ..common.image_shapes import fits, shapes_of_batches, wanted
from ..common.image_spec import ImageSpec
from .tensors import STRING, TensorInfo

Pixels: TypeAlias = npt.NDArray[np.uint8]


class UnusableImageError(Exception):
    """An image that cannot be asked about. Never leaves this package's callers: they count it.

    Attributes:
      reason: in a few words, the same for images of one kind.
      found: what this image has.

    """

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(f"{reason}: {found}" if found else reason)
        self.reason = reason
        self.found = found


def image_in(features: Mapping[str, Values], key: str) -> bytes | None:
    """The stored image among the features of a tf.Example; None where it has none.

    Raises:
      MonitorError: the feature holds anything but one byte string.

    """
    values = features.get(key, [])
    if not values:
        return None
    if len(values) != 1 or not isinstance(values[0], bytes):
        kind = type(values[0]).__name__
        rule = f"feature {key!r} must hold one image as bytes, a PNG or JPEG file or raw uint8 values"
        raise MonitorError(f"{rule}. Received: {len(values):,} values of type {kind}")
    return values[0]


def pixels_of(value: bytes, image: ImageSpec) -> Pixels:
    """A stored image as `uint8[H, W, C]`, converted to the spec's number of channels.

    Raises:
      UnusableImageError: it cannot be decoded, or has another size than the spec says.

    """
    if image.shape is not None and image.format == "raw":
        if len(value) != math.prod(image.shape):
            raise UnusableImageError(f"not of {math.prod(image.shape):,} bytes", f"one of {len(value):,}")
        return np.frombuffer(value, np.uint8).reshape(image.shape)
    try:
        return decode_or_raise(value, image.channels, image.size)
    except ImageFileError as error:
        raise UnusableImageError("unreadable", str(error)) from error


def check_input(info: TensorInfo, image: ImageSpec, name: str) -> None:
    """Checks that a served input can take the images of a spec.

    A numeric input takes [batch, H, W, C], [batch, H, W] of grey images, or [batch, H * W * C]; a string input takes
    [batch] or [batch, 1]. A batch of a fixed size will do.

    Raises:
      MonitorError: it cannot; the message says what was wanted and what the input takes.

    """
    if info.dtype == STRING:
        if info.shape is not None and len(info.shape) not in (1, 2):
            raise MonitorError(f"input {name!r} of strings must have the shape [batch]. Received: {info}")
        return
    if info.dtype in ("bool", "resource", "variant") or info.dtype.startswith(("complex", "q")):
        raise MonitorError(f"input {name!r} must take numbers or strings. Received: {info}")
    if info.shape is None:
        return
    if not any(fits(info.shape, shape) for shape in shapes_of_batches(image)):
        height, width = image.size or (None, None)
        first = fits(info.shape, (None, image.channels, height, width))
        hint = ". Channels come first there, which cannot be monitored" if first else ""
        rule = f"must have the shape {wanted(image)} for images as specified"
        raise MonitorError(f"input {name!r} {rule}. Received: {info}{hint}")


def numbers_for(pixels: Pixels, image: ImageSpec, info: TensorInfo) -> npt.NDArray[Any]:
    """Images `uint8[B, H, W, C]` of one size as a numeric input takes them: in its range, shape and kind of number."""
    whole = info.dtype.startswith(("int", "uint"))
    values = image.range.to_model(pixels, np.dtype(info.dtype) if whole or info.dtype == "float64" else np.float32)
    rank = 4 if info.shape is None else len(info.shape)
    if rank == 3:
        return values[..., 0]
    return values.reshape(len(values), -1) if rank == 2 else values


def file_for(value: bytes, pixels: Pixels, image: ImageSpec) -> bytes:
    """A stored image as an input of image files takes it: as it is, or as a PNG file where it is raw pixels."""
    return encode_png(pixels) if image.format == "raw" else value


def texts_for(values: Sequence[bytes], info: TensorInfo) -> npt.NDArray[Any]:
    """Byte strings as a string input takes them, `object[B]` or `object[B, 1]`."""
    texts = np.empty(len(values), object)
    texts[:] = list(values)
    return texts.reshape(-1, 1) if info.shape is not None and len(info.shape) == 2 else texts
