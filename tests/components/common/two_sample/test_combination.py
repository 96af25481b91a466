import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.two_sample.combination import Group, Tail, combine


def group(columns, name="some", power=1.0):
    made = Group(name)
    for i, values in enumerate(np.asarray(columns, np.float64).T):
        made.add(f"f{i}", name, values, power=power, rate=1.0)
    return made


VALUES = st.integers(2, 6).flatmap(
    lambda columns: st.lists(st.lists(st.integers(0, 9), min_size=columns, max_size=columns), min_size=12, max_size=60)
)


@settings(max_examples=150)
@given(VALUES, st.sampled_from([0.02, 0.05, 0.1, 0.3]), st.booleans())
def test_the_alarm_is_the_p_value_and_is_some_threshold(values, rate, two_groups):
    array = np.array(values, np.float64)
    groups = [group(array[:, :1]), group(array[:, 1:], "other", 1 / 3)] if two_groups else [group(array)]
    found = combine(groups, rate)
    assert found.alarm == (found.p_value <= rate)
    assert found.alarm == any(check.measured > check.threshold for check in found.checks)
    assert min(check.adjusted_p_value for check in found.checks) == found.p_value
    for check in found.checks:
        assert check.p_value <= check.adjusted_p_value + 1e-12 or check.column.values.std() == 0
        assert (check.measured > check.threshold) == (check.adjusted_p_value <= rate)


def test_of_one_column_the_p_value_is_its_rank():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 1)) + 10
    for observed in range(100):
        values[[0, observed]] = values[[observed, 0]]
        expected = (values[:, 0] >= values[0, 0]).sum() / 100
        assert combine([group(values)], 0.05).p_value == pytest.approx(expected)


def test_ties_count_against_the_alarm():
    assert combine([group(np.ones((200, 2)))], 0.05).p_value == 1
    values = np.zeros((200, 1))
    values[:20] = 1  # the observed split and 19 others
    assert combine([group(values)], 0.05).p_value == pytest.approx(0.1)


def test_the_threshold_of_one_column_is_its_critical_value():
    values = np.arange(100.0)[:, None]  # observed: 0; five of a hundred may reach the threshold
    (check,) = combine([group(values)], 0.05).checks
    assert check.threshold == pytest.approx(95, abs=1e-3)


def test_too_few_splits_for_the_rate_never_alarm():
    values = np.zeros((50, 1))
    values[0] = 1
    found = combine([group(values)], 0.01)
    assert not found.alarm
    assert found.p_value == pytest.approx(0.02)
    assert found.checks[0].threshold >= 1


def test_where_splits_are_too_few_the_threshold_is_extrapolated():
    """Of exponential values to one in ten thousand from one in a thousand."""
    values = np.random.default_rng(0).exponential(size=(1000, 1))
    values[0] = 1.0
    (check,) = combine([group(values)], 1e-4).checks
    assert check.threshold == pytest.approx(-math.log(1e-4), rel=0.2)


def test_far_beyond_all_splits_wins_over_several_groups_with_few_splits():
    rng = np.random.default_rng(1)
    groups = [group(rng.normal(size=(200, 3)) ** 2, f"g{i}") for i in range(8)]
    groups[3].columns[1].values[0] = 1000.0
    found = combine(groups, 0.01)
    assert found.p_value == pytest.approx(1 / 200)
    best = max(found.checks, key=lambda check: check.excess)
    assert (best.column.test, best.column.feature) == ("g3", "f1")


@pytest.mark.parametrize("groups", [1, 3])
def test_under_exchangeability_the_p_value_is_uniform(groups):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        shared = rng.gamma(1.0, size=(100, 1))
        parts = [group(shared + rng.gamma(k + 1.0, size=(100, 4)), f"g{k}", 1 / 3) for k in range(groups)]
        found.append(combine(parts, 0.05).p_value)
    for rate in (0.05, 0.2, 0.5):
        assert abs(np.mean(np.array(found) <= rate) - rate) < 4 * np.sqrt(rate * (1 - rate) / 400)


def test_the_tail_is_monotone_and_its_inverse_undoes_it():
    rng = np.random.default_rng(3)
    tail = Tail(rng.gumbel(size=500))
    grid = np.linspace(-2, 30, 400)
    scores = tail.score(grid)
    assert (np.diff(scores) >= 0).all()
    for value in (0.5, 2.0, 5.0, 25.0):
        assert tail.value(float(tail.score(np.array([value]))[0])) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_statistic_that_is_no_number_is_refused_and_never_within_its_threshold(value):
    with pytest.raises(MonitorError, match=r"must be finite: NaN is above no threshold.* Received: \('x', 'ks'\)"):
        Group("g").add("x", "ks", np.array([value, 0.1, 0.2]), power=1, rate=1)
