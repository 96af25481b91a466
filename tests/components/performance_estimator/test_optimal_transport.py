"""The dual against the assignment problem itself, solved by SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from components.performance_estimator.optimal_transport import class_prices, dual_terms, dual_value, kept_probability
from components.performance_estimator.temperature import softmax


def best_assignment(probabilities, counts):
    """The largest mean probability when class j takes counts[j] examples."""
    columns = np.repeat(np.arange(len(counts)), counts)
    rows, chosen = linear_sum_assignment(-probabilities[:, columns])
    return probabilities[rows, columns[chosen]].mean()


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 6), st.sampled_from([0.3, 2.0, 20.0]))
def test_the_dual_is_the_best_assignment(seed, per_class, classes, strength):
    rng = np.random.default_rng(seed)
    count = per_class * classes
    probabilities = softmax(strength * rng.normal(size=(count, classes)))
    counts = rng.multinomial(count, np.full(classes, 1 / classes))
    shares = counts / count
    prices = class_prices(probabilities, shares)
    found = dual_value(dual_terms(probabilities, prices), shares, prices)
    best = best_assignment(probabilities, counts)
    assert best - 1e-9 <= found <= best + 2e-3


def test_the_examples_fill_the_shares():
    rng = np.random.default_rng(0)
    probabilities = softmax(2 * rng.normal(size=(5000, 4)))
    shares = np.array([0.7, 0.2, 0.1, 0.0])
    prices = class_prices(probabilities, shares)
    taken = np.bincount(np.argmax(probabilities - prices, axis=1), minlength=4) / 5000
    assert taken == pytest.approx(shares, abs=1e-3)
    assert kept_probability(probabilities, prices).mean() < probabilities.max(axis=1).mean()


def test_nothing_moves_where_the_shares_are_right():
    corners = np.eye(3)[[0, 0, 1, 2]]
    prices = class_prices(corners, np.array([0.5, 0.25, 0.25]))
    assert kept_probability(corners, prices).tolist() == [1, 1, 1, 1]
