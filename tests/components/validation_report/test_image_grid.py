"""Which images are chosen, and how their bytes become pictures."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from components.common.statistics.feature_sample import FeatureSample
from components.validation_report import image_grid
from components.validation_report.stored_images import png


def sample(values, names=("image_noise", "image_tint", "image_corrupt"), **more):
    values = np.asarray(values, np.float32)
    return FeatureSample(names, values, len(values), tuple(f"row:{i}" for i in range(len(values))), **more)


@pytest.fixture
def baseline():
    rng = np.random.default_rng(3)
    noise = rng.normal(0.5, 0.1, 200)
    return sample(np.stack([noise, rng.normal(0, 1, 200), np.zeros(200)], axis=1))


def test_the_ones_in_the_direction_of_the_shift_are_shown(baseline):
    values = baseline.values[:50].copy()
    values[:, 0] -= 0.3
    window = sample(values)
    chosen = {(c.group, c.title): c for c in image_grid.choose(baseline, window, ["image_noise"], ())}
    lowest = chosen["image_noise", "The lowest of the window"]
    assert lowest.ids == tuple(f"row:{i}" for i in np.argsort(values[:, 0], kind="stable")[: image_grid.PICTURES])
    assert lowest.window
    middle = chosen["image_noise", "In the middle of the baseline"]
    assert all(abs(float(value) - np.median(baseline.values[:, 0])) < 0.02 for value in middle.values)
    assert not middle.window


def test_the_most_unusual_is_far_in_the_baseline_s_own_units(baseline):
    values = baseline.values[:20].copy()
    values[7] = [0.5, 9, 0]
    values[3] = np.nan
    chosen = image_grid.choose(baseline, sample(values), [], ())
    assert chosen[1].title == "Most unusual of the window"
    assert chosen[1].ids[0] == "row:7"
    assert "row:3" not in chosen[1].ids


def test_confident_mistakes_are_shown_where_labels_are_known(baseline):
    scores = np.tile(np.float32([0.6, 0.4]), (200, 1))
    scores[5] = [0.01, 0.99]
    labels = np.zeros(200, np.int64)
    labels[9] = 1
    known = sample(baseline.values, classes=scores.argmax(1), probabilities=scores, labels=labels)
    wrong = next(c for c in image_grid.choose(known, None, [], ("no", "yes")) if c.title == "Most confident and wrong")
    assert wrong.ids == ("row:5", "row:9")
    assert wrong.values == ("yes 99%, is no", "no 60%, is yes")


@pytest.mark.parametrize("rows", [0, 1])
def test_samples_that_say_nothing_choose_nothing(rows):
    assert image_grid.choose(sample(np.full((rows, 3), np.nan)), sample(np.zeros((2, 3))), ["image_noise"], ()) == []


def decoded(source):
    return Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,"))))


def test_raw_pixels_keep_their_values():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    source, width, height = png(pixels.tobytes())
    assert (width, height) == (32, 32)
    assert (np.asarray(decoded(source)) == pixels).all()
    assert decoded(png(pixels[..., 0].tobytes())[0]).mode == "L"


def test_encoded_images_are_made_smaller():
    packed = io.BytesIO()
    Image.new("RGB", (400, 200), "red").save(packed, "JPEG")
    source, width, height = png(packed.getvalue())
    assert (width, height) == decoded(source).size == (128, 64)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_what_is_no_image_is_not_shown(content):
    assert png(content) is None
