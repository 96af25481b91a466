"""Each shift does what its docstring says, by measurements that know nothing of how it is done."""

import gzip
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.errors import MonitorError
from components.image_statistics_gen.image_properties import compute
from model_monitor.traffic import image_filters
from model_monitor.traffic.shifts import SHIFTS, apply, draw

ROOT = Path(__file__).parents[3]
PIXELS = sorted(name for name, shift in SHIFTS.items() if shift.change_pixels)
CLASSES = sorted(name for name, shift in SHIFTS.items() if shift.change_classes)
GRADED = sorted(name for name in PIXELS if SHIFTS[name].parameters)


@pytest.fixture(scope="module")
def sample():
    """Images [400, 32, 32, 3] and labels [400]."""
    file = ROOT / "data" / "cifar10_sample" / "test_batch.bin.gz"
    records = np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8).reshape(-1, 3073)[:400]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def distance(first, second):
    return float(np.abs(first.astype(float) - second.astype(float)).mean())


def test_the_shifts_that_there_are():
    assert CLASSES == ["class_dropout", "class_imbalance"]
    assert len(PIXELS) == 16
    assert all(len(shift.parameters) in (0, 5) and shift.meaning for shift in SHIFTS.values())


@pytest.mark.parametrize("name", sorted(SHIFTS))
def test_the_same_arguments_give_the_same_result(sample, name):
    first, again, other = (apply(name, *sample, severity=2, fraction=0.5, seed=seed) for seed in (4, 4, 5))
    for field in ("images", "indices", "shifted"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert (first.shifted != other.shifted).any()


@pytest.mark.parametrize("name", PIXELS)
def test_only_the_shifted_rows_change(sample, name):
    before = sample[0].copy()
    found = apply(name, *sample, severity=5, fraction=0.25, seed=1)
    np.testing.assert_array_equal(sample[0], before)
    np.testing.assert_array_equal(found.indices, np.arange(400))
    assert found.shifted.sum() == 100
    np.testing.assert_array_equal(found.images[~found.shifted], before[~found.shifted])
    changed = (found.images[found.shifted] != before[found.shifted]).any(axis=(1, 2, 3))
    assert changed.mean() > 0.95
    assert found.images.dtype == (np.float32 if name == "unit_scale" else np.uint8)


@pytest.mark.parametrize("name", GRADED)
def test_every_severity_is_further_from_the_original(sample, name):
    far = [distance(apply(name, *sample, severity=severity, seed=2).images, sample[0]) for severity in range(1, 6)]
    assert far == sorted(far)
    assert len(set(far)) == 5


@pytest.mark.parametrize("name", sorted(SHIFTS))
def test_fractions_of_nothing_and_everything(sample, name):
    none, half, whole = (apply(name, *sample, severity=3, fraction=fraction) for fraction in (0, 0.5, 1))
    np.testing.assert_array_equal(none.images, sample[0])
    assert not none.shifted.any()
    assert whole.shifted.all()
    assert half.shifted.sum() == 200


def test_which_rows_are_shifted_does_not_depend_on_the_shift(sample):
    found = [apply(name, *sample, severity=3, fraction=0.3, seed=9, count=100) for name in PIXELS]
    assert len({(f.indices.tobytes(), f.shifted.tobytes()) for f in found}) == 1
    more = apply("jpeg", *sample, severity=1, fraction=0.6, seed=9, count=100)
    assert (more.shifted >= found[0].shifted).all()


@pytest.mark.parametrize("name", sorted(SHIFTS))
def test_count_draws_without_replacement(sample, name):
    found = apply(name, *sample, severity=2, count=60, seed=3)
    assert len(set(found.indices.tolist())) == 60
    assert found.images.shape == (60, 32, 32, 3)
    if name in CLASSES:
        np.testing.assert_array_equal(found.images, sample[0][found.indices])
    else:
        np.testing.assert_array_equal(found.indices, draw(400, 60, 3))


# The property of the images that a shift is about, and by about how much it moves it at severity 5.
@pytest.mark.parametrize(
    ("name", "measured", "low", "high"),
    [
        ("gaussian_noise", "noise", 0.04, 0.10),
        ("gaussian_blur", "sharpness", -0.3, -0.1),
        ("motion_blur", "gradient", -0.1, -0.03),
        ("brightness", "brightness", 0.15, 0.30),
        ("darkness", "brightness", -0.30, -0.15),
        ("contrast", "contrast", -0.25, -0.10),
        ("saturation", "saturation", -1.0, -0.15),
        ("jpeg", "blockiness", 0.01, 0.3),
        ("translation", "border_repeat", 0.05, 0.6),
        ("zoom", "gradient", -0.1, -0.01),
    ],
)
def test_the_property_it_is_about_moves(sample, name, measured, low, high):
    before, after = compute(sample[0])[measured], compute(apply(name, *sample, severity=5).images)[measured]
    assert low < float(np.mean(after) - np.mean(before)) < high


def grey(value, side=32):
    return np.full((200, side, side, 3), value, np.uint8), np.arange(200) % 2


@pytest.mark.parametrize("severity", [1, 5])
def test_noises_have_the_deviation_that_the_table_says(severity):
    images, labels = grey(128)
    parameter = SHIFTS["gaussian_noise"].amount(severity)
    noisy = apply("gaussian_noise", images, labels, severity=severity).images
    assert noisy.std() == pytest.approx(255 * parameter, rel=0.02)
    photons = SHIFTS["shot_noise"].amount(severity)
    shot = apply("shot_noise", images, labels, severity=severity).images
    assert shot.std() == pytest.approx(255 * math.sqrt(128 / 255 / photons), rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.2)
    assert shot.mean() == pytest.approx(128, abs=0.2)
    salted = apply("impulse_noise", images, labels, severity=severity).images
    half = SHIFTS["impulse_noise"].amount(severity) / 2
    assert np.mean(salted == 0) == pytest.approx(half, rel=0.05)
    assert np.mean(salted == 255) == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize("name", sorted({*PIXELS} - {"unit_scale", "brightness", "darkness"}))
def test_grey_images_stay_grey_on_average(name):
    found = apply(name, *grey(128), severity=3)
    assert found.images.mean() == pytest.approx(128, abs=1)


def test_a_point_spreads_as_a_gaussian():
    images = np.zeros((1, 33, 33, 1), np.uint8)
    images[0, 16, 16, 0] = 255
    deviation = SHIFTS["gaussian_blur"].amount(5) * 33 / 32
    found = apply("gaussian_blur", images, np.zeros(1, int), severity=5).images[0, :, :, 0]
    y, x = np.mgrid[-16:17, -16:17]
    weights = np.exp(-(x**2 + y**2) / (2 * deviation**2))
    np.testing.assert_allclose(found, 255 * weights / weights.sum(), atol=1)


@pytest.mark.parametrize("number", range(16))
def test_motion_leaves_the_line_that_a_moving_point_draws(number):
    angle = math.pi * number / 16
    kernel = image_filters.line_kernel(6.0, angle)
    y, x = np.mgrid[: len(kernel), : len(kernel)] - len(kernel) // 2
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-6)  # the image as a whole stays where it is
    across = x * math.sin(angle) - y * math.cos(angle)
    along = x * math.cos(angle) + y * math.sin(angle)
    assert (kernel * along**2).sum() == pytest.approx(36 / 12, rel=0.15)  # the variance of a uniform line of 6 pixels
    assert (kernel * across**2).sum() < 0.3


