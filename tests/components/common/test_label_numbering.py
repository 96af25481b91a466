"""Labels that are counted otherwise are told from a model that is wrong."""

import numpy as np
import pytest

from components.common.label_numbering import Agreement

RNG = np.random.default_rng(0)


def noisy(classes, right, count=500):
    """Predictions and true classes of a model that is right so often."""
    truth = RNG.integers(0, classes, count)
    return np.where(RNG.random(count) < right, truth, RNG.integers(0, classes, count)), truth


@pytest.mark.parametrize("right", [0.3, 0.9])
def test_labels_from_1_and_a_background_class_are_told(right):
    predicted, truth = noisy(10, right)
    assert Agreement.of(predicted, truth).better_from(0, 10) is None
    assert Agreement.of(predicted, truth + 1).better_from(0, 10) == 1
    assert Agreement.of(predicted + 1, truth).better_from(0, 11) == -1
    assert Agreement.of(predicted, truth + 1).better_from(-1, 10) == 0


@pytest.mark.parametrize("right", [0.0, 0.1])
def test_a_model_of_two_classes_that_is_wrong_is_that(right):
    truth = np.arange(500) % 2
    predicted = np.where(np.arange(500) < 500 * right, truth, 0)
    assert Agreement.of(predicted, truth).better_from(0, 2) is None
    assert Agreement.of(1 - truth, truth).better_from(0, 2) is None


def test_few_examples_and_no_examples_tell_nothing():
    assert Agreement.of(np.zeros(10), np.ones(10)).better_from(0, 10) is None
    assert Agreement().better_from(0, 10) is None


def test_parts_add_up():
    predicted, truth = noisy(10, 0.5)
    whole = Agreement.of(predicted, truth)
    assert Agreement.of(predicted[:99], truth[:99]) + Agreement.of(predicted[99:], truth[99:]) == whole
    assert Agreement() + whole == whole
