"""Bytes of images to `uint8` arrays: raw pixels of a declared shape, or PNG and JPEG files of any size.

Nothing here raises on a bad image: what cannot be decoded is simply not among the rows that come out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..common.errors import require, require_known
from ..common.image_files import decode as decode_file

FORMATS = ("encoded", "raw")
_PIXELS_AT_ONCE = 1 << 22  # decoded images held in memory at a time: 4 Mi pixels, 12 MB in colour

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
