"""The images of one request: is their type, shape, scale and channel order what the model takes?"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..common.pixel_range import PixelRange, Scale
from .problems import Problem
from .sent_images import Flag, SentImages, Stack
from .stacking import groups, stacked
from .tensor_decoding import Array

_BYTES = PixelRange()  # what image files and raw bytes hold
_SCALES = {
    Scale.UNIT: Problem.SCALED_TO_1,
    Scale.SIGNED: Problem.SCALED_SIGNED,
    Scale.STANDARDISED: Problem.STANDARDISED,
    Scale.BYTES: Problem.SCALED_TO_255,
}

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Values:
    """The smallest and the largest of the numbers of some images, and how many images these were."""

    images: int = 0
    low: float = math.inf
    high: float = -math.inf

    def __add__(self, other: "Values") -> "Values":
        return Values(self.images + other.images, min(self.low, other.low), max(self.high, other.high))


@dataclass
class Images:
    """Images that were checked, by row.

    Attributes:
      pixels: uint8 [H, W, C]; a row that is not there has become no image.
      flags: the problems of each row that has any, with what was found; a missing row always has one.
      values: of the images that came as numbers, before they became pixels.

    """

    pixels: dict[int, Pixels] = field(default_factory=dict)
    flags: dict[int, list[Flag]] = field(default_factory=dict)
    values: Values = field(default_factory=Values)

    def flag(self, row: int, problem: Problem, found: str) -> None:
        self.flags.setdefault(row, []).append((problem, found))


def scale_problem(scale: Scale) -> Problem:
    """The problem that images on this scale are, where the model takes another."""
    return _SCALES[scale]


def check_images(requests: Sequence[SentImages], pixel_range: PixelRange) -> tuple[list[Images], Values]:
    """The images of many requests, those of one type and shape all at once; what comes of each depends on it alone.

    Args:
      requests: as they were sent.
      pixel_range: what a numeric input takes for pixels.

    Returns:
      The images of each request, and the numbers that those of all requests came as.

    """
    checked = [Images(flags={row: [flag] for row, flag in sent.broken.items()}) for sent in requests]
    values = Values()
    came = [(images, stack) for images, sent in zip(checked, requests, strict=True) for stack in sent.stacks]
    for members in groups(came, key=lambda each: _kind(each[1]), size=lambda each: each[1].array.nbytes):
        first = members[0][1]
        array = stacked([stack.array for _, stack in members])
        found = images_of_array(array, first.dtype, pixel_range if first.served else _BYTES)
        values += found.values if first.served else Values()  # of pixels they say nothing of the input's range
        _hand_out(found, members)
    for images, sent in zip(checked, requests, strict=True):
        if sent.wrong_dtype:
            for row in range(sent.count):
                images.flag(row, Problem.WRONG_DTYPE, sent.wrong_dtype)
    return checked, values


def _kind(stack: Stack) -> Hashable:
    """What images that are checked at once have in common."""
    return stack.array.dtype, stack.array.shape[1:], stack.dtype, stack.served


def _hand_out(found: Images, members: Sequence[tuple[Images, Stack]]) -> None:
    """Gives each request its own of images that were checked at once."""
    begin = 0
    for images, stack in members:
        for place, row in enumerate(range(stack.first, stack.first + len(stack.array)), begin):
            if place in found.pixels:
                images.pixels[row] = found.pixels[place]
            if place in found.flags:
                images.flags[row] = found.flags[place]
            if stack.wrong_dtype:
                images.flag(row, Problem.WRONG_DTYPE, stack.wrong_dtype)
        begin += len(stack.array)


def images_of_array(array: Array, dtype: str, pixel_range: PixelRange) -> Images:
    """Numbers [B, H, W, C] in the model's range as what it saw, in uint8. `dtype` is what was received."""
    low, high = pixel_range.extremes(array)
    finite = (np.isfinite(low) & np.isfinite(high)).all(axis=1)
    pixels = pixel_range.to_pixels(array)
    images = Images(pixels={int(row): pixels[row] for row in np.flatnonzero(finite)})
    if finite.any():
        images.values = Values(int(finite.sum()), float(low[finite].min()), float(high[finite].max()))
    if array.dtype == np.uint8 and pixel_range == _BYTES and (high > 1).all():
        return images  # by far the commonest, and nothing can be wrong with the values
    for row in np.flatnonzero(~finite):
        images.flag(int(row), Problem.NOT_FINITE, f"{dtype} values {_between(low[row], high[row])}")
    named = ~finite
    for scale, rows in pixel_range.wrong_scales(low, high, floats=array.dtype.kind == "f").items():
        _flag_scale(
            images,
            _SCALES[scale],
            rows & ~named,
            (low, high),
            f"{dtype} values {{}}, where the model takes {pixel_range}",
        )
        named = named | rows
    outside = ~named & ~pixel_range.inside(low, high)
    _flag_scale(
        images, Problem.OUT_OF_RANGE, outside, (low, high), f"{dtype} values {{}}, where the model takes {pixel_range}"
    )
    return images


def _flag_scale(
    images: Images, problem: Problem, rows: npt.NDArray[np.bool_], extremes: tuple[Array, Array], text: str
) -> None:
    low, high = extremes
    for row in np.flatnonzero(rows):
        images.flag(int(row), problem, text.format(_between(low[row], high[row])))


def _between(low: Array, high: Array) -> str:
    return f"{low.min():.4g} to {high.max():.4g}"
