from statistics import NormalDist

import numpy as np
import pytest

from components.common.two_sample.columns import clipped, indicators, normal_scores, products, standardised

NAN = np.nan


def test_standardised_columns_have_mean_0_and_variance_1_or_are_0():
    columns = np.array([[1.0, 5.0, 1e7], [2.0, 5.0, 1e7 + 2], [6.0, 5.0, 1e7 + 1]])
    found = standardised(columns)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.var(axis=0), [1, 0, 1], atol=1e-6)


def test_normal_scores_are_the_quantiles_of_the_ranks():
    found = normal_scores(np.array([[7.0], [-3.0], [1e6], [0.0]], np.float32))[:, 0]
    expected = [NormalDist().inv_cdf(share) for share in (0.625, 0.125, 0.875, 0.375)]
    np.testing.assert_allclose(found, expected)


def test_equal_values_have_equal_scores_whatever_their_order():
    values = np.array([2, 1, 2, 3, 1, 2], np.float32)[:, None]
    found = normal_scores(values)[:, 0]
    assert found[0] == found[2] == found[5]
    assert found[1] == found[4]
    assert found.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(normal_scores(values[::-1])[::-1, 0], found)


def test_missing_values_have_no_score_and_an_indicator_of_their_own():
    values = np.array([[1, NAN, NAN], [2, 4, NAN], [3, 5, NAN], [4, 6, NAN]], np.float32)
    scores = normal_scores(values)
    assert scores[0, 1] == 0
    assert (scores[:, 2] == 0).all()
    assert clipped(values)[0, 1] == pytest.approx(0)
    found = indicators(values, np.array([0, 0, 1, 1]))
    assert found.shape == (4, 3)  # the second feature, and two classes; the third feature is missing throughout
    assert found[0, 0] > found[1, 0]


def test_of_many_classes_the_most_frequent_have_a_column():
    codes = np.concatenate([np.arange(40), np.full(60, 39), [-1]])
    found = indicators(np.zeros((101, 1), np.float32), codes)
    assert found.shape == (101, 32)
    assert (found[:, -1] > 0).sum() == 61
    assert (found[100] < 0).all()


def test_far_values_are_cut_off_and_infinite_ones_too():
    values = np.concatenate([np.linspace(-1, 1, 99), [1e30]]).astype(np.float32)[:, None]
    assert clipped(values).max() == 4
    assert clipped(np.where(values > 2, np.inf, values)).max() == 4


def test_products_are_squares_and_products_of_components():
    rng = np.random.default_rng(0)
    columns = standardised(rng.normal(size=(500, 3)))
    found = products(columns)
    assert found.shape == (500, 6)
    centred = found - found.mean(axis=0)
    assert np.linalg.matrix_rank(centred) == 6
    assert products(np.zeros((5, 2))).shape == (5, 0)
