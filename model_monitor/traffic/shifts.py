"""Shifts of a data set of images, by name and severity: what a monitor has to notice, made on demand.

    shifted = apply("gaussian_blur", images, labels, severity=3, fraction=0.5, seed=1)

Images are `uint8[N, H, W, C]`, C = 1 (grey) or 3 (red, green, blue), labels whole numbers `[N]`. A shift either changes
pixels or draws other classes; severities are 1 (barely visible) to 5, and each shift's docstring says what they mean.
Where the corruption is one of CIFAR-10-C (Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to
common corruptions and perturbations", ICLR), the severities are that paper's for images of 32 x 32. Lengths in pixels
are for a shorter side of 32 and grow with the image. NumPy and Pillow only; `docs/shifts.md` shows all of them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from components.common.errors import require, require_known

from .image_filters import (
    Floats,
    Images,
    change_value,
    convolve,
    gaussian_matrix,
    line_kernel,
    pixelate_matrix,
    recompress,
    resample,
    to_bytes,
    warp,
)

SEVERITIES = range(1, 6)
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Random: TypeAlias = np.random.Generator
PixelChange: TypeAlias = Callable[[Images, float, Random], npt.NDArray[Any]]
ClassChange: TypeAlias = Callable[[npt.NDArray[np.float64], float, Random], npt.NDArray[np.float64]]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. ITU-R BT.601-7, section 2.5.1
_SIDE = 32  # the shorter side that lengths in pixels are given for
_DIRECTIONS = 16  # of motion blur: images of one direction are blurred together
_PIXELS_AT_ONCE = 1 << 17  # 128 images of 32 x 32: what a step works on then stays in a processor's cache


@dataclass(frozen=True)
class Shift:
    """A named shift; `parameters` are its amounts at severity 1 to 5, none where all severities are the same.

    One of two functions is there. `change_pixels` maps (images, amount, random) to as many images; `change_classes`
    maps (proportion of each class, amount, random) to proportions that sum to a positive number.
    """

    name: str
    parameters: tuple[float, ...]
    meaning: str
    colour_only: bool = False
    change_pixels: PixelChange | None = field(default=None, repr=False)
    change_classes: ClassChange | None = field(default=None, repr=False)

    def amount(self, severity: int) -> float:
        return self.parameters[severity - 1] if self.parameters else 1.0


@dataclass(frozen=True)
class Shifted:
    """A shifted data set of M examples.

    Attributes:
      images: uint8 [M, H, W, C]; of `unit_scale` float32, 0..1 in the shifted rows and 0..255 in the others.
      indices: int64 [M], the row of the source that each example (and so its label) comes from.
      shifted: bool [M], which rows the shift was applied to.

    """

    images: npt.NDArray[Any]
    indices: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ShiftedImages:
    """A shifted data set of M examples whose images need not be of one size.

    Attributes:
      images: [H, W, C] each, uint8; of `unit_scale` float32 in the shifted rows.
      indices, shifted: as in `Shifted`.

    """

    images: list[npt.NDArray[Any]]
    indices: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Plan:
    """Which rows of the source are drawn, which of them are shifted, and where chance goes on from."""

    indices: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]
    random: Random


SHIFTS: dict[str, Shift] = {}


def apply(  # noqa: PLR0913 - a data set and four settings, all but the data by keyword
    name: str,
    images: Images,
    labels: Integers,
    *,
    severity: int,
    fraction: float = 1.0,
    seed: int = 0,
    count: int | None = None,
) -> Shifted:
    """Applies the shift `name` to a random `fraction` of a data set, or of `count` examples drawn from it.

    The same arguments give the same result. Which examples are drawn and which of them are shifted depends on the seed,
    not on name and severity, and a larger fraction takes in what a smaller one did: results can be compared in pairs.

    Args:
      name: one of `SHIFTS`.
      images: uint8 [N, H, W, C], C = 1 or 3; at least one.
      labels: whole numbers [N].
      severity: 1 to 5.
      fraction: 0 to 1, rounded to a whole number of examples. Of a shift of classes, the proportion that is drawn anew.
      seed: 0 or more.
      count: how many examples, drawn without replacement; None takes all, in order. A shift of classes repeats an
        example only once it has used up the others of its class, so it repeats some where `count` is None.

    Raises:
      MonitorError: an argument breaks these rules; a name that is not known suggests the nearest.

    """
    shift = _shift(name)
    _check(shift, images, labels)
    plan = _plan(shift, labels, severity, fraction, seed, count)
    chosen: npt.NDArray[Any] = images[plan.indices]
    if shift.change_pixels is not None:
        changed = _in_steps(shift.change_pixels, chosen[plan.shifted], shift.amount(severity), plan.random)
        chosen = chosen.astype(changed.dtype, copy=False)
        chosen[plan.shifted] = changed
    return Shifted(chosen, plan.indices, plan.shifted)


def apply_to_each(  # noqa: PLR0913 - as `apply`
    name: str,
    images: Sequence[Images],
    labels: Integers,
    *,
    severity: int,
    fraction: float = 1.0,
    seed: int = 0,
    count: int | None = None,
) -> ShiftedImages:
    """As `apply`, of images uint8 [H, W, C] that need not be of one size; of such as are, the result is the same."""
    shift = _shift(name)
    require(len(labels) == len(images) > 0, "labels", f"be {len(images)} whole numbers, at least one", len(labels))
    for image in images:
        _check(shift, image[np.newaxis], labels[:1])
    plan = _plan(shift, labels, severity, fraction, seed, count)
    chosen: list[npt.NDArray[Any]] = [images[row] for row in plan.indices]
    if shift.change_pixels is not None:
        for rows in _by_shape(chosen, np.flatnonzero(plan.shifted)):
            stacked = np.stack([chosen[row] for row in rows])
            changed = _in_steps(shift.change_pixels, stacked, shift.amount(severity), plan.random)
            for row, image in zip(rows, changed, strict=True):
                chosen[row] = image
    return ShiftedImages(chosen, plan.indices, plan.shifted)


def draw(total: int, count: int | None, seed: int) -> npt.NDArray[np.int64]:
    """The rows that `apply` draws from `total`: `count` of them without replacement, in order; None takes all.

    Raises:
      MonitorError: there are not so many.

    """
    require(count is None or 1 <= count <= total, "count", f"be 1 to {total}, the number of images", count)
    require(seed >= 0, "seed", "be 0 or more", seed)
    if count is None:
        return np.arange(total)
    return np.sort(np.random.default_rng([seed, 0]).choice(total, count, replace=False))


def _shift(name: str) -> Shift:
    require_known(name, SHIFTS, "shift")
    return SHIFTS[name]


def _plan(  # noqa: PLR0913, PLR0917 - as `apply`
    shift: Shift, labels: Integers, severity: int, fraction: float, seed: int, count: int | None
) -> _Plan:
    require(severity in SEVERITIES, "severity", "be 1, 2, 3, 4 or 5", severity)
    require(0 <= fraction <= 1, "fraction", "be 0 to 1", fraction)
    indices = draw(len(labels), count, seed)
    chooser, random = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    shifted = np.zeros(len(indices), np.bool_)
    shifted[chooser.permutation(len(indices))[: round(fraction * len(indices))]] = True
    if shift.change_classes is not None:
        proportions = shift.change_classes(_proportions(labels), shift.amount(severity), random)
        indices[shifted] = _redraw(proportions, labels, indices[~shifted], int(shifted.sum()), random)
    return _Plan(indices, shifted, random)


def _by_shape(images: Sequence[npt.NDArray[Any]], rows: npt.NDArray[np.int64]) -> list[list[int]]:
    """The rows with images of the same shape, together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row in rows.tolist():
        groups.setdefault(images[row].shape, []).append(row)
    return list(groups.values())


