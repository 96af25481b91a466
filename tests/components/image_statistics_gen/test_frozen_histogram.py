import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.image_spec import ImageSpec
from components.image_statistics_gen.frozen_histogram import Accumulator, FrozenFeature, quantiles, summarise
from components.image_statistics_gen.image_properties import property_names
from components.image_statistics_gen.property_edges import ANCHORS, image_features

FEATURE = FrozenFeature("x", tuple(np.linspace(-1, 1, 41).tolist()), bins_per_bucket=4)
VALUES = st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=80)


def accumulated(values, feature=FEATURE):
    found = Accumulator(feature)
    found.add(np.array(values, np.float32))
    return found


def test_a_summary_of_known_values():
    values = [-1.0, -0.99, 0.0, 0.0, 0.26, 1.0, math.nan]
    summary = summarise(FEATURE, accumulated(values))
    assert summary.count == 6
    assert summary.zeros == 2
    assert (summary.minimum, summary.maximum) == (-1, 1)
    assert summary.mean == pytest.approx(np.nanmean(values))
    assert summary.std_dev == pytest.approx(np.nanstd(values))
    filled = {(round(b.low, 6), round(b.high, 6)): b.count for b in summary.bins if b.count}
    assert filled == {(-1, -0.95): 2, (0, 0.05): 2, (0.25, 0.3): 1, (0.95, 1): 1}
    assert [b.count for b in summary.buckets] == [2, 0, 0, 0, 0, 2, 1, 0, 0, 1]
    assert summary.buckets[0].low == -1
    assert summary.buckets[-1].high == 1


def test_no_value_has_no_summary():
    assert summarise(FEATURE, accumulated([math.nan])) is None


def test_values_outside_the_edges_are_kept_in_the_outermost_bins():
    summary = summarise(FEATURE, accumulated([-7, 0.01, 3]))
    assert [summary.bins[0].count, summary.bins[-1].count] == [1, 1]
    assert (summary.minimum, summary.maximum) == (-7, 3)


@settings(max_examples=100)
@given(VALUES, st.lists(st.integers(0, 80), max_size=5))
def test_any_partition_merges_to_the_whole(values, cuts):
    array = np.array(values, np.float32)
    parts = [accumulated(part) for part in np.split(array, sorted(min(c, len(array)) for c in cuts))]
    merged = Accumulator(FEATURE)
    for part in reversed(parts):
        merged.merge(pickle.loads(pickle.dumps(part)))  # noqa: S301 - as Beam ships it between workers
    whole = accumulated(array)
    np.testing.assert_array_equal(merged.counts, whole.counts)
    assert (merged.count, merged.zeros) == (whole.count, whole.zeros)
    assert (merged.minimum, merged.maximum) == (whole.minimum, whole.maximum)
    assert merged.mean == pytest.approx(whole.mean, abs=1e-12)
    assert merged.residuals == pytest.approx(whole.residuals, abs=1e-10)
    assert whole.mean == pytest.approx(float(array.astype(np.float64).mean()), abs=1e-12)
    assert math.sqrt(whole.residuals / whole.count) == pytest.approx(float(array.astype(np.float64).std()), abs=1e-9)


def test_merging_leaves_the_other_one_alone():
    first, second = accumulated([0.1]), accumulated([0.2, 0.3])
    before = pickle.dumps([second.counts, second.mean, second.residuals])
    first.merge(second)
    first.add(np.array([0.2]))
    assert pickle.dumps([second.counts, second.mean, second.residuals]) == before


def test_a_constant_far_from_zero_has_no_spread():
    feature = FrozenFeature("x", (0.0, 1e6))
    found = accumulated([123456.7] * 999, feature)
    found.merge(accumulated([123456.7] * 7, feature))
    assert summarise(feature, found).std_dev == 0


@settings(max_examples=100)
@given(VALUES)
def test_quantiles_are_right_to_a_bin(values):
    array = np.array(values, np.float32).astype(np.float64)
    inside = array[(array >= -1) & (array <= 1)]
    if not inside.size:
        return
    shares = np.linspace(0, 1, 11)
    found = quantiles(accumulated(inside), shares)
    assert (np.diff(found) >= -1e-12).all()
    assert (found[0], found[-1]) == (inside.min(), inside.max())
    lower = np.quantile(inside, shares, method="inverted_cdf")
    upper = np.quantile(inside, shares, method="higher")
    assert (found >= lower - 0.05 - 1e-9).all()
    assert (found <= np.maximum(lower, upper) + 0.05 + 1e-9).all()


def test_quantile_buckets_share_the_values_out_evenly():
    summary = summarise(FEATURE, accumulated(np.random.default_rng(0).uniform(-1, 1, 5000)))
    assert sum(b.count for b in summary.quantiles) == pytest.approx(5000)
    assert {b.count for b in summary.quantiles} == {500}
    np.testing.assert_allclose([b.low for b in summary.quantiles], np.linspace(-1, 0.8, 10), atol=0.05)
    assert summary.median == pytest.approx(0, abs=0.05)


def test_quantiles_of_whole_numbers_are_whole():
    feature = FrozenFeature("x", (0.0, 0.5, 1.0), integer=True)
    assert summarise(feature, accumulated([0] * 9 + [1], feature)).median == 0
    assert summarise(feature, accumulated([0] + [1] * 9, feature)).median == 1


@pytest.mark.parametrize(
    ("edges", "per_bucket", "message"),
    [
        ((0.0,), 1, "`edges` must be finite and ascending"),
        ((0.0, 0.0, 1.0), 1, "`edges` must be finite and ascending"),
        ((0.0, math.inf), 1, "`edges` must be finite and ascending"),
        ((0.0, 1.0, 2.0, 3.0), 2, "`bins_per_bucket` must divide the 3 bins evenly. Received: 2"),
        ((0.0, 1.0), 0, "`bins_per_bucket` must divide"),
    ],
)
def test_edges_that_cannot_be_are_refused(edges, per_bucket, message):
    with pytest.raises(MonitorError, match=message):
        FrozenFeature("x", edges, per_bucket)


def test_every_property_has_edges_and_a_name_of_its_own():
    names = property_names(3, sizes_vary=True)
    assert set(names) == set(ANCHORS)
    features = image_features(ImageSpec(feature="photo", format="encoded", channels=3))
    assert [feature.name for feature in features.values()] == [f"image_{name}" for name in names]


def test_the_edges_are_frozen():
    """A changed edge makes new statistics incomparable with every baseline there is: change this number knowingly."""
    edges = [edge for name in sorted(ANCHORS) for edge in ANCHORS[name]]
    assert math.fsum((i + 1) * edge for i, edge in enumerate(edges)) == pytest.approx(FINGERPRINT, rel=1e-12)


FINGERPRINT = 79385775.45984925
