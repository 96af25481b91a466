"""Images of other classes, and other images."""

import math

import numpy as np
import pytest

from components.performance_estimator.image_change import unexplained_move

CLASSES, FEATURES = 4, 6


def draw(rng, count, shares=None, shift=0.0):
    """Features whose means depend on the class, and the classes."""
    classes = rng.choice(CLASSES, count, p=shares)
    means = np.random.default_rng(9).normal(size=(CLASSES, FEATURES))
    return means[classes] + rng.normal(size=(count, FEATURES)) + shift, classes


@pytest.mark.parametrize("shares", [None, [0.7, 0.1, 0.1, 0.1], [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
def test_other_classes_of_the_same_images_are_no_move(shares):
    rng = np.random.default_rng(0)
    known, window = draw(rng, 4000), draw(rng, 1000, shares)
    assert unexplained_move(*known, *window) < 0.03
    apart = np.abs(known[0].mean(axis=0) - window[0].mean(axis=0)).max()
    assert shares is None or apart > 0.1  # without the classes it would be one


def test_chance_is_taken_off():
    """Of small windows, half are nearer than expected, and the others only a little farther."""
    rng = np.random.default_rng(1)
    found = [unexplained_move(*draw(rng, 500), *draw(rng, 60)) for _ in range(40)]
    assert 8 <= sum(each == 0 for each in found) <= 36
    assert max(found) < 0.3


def test_a_move_is_measured_in_squared_standard_deviations():
    """One feature that is independent of the class and of the others moves by one of its standard deviations."""
    rng = np.random.default_rng(2)
    known, window = draw(rng, 20_000), draw(rng, 20_000)
    noise = [np.concatenate([each[0], rng.normal(size=(20_000, 1))], axis=1) for each in (known, window)]
    noise[1][:, -1] += 1
    assert unexplained_move(noise[0], known[1], noise[1], window[1]) == pytest.approx(1, rel=0.08)


def test_the_farther_the_more_and_never_without_an_end():
    rng = np.random.default_rng(3)
    known = draw(rng, 1000)
    moves = [unexplained_move(*known, *draw(np.random.default_rng(4), 500, shift=shift)) for shift in (0, 0.3, 1, 1e9)]
    assert moves == sorted(moves)
    assert math.isfinite(moves[-1])


def test_a_class_that_was_never_held_out_explains_nothing():
    rng = np.random.default_rng(5)
    known, window = draw(rng, 100), draw(rng, 50)
    assert unexplained_move(*known, window[0], np.full(50, 7)) == math.inf


def test_missing_and_constant_values_are_no_move_unless_they_change():
    rng = np.random.default_rng(6)
    (known, known_classes), (window, window_classes) = draw(rng, 1000), draw(rng, 500)
    known[:, 0], window[:, 0] = 3.0, 3.0
    known[::5, 1] = window[::5, 1] = np.nan
    known[:, 2] = window[:, 2] = np.nan
    assert unexplained_move(known, known_classes, window, window_classes) < 0.05
    window[:, 0] = 4.0
    assert unexplained_move(known, known_classes, window, window_classes) > 1
