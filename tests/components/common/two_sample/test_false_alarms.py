"""The p-value that raises the alarm: what it promises given one reference, and how comparisons are put together."""

import numpy as np
import pytest
from scipy import stats

from components.common.errors import MonitorError
from components.common.two_sample.false_alarms import (
    GUARANTEED_FACTOR,
    least_permutations,
    needs_more_permutations,
    p_value_threshold,
    require_rate,
    together,
)

RATIOS = [0.01, 0.05, 0.15, 0.5, 1.0, 1.5, 3.0, 10.0]


def rates(columns: int, ratio: float, level: float, references: np.ndarray) -> np.ndarray:
    """The exact rates of T2 of so many independent columns, given references from usual (0) to unusual (1).

    A reference's sampling error is chi-squared; windows against it are non-central chi-squared, in units of 1 / n.
    """
    critical = (1 + ratio) * stats.chi2.isf(level, columns)
    return stats.ncx2.sf(critical, columns, ratio * stats.chi2.ppf(references, columns))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("rate", [0.005, 0.01, 0.05])
def test_the_rate_holds_given_the_worst_twentieth_of_references(rate, ratio):
    threshold = p_value_threshold(rate, round(1000 * ratio), 1000)
    held = [rates(columns, ratio, threshold, np.array(0.95)) for columns in (10, 50, 200, 1000)]
    assert max(held) <= 1.01 * GUARANTEED_FACTOR * rate
    if rate > threshold > p_value_threshold(rate, 100_000, 1000):  # no more is given away than need be
        assert max(held) >= 0.95 * GUARANTEED_FACTOR * rate


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_without_it_the_rate_does_not_hold(ratio):
    plain = rates(50, ratio, 0.01, (np.arange(2000) + 0.5) / 2000)
    assert plain.mean() == pytest.approx(0.01, rel=0.02)  # exact over references
    assert np.quantile(plain, 0.95) > 2.5 * 0.01


def test_the_threshold_is_the_rate_itself_for_small_windows_and_depends_on_the_ratio_alone():
    assert p_value_threshold(0.01, 20, 2000) == 0.01
    assert p_value_threshold(0.01, 300, 200) == p_value_threshold(0.01, 3000, 2000)
    assert all(0 < p_value_threshold(0.5, n, 300) <= 0.5 for n in (1, 300, 10_000))


def test_the_threshold_never_rises_with_the_window():
    thresholds = [p_value_threshold(0.01, n, 500) for n in range(10, 10_000, 100)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[-1] == pytest.approx(0.0033, abs=1e-4)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.5])
def test_permutations_are_enough_for_the_smallest_threshold(rate):
    least = least_permutations(rate)
    assert all(1 / (least + 1) <= p_value_threshold(rate / 2, round(1000 * ratio), 1000) * 1.001 for ratio in RATIOS)
    require_rate(rate, least)
    with pytest.raises(MonitorError, match=f"`permutations` must be at least {least} for a rate of"):
        require_rate(rate, least - 1)


def test_comparisons_together_alarm_exactly_where_one_does():
    rng = np.random.default_rng(0)
    for _ in range(500):
        found = [(float(rng.uniform(0, 0.02)), limit) for limit in (0.0017, 0.005)]
        p_value, threshold = together(found)
        assert threshold == pytest.approx(0.0067)
        assert (p_value <= threshold) == any(p <= limit for p, limit in found)
    assert together([(0.3, 0.004)]) == (0.3, 0.004)
    assert together([(0.9, 0.004), (0.8, 0.001)])[0] == 1.0


def test_the_p_value_of_both_is_one():
    """Under the null no p-value is below x more often than x, however unequal the thresholds."""
    p_values = np.random.default_rng(1).random((20_000, 2))
    both = np.array([together([(a, 0.001), (b, 0.005)])[0] for a, b in p_values])
    for level in (0.006, 0.05, 0.3):
        assert np.mean(both <= level) <= level + 3 * np.sqrt(level / len(both))


@pytest.mark.parametrize(
    ("p_value", "limit", "more"),
    [(0.0005, 0.0002, True), (0.0025, 0.0002, True), (0.003, 0.0002, False), (0.0005, 0.01, False)],
)
def test_only_unusual_windows_are_compared_again(p_value, limit, more):
    """And none where the first look resolves the limit: ten of its steps fit below."""
    assert needs_more_permutations(p_value, 1999, limit) is more
