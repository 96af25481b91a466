"""Image properties and perceptual hashes in plain NumPy, a pass over the pixels for each: what the compiled ones equal.

`components/image_statistics_gen/pixel_kernels.py` computes the same in one pass; tests hold it against this.
"""

import functools
import math

import numpy as np
import numpy.typing as npt

from components.common.statistics.feature_sample import Hashes
from components.image_statistics_gen.image_properties import SIZE_PROPERTIES, Floats, Images

# Rec. ITU-R BT.601-7, section 2.5.1: what JPEG (JFIF) uses as well.
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
# With these weights luma comes in steps of a thousandth of a grey level. Thresholds lie half a step off, between two
# possible values, so that float32 never decides on which side of one a pixel is.
_HALF_STEP = 0.0005
DARK_BELOW = (25.5 - _HALF_STEP) / 255  # 0.1
BRIGHT_ABOVE = (229.5 + _HALF_STEP) / 255  # 0.9
EDGE_ABOVE = (25.5 + _HALF_STEP) / 255  # 0.1, the length of a gradient that counts as an edge
SAME_BELOW = (1 - _HALF_STEP) / 255  # one grey level
ENTROPY_LEVELS = 8  # grey levels a bin: with one bin a level, a 32 x 32 image has too few pixels to fill them
ENTROPY_BINS = 256 // ENTROPY_LEVELS
JPEG_BLOCK = 8
FRAME_SHARE = 16  # the border frame is one sixteenth of the shorter side wide, at least one pixel
_SIDE, _FREQUENCIES = 32, 8
_FLAT = 1e-6  # of the largest coefficient that there can be: below, it is rounding


def compute(images: Images) -> dict[str, Floats]:
    """As `image_properties.compute`."""
    planes = _planes(images)
    luma = luma_of(planes)
    properties = exposure(luma) | detail(luma) | layout(luma) | border(luma)
    properties |= colour(planes) if len(planes) == 3 else {}
    count, height, width, _ = images.shape
    sizes = zip(SIZE_PROPERTIES, (width, height, width / height), strict=True)
    return properties | {name: np.full(count, value, np.float32) for name, value in sizes}


def hashes(images: Images) -> Hashes:
    """As `perceptual_hash.compute`."""
    luma = luma_of(_planes(images)).astype(np.float64)
    found = (_transform(images.shape[1]) @ luma @ _transform(images.shape[2]).T).reshape(len(images), -1)
    varying = found[:, 1:]  # all but the mean
    bits = found > np.median(varying, axis=1, keepdims=True)
    bits[:, 0] = False
    bits[np.abs(varying).max(axis=1) < _FLAT * _SIDE * _SIDE] = False
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64).reshape(-1)


@functools.lru_cache(maxsize=64)
def _transform(size: int) -> npt.NDArray[np.float64]:
    """The lowest frequencies of `size` pixels averaged to `_SIDE`: `[_FREQUENCIES, size]`."""
    edges = np.arange(_SIDE + 1)[:, None] * size / _SIDE
    covered = np.diff(np.clip(edges, np.arange(size), np.arange(size) + 1), axis=0) * _SIDE / size
    waves = np.cos(np.pi * np.outer(np.arange(_FREQUENCIES), np.arange(_SIDE) + 0.5) / _SIDE)
    return np.asarray(waves @ covered)


def _planes(images: Images) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.moveaxis(images, 3, 0))


def luma_of(planes: npt.NDArray[np.uint8]) -> Floats:
    """Luma `float32[N, H, W]` in [0, 1] of `uint8[C, N, H, W]`: BT.601 for three channels, the grey value for one."""
    if len(planes) == 1:
        return planes[0] * np.float32(1 / 255)
    luma = planes[0] * np.float32(LUMA_WEIGHTS[0] / 255)
    for plane, weight in zip(planes[1:], LUMA_WEIGHTS[1:], strict=True):
        luma += plane * np.float32(weight / 255)
    return luma


def exposure(luma: Floats) -> dict[str, Floats]:
    """Brightness, contrast, dark and bright fraction and entropy, from the distribution of grey values alone.

    Contrast is the root-mean-square contrast of Peli 1990, "Contrast in complex images", J. Opt. Soc. Am. A 7(10).
    Dark is below 0.1, bright above 0.9. Entropy is Shannon's, in bits, of luma's histogram of 32 bins; 0 to 5.
    """
    flat = _rows(luma)
    return {
        "brightness": np.clip(_mean(flat), 0, 1),
        "contrast": _deviation(flat),
        "dark_fraction": _mean(flat < np.float32(DARK_BELOW)),
        "bright_fraction": _mean(flat > np.float32(BRIGHT_ABOVE)),
        "entropy": _entropy(flat),
    }