def test_rotation_by_a_quarter_is_exact(sample):
    quarter = np.broadcast_to(np.array([[0.0, 1.0], [-1.0, 0.0]]), (5, 2, 2))
    found = image_filters.warp(sample[0][:5], quarter, np.zeros((5, 2)))
    np.testing.assert_array_equal(found, np.rot90(sample[0][:5], axes=(1, 2)))


def test_translation_by_whole_pixels_repeats_the_border(sample):
    identity = np.broadcast_to(np.eye(2), (5, 2, 2))
    found = image_filters.warp(sample[0][:5], identity, np.full((5, 2), [3.0, -2.0]))
    expected = np.pad(sample[0][:5], ((0, 0), (0, 3), (2, 0), (0, 0)), mode="edge")[:, 3:, :32]
    np.testing.assert_array_equal(found, expected)


def test_zoom_is_a_crop_scaled_up(sample):
    found = apply("zoom", *sample, severity=5).images[:20]
    box = (8, 8, 24, 24)  # factor 2
    expected = [Image.fromarray(i).resize((32, 32), Image.Resampling.BILINEAR, box) for i in sample[0][:20]]
    # Pillow repeats the border of the crop, where the image goes on
    assert distance(found[:, 1:-1, 1:-1], np.array(expected)[:, 1:-1, 1:-1]) < 1


def test_pixelate_averages_areas(sample):
    small = int(32 * SHIFTS["pixelate"].amount(5))  # 20
    fine = sample[0][:20].repeat(small, axis=1).repeat(small, axis=2)  # each of 20 x 20 areas is 32 x 32 of these
    means = fine.reshape(20, small, 32, small, 32, 3).mean(axis=(2, 4))
    nearest = np.floor((np.arange(32) + 0.5) * small / 32).astype(int)
    found = apply("pixelate", *sample, severity=5).images[:20]
    np.testing.assert_allclose(found, means[:, nearest][:, :, nearest], atol=0.501)


def test_jpeg_is_that_of_pillow(sample):
    buffer = io.BytesIO()
    Image.fromarray(sample[0][7]).save(buffer, "JPEG", quality=40)
    np.testing.assert_array_equal(
        apply("jpeg", *sample, severity=5).images[7], np.asarray(Image.open(io.BytesIO(buffer.getvalue())))
    )


