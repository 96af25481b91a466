"""The shifts by name: what each does to pixels or classes, and its amounts at severity 1 to 5.

A function's docstring is the shift's meaning, for people. Where the corruption is one of CIFAR-10-C (Hendrycks and
Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR), the severities
are that paper's for images of 32 x 32. Lengths in pixels are for a shorter side of 32 and grow with the image.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .image_filters import (
    Floats,
    Images,
    blur,
    change_value,
    convolve,
    line_kernel,
    pixelate_matrix,
    recompress,
    resample,
    to_bytes,
    warp,
)

Random: TypeAlias = np.random.Generator
PixelChange: TypeAlias = Callable[[Images, float, Random], npt.NDArray[Any]]
ClassChange: TypeAlias = Callable[[npt.NDArray[np.float64], float, Random], npt.NDArray[np.float64]]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. ITU-R BT.601-7, section 2.5.1
_SIDE = 32  # the shorter side that lengths in pixels are given for
_DIRECTIONS = 16  # of motion blur: images of one direction are blurred together


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


SHIFTS: dict[str, Shift] = {}


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
    return blur(images, amount * _scale(images))


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
