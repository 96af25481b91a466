"""Properties against NumPy's, and against a reference that visits one pixel after the other.

That is in whole numbers wherever a threshold decides: its luma is 299 R + 587 G + 114 B (or 1000 times the grey value),
thousandths of a grey level.
"""

import gzip
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from components.image_statistics_gen import image_properties
from components.image_statistics_gen.image_properties import compute, describe
from components.image_statistics_gen.property_edges import ANCHORS
from tests.support import numpy_properties

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10_sample" / "test_batch.bin.gz"


def sample_images(count):
    records = np.frombuffer(gzip.decompress(SAMPLE.read_bytes()), np.uint8).reshape(-1, 3073)[:count]
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def mean(values):
    return math.fsum(values) / len(values)


def deviation(values):
    middle = mean(values)
    return math.sqrt(mean([(v - middle) ** 2 for v in values]))


def relative(first, second):
    return (first - second) / (first + second) if first + second > 0 else 0.0


WHITE = 255_000


def grid(image):
    """Luma by (row, column)."""
    height, width, channels = image.shape
    weights = (1000,) if channels == 1 else (299, 587, 114)
    return [[sum(w * int(image[y, x, c]) for c, w in enumerate(weights)) for x in range(width)] for y in range(height)]


def reference_exposure(luma):
    values = list(itertools.chain(*luma))
    shares = [0] * 32
    for value in values:
        shares[value // 8000] += 1
    return {
        "brightness": mean(values) / WHITE,
        "contrast": deviation(values) / WHITE,
        "dark_fraction": mean([value < 25_500 for value in values]),
        "bright_fraction": mean([value > 229_500 for value in values]),
        "entropy": -sum(n / len(values) * math.log2(n / len(values)) for n in shares if n),
    }


def reference_detail(luma):
    height, width = len(luma), len(luma[0])
    laplacians, masks = [], []
    mask = ((1, -2, 1), (-2, 4, -2), (1, -2, 1))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            near = luma[y - 1][x] + luma[y + 1][x] + luma[y][x - 1] + luma[y][x + 1]
            laplacians.append(near - 4 * luma[y][x])
            masks.append(abs(sum(mask[i][j] * luma[y + i - 1][x + j - 1] for i in range(3) for j in range(3))))
    noise = math.sqrt(math.pi / 2) * sum(masks) / (6 * (width - 2) * (height - 2))
    return {"sharpness": deviation(laplacians) / WHITE, "noise": noise / WHITE}


def reference_layout(luma):
    height, width = len(luma), len(luma[0])
    across = {(y, x): abs(luma[y][x + 1] - luma[y][x]) for y in range(height) for x in range(width - 1)}
    down = {(y, x): abs(luma[y + 1][x] - luma[y][x]) for y in range(height - 1) for x in range(width)}
    squares = [across[y, x] ** 2 + down[y, x] ** 2 for y in range(height - 1) for x in range(width - 1)]
    at_border = [v for (_, x), v in across.items() if x % 8 == 7] + [v for (y, _), v in down.items() if y % 8 == 7]
    inside = [v for (_, x), v in across.items() if x % 8 != 7] + [v for (y, _), v in down.items() if y % 8 != 7]
    upper = list(itertools.chain(*luma[: height // 2]))
    lower = list(itertools.chain(*luma[(height + 1) // 2 :]))
    return {
        "gradient": mean([math.sqrt(square) for square in squares]) / WHITE,
        "edge_density": mean([square > 25_500**2 for square in squares]),
        "orientation": relative(sum(across.values()), sum(down.values())),
        "blockiness": relative(mean(at_border), mean(inside)) if at_border else math.nan,
        "vertical_balance": (mean(upper) - mean(lower)) / WHITE,
        "asymmetry": mean([abs(line[x] - line[width - 1 - x]) for line in luma for x in range(width)]) / WHITE,
    }


def reference_border(luma):
    height, width = len(luma), len(luma[0])
    frame = max(1, min(height, width) // 16)
    outer, inner = [], []
    for y in range(height):
        for x in range(width):
            at_edge = min(y, x, height - 1 - y, width - 1 - x) < frame
            (outer if at_edge else inner).append(luma[y][x])
    pairs = [(luma[0][x], luma[1][x]) for x in range(width)]
    pairs += [(luma[-1][x], luma[-2][x]) for x in range(width)]
    pairs += [(line[0], line[1]) for line in luma] + [(line[-1], line[-2]) for line in luma]
    return {
        "border_difference": (mean(outer) - mean(inner)) / WHITE if inner else math.nan,
        "border_contrast": deviation(outer) / WHITE,
        "border_repeat": mean([abs(a - b) < 1000 for a, b in pairs]),
    }


def reference_colour(image):
    pixels = [tuple(float(v) / 255 for v in pixel) for pixel in image.reshape(-1, 3)]
    red, green, blue = (mean(channel) for channel in zip(*pixels, strict=True))
    total = (red + green + blue) or 1
    red_green = [r - g for r, g, _ in pixels]
    yellow_blue = [(r + g) / 2 - b for r, g, b in pixels]
    spread = math.hypot(deviation(red_green), deviation(yellow_blue))
    return {
        "red_mean": red,
        "green_mean": green,
        "blue_mean": blue,
        "warmth": (red - blue) / total,
        "tint": (green - (red + blue) / 2) / total,
        "saturation": mean([(max(p) - min(p)) / max(p) if max(p) else 0 for p in pixels]),
        "colourfulness": spread + 0.3 * math.hypot(mean(red_green), mean(yellow_blue)),
    }


def reference(image):
    luma = grid(image)
    found = reference_exposure(luma) | reference_detail(luma) | reference_layout(luma) | reference_border(luma)
    found |= reference_colour(image) if image.shape[2] == 3 else {}
    height, width = image.shape[:2]
    return found | {"width": width, "height": height, "aspect_ratio": width / height}


def assert_matches(images):
    found = compute(images)
    for row, image in enumerate(images):
        expected = reference(image)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name].dtype == np.float32
            assert found[name][row] == pytest.approx(value, abs=2e-6, rel=1e-5, nan_ok=True), name


def test_cifar_images_match_the_reference():
    assert_matches(sample_images(12))


@pytest.mark.parametrize("shape", [(3, 3, 1), (7, 10, 1), (9, 5, 3), (17, 33, 3), (32, 32, 1), (40, 21, 3)])
def test_images_of_any_size_match_the_reference(shape):
    assert_matches(np.random.default_rng(1).integers(0, 256, (3, *shape), np.uint8))


@pytest.mark.parametrize("shape", [(3, 3, 3), (4, 5, 3), (17, 9, 1), (40, 32, 3), (9, 300, 3)])
def test_sums_are_exact_until_the_last_rounding(shape):
    image = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    expected, found = reference(image), compute(image[None])
    for name in ("brightness", "contrast", "sharpness", "noise", "gradient", "orientation", "asymmetry"):
        np.testing.assert_array_max_ulp(found[name][0], np.float32(expected[name]), 1)


# Of an image without much contrast, differences of luma have few digits left in float32, and so has their ratio.
RATIOS = {"orientation": 2e-5, "blockiness": 2e-5}


def assert_as_numpy(images):
    found, expected = compute(images), numpy_properties.compute(images)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=RATIOS.get(name, 1e-6), err_msg=name)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 3),
        (1, 70),
        (70, 1),
        (8, 9),
        (9, 8),
        (16, 300),
        (224, 224),
        (301, 257),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_are_as_numpy_has_them(shape, channels):
    rng = np.random.default_rng(5)
    smooth = np.cumsum(rng.integers(-2, 3, (2, *shape, channels)), axis=1) + 128
    noise = rng.integers(0, 256, (2, *shape, channels))
    ends = rng.integers(0, 2, (2, *shape, channels)) * 255
    assert_as_numpy(np.concatenate([smooth.clip(0, 255), noise, ends]).astype(np.uint8))


@pytest.mark.parametrize("level", [0, 1, 25, 26, 127, 229, 230, 254, 255])
def test_images_of_one_level_are_as_numpy_has_them(level):
    assert_as_numpy(np.full((1, 40, 30, 3), level, np.uint8))
    found = compute(np.full((1, 40, 30, 1), level, np.uint8))
    assert all(found[name][0] == 0 for name in ("contrast", "entropy", "sharpness", "noise", "gradient", "asymmetry"))


@pytest.mark.parametrize("shape", [(1, 40_000), (3, 20_000), (20_000, 3), (140, 140)])
def test_the_largest_sums_there_can_be_are_as_numpy_has_them(shape):
    """Sums are of 32 bits for a while: white, the strongest steps, and what answers filters and colours the most."""
    row, column = np.indices(shape)
    lit = [
        np.ones(shape, bool),
        row % 2 == 0,
        column % 2 == 0,
        (row + column) % 2 == 0,
        (row % 2 == 0) & (column % 2 == 0),
        column < shape[1] // 2,
        row < shape[0] // 2,
    ]
    grey = np.where(np.stack(lit)[..., None], 255, 0).astype(np.uint8)
    assert_as_numpy(grey)
    colours = np.array([[255, 255, 0], [0, 0, 255], [255, 0, 0], [0, 255, 255]], np.uint8)
    assert_as_numpy(np.broadcast_to(colours[:, None, None], (4, *shape, 3)))


KNOWN = {
    "black": (
        np.zeros((16, 16, 3), np.uint8),
        {"brightness": 0, "contrast": 0, "dark_fraction": 1, "bright_fraction": 0, "entropy": 0, "sharpness": 0}
        | {"noise": 0, "gradient": 0, "warmth": 0, "tint": 0, "saturation": 0, "colourfulness": 0, "border_repeat": 1},
    ),
    "white": (
        np.full((16, 16, 3), 255, np.uint8),
        {"brightness": 1, "contrast": 0, "dark_fraction": 0, "bright_fraction": 1, "entropy": 0, "red_mean": 1}
        | {"saturation": 0, "orientation": 0, "blockiness": 0, "warmth": 0},
    ),
    "checkerboard of single pixels": (
        (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None],
        {"brightness": 0.5, "contrast": 0.5, "entropy": 1, "sharpness": 4, "edge_density": 1, "border_repeat": 0}
        | {"gradient": math.sqrt(2), "noise": 8 * math.sqrt(math.pi / 2) / 6, "orientation": 0, "asymmetry": 1},
    ),
    "blocks as JPEG makes them": (
        np.kron(np.array([[0, 255], [255, 0]], np.uint8), np.ones((8, 8), np.uint8))[..., None],
        {"blockiness": 1, "brightness": 0.5, "vertical_balance": 0, "asymmetry": 1},
    ),
    "ramp from left to right": (
        np.tile(np.arange(0, 256, 17, dtype=np.uint8), (16, 1))[..., None],
        {"orientation": 1, "sharpness": 0, "noise": 0, "vertical_balance": 0, "gradient": 17 / 255, "blockiness": 0},
    ),
    "sky over ground": (
        np.concatenate([np.full((8, 16, 1), 255, np.uint8), np.zeros((8, 16, 1), np.uint8)]),
        {"vertical_balance": 1, "orientation": -1, "asymmetry": 0, "contrast": 0.5},
    ),
    "pure red": (
        np.tile(np.array([255, 0, 0], np.uint8), (16, 16, 1)),
        {"red_mean": 1, "green_mean": 0, "warmth": 1, "tint": -0.5, "saturation": 1, "brightness": 0.299}
        | {"colourfulness": 0.3 * math.hypot(1, 0.5)},
    ),
    "a frame around grey": (
        np.pad(np.full((14, 14, 1), 51, np.uint8), ((1, 1), (1, 1), (0, 0)), constant_values=255),
        {"border_difference": 0.8, "border_contrast": 0},
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_images_whose_properties_are_known(name):
    image, expected = KNOWN[name]
    found = compute(image[None])
    assert {n: found[n][0] for n in expected} == pytest.approx(expected, abs=1e-6)


def test_padding_shows_at_the_border():
    images = sample_images(200)
    padded = np.pad(images, ((0, 0), (4, 0), (4, 0), (0, 0)), mode="edge")[:, :32, :32]
    assert compute(padded)["border_repeat"].mean() > compute(images)["border_repeat"].mean() + 0.3


IMAGES = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3])),
)


@settings(max_examples=150)
@given(IMAGES)
def test_every_value_is_in_its_range_or_undefined(images):
    for name, values in compute(images).items():
        defined = values[~np.isnan(values)]
        assert (defined >= ANCHORS[name][0] - 1e-6).all(), name
        assert (defined <= ANCHORS[name][-1] + 1e-6).all(), name


@settings(max_examples=150)
@given(IMAGES)
def test_every_value_is_as_numpy_has_it(images):
    assert_as_numpy(images)


def test_a_view_of_a_larger_array_is_read_as_it_looks():
    whole = sample_images(8)
    view = whole[::2, 3:30, ::-1]
    for name, values in compute(np.ascontiguousarray(view)).items():
        np.testing.assert_array_equal(compute(view)[name], values)


@settings(max_examples=60)
@given(IMAGES, st.integers(0, 4))
def test_an_image_does_not_depend_on_its_neighbours(images, cut):
    whole = compute(images)
    parts = [compute(images[:cut]), compute(images[cut:])]
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values, err_msg=name)


@pytest.mark.parametrize(
    "shape", [(31, 31, 1), (5, 5, 3), (40, 7, 3), (9, 3, 1), (60, 61, 3), (32, 32, 3), (28, 28, 1)]
)
def test_frequencies_do_not_depend_on_neighbours_to_the_last_bit(shape):
    """Small images are transformed several at once, beginning anywhere in a vector."""
    images = np.random.default_rng(3).integers(0, 256, (23, *shape), np.uint8)
    alone = [describe(image[None]).frequencies[0] for image in images]
    np.testing.assert_array_equal(describe(images).frequencies, np.stack(alone))


def test_a_large_batch_is_the_same_as_single_images():
    images = sample_images(300)
    whole = compute(images)
    for row in (0, 127, 128, 299):
        single = compute(images[row : row + 1])
        assert {n: v[row] for n, v in whole.items()} == {n: v[0] for n, v in single.items()}


@settings(max_examples=60)
@given(IMAGES)
def test_mirroring_keeps_all_but_the_block_grid(images):
    found, mirrored = compute(images), compute(images[:, :, ::-1])
    # Forward differences pair other pixels in the mirror image.
    for name in found.keys() - {"blockiness", "gradient", "edge_density"}:
        np.testing.assert_allclose(mirrored[name], found[name], rtol=1e-4, atol=2e-6, err_msg=name)


@settings(max_examples=60)
@given(IMAGES.filter(lambda images: images.shape[3] == 1))
def test_grey_images_stored_in_colour_have_the_same_luma_properties(images):
    grey, colour = compute(images), compute(np.repeat(images, 3, axis=3))
    for name in image_properties.LUMA_PROPERTIES:
        np.testing.assert_allclose(colour[name], grey[name], rtol=1e-4, atol=2e-6, err_msg=name)
    assert (colour["saturation"] == 0).all()


def test_an_image_of_one_pixel_has_what_one_pixel_can_have():
    found = compute(np.full((1, 1, 1, 3), 51, np.uint8))
    undefined = {name for name, values in found.items() if np.isnan(values[0])}
    assert undefined == {
        "sharpness",
        "noise",
        "gradient",
        "edge_density",
        "orientation",
        "blockiness",
        "vertical_balance",
        "border_difference",
        "border_repeat",
    }
    assert found["brightness"][0] == pytest.approx(0.2)


def test_no_image_at_all():
    found = compute(np.zeros((0, 8, 8, 3), np.uint8))
    assert {values.shape for values in found.values()} == {(0,)}


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 2), np.uint8),
        np.zeros((2, 0, 8, 3), np.uint8),
    ],
)
def test_anything_else_is_refused(array):
    with pytest.raises(ValueError, match=r"`images` must be uint8\[N, H, W, 1 or 3\]. Received: (uint8|float32)\["):
        compute(array)
