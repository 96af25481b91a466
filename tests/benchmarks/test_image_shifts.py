import numpy as np
import pytest

from benchmarks.detection import image_shifts
from benchmarks.detection.image_shifts import NAMES, NOISE, Warp

IMAGES = np.random.default_rng(0).integers(60, 196, (200, 32, 32, 3)).astype(np.uint8)
STILL = Warp(0, (0.0, 0.0), 0, 0.0, mirror=False, turn=False)


@pytest.mark.parametrize("name", NAMES)
def test_images_stay_bytes_and_the_same_seed_gives_the_same(name):
    first, again, other = (image_shifts.change(name, IMAGES, seed) for seed in (1, 1, 2))
    assert first.dtype == np.uint8
    assert first.shape == IMAGES.shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["noise_small", "noise_medium"])
def test_noise_has_the_papers_deviation(name):
    difference = image_shifts.change(name, IMAGES, 0).astype(float) - IMAGES
    assert difference.std() == pytest.approx(np.hypot(NOISE[name], 12**-0.5), rel=0.02)  # and that of rounding


def changed(monkeypatch, warp):
    monkeypatch.setitem(image_shifts.WARPS, "image_small", warp)
    return image_shifts.change("image_small", IMAGES, 0)


def test_no_motion_changes_nothing(monkeypatch):
    assert np.array_equal(changed(monkeypatch, STILL), IMAGES)


def test_half_of_the_images_are_mirrored(monkeypatch):
    found = changed(monkeypatch, Warp(0, (0.0, 0.0), 0, 0.0, mirror=True, turn=False))
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(found, IMAGES, strict=True)]
    assert 70 < sum(mirrored) < 130
    assert all(m or np.array_equal(a, b) for m, a, b in zip(mirrored, found, IMAGES, strict=True))


def test_a_constant_image_stays_constant_however_it_is_warped():
    flat = np.full((50, 32, 32, 3), 77, np.uint8)
    assert (image_shifts.change("image_large", flat, 0) == 77).all()
