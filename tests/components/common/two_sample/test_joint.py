import numpy as np
import pytest

from components.common.two_sample.combination import combine
from components.common.two_sample.joint import (
    INTERACTION,
    LOCATION,
    SPREAD,
    hotelling,
    joint_statistics,
    name_parts,
    residuals,
)
from components.common.two_sample.permutations import draw

P = 6
NAMES = [f"{word}_{i}" for word in ("image", "prediction") for i in range(P // 2)]


def p_values(window, reference, names=NAMES):
    values = np.concatenate([window, reference]).astype(np.float32)
    splits = draw(len(window), len(values), 199, np.random.default_rng(0))
    groups = joint_statistics(names, values, None, splits)
    return {group.name: combine([group], 0.05).p_value for group in groups}


def correlated(rng, rows):
    shared = rng.normal(size=(rows, 1))
    return 0.95 * shared + 0.3 * rng.normal(size=(rows, P))


def test_t2_is_the_squared_mahalanobis_distance_of_the_means():
    rng = np.random.default_rng(1)
    columns = correlated(rng, 4000)
    columns -= columns.mean(axis=0)
    gap = columns[:40].mean(axis=0) - columns[40:].mean(axis=0)
    precision = np.linalg.inv(columns.T @ columns / 4000 + 0.5 * np.eye(P))
    assert hotelling(columns, gap[None], 0.5)[0] == pytest.approx(gap @ precision @ gap)


def test_residuals_are_what_the_other_columns_do_not_explain():
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(5000, 3))
    columns[:, 2] = columns[:, 0] + columns[:, 1] + 0.1 * rng.normal(size=5000)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    columns[7, 2] += 1.0  # nothing out of the ordinary by itself
    assert np.abs(residuals(columns)[:, 2]).argmax() == 7


def test_each_test_finds_what_it_is_for():
    rng = np.random.default_rng(3)
    reference = correlated(rng, 600)
    moved = correlated(rng, 60) + np.where(np.arange(P) == 0, 0.3, 0)  # a third of its spread, against its neighbours
    assert p_values(moved, reference)[LOCATION] <= 0.01
    spread = correlated(rng, 60)
    spread[:5, 2] += [1.5, -1.5, 1.5, -1.5, 1.5]
    found = p_values(spread, reference)
    assert found[SPREAD] <= 0.01 < found[LOCATION]
    turned = correlated(rng, 60) * np.where(np.arange(P) < 3, 1, -1)  # the same columns, but of opposite signs
    assert p_values(turned, reference)[INTERACTION] <= 0.01


def test_parts_by_the_first_word():
    assert name_parts(NAMES) == {"image": [0, 1, 2], "prediction": [3, 4, 5]}
    assert name_parts(["a_1", "a_2"]) == {}
    assert name_parts(["a", "b", "c"]) == {}


@pytest.mark.parametrize("rows", [2, 3, 12])
def test_fewer_rows_than_columns(rows):
    rng = np.random.default_rng(4)
    found = p_values(rng.normal(size=(1, P)), rng.normal(size=(rows - 1, P)))
    assert all(0 < p_value <= 1 for p_value in found.values())


def test_columns_that_say_the_same_and_columns_that_say_nothing():
    rng = np.random.default_rng(5)
    column = rng.normal(size=(100, 1))
    values = np.concatenate([column, column, -column, np.ones((100, 1)), np.full((100, 1), np.nan), column], axis=1)
    assert all(0 < p_value <= 1 for p_value in p_values(values[:20], values[20:]).values())
