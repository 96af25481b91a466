"""What the benchmark computes by itself agrees with the libraries that it stands in for."""

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp

from benchmarks.detection.kolmogorov_smirnov import SortedReference
from benchmarks.detection.rates import binomial_cdf, interval
from benchmarks.detection.summary import Rate
from benchmarks.detection.thresholds import recalibrated


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 7), (97, 2000), (13, 200)])
def test_intervals_are_those_of_clopper_and_pearson(successes, trials):
    exact = binomtest(successes, trials).proportion_ci(method="exact")
    assert interval(successes, trials) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_binomial_chances_at_the_ends(rate):
    assert binomial_cdf(5, 5, rate) == pytest.approx(1)
    assert binomial_cdf(0, 5, rate) == pytest.approx((1 - rate) ** 5)


@pytest.mark.parametrize(("first", "second"), [(1000, 100), (50, 50), (3000, 10), (10, 400)])
@pytest.mark.parametrize("decimals", [1, 6])
def test_kolmogorov_smirnov_is_scipys(first, second, decimals):
    rng = np.random.default_rng(first + second)
    reference = np.round(rng.normal(size=(first, 4)), decimals).astype(np.float32)
    window = np.round(rng.normal(0.1, 1, (second, 4)), decimals).astype(np.float32)
    # as float64: newer SciPy gives statistics in the type of the samples
    found = [ks_2samp(reference[:, i].astype(float), window[:, i].astype(float), method="asymp") for i in range(4)]
    ours = SortedReference(reference)
    np.testing.assert_allclose(ours.statistics(window), [each.statistic for each in found], atol=1e-12)
    assert ours.smallest_p_value(window) == pytest.approx(min(each.pvalue for each in found), abs=1e-12)


def test_a_recalibrated_threshold_is_exceeded_by_five_percent_of_new_null_scores():
    rng = np.random.default_rng(0)
    exceeded = [rng.normal() > recalibrated(rng.normal(size=399).tolist()) for _ in range(4000)]
    assert np.mean(exceeded) == pytest.approx(0.05, abs=0.012)


def test_too_few_null_scores_give_no_threshold_that_can_be_exceeded():
    assert recalibrated([1.0] * 18) == float("inf")


def test_a_rate_is_printed_in_percent():
    assert Rate(5, 100).with_interval() == "5.00 % (1.64 to 11.28)"
