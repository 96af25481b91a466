import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.classification_metrics.tallies import CalibrationTally, ClassAccuracyTally
from components.common.errors import MonitorError

CLASSES = 4


def drawn(seed, count):
    """Labels, probabilities that favour the label somewhat, and weights with zeros among them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    logits = rng.normal(0, 2, (count, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32), rng.integers(0, 3, count).astype(float)


def filled(tally, labels, probabilities, weights):
    for label, row, weight in zip(labels, probabilities, weights, strict=True):
        tally.add(int(label), row, float(weight))
    return tally


def slow_worst_accuracy(labels, probabilities, weights):
    shares = []
    for label in set(labels.tolist()):
        of_class = [i for i in range(len(labels)) if labels[i] == label]
        total = sum(weights[i] for i in of_class)
        right = sum(weights[i] for i in of_class if max(range(CLASSES), key=lambda c: probabilities[i][c]) == label)
        shares += [right / total] if total else []
    return min(shares)


def slow_calibration_error(labels, probabilities, weights, bins):
    """Guo et al. 2017, equation 3, as it is written there."""
    error = 0.0
    for m in range(1, bins + 1):
        inside = [i for i in range(len(labels)) if (m - 1) / bins < probabilities[i].max() <= m / bins]
        size = sum(weights[i] for i in inside)
        if size:
            accuracy = sum(weights[i] * (probabilities[i].argmax() == labels[i]) for i in inside) / size
            confidence = sum(weights[i] * float(probabilities[i].max()) for i in inside) / size
            error += size / sum(weights) * abs(accuracy - confidence)
    return error


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000), count=st.integers(5, 120), cut=st.integers(0, 120), bins=st.sampled_from([1, 7, 15])
)
def test_merged_tallies_equal_the_slow_reference(seed, count, cut, bins):
    labels, probabilities, weights = drawn(seed, count)
    weights[0] = 1.0  # at least one example counts
    for new, slow in (
        (ClassAccuracyTally, slow_worst_accuracy(labels, probabilities, weights)),
        (lambda: CalibrationTally(bins), slow_calibration_error(labels, probabilities, weights, bins)),
    ):
        first = filled(new(), labels[:cut], probabilities[:cut], weights[:cut])
        second = filled(new(), labels[cut:], probabilities[cut:], weights[cut:])
        merged = new()
        for tally in (first, pickle.loads(pickle.dumps(second))):  # noqa: S301 - what Beam does between workers
            merged.merge(tally)
        assert merged.result() == pytest.approx(slow, abs=1e-9)


def test_known_values():
    accuracy, calibration = ClassAccuracyTally(), CalibrationTally(10)
    for label, row in [(0, [0.75, 0.25]), (0, [0.75, 0.25]), (0, [0.25, 0.75]), (1, [0.0, 1.0])]:
        for tally in (accuracy, calibration):
            tally.add(label, np.array(row))
    assert accuracy.result() == pytest.approx(2 / 3)
    # three answers of confidence .75, two of them right; one of confidence 1, right
    assert calibration.result() == pytest.approx(3 / 4 * abs(2 / 3 - 0.75))


def test_a_perfect_and_a_hopeless_model():
    perfect, hopeless = np.eye(CLASSES), np.roll(np.eye(CLASSES), 1, axis=1)
    for rows, accuracy, error in ((perfect, 1.0, 0.0), (hopeless, 0.0, 1.0)):
        assert filled(ClassAccuracyTally(), range(CLASSES), rows, [1] * CLASSES).result() == accuracy
        assert filled(CalibrationTally(15), range(CLASSES), rows, [1] * CLASSES).result() == error


@pytest.mark.parametrize("new", [ClassAccuracyTally, lambda: CalibrationTally(15)])
def test_without_examples_there_is_no_value(new):
    assert math.isnan(new().result())
    assert math.isnan(filled(new(), [1], [np.array([0.5, 0.5])], [0.0]).result())


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_broken_probabilities_never_look_good(broken):
    row = np.array([broken, 0.1, 0.1, 0.1])  # argmax is 0, the label
    assert filled(ClassAccuracyTally(), [0], [row], [1]).result() == 0.0
    assert filled(CalibrationTally(15), [0], [row], [1]).result() == 1.0


@pytest.mark.parametrize("new", [ClassAccuracyTally, lambda: CalibrationTally(15)])
@pytest.mark.parametrize(
    ("label", "row", "expected_error"),
    [
        (4, [0.1, 0.2, 0.3, 0.4], "`label` must be 0 to 3. Received: 4"),
        (-1, [0.1, 0.2, 0.3, 0.4], "`label` must be 0 to 3. Received: -1"),
        (0, [0.9], "`probabilities` must be"),
        (
            0,
            [3.5, -2.0],
            r"`probabilities` must add up to 1, and none be below 0 \(not logits\). Received: 'it has -2, below 0'",
        ),
    ],
)
def test_refuses_what_is_no_classification(new, label, row, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        new().add(label, np.array(row))


def test_refuses_no_bins():
    with pytest.raises(MonitorError, match=r"`bins` must be 1 or more. Received: 0"):
        CalibrationTally(0)