def test_channels_and_scale(sample):
    np.testing.assert_array_equal(apply("channel_swap", *sample, severity=1).images, sample[0][..., [2, 1, 0]])
    scaled = apply("unit_scale", *sample, severity=1).images
    np.testing.assert_allclose(scaled, sample[0] / 255, atol=1e-7)
    assert scaled.max() <= 1


@pytest.mark.parametrize(("severity", "missing"), [(1, 1), (3, 3), (5, 5)])
def test_classes_drop_out(sample, severity, missing):
    found = apply("class_dropout", *sample, severity=severity)
    np.testing.assert_array_equal(found.images, sample[0][found.indices])
    counts = np.bincount(sample[1][found.indices], minlength=10)
    assert (counts == 0).sum() == missing
    assert counts.sum() == 400
    # an example is repeated only when its class has no other left: no class uses one twice and another not at all
    for label in np.flatnonzero(counts):
        uses = np.bincount(found.indices, minlength=400)[sample[1] == label]
        assert uses.max() - uses.min() <= 1


def test_half_a_drop_out_leaves_half_of_the_class(sample):
    whole = np.bincount(sample[1], minlength=10)
    found = apply("class_dropout", *sample, severity=1, fraction=0.5)
    counts = np.bincount(sample[1][found.indices], minlength=10)
    rarest = int(np.argmin(counts / whole))
    assert 0.3 < counts[rarest] / whole[rarest] < 0.7
    np.testing.assert_array_equal(found.indices[~found.shifted], np.flatnonzero(~found.shifted))


def test_imbalance_reaches_its_ratio():
    labels = np.repeat(np.arange(10), 2000)
    images = np.zeros((len(labels), 1, 1, 1), np.uint8)
    for severity, ratio in zip(range(1, 6), SHIFTS["class_imbalance"].parameters, strict=True):
        found = apply("class_imbalance", images, labels, severity=severity, seed=1)
        counts = np.sort(np.bincount(labels[found.indices], minlength=10))
        assert counts[-1] / counts[0] == pytest.approx(ratio, rel=0.25)


@pytest.mark.parametrize("name", sorted({*SHIFTS} - {"saturation", "channel_swap"}))
@pytest.mark.parametrize("shape", [(7, 11, 1), (40, 24, 3), (1, 1, 1)])
def test_other_sizes_and_grey_images(name, shape):
    images = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    found = apply(name, images, np.array([0, 1, 2, 0, 1, 2]), severity=3)
    assert found.images.shape == images.shape


@pytest.mark.parametrize(
    ("changes", "expected_error"),
    [
        ({"name": "gausian_blur"}, r"`shift` must be one of .*did you mean 'gaussian_blur'"),
        ({"severity": 0}, "`severity` must be 1, 2, 3, 4 or 5. Received: 0"),
        ({"severity": 6}, "`severity` must be"),
        ({"fraction": 1.1}, "`fraction` must be 0 to 1. Received: 1.1"),
        ({"fraction": math.nan}, "`fraction` must be 0 to 1. Received: nan"),
        ({"seed": -1}, "`seed` must be 0 or more. Received: -1"),
        ({"count": 0}, "`count` must be 1 to 4, the number of images. Received: 0"),
        ({"count": 5}, "`count` must be 1 to 4, the number of images. Received: 5"),
        ({"images": np.zeros((4, 2, 2, 3))}, r"`images` must be uint8\[N, H, W, 1 or 3\].*float64\[4, 2, 2, 3\]"),
        ({"images": np.zeros((4, 2, 2, 4), np.uint8)}, r"`images` must be uint8"),
        ({"images": np.zeros((0, 2, 2, 3), np.uint8)}, r"`images` must be uint8"),
        ({"labels": np.zeros(3, int)}, r"`labels` must be 4 whole numbers. Received: 'int64\[3\]'"),
        ({"labels": np.zeros(4)}, "`labels` must be 4 whole numbers"),
        ({"name": "class_dropout"}, "`labels` must have two classes or more"),
        ({"name": "saturation", "images": np.zeros((4, 2, 2, 1), np.uint8)}, "`images of saturation` must have 3 chan"),
    ],
)
def test_refuses_what_breaks_a_rule(changes, expected_error):
    arguments = {"images": np.zeros((4, 2, 2, 3), np.uint8), "labels": np.zeros(4, int), "name": "zoom", "severity": 1}
    arguments |= changes
    with pytest.raises(MonitorError, match=expected_error):
        apply(arguments.pop("name"), arguments.pop("images"), arguments.pop("labels"), **arguments)


def test_the_page_has_every_shift_with_its_amounts():
    page = (ROOT / "docs" / "shifts.md").read_text()
    for name, shift in SHIFTS.items():
        amounts = " ".join(f"{amount:g}" for amount in shift.parameters) or "same"
        assert re.search(rf"^\| `{name}` \| {re.escape(amounts)} \|", page, re.MULTILINE), f"{name}: {amounts}"
