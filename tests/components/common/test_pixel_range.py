"""From bytes to what a model takes and back, and which scale a batch of values is on."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.pixel_range import PixelRange, Scale, broken_rule, usual_scales

IMAGENET = PixelRange.standardised([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
CAFFE = PixelRange.standardised([123.68, 116.78, 103.94], 1)
RANGES = {
    "bytes": PixelRange(),
    "unit": PixelRange.between(0, 1),
    "signed": PixelRange.between(-1, 1),
    "imagenet": IMAGENET,
    "caffe": CAFFE,
    "16 bit": PixelRange.between(0, 65535),
    "int8": PixelRange.between(-128, 127),
    "odd": PixelRange.between(-0.5, 0.5),
}
ALL = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)


@pytest.mark.parametrize(
    ("model", "dtype"),
    [
        (model, dtype)
        for model in RANGES
        for dtype in (np.float16, np.float32, np.float64)
        if (model, dtype) != ("16 bit", np.float16)  # which ends at 65,504
    ],
)
def test_every_pixel_comes_back_and_lies_inside(model, dtype):
    pixels = RANGES[model]
    values = pixels.to_model(ALL, dtype)
    assert values.dtype == dtype
    assert (pixels.to_pixels(values) == ALL).all()
    assert pixels.inside(*pixels.extremes(values)).all()


@pytest.mark.parametrize(
    ("pixels", "dtype"), [(PixelRange(), np.uint8), (RANGES["int8"], np.int8), (RANGES["16 bit"], np.uint16)]
)
def test_integers_come_back_where_the_range_has_256(pixels, dtype):
    values = pixels.to_model(ALL, dtype)
    assert values.dtype == dtype
    assert (pixels.to_pixels(values) == ALL).all()


numbers = st.floats(-1e9, 1e9)


@given(numbers, numbers)
def test_any_range_that_is_accepted_brings_every_pixel_back(low, high):
    assume(not broken_rule([low, high]))
    pixels = PixelRange.between(low, high)
    assert (pixels.to_pixels(pixels.to_model(ALL)) == ALL).all()
    assert PixelRange.from_setting(pixels.to_setting()) == pixels


@given(st.lists(st.tuples(st.floats(0, 255), st.floats(1, 300)), min_size=3, max_size=3))
def test_any_mean_and_deviation_bring_every_pixel_back(each):
    mean, std = zip(*each, strict=True)
    pixels = PixelRange.standardised(mean, std)
    assert (pixels.to_pixels(pixels.to_model(ALL)) == ALL).all()
    assert PixelRange.from_setting(pixels.to_setting()) == pixels


def test_standardising_is_per_channel_and_of_pixels_0_to_255():
    values = IMAGENET.to_model(np.array([[[[124, 116, 104]]]], np.uint8))
    assert values.ravel() == pytest.approx([0.325 / 58.395, -0.28 / 57.12, 0.47 / 57.375], rel=1e-4)
    assert IMAGENET.channels == 3
    assert PixelRange.standardised(127.5, 64).channels is None


def images(*pairs):
    """Images [N, 2, 1, 1] of two values each."""
    return np.array(pairs, np.float64).reshape(len(pairs), 2, 1, 1)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ((0, 1), True),
        ((0, 1 + 0.49 / 255), True),
        ((0, 1 + 0.51 / 255), False),
        ((-0.51 / 255, 1), False),
        ((0.2, np.nan), False),
        ((np.nan, np.nan), False),
        ((0, np.inf), False),
        ((-np.inf, 0), False),
    ],
)
def test_inside_is_what_rounds_to_a_pixel_and_nothing_else(pair, expected):
    pixels = PixelRange.between(0, 1)
    assert pixels.inside(*pixels.extremes(images(pair))).tolist() == [expected]


def test_a_single_channel_outside_its_own_range_is_outside():
    values = np.zeros((2, 4, 4, 3))
    values[1, 0, 0, 2] = 2.65  # white in red is 2.25, in green 2.43, in blue 2.64: within none but almost blue
    values[1, 0, 0, 0] = 2.5
    assert IMAGENET.inside(*IMAGENET.extremes(values)).tolist() == [True, False]


def test_what_lies_outside_is_cut_and_nan_is_black():
    values = images((-5, 300), (np.nan, np.inf), (-np.inf, 99.6))
    assert PixelRange().to_pixels(values).ravel().tolist() == [0, 255, 0, 255, 0, 100]


def named(pixels, pairs, floats=True):
    scales = pixels.wrong_scales(*pixels.extremes(images(*pairs)), floats=floats)
    return [[scale.words for scale, rows in scales.items() if rows[row]] for row in range(len(pairs))]


@pytest.mark.parametrize(
    ("model", "pair", "expected"),
    [
        ("bytes", (0, 1), "0..1"),
        ("bytes", (0.7, 0.7), "0..1"),
        ("bytes", (0, 1.0000001), "0..1"),
        ("bytes", (-0.3, 0.9), "-1..1"),
        ("bytes", (-1, 1), "-1..1"),
        ("bytes", (-2.1, 2.6), "mean 0 and standard deviation 1"),
        ("bytes", (0, 0), None),
        ("bytes", (0, 2), None),
        ("bytes", (-0.4, 255.4), None),
        ("bytes", (-30, 200), None),
        ("bytes", (0, 300), None),
        ("bytes", (0, np.nan), None),
        ("unit", (0, 255), "0..255"),
        ("unit", (3, 17), "0..255"),
        ("unit", (-1, 1), "-1..1"),
        ("unit", (-2.1, 2.6), "mean 0 and standard deviation 1"),
        ("unit", (0, 1), None),
        ("unit", (0, 0), None),
        ("unit", (0, 1.001), None),
        ("signed", (0, 255), "0..255"),
        ("signed", (-2.1, 2.6), "mean 0 and standard deviation 1"),
        ("signed", (-1, 1), None),
        ("signed", (0, 1), None),
        ("signed", (0.5, 0.5), None),
        ("imagenet", (0, 255), "0..255"),
        ("imagenet", (-1, 1), None),
        ("imagenet", (0, 1), None),
        ("imagenet", (-2, 2), None),
        ("caffe", (0, 1), "0..1"),
        ("caffe", (0, 255), "0..255"),
        ("caffe", (-15, 12), None),
        ("16 bit", (0, 255), "0..255"),
        ("16 bit", (0, 1), "0..1"),
        ("16 bit", (0, 40_000), None),
    ],
)
def test_an_image_on_another_scale_is_named(model, pair, expected):
    assert named(RANGES[model], [pair]) == [[expected] if expected else []]


def test_a_batch_has_a_scale_whatever_a_model_takes():
    low, high = np.array([0.0, -1, -2.1, 0, 0, -50, np.nan]), np.array([1.0, 1, 2.6, 255, 0, 50, np.nan])
    scales = usual_scales(low, high, floats=True)
    assert {scale.words: np.flatnonzero(rows).tolist() for scale, rows in scales.items()} == {
        "0..1": [0],
        "-1..1": [1],
        "mean 0 and standard deviation 1": [2],
        "0..255": [3],
    }


def test_integers_are_never_standardised():
    assert named(PixelRange(), [(-3, 5)], floats=False) == [[]]


@given(numbers, numbers, st.sampled_from(list(RANGES)), st.booleans())
def test_no_image_is_on_two_scales(first, second, model, floats):
    assert len(named(RANGES[model], [(first, second)], floats)[0]) <= 1


@pytest.mark.parametrize(
    ("model", "low", "high", "images_seen", "expected"),
    [
        ("signed", 0, 1, 20, Scale.UNIT),
        ("signed", 0, 1, 19, None),
        ("signed", -0.9, 1, 500, None),
        ("imagenet", 0, 1, 20, Scale.UNIT),
        ("imagenet", -1, 1, 20, Scale.SIGNED),
        ("imagenet", -2, 2.4, 20, None),
        ("caffe", 0, 255, 20, Scale.BYTES),
        ("caffe", -2.1, 2.6, 20, Scale.STANDARDISED),
        ("caffe", -120, 140, 20, None),
        ("unit", 0, 1, 500, None),
        ("unit", 0, 0.4, 500, None),
        ("bytes", 0, 250, 500, None),
        ("bytes", 0, 1, 500, Scale.UNIT),
        ("bytes", np.nan, np.nan, 500, None),
    ],
)
def test_a_span_tells_what_one_image_cannot(model, low, high, images_seen, expected):
    assert RANGES[model].scale_of_span(low, high, images_seen) is expected


@pytest.mark.parametrize(
    ("model", "scale", "words"),
    [
        ("bytes", Scale.BYTES, "0..255"),
        ("unit", Scale.UNIT, "0..1"),
        ("signed", Scale.SIGNED, "-1..1"),
        ("imagenet", Scale.STANDARDISED, "mean 123.675, 116.28, 103.53 and standard deviation 58.395, 57.12, 57.375"),
        ("caffe", None, "mean 123.68, 116.78, 103.94 and standard deviation 1, 1, 1 of pixels"),
        ("odd", None, "-0.5..0.5"),
    ],
)
def test_a_range_has_a_name(model, scale, words):
    assert RANGES[model].scale is scale
    assert words in str(RANGES[model])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ([1, 0], "low < high"),
        ([1, 1], "low < high"),
        ([0, 1, 2], "low < high"),
        ([0], "low < high"),
        ("0..1", "low < high"),
        (None, "low < high"),
        (["0", "1"], "finite numbers"),
        ([False, True], "finite numbers"),
        ([0, float("nan")], "finite numbers"),
        ([0, float("inf")], "finite numbers"),
        ([0, 1e300], "finite numbers"),
        ([0, 10**400], "finite numbers"),
        ([1e6, 1e6 + 1], "256 numbers that float32 can tell apart"),
        ({}, "the keys mean and std"),
        ({"mean": 1}, "the keys mean and std"),
        ({"mean": 1, "std": 2, "var": 3}, "the keys mean and std"),
        ({"mean": [1, 2], "std": [3, 4]}, "one for each of 3 channels"),
        ({"mean": [], "std": 1}, "finite numbers for mean and std"),
        ({"mean": "0", "std": 1}, "finite numbers for mean and std"),
        ({"mean": True, "std": 1}, "finite numbers for mean and std"),
        ({"mean": 1, "std": 0}, "above 0"),
        ({"mean": 1, "std": [1, -1, 1]}, "above 0"),
        ({"mean": 300, "std": 1}, "means from 0 to 255"),
        ({"mean": -1, "std": 1}, "means from 0 to 255"),
        (
            {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
            r"divided by 255, which would be \{mean: \[123.675, 116.28, 103.53\], std: \[58.395, 57.12, 57.375\]\}",
        ),
    ],
)
def test_a_bad_range_names_the_rule_and_what_was_received(setting, expected):
    with pytest.raises(MonitorError, match=rf"`range` must .*{expected}.*Received: "):
        PixelRange.from_setting(setting)