def detail(luma: Floats) -> dict[str, Floats]:
    """Sharpness and noise: what the image does from one pixel to the next. NaN below 3 x 3 pixels.

    Sharpness is the standard deviation of the 4-neighbour Laplacian (Pech-Pacheco et al. 2000, "Diatom autofocusing in
    brightfield microscopy", take its square, the variance); 0 to 4. Noise is the estimate of the standard deviation of
    additive white noise of Immerkaer 1996, "Fast noise variance estimation", CVIU 64(2); 0 to 1.67.
    """
    count, height, width = luma.shape
    if height < 3 or width < 3:
        return {"sharpness": _undefined(count), "noise": _undefined(count)}
    across = luma[:, :, :-2] - 2 * luma[:, :, 1:-1] + luma[:, :, 2:]  # second difference along x
    down = luma[:, :-2, 1:-1] - 2 * luma[:, 1:-1, 1:-1] + luma[:, 2:, 1:-1]
    down += across[:, 1:-1]
    mask = across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:]  # Immerkaer's [[1,-2,1],[-2,4,-2],[1,-2,1]]
    strength = _mean(_rows(np.abs(mask, out=mask)))
    return {"sharpness": _deviation(_rows(down)), "noise": strength * np.float32(math.sqrt(math.pi / 2) / 6)}


def layout(luma: Floats) -> dict[str, Floats]:
    """Gradient, edge density, orientation, blockiness, vertical balance and asymmetry: how grey values are arranged.

    Gradient is the mean length of the forward differences (dx, dy), 0 to 1.42; edge density the proportion of
    pixels where it is above 0.1. Orientation is (sum|dx| - sum|dy|) / (sum|dx| + sum|dy|), 0 for a constant image:
    -1 means horizontal stripes, 1 vertical ones. Vertical balance is the mean of the upper half less the mean of the
    lower one (a middle row counts for neither), -1 to 1; asymmetry the mean absolute difference from the mirror image,
    0 to 1.
    All but asymmetry are NaN below 2 x 2 pixels. Blockiness: see `_blockiness`.
    """
    count, height, width = luma.shape
    properties = {"asymmetry": _asymmetry(luma)}
    if height < 2 or width < 2:
        names = ("gradient", "edge_density", "orientation", "blockiness", "vertical_balance")
        return properties | {name: _undefined(count) for name in names}
    dx = np.diff(luma, axis=2)
    dy = np.diff(luma, axis=1)
    length = np.square(dx[:, :-1])
    length += np.square(dy[:, :, :-1])
    np.sqrt(length, out=length)
    flat = _rows(length)
    np.abs(dx, out=dx)
    np.abs(dy, out=dy)
    half = height // 2
    return properties | {
        "gradient": _mean(flat),
        "edge_density": _mean(flat > np.float32(EDGE_ABOVE)),
        "orientation": _relative(_rows(dx).sum(axis=1), _rows(dy).sum(axis=1)),
        "blockiness": _blockiness(dx, dy),
        "vertical_balance": _mean(_rows(luma[:, :half])) - _mean(_rows(luma[:, -half:])),
    }


