"""Bytes of images to `uint8` arrays: raw pixels of a declared shape, or PNG and JPEG files of any size.

Nothing here raises on a bad image: what cannot be decoded is simply not among the rows that come out.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..common.errors import require, require_known

FORMATS = ("encoded", "raw")
_FILE_TYPES = ("JPEG", "PNG")
_PIXELS_AT_ONCE = 1 << 22  # decoded images held in memory at a time: 4 Mi pixels, 12 MB in colour
# What Pillow raises on damaged files; SyntaxError is how its PNG reader says "broken chunk".
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

Rows: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageFormat:
    """How the bytes of an image are to be read.

    Attributes:
      name: "raw", `shape` uint8 values in row-major order (height, width, channel), or "encoded", PNG or JPEG.
      shape: (height, width, channels), channels 1 or 3. Encoded images may have any size: they are converted to the
        number of channels, and height and width say nothing.

    """

    name: str = "raw"
    shape: tuple[int, int, int] = (32, 32, 3)

    def __post_init__(self) -> None:
        require_known(self.name, FORMATS, "image_format")
        fits = (
            isinstance(self.shape, list | tuple)
            and len(self.shape) == 3
            and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in self.shape)
            and self.shape[2] in (1, 3)
        )
        rule = "be (height, width, channels), positive integers, channels 1 (grey) or 3 (red, green, blue)"
        require(fits, "image_shape", rule, self.shape)
        object.__setattr__(self, "shape", tuple(self.shape))

    @property
    def channels(self) -> int:
        return self.shape[2]

    @property
    def sizes_vary(self) -> bool:
        return self.name == "encoded"


@dataclass(frozen=True)
class Decoded:
    """Images of one size: `images[i]` (`uint8[n, H, W, C]`) is that of row `rows[i]` of the batch."""

    rows: Rows
    images: npt.NDArray[np.uint8]


def decode(values: Sequence[bytes | None], image_format: ImageFormat) -> Iterator[Decoded]:
    """The images of a batch, a group of one size at a time. A row in no group is corrupt (None: the value is missing).

    >>> [group.rows.tolist() for group in decode([b"abc", b"ab", None], ImageFormat(shape=(1, 1, 3)))]
    [[0]]
    """
    if image_format.name == "raw":
        return _decode_raw(values, image_format.shape)
    return _decode_encoded(values, image_format.channels)


def _decode_raw(values: Sequence[bytes | None], shape: tuple[int, int, int]) -> Iterator[Decoded]:
    size = shape[0] * shape[1] * shape[2]
    rows = [row for row, value in enumerate(values) if value is not None and len(value) == size]
    if rows:
        pixels = np.frombuffer(b"".join(values[row] or b"" for row in rows), np.uint8)
        yield Decoded(np.array(rows), pixels.reshape(len(rows), *shape))


def _decode_encoded(values: Sequence[bytes | None], channels: int) -> Iterator[Decoded]:
    """Groups by size as it goes, so that memory stays bounded however large the images are."""
    pending: dict[tuple[int, ...], list[tuple[int, npt.NDArray[np.uint8]]]] = {}
    pixels = 0
    for row, value in enumerate(values):
        image = None if value is None else decode_file(value, channels)
        if image is None:
            continue
        pending.setdefault(image.shape, []).append((row, image))
        pixels += image.shape[0] * image.shape[1]
        if pixels >= _PIXELS_AT_ONCE:
            yield from _groups(pending)
            pending, pixels = {}, 0
    yield from _groups(pending)


def _groups(pending: dict[tuple[int, ...], list[tuple[int, npt.NDArray[np.uint8]]]]) -> Iterator[Decoded]:
    for found in pending.values():
        yield Decoded(np.array([row for row, _ in found]), np.stack([image for _, image in found]))


def decode_file(value: bytes, channels: int) -> npt.NDArray[np.uint8] | None:
    """One PNG or JPEG file as `uint8[H, W, channels]`; None when it is damaged, cut short or of another type.

    As TensorFlow's decoders do: an alpha channel is dropped, 16 bits a channel become the upper 8, and a JPEG's
    orientation tag is not looked at.
    """
    try:
        with Image.open(io.BytesIO(value), formats=_FILE_TYPES) as file:
            file.load()
            image: Image.Image = file
            if file.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would cut off at 255
                image = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
            array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except _DAMAGE:
        return None
    return array.reshape(*array.shape[:2], channels)
