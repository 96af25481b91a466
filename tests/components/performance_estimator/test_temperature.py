"""The temperature that made the probabilities is found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.performance_estimator.temperature import fit_temperature, logits, softmax


def sample(seed, count, temperature):
    rng = np.random.default_rng(seed)
    values = 3 * rng.normal(size=(count, 6))
    chances = softmax(values / temperature)
    return values, (chances.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_recovers_the_temperature(temperature):
    values, labels = sample(0, 20_000, temperature)
    assert fit_temperature(values, labels) == pytest.approx(temperature, rel=0.05)
    assert fit_temperature(logits(softmax(values)), labels) == pytest.approx(temperature, rel=0.05)


@given(st.integers(0, 1000), st.integers(2, 60))
def test_no_temperature_nearby_has_a_smaller_loss(seed, count):
    values, labels = sample(seed, count, 1.0)
    found = fit_temperature(values, labels)

    def loss(temperature):
        return -np.log(softmax(values / temperature)[np.arange(count), labels]).mean()

    for factor in (0.99, 1.01):
        beyond = min(max(found * factor, 0.01), 100)
        assert loss(found) <= loss(beyond) + 1e-9


def test_a_model_that_never_errs_gets_the_coldest():
    values = 5 * np.eye(4)
    assert fit_temperature(values, np.arange(4)) == pytest.approx(0.01, rel=0.01)


def test_softmax_of_large_logits_is_finite():
    assert softmax(np.array([[1e4, -1e4]])).tolist() == [[1, 0]]