def border(luma: Floats) -> dict[str, Floats]:
    """Border difference, contrast and repeat: padding, cropping, shifting and rotating show at the edge first.

    The frame is `max(1, min(H, W) // FRAME_SHARE)` pixels wide. Difference is its mean luma less that of the rest, -1
    to 1, NaN when nothing is left inside; contrast its standard deviation, 0 to 0.5. Repeat is the proportion of
    outermost pixels that differ by less than one grey level from the pixel next to them inwards, 0 to 1: padding with a
    constant or with the nearest pixel makes it jump; NaN below 2 x 2 pixels.
    """
    count, height, width = luma.shape
    frame = max(1, min(height, width) // FRAME_SHARE)
    inside = np.zeros((height, width), bool)
    inside[frame:-frame, frame:-frame] = True
    flat, mask = _rows(luma), inside.ravel()
    outer = _rows(flat[:, ~mask])
    outer_mean = _mean(outer)
    return {
        "border_difference": outer_mean - _mean(_rows(flat[:, mask])) if mask.any() else _undefined(count),
        "border_contrast": _deviation(outer),
        "border_repeat": _border_repeat(luma) if height > 1 and width > 1 else _undefined(count),
    }


def colour(planes: npt.NDArray[np.uint8]) -> dict[str, Floats]:
    """Channel means, warmth, tint, saturation and colourfulness of `uint8[3, N, H, W]`.

    Warmth is (R - B) / (R + G + B) and tint (G - (R + B) / 2) / (R + G + B) of the channel means: the illuminant's
    chromaticity under the grey-world assumption (Buchsbaum 1980, J. Franklin Inst. 310(1)), so that a colour cast shows
    whatever the exposure; 0 for a black image. Saturation is the mean of HSV saturation, (max - min) / max (Smith
    1978). Colourfulness is M3 of Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", over 255.
    """
    red, green, blue = (_rows(plane * np.float32(1 / 255)) for plane in planes)
    means = [np.clip(_mean(plane), 0, 1) for plane in (red, green, blue)]
    total = means[0] + means[1] + means[2]
    total[total == 0] = 1
    highest = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
    lowest = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
    saturation = (highest - lowest) / np.maximum(highest, 1).astype(np.float32)
    return {
        "red_mean": means[0],
        "green_mean": means[1],
        "blue_mean": means[2],
        "warmth": (means[0] - means[2]) / total,
        "tint": (means[1] - (means[0] + means[2]) / 2) / total,
        "saturation": _mean(_rows(saturation)),
        "colourfulness": _colourfulness(red, green, blue),
    }


def _colourfulness(red: Floats, green: Floats, blue: Floats) -> Floats:
    red_green = red - green
    yellow_blue = (red + green) / 2 - blue
    spread = np.hypot(_deviation(red_green), _deviation(yellow_blue))
    return spread + np.float32(0.3) * np.hypot(_mean(red_green), _mean(yellow_blue))


def _entropy(flat: Floats) -> Floats:
    count, pixels = flat.shape
    bins = ((flat * np.float32(255) + np.float32(_HALF_STEP)) * np.float32(1 / ENTROPY_LEVELS)).astype(np.int32)
    bins += ENTROPY_BINS * np.arange(count, dtype=np.int32)[:, None]
    proportion = np.bincount(bins.ravel(), minlength=count * ENTROPY_BINS).reshape(count, ENTROPY_BINS) / pixels
    return -(proportion * np.log2(np.where(proportion > 0, proportion, 1))).sum(axis=1).astype(np.float32) + np.float32(
        0
    )


def _asymmetry(luma: Floats) -> Floats:
    """Mean absolute difference between the left half and the mirrored right half; 0 for an image one pixel wide."""
    half = luma.shape[2] // 2
    if half == 0:
        return np.zeros(len(luma), np.float32)
    # The pixels of a middle column equal themselves: they count, as zero.
    difference = np.abs(luma[:, :, :half] - luma[:, :, : -half - 1 : -1])
    return _mean(_rows(difference)) * np.float32(2 * half / luma.shape[2])


def _blockiness(dx: Floats, dy: Floats) -> Floats:
    """How much steps across the borders of 8 x 8 blocks, the JPEG grid, exceed the steps inside them; -1 to 1.

    With b and a the mean absolute step across and inside, (b - a) / (b + a). The two means are those of Wang, Sheikh
    and Bovik 2002, "No-reference perceptual quality assessment of JPEG compressed images", of both directions together.
    NaN when no side has more than 8 pixels; 0 for a constant image.
    """
    # Step i lies between pixels i and i + 1.
    columns = np.arange(dx.shape[2]) % JPEG_BLOCK == JPEG_BLOCK - 1
    lines = np.arange(dy.shape[1]) % JPEG_BLOCK == JPEG_BLOCK - 1
    if not columns.any() and not lines.any():
        return _undefined(len(dx))
    by_column, by_line = dx.sum(axis=1), dy.sum(axis=2)
    across = _rows(by_column[:, columns]).sum(axis=1) + _rows(by_line[:, lines]).sum(axis=1)
    inside = _rows(by_column[:, ~columns]).sum(axis=1) + _rows(by_line[:, ~lines]).sum(axis=1)
    across_count = columns.sum() * dx.shape[1] + lines.sum() * dy.shape[2]
    inside_count = (~columns).sum() * dx.shape[1] + (~lines).sum() * dy.shape[2]
    return _relative(across / np.float32(across_count), inside / np.float32(inside_count))


def _border_repeat(luma: Floats) -> Floats:
    pairs = (
        (luma[:, 0], luma[:, 1]),
        (luma[:, -1], luma[:, -2]),
        (luma[:, :, 0], luma[:, :, 1]),
        (luma[:, :, -1], luma[:, :, -2]),
    )
    same = np.concatenate([np.abs(outer - inner) < np.float32(SAME_BELOW) for outer, inner in pairs], axis=1)
    return _mean(same)


def _relative(first: Floats, second: Floats) -> Floats:
    """(first - second) / (first + second), and 0 where both are 0."""
    total = first + second
    return np.where(total > 0, first - second, 0).astype(np.float32) / np.where(total > 0, total, 1).astype(np.float32)


def _rows(values: Floats) -> Floats:
    """`[N, ...]` as contiguous `[N, pixels]`: NumPy then sums each row pairwise by itself, fast and always alike.

    Without it, what comes out of a slice or a mask may lie the other way in memory, and rows are then summed in an
    order that depends on how many there are.
    """
    return np.ascontiguousarray(values).reshape(len(values), -1)


def _mean(rows: npt.NDArray[np.float32] | npt.NDArray[np.bool_]) -> Floats:
    if rows.dtype == np.bool_:
        return (np.count_nonzero(rows, axis=1) / np.float64(rows.shape[1])).astype(np.float32)
    return rows.mean(axis=1, dtype=np.float32)


def _deviation(rows: Floats) -> Floats:
    """Population standard deviation of each row; of the residuals, as squares of the values lose digits in float32."""
    residuals = rows - _mean(rows)[:, None]
    np.square(residuals, out=residuals)
    return np.sqrt(_mean(residuals))


def _undefined(count: int) -> Floats:
    return np.full(count, np.nan, np.float32)
