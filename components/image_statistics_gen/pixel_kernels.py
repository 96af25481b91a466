# mypy: disable-error-code="assignment"
# Numba infers machine types; a sum that begins as 0.0 goes on as float64.
"""All that is measured of an image's pixels, in one pass over them that Numba compiles.

Luma is kept in thousandths of a grey level, 299 R + 587 G + 114 B: whole numbers that float32 holds exactly, as it does
their differences. Sums of them are exact, as int32 for a while and as float64, and so are those of the correctly
rounded quotients and roots: the order in which a processor's vector units add them up changes nothing, and every
processor gives the same bits. What would is not allowed: to contract a product and a sum into one operation, or to take
a reciprocal for a division. (Of images more than 2,900 pixels high a sum may be rounded, to 53 bits; what comes of it
has 24.)

What is between neighbours is summed up over the whole plane as if it were one row, and what is then between the end of
a row and the begin of the next taken off again: rows of small images are too short for vector units.

`compiled_pixels` has it compiled. Of what it has kept, Numba looks at the time of the file that `describe` is in and of
no other, so what that calls is here as well.

`tests/support/numpy_properties.py` has the same formulas in plain NumPy, a pass over the pixels for each; tests hold
this against it.
"""

import math
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from .image_properties import FREQUENCIES

Pixels: TypeAlias = npt.NDArray[np.uint8]
Plane: TypeAlias = npt.NDArray[np.float32]
Sums: TypeAlias = npt.NDArray[np.float64]

WHITE = 255_000.0  # luma of white; the weights are those of Rec. ITU-R BT.601-7, section 2.5.1, which JPEG uses as well
JPEG_BLOCK = 8
ENTROPY_BINS = 32
_TABLES = 8  # that luma is counted in for its histogram
BIN_WIDTH = 8_000.0  # eight grey levels: with one a bin, an image of 32 x 32 has too few pixels to fill them
FRAME_SHARE = 16  # the border frame is one sixteenth of the shorter side wide, at least one pixel
SIDE = 32  # of the thumbnail that the frequencies are of
_WIDE = 128  # numbers that its transform is given at least at once, of several images where they are smaller
# Thresholds lie half a step off, between two possible values of luma.
DARK_BELOW = np.float32(25_499.5)  # 0.1
BRIGHT_ABOVE = np.float32(229_500.5)  # 0.9
EDGE_ABOVE = np.float32(25_500.5**2)  # 0.1, squared: the length of a gradient that counts as an edge
SAME_BELOW = np.float32(999.5)  # one grey level
# So many values of luma, steps of it and squares of differences of colours are less than 2**31 in all, as are so many
# responses to Immerkaer's mask: sums of int32, of which vector units take twice as many at once as of float64. So many
# lengths of gradients, in steps of 2**-23, and squares of luma and of Laplacians are less than 2**53.
_EXACT, _EXACT_RESPONSES, _EXACT_LENGTHS = 1 << 13, 1 << 10, 1 << 11
WAVES = np.cos(np.pi * np.outer(np.arange(FREQUENCIES), np.arange(SIDE) + 0.5) / SIDE)

# Sums may be taken in any order, and nothing else that is called fast.
OPTIONS: dict[str, Any] = {"fastmath": {"reassoc", "nsz"}, "error_model": "numpy", "nogil": True}
_kernel = numba.njit(**OPTIONS)
# Frequencies are rounded where they are added up, so that these sums are taken in the order that is written.
_in_order = numba.njit(**OPTIONS | {"fastmath": False})


