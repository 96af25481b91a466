"""Bytes of images to `uint8` arrays: raw pixels of a declared shape, or PNG and JPEG files.

Nothing here raises on a bad image: what cannot be decoded is simply not among the rows that come out.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..common.image_files import decode as decode_file
from ..common.image_spec import ImageSpec

_PIXELS_AT_ONCE = 1 << 15  # decoded images held at a time: what is measured of them is in the processor's cache

Bytes: TypeAlias = bytes | memoryview
Rows: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decoded:
    """Images of one size: `images[i]` (`uint8[n, H, W, C]`) is that of row `rows[i]` of the batch."""

    rows: Rows
    images: npt.NDArray[np.uint8]


def decode(values: Sequence[Bytes | None], image: ImageSpec) -> Iterator[Decoded]:
    """The images of a batch, a group of one size at a time. A row in no group is corrupt (None: the value is missing).

    >>> spec = ImageSpec(feature="image", format="raw", channels=3, size=(1, 1))
    >>> [group.rows.tolist() for group in decode([b"abc", b"ab", None], spec)]
    [[0]]
    """
    if image.format == "raw" and image.shape is not None:
        return _decode_raw(values, image.shape)
    return _decode_encoded(values, image)


def why_corrupt(values: Sequence[Bytes] | None, image: ImageSpec) -> tuple[str, str]:
    """Why `decode` finds no image in an example's values: the reason, and what was found."""
    if not values:
        return "missing", ""
    if len(values) > 1:
        return "several in one example", f"{len(values)}"
    if image.format == "raw" and image.shape is not None:
        return f"that are not {math.prod(image.shape):,} bytes", f"{len(values[0]):,}"
    pixels = decode_file(bytes(values[0]), image.channels)
    if pixels is None or image.size is None:
        return "no whole PNG or JPEG file", ""
    return f"of another size than {image.size[0]} x {image.size[1]}", f"{pixels.shape[0]} x {pixels.shape[1]}"


def _decode_raw(values: Sequence[Bytes | None], shape: tuple[int, int, int]) -> Iterator[Decoded]:
    size = math.prod(shape)
    rows = [row for row, value in enumerate(values) if value is not None and len(value) == size]
    if rows:
        pixels = np.frombuffer(b"".join(values[row] or b"" for row in rows), np.uint8)
        yield Decoded(np.array(rows), pixels.reshape(len(rows), *shape))


def _decode_encoded(values: Sequence[Bytes | None], image: ImageSpec) -> Iterator[Decoded]:
    """Groups by size as it goes, so that memory stays bounded however large the images are."""
    pending: dict[tuple[int, ...], list[tuple[int, npt.NDArray[np.uint8]]]] = {}
    pixels = 0
    for row, value in enumerate(values):
        found = None if value is None else decode_file(bytes(value), image.channels, image.size)
        if found is None:
            continue
        pending.setdefault(found.shape, []).append((row, found))
        pixels += found.shape[0] * found.shape[1]
        if pixels >= _PIXELS_AT_ONCE:
            yield from _groups(pending)
            pending, pixels = {}, 0
    yield from _groups(pending)


def _groups(pending: dict[tuple[int, ...], list[tuple[int, npt.NDArray[np.uint8]]]]) -> Iterator[Decoded]:
    for rows in pending.values():
        yield Decoded(np.array([row for row, _ in rows]), _together([image for _, image in rows]))


def _together(images: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    return images[0][None] if len(images) == 1 else np.stack(images)
