"""Filters of whole batches of images: resampling, convolution, affine warps, JPEG. NumPy, SciPy and Pillow only.

Images are `uint8[N, H, W, C]`, C = 1 (grey) or 3 (red, green, blue). Beyond the border the nearest pixel is repeated.
"""

import io
import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

_SAMPLES_A_PIXEL = 8  # of the line that motion draws


def to_bytes(values: npt.NDArray[Any]) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def change_value(images: Images, amount: float) -> Images:
    """HSV's value, the largest channel, plus `amount` (in -1..1); hue and saturation stay."""
    value = images.max(axis=3, keepdims=True).astype(np.float32)
    wanted = np.clip(value + np.float32(255 * amount), 0, 255)
    scaled = images * (wanted / np.maximum(value, 1))
    return to_bytes(np.where(value > 0, scaled, wanted))


def resample(images: Images, rows: Floats, columns: Floats) -> Floats:
    """`rows` [H, H] applied along the height and `columns` [W, W] along the width, to every channel."""
    count, height, width, channels = images.shape
    across = np.kron(columns, np.eye(channels, dtype=np.float32))  # one large matrix product instead of many small ones
    flat = images.reshape(count, height, width * channels).astype(np.float32)
    return np.matmul(rows, flat @ across.T).reshape(images.shape)


def blur(images: Images, deviation: float) -> Images:
    """Every channel by a Gaussian kernel of this standard deviation, in pixels."""
    sigma = (0, deviation, deviation, 0)
    return to_bytes(ndimage.gaussian_filter(images.astype(np.float32), sigma, mode="nearest"))


def pixelate_matrix(size: int, proportion: float) -> Floats:
    """Down to `share` of `size` by the mean over the area, then up again by the nearest."""
    small = max(1, int(size * proportion))
    edges = np.arange(small + 1) * size / small
    overlap = np.minimum(edges[1:, None], np.arange(1, size + 1)) - np.maximum(edges[:-1, None], np.arange(size))
    down = np.clip(overlap, 0, None) * small / size
    return down[((np.arange(size) + 0.5) * small / size).astype(int)].astype(np.float32)


def line_kernel(length: float, angle: float) -> Floats:
    """The kernel [K, K] of a straight line of `length` pixels through its centre."""
    radius = math.ceil(length / 2)
    kernel = np.zeros((2 * radius + 2, 2 * radius + 2))  # one more on the far side, for interpolation
    way = np.linspace(-length / 2, length / 2, math.ceil(length * _SAMPLES_A_PIXEL) + 1)
    y, x = way * math.sin(angle) + radius, way * math.cos(angle) + radius
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
        np.add.at(kernel, (top + down, left + right), weight)
    return (kernel[:-1, :-1] / kernel.sum()).astype(np.float32)


def convolve(images: Images, kernel: Floats) -> Images:
    """Every channel by a [K, K] kernel, the nearest pixel repeated beyond the border."""
    wide = kernel[np.newaxis, :, :, np.newaxis]
    return to_bytes(ndimage.correlate(images.astype(np.float32), wide, mode="nearest"))


def recompress(image: Images, quality: int) -> Images:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as decoded:
        return np.asarray(decoded).reshape(image.shape)


def warp(images: Images, linear: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]) -> Images:
    """The value at p, counted from the centre, becomes the one at `linear p + offset`, both (y, x), an image each.

    Between pixels it is interpolated bilinearly; beyond the border the nearest pixel is repeated.
    """
    centre = (np.array(images.shape[1:3]) - 1) / 2
    warped = np.empty(images.shape, np.float32)
    for number, image in enumerate(images.astype(np.float32)):
        matrix, start = np.eye(3), np.zeros(3)  # the channels stay where they are
        matrix[:2, :2] = linear[number]
        start[:2] = centre + offset[number] - linear[number] @ centre
        ndimage.affine_transform(image, matrix, start, output=warped[number], order=1, mode="nearest")
    return to_bytes(warped)