def describe(images: Pixels, waves: Sums, properties: Sums, frequencies: Sums) -> None:
    count, height, width, channels = images.shape
    flat = np.empty(height * width, np.float32)
    luma = flat.reshape(height, width)
    levels = np.empty(height * width, np.uint8)
    together = max(1, min(count, _WIDE // width))  # images, side by side, are transformed: long rows, as above
    bands, tall = np.empty((SIDE, together * width)), np.empty((FREQUENCIES, together * width))
    columns = np.empty((SIDE, together * FREQUENCIES))
    both = np.empty((FREQUENCIES, together * FREQUENCIES))
    scale = 1 / (WHITE * height * width)
    for start in range(0, count, together):
        some = min(together, count - start)
        for place in range(some):
            pixels, found = images[start + place].reshape(height * width * channels), properties[start + place]
            if channels == 3:
                colour(pixels, flat, found[16:])
            else:
                grey(pixels, flat)
            total = exposure(flat, levels, found[:5])
            detail(luma, found[5:7])
            layout(luma, found[7:13])
            border(luma, total, found[13:16])
            average_rows(luma, bands, place)
        transform(bands, waves, tall)
        for place in range(some):
            average_columns(tall, columns, place, width)
        transform(columns, waves, both)
        for place in range(some):
            for one in range(FREQUENCIES):
                for two in range(FREQUENCIES):
                    frequencies[start + place, one, two] = both[two, place * FREQUENCIES + one] * scale


@_kernel
def grey(pixels: Pixels, luma: Plane) -> None:
    for i in range(len(luma)):
        luma[i] = np.float32(1000) * np.float32(pixels[i])


@_kernel
def colour(pixels: Pixels, luma: Plane, found: Sums) -> None:
    """Luma; and channel means, warmth, tint, saturation and colourfulness.

    Warmth is (R - B) / (R + G + B) and tint (G - (R + B) / 2) / (R + G + B) of the channel means: the illuminant's
    chromaticity under the grey-world assumption (Buchsbaum 1980, J. Franklin Inst. 310(1)), so that a colour cast shows
    whatever the exposure; 0 for a black image. Saturation is the mean of HSV saturation, (max - min) / max (Smith
    1978). Colourfulness is M3 of Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", over 255.
    """
    reds = greens = blues = red_greens = yellow_blues = saturations = 0.0
    for start in range(0, len(luma), _EXACT):
        some, inputs = luma[start : start + _EXACT], pixels[3 * start :]
        some_reds = some_greens = some_blues = some_red_greens = some_yellow_blues = np.int32(0)
        some_saturations = 0.0
        for i in range(len(some)):
            red, green, blue = np.int32(inputs[3 * i]), np.int32(inputs[3 * i + 1]), np.int32(inputs[3 * i + 2])
            some[i] = np.float32(np.int32(299) * red + np.int32(587) * green + np.int32(114) * blue)
            some_reds = np.int32(some_reds + red)
            some_greens = np.int32(some_greens + green)
            some_blues = np.int32(some_blues + blue)
            red_green = np.int32(red - green)
            yellow_blue = np.int32(red + green - np.int32(2) * blue)
            some_red_greens = np.int32(some_red_greens + np.int32(red_green * red_green))
            some_yellow_blues = np.int32(some_yellow_blues + np.int32(yellow_blue * yellow_blue))
            highest, lowest = max(red, green, blue), min(red, green, blue)
            some_saturations += np.float32(np.int32(highest - lowest)) / np.float32(max(highest, np.int32(1)))
        reds += some_reds
        greens += some_greens
        blues += some_blues
        red_greens += some_red_greens
        yellow_blues += some_yellow_blues
        saturations += some_saturations
    count = len(luma)
    red_mean, green_mean, blue_mean = reds / count / 255, greens / count / 255, blues / count / 255
    total = red_mean + green_mean + blue_mean
    if total == 0:
        total = 1.0
    found[0], found[1], found[2] = red_mean, green_mean, blue_mean
    found[3] = (red_mean - blue_mean) / total
    found[4] = (green_mean - (red_mean + blue_mean) / 2) / total
    found[5] = saturations / count
    spread = math.hypot(
        deviation(reds - greens, red_greens, count) / 255,
        deviation(reds + greens - 2 * blues, yellow_blues, count) / 510,
    )
    middle = math.hypot(red_mean - green_mean, (red_mean + green_mean) / 2 - blue_mean)
    found[6] = spread + 0.3 * middle


@_kernel
def exposure(luma: Plane, levels: Pixels, found: Sums) -> float:
    """Brightness, contrast, dark and bright fraction and entropy, from the distribution of grey values alone.

    Contrast is the root-mean-square contrast of Peli 1990, "Contrast in complex images", J. Opt. Soc. Am. A 7(10).
    Dark is below 0.1, bright above 0.9. Entropy is Shannon's, in bits, of luma's histogram of 32 bins; 0 to 5.
    `levels` is room for the bin of each pixel. Returns the sum of luma.
    """
    total = squares = dark = bright = 0.0
    for start in range(0, len(luma), _EXACT):
        some = luma[start : start + _EXACT]  # a slice, which is what LLVM makes vectors of
        some_total, some_squares = np.int32(0), 0.0
        some_dark = some_bright = np.int32(0)
        for i in range(len(some)):
            value = np.float64(some[i])
            some_total = np.int32(some_total + np.int32(some[i]))
            some_squares += value * value
            some_dark = np.int32(some_dark + np.int32(some[i] < DARK_BELOW))
            some_bright = np.int32(some_bright + np.int32(some[i] > BRIGHT_ABOVE))
        total += some_total
        squares += some_squares
        dark += some_dark
        bright += some_bright
    scale, half = np.float32(1 / BIN_WIDTH), np.float32(0.5)
    for i in range(len(luma)):
        levels[i] = np.uint8((luma[i] + half) * scale)
    count = len(luma)
    found[0] = total / count / WHITE
    found[1] = deviation(total, squares, count) / WHITE
    found[2] = dark / count
    found[3] = bright / count
    found[4] = entropy(levels)
    return total


@_kernel
def entropy(levels: Pixels) -> float:
    # Neighbours are mostly alike: counted in one table, each count would wait for the one before.
    counts = np.zeros((_TABLES, ENTROPY_BINS), np.int32)
    whole = len(levels) // _TABLES * _TABLES
    for i in range(0, whole, _TABLES):
        for table in range(_TABLES):
            counts[table, levels[i + table]] += np.int32(1)
    for i in range(whole, len(levels)):
        counts[0, levels[i]] += np.int32(1)
    bits = 0.0
    for level in range(ENTROPY_BINS):
        found = 0
        for table in range(_TABLES):
            found += counts[table, level]
        if found > 0:
            bits -= found / len(levels) * math.log2(found / len(levels))
    return max(bits, 0.0)


@_kernel
def detail(luma: Plane, found: Sums) -> None:
    """Sharpness and noise: what the image does from one pixel to the next. NaN below 3 x 3 pixels.

    Sharpness is the standard deviation of the 4-neighbour Laplacian (Pech-Pacheco et al. 2000, "Diatom autofocusing in
    brightfield microscopy", take its square, the variance); 0 to 4. Noise is the estimate of the standard deviation of
    additive white noise of Immerkaer 1996, "Fast noise variance estimation", CVIU 64(2); 0 to 1.67: the mean absolute
    response to [[1,-2,1],[-2,4,-2],[1,-2,1]], scaled.
    """
    height, width = luma.shape
    found[:] = math.nan
    if height < 3 or width < 3:
        return
    flat = luma.reshape(height * width)
    above, middle, below = flat[: (height - 2) * width], flat[width : (height - 1) * width], flat[2 * width :]
    whole = (height - 2) * width - 2
    total = squares = masks = 0.0
    for start in range(0, whole, _EXACT_RESPONSES):
        some_above, some_middle, some_below = above[start:], middle[start:], below[start:]
        some_total, some_squares, some_masks = np.int32(0), 0.0, np.int32(0)
        for i in range(min(_EXACT_RESPONSES, whole - start)):
            laplacian, mask = responses(some_above, some_middle, some_below, i)
            some_total = np.int32(some_total + np.int32(laplacian))
            some_squares += np.float64(laplacian) * np.float64(laplacian)
            some_masks = np.int32(some_masks + np.int32(mask))
        total += some_total
        squares += some_squares
        masks += some_masks
    between_total = between_squares = between_masks = 0.0
    for row in range(1, height - 2):
        for i in (row * width - 2, row * width - 1):
            laplacian, mask = responses(above, middle, below, i)
            between_total += laplacian
            between_squares += np.float64(laplacian) * np.float64(laplacian)
            between_masks += mask
    count = (height - 2) * (width - 2)
    found[0] = deviation(total - between_total, squares - between_squares, count) / WHITE
    found[1] = (masks - between_masks) / count / WHITE * math.sqrt(math.pi / 2) / 6


@_kernel
def responses(above: Plane, middle: Plane, below: Plane, i: int) -> tuple[np.float32, np.float32]:
    """Of the 3 x 3 pixels from column `i` on: the Laplacian, and how strong Immerkaer's mask answers."""
    two = np.float32(2)
    vertical = above[i + 1] - two * middle[i + 1] + below[i + 1]
    before = above[i] - two * middle[i] + below[i]
    after = above[i + 2] - two * middle[i + 2] + below[i + 2]
    laplacian = vertical + (middle[i] - two * middle[i + 1] + middle[i + 2])
    return laplacian, abs(before - two * vertical + after)


@_kernel
def layout(luma: Plane, found: Sums) -> None:
    """Gradient, edge density, orientation, blockiness, vertical balance and asymmetry: how grey values are arranged.

    Gradient is the mean length of the forward differences (dx, dy), 0 to 1.42; edge density the proportion of
    pixels where it is above 0.1. Orientation is (sum|dx| - sum|dy|) / (sum|dx| + sum|dy|), 0 for a constant image:
    -1 means horizontal stripes, 1 vertical ones. Vertical balance is the mean of the upper half less the mean of the
    lower one (a middle row counts for neither), -1 to 1; asymmetry the mean absolute difference from the mirror image,
    0 to 1. All but asymmetry are NaN below 2 x 2 pixels.

    Blockiness is how much steps across the borders of 8 x 8 blocks, the JPEG grid, exceed the steps inside them: with b
    and a the mean absolute step across and inside, (b - a) / (b + a); -1 to 1. The two means are those of Wang, Sheikh
    and Bovik 2002, "No-reference perceptual quality assessment of JPEG compressed images", of both directions together.
    NaN when no side has more than 8 pixels; 0 for a constant image.
    """
    height, width = luma.shape
    found[:] = math.nan
    found[5] = asymmetry(luma)
    if height < 2 or width < 2:
        return
    flat, last_row = luma.reshape(height * width), (height - 1) * width
    lengths, edges, across, down = gradients(flat, width)
    across += differences(flat[last_row : height * width - 1], flat[last_row + 1 :])
    across_blocks = down_blocks = 0.0
    for start in range((JPEG_BLOCK - 1) * width, last_row, JPEG_BLOCK * width):
        down_blocks += differences(flat[start : start + width], flat[start + width : start + 2 * width])
    for row in range(height):
        for x in range(JPEG_BLOCK - 1, width - 1, JPEG_BLOCK):
            across_blocks += abs(luma[row, x + 1] - luma[row, x])
    count = (height - 1) * (width - 1)
    found[0] = lengths / count / WHITE
    found[1] = edges / count
    found[2] = relative(across, down)
    columns, lines = (width - 1) // JPEG_BLOCK, (height - 1) // JPEG_BLOCK
    if columns or lines:
        at_border = columns * height + lines * width
        inside = (width - 1) * height + (height - 1) * width - at_border
        steps = across_blocks + down_blocks
        found[3] = relative(steps / at_border, (across + down - steps) / inside)
    half = height // 2
    found[4] = (total_of(flat[: half * width]) - total_of(flat[(height - half) * width :])) / (half * width) / WHITE


@_kernel
def gradients(flat: Plane, width: int) -> tuple[float, float, float, float]:
    """Of all rows but the last: the sum of the gradients' lengths, the number of edges, the sums of |dx| and |dy|."""
    whole = len(flat) - width
    lengths = edges = across = down = 0.0
    for start in range(0, whole, _EXACT_LENGTHS):
        end = min(start + _EXACT_LENGTHS, whole)
        here, right, below = flat[start:end], flat[start + 1 : end + 1], flat[start + width : end + width]
        some_lengths = 0.0
        some_across = some_down = some_edges = np.int32(0)
        for i in range(len(here)):
            dx, dy = right[i] - here[i], below[i] - here[i]
            square = dx * dx + dy * dy
            some_lengths += np.sqrt(square)
            some_edges = np.int32(some_edges + np.int32(square > EDGE_ABOVE))
            some_across = np.int32(some_across + np.int32(abs(dx)))
            some_down = np.int32(some_down + np.int32(abs(dy)))
        lengths += some_lengths
        edges += some_edges
        across += some_across
        down += some_down
    between_lengths = between_edges = between_across = 0.0
    for i in range(width - 1, whole, width):
        dx, dy = flat[i + 1] - flat[i], flat[i + width] - flat[i]
        between_lengths += np.sqrt(dx * dx + dy * dy)
        between_edges += 1.0 if dx * dx + dy * dy > EDGE_ABOVE else 0.0
        between_across += abs(dx)
    return lengths - between_lengths, edges - between_edges, across - between_across, down


@_kernel
def asymmetry(luma: Plane) -> float:
    """Mean absolute difference from the mirror image; the pixels of a middle column equal themselves."""
    height, width = luma.shape
    total = 0.0
    for row in range(height):
        for start in range(0, width // 2, _EXACT):
            end, some = min(start + _EXACT, width // 2), np.int32(0)
            near, far = luma[row, start:end], luma[row, width - end : width - start]
            for x in range(len(near)):
                mirrored = far[np.uintp(len(near) - 1 - x)]  # an index without a sign is not looked at for one
                some = np.int32(some + np.int32(abs(near[x] - mirrored)))
            total += some
    return 2 * total / (height * width) / WHITE


@_kernel
def border(luma: Plane, total: float, found: Sums) -> None:
    """Border difference, contrast and repeat: padding, cropping, shifting and rotating show at the edge first.

    The frame is `max(1, min(H, W) // FRAME_SHARE)` pixels wide. Difference is its mean luma less that of the rest, -1
    to 1, NaN when nothing is left inside; contrast its standard deviation, 0 to 0.5. Repeat is the proportion of
    outermost pixels that differ by less than one grey level from the pixel next to them inwards, 0 to 1: padding with a
    constant or with the nearest pixel makes it jump; NaN below 2 x 2 pixels. `total` is the sum of luma.
    """
    height, width = luma.shape
    frame = max(1, min(height, width) // FRAME_SHARE)
    found[:] = math.nan
    outer = squares = 0.0
    for row in range(height):
        line = luma[row]
        left = width if row < frame or row >= height - frame else min(frame, width)
        for x in range(left):
            value = np.float64(line[x])
            outer += value
            squares += value * value
        for x in range(max(left, width - frame), width):
            value = np.float64(line[x])
            outer += value
            squares += value * value
    inside = max(0, height - 2 * frame) * max(0, width - 2 * frame)
    count = height * width - inside
    if inside:
        found[0] = (outer / count - (total - outer) / inside) / WHITE
    found[1] = deviation(outer, squares, count) / WHITE
    if height > 1 and width > 1:
        found[2] = repeated(luma) / (2 * width + 2 * height)


@_kernel
def repeated(luma: Plane) -> int:
    """How many outermost pixels equal the next one inwards; those of a corner are asked twice."""
    height, width = luma.shape
    same = 0
    for x in range(width):
        same += np.int32(abs(luma[0, x] - luma[1, x]) < SAME_BELOW)
        same += np.int32(abs(luma[height - 1, x] - luma[height - 2, x]) < SAME_BELOW)
    for row in range(height):
        same += np.int32(abs(luma[row, 0] - luma[row, 1]) < SAME_BELOW)
        same += np.int32(abs(luma[row, width - 1] - luma[row, width - 2]) < SAME_BELOW)
    return same


@_kernel
def average_rows(luma: Plane, bands: Sums, place: int) -> None:
    """The rows of luma as `SIDE` rows, each `SIDE` times as large, at a place among those of other images.

    In steps of a `SIDE`-th of a pixel, both the pixels and what is averaged begin at whole numbers.
    """
    height, width = luma.shape
    begin, end = place * width, (place + 1) * width
    if height == SIDE:
        for row in range(height):
            line, into = luma[row], bands[row, begin:end]
            for x in range(width):
                into[x] = np.float64(SIDE) * line[x]
        return
    for band in range(SIDE):
        bands[band, begin:end] = 0.0
    for row in range(height):
        line = luma[row]
        for band in range(row * SIDE // height, min(SIDE, ((row + 1) * SIDE - 1) // height + 1)):
            weight = np.float64(min((row + 1) * SIDE, (band + 1) * height) - max(row * SIDE, band * height))
            into = bands[band, begin:end]
            for x in range(width):
                into[x] += weight * line[x]


@_in_order
def average_columns(tall: Sums, columns: Sums, place: int, width: int) -> None:
    """What `average_rows` does, of columns, which come out as rows."""
    begin = place * FREQUENCIES
    if width == SIDE:
        for one in range(FREQUENCIES):
            line = tall[one, place * width : (place + 1) * width]
            for x in range(SIDE):
                columns[x, begin + one] = np.float64(SIDE) * line[x]
        return
    for column in range(SIDE):
        columns[column, begin : begin + FREQUENCIES] = 0.0
    for x in range(width):
        for column in range(x * SIDE // width, min(SIDE, ((x + 1) * SIDE - 1) // width + 1)):
            weight = np.float64(min((x + 1) * SIDE, (column + 1) * width) - max(x * SIDE, column * width))
            for one in range(FREQUENCIES):
                columns[column, begin + one] += weight * tall[one, place * width + x]


@_in_order
def transform(lines: Sums, waves: Sums, found: Sums) -> None:
    """The lowest frequencies of `SIDE` lines, from each place of a line to the next. Changes the lines.

    A cosine of an even frequency is its own mirror image, and one of an odd frequency the negative of it: it is enough
    to go through half of the lines' sums with their mirror images, and of the differences. The even frequencies are
    those of half as many lines, the sums, of which the same is true.
    """
    fold(lines)
    fold(lines[: SIDE // 2])
    for one in range(FREQUENCIES):
        begin, end = SIDE // 2, SIDE
        if one % 2 == 0:
            begin, end = (SIDE // 4, SIDE // 2) if one % 4 else (0, SIDE // 4)
        found[one] = 0.0
        for eight in range(begin, end, 8):
            add(lines[eight : eight + 8], waves[one, eight : eight + 8], found[one])


@_in_order
def fold(lines: Sums) -> None:
    """Lines become, up to the middle, their sums with their mirror images, and behind it the differences from them."""
    for one in range(len(lines) // 2):
        first, last = lines[one], lines[len(lines) - 1 - one]
        for x in range(len(first)):
            total = first[x] + last[x]
            last[x] -= first[x]
            first[x] = total


@_in_order
def add(lines: Sums, weights: Sums, total: Sums) -> None:
    """Adds eight lines, each times its weight, to a total: one by one would be eight ways to memory and back."""
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    e, f, g, h = weights[4], weights[5], weights[6], weights[7]
    one, two, three, four = lines[0], lines[1], lines[2], lines[3]
    five, six, seven, eight = lines[4], lines[5], lines[6], lines[7]
    for x in range(len(total)):
        some = a * one[x] + b * two[x] + c * three[x] + d * four[x]
        total[x] += some + (e * five[x] + f * six[x] + g * seven[x] + h * eight[x])


@_kernel
def differences(here: Plane, there: Plane) -> float:
    """The sum of |there - here|."""
    total = 0.0
    for start in range(0, len(here), _EXACT):
        some_here, some_there, some = here[start : start + _EXACT], there[start : start + _EXACT], np.int32(0)
        for i in range(len(some_here)):
            some = np.int32(some + np.int32(abs(some_there[i] - some_here[i])))
        total += some
    return total


@_kernel
def total_of(luma: Plane) -> float:
    total = 0.0
    for start in range(0, len(luma), _EXACT):
        some, some_total = luma[start : start + _EXACT], np.int32(0)
        for i in range(len(some)):
            some_total = np.int32(some_total + np.int32(some[i]))
        total += some_total
    return total


@_kernel
def deviation(total: float, squares: float, count: int) -> float:
    """The population's; of whole numbers below 2**21 it is 0 where they are all the same."""
    middle = total / count
    return math.sqrt(max(squares / count - middle * middle, 0.0))


@_kernel
def relative(first: float, second: float) -> float:
    """(first - second) / (first + second), and 0 where both are 0."""
    return (first - second) / (first + second) if first + second > 0 else 0.0
