"""What a served model takes for a pixel: from bytes, 0..255, to its own numbers and back. NumPy only.

Everything that is measured of an image is measured of bytes. A model that takes 0..1, -1..1 or standardised pixels gets
them by one linear map, so what was served is brought back by its inverse before it is described.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import MonitorError

Numbers: TypeAlias = npt.NDArray[Any]
Rows: TypeAlias = npt.NDArray[np.bool_]

_LEVELS = 255  # steps from black to white
_LARGEST, _NARROWEST = 1e9, 1e-6  # of numbers in settings, and of ranges
# Steps must be wide enough for float32, in which ranges are mapped: sixteen of its own steps at the larger end.
_FLOAT32_STEPS = 16 * float(np.finfo(np.float32).eps)
# Pixels standardised with any usual mean and deviation lie well within; those of a whole image of 0..255 do not.
_STANDARDISED_LIMIT = 20.0
_ROOM = 0.5 / _LEVELS  # on the small scales: half a pixel, for what rounding and resizing do
# So many images without one value of another scale are no accident (see `PixelRange.scale_of_span`).
_MIN_IMAGES_OF_SPAN = 20
_MAX_SHARED = 0.75  # of the model's range that another scale may fill and still be told from it


class Scale(Enum):
    """The usual scales of pixels: the name under which a person meets them, and between what most values lie."""

    UNIT = ("0..1", 0.0, 1.0)
    SIGNED = ("-1..1", -1.0, 1.0)
    STANDARDISED = ("mean 0 and standard deviation 1", -3.0, 3.0)
    BYTES = ("0..255", 0.0, 255.0)

    def __init__(self, words: str, low: float, high: float) -> None:
        self.words = words
        self.low = low
        self.high = high

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class PixelRange:
    """The numbers that a served model takes for black (0) and white (255), and all between them, linearly.

    A model takes either the same range in every channel, `[low, high]`, or standardised pixels,
    `(pixel - mean) / std`. Mean and standard deviation are those of *pixel values 0..255*, as in
    `{mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]}`; PyTorch's constants are of pixels
    divided by 255 and must be multiplied by 255 first. (Standard deviations all below 1 are refused and the error
    gives the multiplied numbers: no data set of bytes has such.)

    Attributes:
      low: what the model takes for black, one number a channel, or one for all channels.
      high: what it takes for white, likewise. low < high.
      mean, std: where the range was given by them, as given; empty otherwise.

    >>> PixelRange.between(-1, 1).to_model(np.array([0, 255], np.uint8)).tolist()
    [-1.0, 1.0]

    """

    low: tuple[float, ...] = (0.0,)
    high: tuple[float, ...] = (255.0,)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @staticmethod
    def between(low: float, high: float) -> "PixelRange":
        """The same range in all channels. Raises `MonitorError` unless low < high, both finite."""
        return PixelRange.from_setting([low, high])

    @staticmethod
    def standardised(mean: float | Sequence[float], std: float | Sequence[float]) -> "PixelRange":
        """`(pixel - mean) / std`, pixels 0..255; one number, or one a channel. Raises `MonitorError`."""
        return PixelRange.from_setting({"mean": mean, "std": std})

    @staticmethod
    def from_setting(setting: Any) -> "PixelRange":
        """The range that a file gives as `[low, high]` or `{mean: ..., std: ...}`.

        Raises:
          MonitorError: naming the rule that is broken, and what was received.

        """
        rule = broken_rule(setting)
        if rule:
            raise MonitorError(f"`range` must {rule}. Received: {setting!r}")
        if not isinstance(setting, Mapping):
            return PixelRange((float(setting[0]),), (float(setting[1]),))
        mean, std = _tuple(setting["mean"]), _tuple(setting["std"])
        mean, std = _as_long(mean, std), _as_long(std, mean)
        pairs = list(zip(mean, std, strict=True))
        low, high = (tuple((pixel - m) / s for m, s in pairs) for pixel in (0, _LEVELS))
        return PixelRange(low, high, mean, std)

    def to_setting(self) -> list[float] | dict[str, list[float]]:
        """What `from_setting` reads."""
        if self.mean:
            return {"mean": _plain(self.mean), "std": _plain(self.std)}
        return _plain((self.low[0], self.high[0]))

    @property
    def channels(self) -> int | None:
        """For how many channels the range has numbers of their own; None: it fits any number."""
        return len(self.low) if len(self.low) > 1 else None

    @property
    def scale(self) -> Scale | None:
        """The usual scale that the range is, if it is one."""
        if self.mean:
            small = max(map(abs, self.low + self.high)) <= _STANDARDISED_LIMIT
            return Scale.STANDARDISED if small else None
        usual = {(0.0, 255.0): Scale.BYTES, (0.0, 1.0): Scale.UNIT, (-1.0, 1.0): Scale.SIGNED}
        return usual.get((self.low[0], self.high[0]))

    def __str__(self) -> str:
        """As messages name it: "0..255", "-1..1", "mean 127.5 and standard deviation 64"."""
        if self.mean:
            mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (self.mean, self.std))
            return f"mean {mean} and standard deviation {std} of pixels"
        return f"{self.low[0]:g}..{self.high[0]:g}"

    def to_model(self, pixels: npt.NDArray[np.uint8], dtype: npt.DTypeLike = np.float32) -> Numbers:
        """Pixels 0..255 `[..., C]` as the model takes them; for integer types rounded to the nearest.

        `to_pixels` gives back the same pixels, of integers too where the range has 256 of them.
        """
        low, step = self._low_and_step(np.float64 if np.dtype(dtype) == np.float64 else np.float32)
        values = pixels * step + low
        return np.rint(values).astype(dtype) if np.issubdtype(dtype, np.integer) else values.astype(dtype)

    def to_pixels(self, values: Numbers) -> npt.NDArray[np.uint8]:
        """Served numbers `[..., C]` as the nearest pixels, `uint8[..., C]`; what lies outside is cut to 0 or 255.

        NaN becomes 0. Whether anything lies outside, `inside` says.
        """
        if values.dtype == np.uint8 and self.scale is Scale.BYTES:
            return values
        wide = values.dtype.kind in "iu" or values.dtype == np.float64
        low, step = self._low_and_step(np.float64 if wide else np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            pixels = values.astype(low.dtype, copy=False) - low
            pixels /= step
            np.rint(pixels, out=pixels)
        np.fmax(pixels, 0, out=pixels)  # of a NaN and 0, fmax takes 0
        return np.minimum(pixels, _LEVELS, out=pixels).astype(np.uint8)

    def extremes(self, values: Numbers) -> tuple[Numbers, Numbers]:
        """The smallest and the largest number of each image of `[N, H, W, C]`, `float64[N, 1]`.

        `[N, C]`, by channel, where channels have ranges of their own. An image with a NaN has NaN for both.
        """
        if self.channels:  # rows of pixels first: a reduction that leaves three numbers is slow
            rows = values.reshape(*values.shape[:2], -1)
            low, high = (each.reshape(len(values), -1, values.shape[-1]) for each in (rows.min(1), rows.max(1)))
        else:
            low = high = values.reshape(len(values), -1, 1)
        return low.min(axis=1).astype(np.float64), high.max(axis=1).astype(np.float64)

    def inside(self, low: Numbers, high: Numbers) -> Rows:
        """Which images, given by their `extremes`, have only values of the range; bool[N].

        What rounds to a pixel counts as one: resized images may come with 255.3 for 255. NaN and infinity are outside.
        """
        first, step = self._low_and_step(np.float64)
        lowest, highest = first - step / 2, first + step * (_LEVELS + 0.5)
        return np.asarray(((low >= lowest) & (high <= highest)).all(axis=1))

    def wrong_scales(self, low: Numbers, high: Numbers, *, floats: bool) -> dict[Scale, Rows]:
        """Which images are on another usual scale than the model takes; each on one at most.

        Such an image leaves the range (0..255 for a model that takes 0..1), or has no room in it but between one pixel
        value and the next (0..1 for a model that takes 0..255). One that could as well be on the model's own scale is
        not named, see `scale_of_span`, nor is one that leaves the range without being on a usual scale.

        Args:
          low: of each image, as `extremes` gives it.
          high: likewise.
          floats: whether the values came as floating-point numbers; standardised pixels never are integers.

        Returns:
          bool[N] by scale, in a fixed order, without the model's own scale.

        """
        first, step = self._low_and_step(np.float64)
        within = ((low >= first - _ROOM) & (high <= first + step * _LEVELS + _ROOM)).all(axis=1)
        scales = usual_scales(low.min(axis=1), high.max(axis=1), floats=floats)
        return {
            scale: rows & (~within | (scale.width <= step.max() * (1 + _ROOM)))
            for scale, rows in scales.items()
            if scale is not self.scale
        }

    def scale_of_span(self, low: float, high: float, images: int) -> Scale | None:
        """The narrower usual scale that all images of a span together are on, though each could be of the model's own.

        A model that takes -1..1 may well get one picture without a value below 0. When not one of twenty or more has
        such a value, they are scaled to 0..1.

        Args:
          low: smallest value of all images.
          high: largest value of all images.
          images: how many there are; fewer than 20 say nothing.

        """
        if images < _MIN_IMAGES_OF_SPAN:
            return None
        scales = usual_scales(np.array([low]), np.array([high]), floats=True)
        scale = next((scale for scale, rows in scales.items() if rows[0]), None)
        if scale is None or scale is self.scale:
            return None
        first, last = min(self.low), max(self.high)
        shared = min(last, scale.high) - max(first, scale.low)
        return scale if shared <= _MAX_SHARED * (last - first) else None

    def _low_and_step(self, dtype: npt.DTypeLike) -> tuple[Numbers, Numbers]:
        low, high = np.array(self.low), np.array(self.high)
        return low.astype(dtype), ((high - low) / _LEVELS).astype(dtype)


def broken_rule(setting: Any) -> str:
    """The rule for `range` that a setting breaks, to be put behind "must"; "" for a good one."""
    if isinstance(setting, Mapping):
        return _broken_rule_of_deviations(setting)
    rule = "be [low, high] with low < high, or {mean: ..., std: ...}"
    if not isinstance(setting, list | tuple) or len(setting) != 2 or not all(_is_number(each) for each in setting):
        return f"{rule}, finite numbers"
    low, high = setting
    if low >= high:
        return rule
    least = max(_NARROWEST, _LEVELS * _FLOAT32_STEPS * max(abs(low), abs(high)))
    return "" if high - low >= least else f"leave room for 256 numbers that float32 can tell apart, {least:.3g} or more"


def _broken_rule_of_deviations(setting: Mapping[Any, Any]) -> str:
    if set(setting) != {"mean", "std"}:
        return "have the keys mean and std, and no others"
    mean, std = _tuple(setting["mean"]), _tuple(setting["std"])
    if not all(numbers and all(_is_number(each) for each in numbers) for numbers in (mean, std)):
        return "have finite numbers for mean and std: one, or one for each channel"
    if {len(mean), len(std)} - {1, 3} or len({len(mean), len(std)} - {1}) > 1:
        return "have one mean and std, or one for each of 3 channels"
    if not all(0 <= each <= _LEVELS for each in mean) or not all(each > 0 for each in std):
        return "have means from 0 to 255 and standard deviations above 0, those of pixel values 0..255"
    if all(each < 1 for each in std):
        by_255 = (
            {name: [round(each * 255, 6) for each in numbers]} for name, numbers in (("mean", mean), ("std", std))
        )
        words = ", ".join(f"{name}: {numbers}" for pair in by_255 for name, numbers in pair.items())
        return f"be of pixel values 0..255. These look like those of pixels divided by 255, which would be {{{words}}}"
    return "" if all(each <= _LARGEST for each in std) else "have standard deviations that pixels can have"


def usual_scales(low: npt.NDArray[Any], high: npt.NDArray[Any], *, floats: bool) -> dict[Scale, Rows]:
    """Which images look to be on which usual scale, whatever a model takes; each on one at most, one of zeros on none.

    Args:
      low: smallest value of each image, [N].
      high: largest, [N].
      floats: whether the values came as floating-point numbers; standardised pixels never are integers.

    """
    negative = low < -_ROOM
    signed = negative & (low >= -1 - 2 * _ROOM) & (high <= 1 + 2 * _ROOM)
    usual = (low >= -_STANDARDISED_LIMIT) & (high <= _STANDARDISED_LIMIT)
    standardised = negative & usual & ~signed & floats
    return {
        Scale.UNIT: ~negative & (low <= high) & (high <= 1 + _ROOM) & (high > 0),  # not of NaN
        Scale.SIGNED: signed,
        Scale.STANDARDISED: standardised,
        Scale.BYTES: (low >= -0.5) & (high <= _LEVELS + 0.5) & (high > 1 + _ROOM) & ~standardised,
    }


def _is_number(value: Any) -> bool:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return fits and abs(value) <= _LARGEST  # False for NaN


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _plain(numbers: Sequence[float]) -> list[float]:
    """As a person writes them: 255, not 255.0."""
    return [int(number) if number == int(number) else number for number in numbers]


def _as_long(numbers: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    numbers = tuple(float(each) for each in numbers)
    return numbers * len(other) if len(numbers) == 1 else numbers
