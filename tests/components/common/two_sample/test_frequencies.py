import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.two_sample.frequencies import (
    BinnedFeature,
    class_codes,
    class_distances,
    feature_distances,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
)
from components.common.two_sample.permutations import draw

COUNTS = st.lists(st.integers(0, 30), min_size=5, max_size=5)


def line(*counts):
    return np.array([counts])


@pytest.mark.parametrize(
    ("distance", "first", "second", "expected"),
    [
        (jensen_shannon, (5, 5), (1, 1), 0.0),
        (jensen_shannon, (7, 0), (0, 2), 1.0),
        (
            jensen_shannon,
            (1, 1),
            (2, 0),
            0.5 * (0.5 * math.log2(2 / 3) + 0.5) + 0.5 * (0.5 * math.log2(2) + math.log2(4 / 3) - 0.5),
        ),
        (kolmogorov_smirnov, (1, 1, 2), (2, 1, 1), 0.25),
        (kolmogorov_smirnov, (9, 0), (0, 1), 1.0),
        (l_infinity, (1, 1, 2), (0, 2, 2), 0.25),
        (jensen_shannon, (0, 0), (3, 1), 1.0),
        (kolmogorov_smirnov, (1, 3), (0, 0), 1.0),
        (l_infinity, (0, 0), (0, 1), 1.0),
        (jensen_shannon, (0, 0), (0, 0), 0.0),
        (kolmogorov_smirnov, (0, 0), (0, 0), 0.0),
    ],
)
def test_distances_of_known_counts(distance, first, second, expected):
    assert distance(line(*first), line(*second))[0] == pytest.approx(expected, abs=1e-12)


@given(COUNTS, COUNTS)
def test_distances_are_symmetric_and_lie_between_0_and_1(first, second):
    for distance in (jensen_shannon, kolmogorov_smirnov, l_infinity):
        forth, back = distance(line(*first), line(*second))[0], distance(line(*second), line(*first))[0]
        assert 0 <= forth <= 1
        assert forth == pytest.approx(back, abs=1e-12)
        assert distance(line(*first), line(*first))[0] == 0


def test_bins_take_in_what_lies_outside_and_set_missing_values_apart():
    values = np.array([-9, 0, 0.49, 0.5, 1, 7, np.nan], np.float32)
    assert BinnedFeature.of(values, (0.0, 0.5, 1.0), 1).codes.tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_feature_distances_are_those_of_histograms():
    rng = np.random.default_rng(0)
    values = rng.normal(size=60).astype(np.float32)
    values[::7] = np.nan
    edges = np.linspace(-2, 2, 21)
    splits = draw(20, 60, 10, rng)
    ((coarse, fine),) = feature_distances([BinnedFeature.of(values, tuple(edges), 5)], splits, fine=True)
    for drawn, js, ks in zip(splits.drawn, coarse, fine, strict=True):
        inside = np.isin(np.arange(60), drawn)
        sides = [np.clip(values[s & ~np.isnan(values)], -2, 2) for s in (inside, ~inside)]
        fine_counts = [np.histogram(side, edges)[0][None] for side in sides]
        coarse_counts = [np.histogram(side, edges[::5])[0][None] for side in sides]
        assert js == pytest.approx(jensen_shannon(*coarse_counts)[0], abs=1e-12)
        assert ks == pytest.approx(kolmogorov_smirnov(*fine_counts)[0], abs=1e-12)
    ((again, nothing),) = feature_distances([BinnedFeature.of(values, tuple(edges), 5)], splits, fine=False)
    np.testing.assert_allclose(again, coarse, atol=1e-12)
    assert nothing is None


@pytest.mark.parametrize("missing", [0, 5, 60])
def test_distances_of_splits_are_those_of_their_counts_to_the_last_digit(missing):
    """Whole numbers and tables of what a bucket adds, where no value is missing, against the plain formulas."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=60).astype(np.float32)
    values[rng.permutation(60)[:missing]] = np.nan
    splits = draw(20, 60, 30, rng)
    binned = BinnedFeature.of(values, tuple(np.linspace(-2, 2, 21)), 5)
    ((coarse, fine),) = feature_distances([binned], splits, fine=True)
    (counted,) = splits.counts([binned.codes], [21])
    first = counted[:20].T.astype(np.int64)
    second = np.bincount(binned.codes, minlength=21)[:20] - first
    in_buckets = [side.reshape(31, 4, 5).sum(axis=2) for side in (first, second)]
    np.testing.assert_array_equal(coarse, jensen_shannon(*in_buckets))
    np.testing.assert_allclose(fine, kolmogorov_smirnov(first, second), rtol=0, atol=1e-15)


def test_a_missing_class_has_no_share():
    classes = np.array([-1, -1, 3, 3, 7, 7, 7, 3])
    assert class_codes(classes).tolist() == [-1, -1, 0, 0, 1, 1, 1, 0]
    splits = draw(5, 8, 1, np.random.default_rng(0))
    # 2 of 3 against 1 of 3; with the missing ones counted it would be 0.4
    assert class_distances(class_codes(classes), splits)[0] == pytest.approx(1 / 3)


def test_missing_classes_alone_are_no_difference():
    splits = draw(2, 5, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(class_distances(class_codes(np.full(5, -1)), splits), 0)
