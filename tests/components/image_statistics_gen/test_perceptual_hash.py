"""Images that look nearly the same have nearly the same hash, and others have not."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bursts import frames
from benchmarks.detection.pool import held_out, trainer_settings
from components.common.statistics.feature_sample import NO_HASH
from components.common.two_sample.near_duplicates import MAX_BITS
from components.image_statistics_gen.perceptual_hash import compute
from tests.support import numpy_properties

SAMPLE = Path(__file__).resolve().parents[3] / "data" / "cifar10_sample"


@pytest.fixture(scope="module")
def images():
    return held_out(SAMPLE, trainer_settings("sample")).images[:400]


def distance(first, second):
    return np.unpackbits((first ^ second).view(np.uint8).reshape(len(first), 8), axis=1).sum(axis=1)


def test_frames_of_one_scene_are_near_duplicates_and_different_images_are_not(images):
    hashes = compute(images)
    assert np.mean(distance(hashes, compute(frames(images, np.random.default_rng(0)))) <= MAX_BITS) > 0.85
    others = np.concatenate([distance(hashes, np.roll(hashes, step)) for step in range(1, 200)])
    assert np.mean(others <= MAX_BITS) < 1e-4


@pytest.mark.parametrize("shape", [(32, 32), (1, 1), (3, 200), (33, 31), (64, 96), (224, 224)])
def test_hashes_are_as_numpy_has_them(shape):
    images = np.random.default_rng(2).integers(0, 256, (20, *shape, 3), np.uint8)
    np.testing.assert_array_equal(compute(images), numpy_properties.hashes(images))


def test_hashes_of_photographs_are_as_numpy_has_them(images):
    np.testing.assert_array_equal(compute(images), numpy_properties.hashes(images))


def test_a_hash_depends_on_its_image_alone(images):
    together = compute(images)
    np.testing.assert_array_equal(np.concatenate([compute(images[row : row + 1]) for row in range(40)]), together[:40])
    np.testing.assert_array_equal(compute(images[::-1]), together[::-1])


def test_size_and_colour_hardly_matter(images):
    hashes = compute(images)
    larger = np.repeat(np.repeat(images, 3, axis=1), 3, axis=2)
    assert distance(hashes, compute(larger)).max() <= 2
    grey = np.rint(images @ [0.299, 0.587, 0.114]).astype(np.uint8)[..., None]
    assert distance(hashes, compute(grey)).max() <= 4


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 70, 1), (300, 20, 3)])
def test_images_of_any_size_have_one(shape):
    rng = np.random.default_rng(0)
    assert compute(rng.integers(0, 256, (3, *shape), np.uint8)).shape == (3,)


def test_an_image_without_structure_has_none():
    flat = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (0, 7, 255)])
    assert compute(flat).tolist() == [NO_HASH] * 3
    assert compute(flat[:0]).dtype == np.uint64