def _check(shift: Shift, images: Images, labels: Integers) -> None:
    right = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1:] in ((1,), (3,)) and images.size > 0
    require(right, "images", "be uint8[N, H, W, 1 or 3] with at least one pixel", f"{images.dtype}{list(images.shape)}")
    require(
        not shift.colour_only or images.shape[3] == 3, f"images of {shift.name}", "have 3 channels", images.shape[3]
    )
    whole = labels.shape == images.shape[:1] and np.issubdtype(labels.dtype, np.integer)
    require(whole, "labels", f"be {len(images)} whole numbers", f"{labels.dtype}{list(labels.shape)}")


def _in_steps(change: PixelChange, images: Images, amount: float, random: Random) -> npt.NDArray[Any]:
    step = max(1, _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    # One empty step, where no image is shifted, says what type of array the shift returns.
    starts = range(0, max(1, len(images)), step)
    return np.concatenate([change(images[start : start + step], amount, random) for start in starts])


def _proportions(labels: Integers) -> npt.NDArray[np.float64]:
    """The proportion of each class that occurs, in the order of their numbers."""
    classes, counts = np.unique(labels, return_counts=True)
    require(len(classes) > 1, "labels", "have two classes or more", classes.tolist())
    return counts / len(labels)


def _redraw(
    proportions: npt.NDArray[np.float64], labels: Integers, kept: npt.NDArray[np.int64], count: int, random: Random
) -> npt.NDArray[np.int64]:
    """`count` rows of the source in random order, with classes in these proportions; rows that are `kept` come last."""
    wanted = random.multinomial(count, proportions / proportions.sum())
    used = np.zeros(len(labels), np.bool_)
    used[kept] = True
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return random.permutation(np.concatenate([_draw(*each, used, random) for each in zip(rows, wanted, strict=True)]))


def _draw(
    rows: npt.NDArray[np.int64], count: int, used: npt.NDArray[np.bool_], random: Random
) -> npt.NDArray[np.int64]:
    """`count` of `rows` at random: first those not used, and only then, all in turn, any of them again."""
    order = random.permutation(rows)
    return np.resize(np.concatenate([order[~used[order]], order[used[order]]]), count)


def _pixels(*parameters: float, colour_only: bool = False) -> Callable[[PixelChange], PixelChange]:
    def register(function: PixelChange) -> PixelChange:
        name, meaning = function.__name__, _meaning(function)
        SHIFTS[name] = Shift(name, parameters, meaning, colour_only, change_pixels=function)
        return function

    return register


def _classes(*parameters: float) -> Callable[[ClassChange], ClassChange]:
    def register(function: ClassChange) -> ClassChange:
        SHIFTS[function.__name__] = Shift(function.__name__, parameters, _meaning(function), change_classes=function)
        return function

    return register


def _meaning(function: Callable[..., Any]) -> str:
    return " ".join((function.__doc__ or "").split())


@_pixels(0.04, 0.06, 0.08, 0.09, 0.10)
def gaussian_noise(images: Images, amount: float, random: Random) -> Images:
    """White noise on every channel; the amount is its standard deviation, black to white being 1 (CIFAR-10-C)."""
    noise = random.standard_normal(images.shape, np.float32)
    return to_bytes(images + noise * np.float32(255 * amount))


@_pixels(500, 250, 100, 75, 50)
def shot_noise(images: Images, amount: float, random: Random) -> Images:
    """Poisson noise of a sensor in poor light; the amount is the count of photons of a white pixel (CIFAR-10-C)."""
    return to_bytes(random.poisson(images * np.float32(amount / 255)) * np.float32(255 / amount))


@_pixels(0.01, 0.02, 0.03, 0.05, 0.07)
def impulse_noise(images: Images, amount: float, random: Random) -> Images:
    """Salt and pepper: the amount is the proportion of values that turn to 0 or 255, half of them each (CIFAR-10-C)."""
    draw = random.random(images.shape, np.float32)
    salted = np.where(draw < amount / 2, np.uint8(255), images)
    return np.where(draw > 1 - amount / 2, np.uint8(0), salted)


@_pixels(0.4, 0.6, 0.7, 0.8, 1.0)
def gaussian_blur(images: Images, amount: float, random: Random) -> Images:
    """Out of focus; the amount is the standard deviation of the Gaussian kernel in pixels (CIFAR-10-C)."""
    height, width = images.shape[1:3]
    deviation = amount * _scale(images)
    return to_bytes(resample(images, gaussian_matrix(height, deviation), gaussian_matrix(width, deviation)))


@_pixels(2, 3, 4, 6, 8)
def motion_blur(images: Images, amount: float, random: Random) -> Images:
    """A camera or an object that moves; the amount is the way in pixels, straight and in a random direction."""
    direction = random.integers(_DIRECTIONS, size=len(images))
    blurred = np.empty_like(images)
    for number in range(_DIRECTIONS):
        kernel = line_kernel(amount * _scale(images), math.pi * number / _DIRECTIONS)
        blurred[direction == number] = convolve(images[direction == number], kernel)
    return blurred


@_pixels(0.05, 0.1, 0.15, 0.2, 0.3)
def brightness(images: Images, amount: float, random: Random) -> Images:
    """Brighter: the amount is added to the value of HSV, black to white being 1 (CIFAR-10-C)."""
    return change_value(images, amount)


@_pixels(0.05, 0.1, 0.15, 0.2, 0.3)
def darkness(images: Images, amount: float, random: Random) -> Images:
    """Darker: the amount is taken from the value of HSV, black to white being 1; the mirror image of brightness."""
    return change_value(images, -amount)


@_pixels(0.75, 0.5, 0.4, 0.3, 0.15)
def contrast(images: Images, amount: float, random: Random) -> Images:
    """Less contrast: distances from the mean of image and channel are multiplied by the amount (CIFAR-10-C)."""
    means = images.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return to_bytes((images - means) * np.float32(amount) + means)


@_pixels(0.75, 0.5, 0.3, 0.15, 0.0, colour_only=True)
def saturation(images: Images, amount: float, random: Random) -> Images:
    """Paler colours: distances from the pixel's luma are multiplied by the amount; 0 is grey."""
    luma = (images.astype(np.float32) @ _LUMA)[..., np.newaxis]
    return to_bytes((images - luma) * np.float32(amount) + luma)


@_pixels(80, 65, 58, 50, 40)
def jpeg(images: Images, amount: float, random: Random) -> Images:
    """Compressed and decompressed; the amount is JPEG's quality as libjpeg counts it, 1 to 100 (CIFAR-10-C)."""
    return np.array([recompress(image, int(amount)) for image in images], np.uint8).reshape(images.shape)


@_pixels(0.95, 0.9, 0.85, 0.75, 0.65)
def pixelate(images: Images, amount: float, random: Random) -> Images:
    """Scaled down and up again without smoothing; the amount is the smaller size, as a proportion (CIFAR-10-C)."""
    height, width = images.shape[1:3]
    return to_bytes(resample(images, pixelate_matrix(height, amount), pixelate_matrix(width, amount)))


@_pixels(5, 10, 20, 40, 90)
def rotation(images: Images, amount: float, random: Random) -> Images:
    """Turned about the centre by a random angle, either way; the amount is the largest, in degrees."""
    angle = np.radians(random.uniform(-amount, amount, len(images)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return warp(images, turn.transpose(2, 0, 1), np.zeros((len(images), 2)))


@_pixels(0.05, 0.1, 0.15, 0.2, 0.3)
def translation(images: Images, amount: float, random: Random) -> Images:
    """Moved by a random distance along each axis; the amount is the largest, as a proportion of the side."""
    offset = random.uniform(-amount, amount, (len(images), 2)) * images.shape[1:3]
    return warp(images, np.broadcast_to(np.eye(2), (len(images), 2, 2)), offset)


@_pixels(1.1, 1.2, 1.4, 1.7, 2.0)
def zoom(images: Images, amount: float, random: Random) -> Images:
    """Magnified about the centre, and cropped; the amount is the factor."""
    return warp(images, np.broadcast_to(np.eye(2) / amount, (len(images), 2, 2)), np.zeros((len(images), 2)))


@_pixels(colour_only=True)
def channel_swap(images: Images, amount: float, random: Random) -> Images:
    """Red and blue exchanged, as by a client that sends BGR. The same at every severity."""
    return images[..., ::-1].copy()


@_pixels()
def unit_scale(images: Images, amount: float, random: Random) -> Floats:
    """Divided by 255, as by a client that normalises to 0..1: float32 comes out. The same at every severity."""
    return images * np.float32(1 / 255)


@_classes(2, 5, 10, 50, 100)
def class_imbalance(proportions: npt.NDArray[np.float64], amount: float, random: Random) -> npt.NDArray[np.float64]:
    """A long tail of classes, in random order; the amount is how much rarer the last becomes than the first.

    Proportions fall geometrically, as in the long-tailed CIFAR of Cui et al. 2019, "Class-balanced loss", CVPR.
    """
    rank = random.permutation(len(proportions)) / (len(proportions) - 1)
    return proportions * amount**-rank


@_classes(1, 2, 3, 4, 5)
def class_dropout(proportions: npt.NDArray[np.float64], amount: float, random: Random) -> npt.NDArray[np.float64]:
    """Classes that no longer occur, chosen at random; the amount is their number (one class is always left)."""
    missing = random.permutation(len(proportions))[: min(int(amount), len(proportions) - 1)]
    return np.where(np.isin(np.arange(len(proportions)), missing), 0, proportions)


def _scale(images: Images) -> float:
    return min(images.shape[1:3]) / _SIDE
