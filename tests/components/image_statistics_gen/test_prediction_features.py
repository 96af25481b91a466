import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from components.common.certainty import entropy_bits
from components.image_statistics_gen.prediction_features import compute, feature_names
from components.image_statistics_gen.scores import table_of

RNG = np.random.default_rng(21)
NAN = math.nan


def softmax(logits):
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


def nothing(count):
    return np.zeros((count, 0), np.float32)


LOGITS = arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 40)), elements=st.floats(-50, 50))


@given(LOGITS)
def test_every_feature_is_what_its_formula_says(logits):
    rows = softmax(logits)
    found = compute(rows, nothing(len(rows)))
    assert not found.corrupt.any()
    for number, row in enumerate(rows.tolist()):
        largest, second = sorted(row, reverse=True)[:2]
        bits = math.fsum(-p * math.log2(p) for p in row if p > 0)
        assert found.numbers["confidence"][number] == np.float32(largest)
        assert found.numbers["margin"][number] == pytest.approx(largest - second, abs=1e-7)
        assert found.numbers["entropy"][number] == pytest.approx(bits, abs=1e-5)
        assert found.numbers["entropy"][number] >= 0
        assert found.classes[number] == row.index(largest)


def test_names_values_and_classes_of_known_rows():
    rows = np.array([[0.5, 0.25, 0.25], [0, 0, 1], [0.25, 0.5, 0.25]], np.float32)
    embedding = np.array([[1, 2], [3, math.inf], [NAN, 0]], np.float32)
    found = compute(rows, embedding)
    assert tuple(found.numbers) == feature_names(3, 2)
    assert found.numbers["confidence"].tolist() == [0.5, 1, 0.5]
    assert found.numbers["entropy"].tolist() == [1.5, 0, 1.5]
    assert found.numbers["margin"].tolist() == [0.25, 1, 0.25]
    assert found.numbers["probability_02"].tolist() == [0.25, 1, 0.25]
    np.testing.assert_array_equal(found.numbers["embedding_00"], np.array([1, NAN, NAN], np.float32))
    np.testing.assert_array_equal(found.numbers["embedding_01"], np.array([2, NAN, NAN], np.float32))
    assert found.classes.tolist() == [0, 2, 1]
    assert not np.signbit(found.numbers["entropy"]).any()


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        ([0.5, 0.5, 0], True),
        ([0.335, 0.335, 0.339], True),
        ([0.35, 0.35, 0.35], False),
        ([0.3, 0.3, 0.3], False),
        ([0, 0, 0], False),
        ([1.1, -0.1, 0], False),
        ([NAN, 0.5, 0.5], False),
        ([math.inf, 0, 0], False),
        ([math.inf, -math.inf, 1], False),
        ([NAN, NAN, NAN], False),
        ([3e38, 3e38, 0], False),
    ],
)
def test_what_counts_as_probabilities(row, fits):
    rows = np.array([row, [0.25, 0.25, 0.5]], np.float32)
    found = compute(rows, nothing(2))
    assert found.corrupt.tolist() == [not fits, False]
    assert (found.classes[0] == -1) == (not fits)
    for name, values in found.numbers.items():
        assert np.isnan(values[0]) == (not fits), name
        assert np.isfinite(values[1]), name
    assert np.isnan(found.probabilities[0]).all() == (not fits)


@pytest.mark.parametrize("classes", [2, 10, 1000, 20_000])
def test_half_precision_is_no_corruption(classes):
    rows = softmax(RNG.normal(0, 3, (50, classes))).astype(np.float16).astype(np.float32)
    assert not compute(rows, nothing(50)).corrupt.any()


def test_corrupt_probabilities_and_embeddings_are_missing_each_for_itself():
    rows = np.array([[NAN, NAN], [0.5, 0.5]], np.float32)
    found = compute(rows, np.array([[1.0], [NAN]], np.float32))
    assert found.corrupt.tolist() == [True, False]
    np.testing.assert_array_equal(found.numbers["embedding_00"], np.array([1, NAN], np.float32))


def test_a_row_does_not_depend_on_its_neighbours():
    rows, embedding = softmax(RNG.normal(0, 5, (300, 10))), RNG.normal(size=(300, 3)).astype(np.float32)
    whole = compute(rows, embedding)
    for part in (slice(0, 1), slice(17, 18), slice(5, 299)):
        found = compute(rows[part], embedding[part])
        for name, values in found.numbers.items():
            np.testing.assert_array_equal(values, whole.numbers[name][part])
    again = compute(np.asfortranarray(rows), np.asfortranarray(embedding))
    for name, values in again.numbers.items():
        np.testing.assert_array_equal(values, whole.numbers[name])


def test_probabilities_of_many_classes_are_no_features():
    assert len(feature_names(32, 0)) == 3 + 32
    assert feature_names(33, 16)[3:] == tuple(f"embedding_{d:02}" for d in range(16))
    found = compute(softmax(RNG.normal(size=(4, 33))), nothing(4))
    assert tuple(found.numbers) == ("confidence", "entropy", "margin")


def test_entropy_reaches_the_logarithm_of_the_number_of_classes():
    assert entropy_bits(np.full((1, 1024), 1 / 1024, np.float32)).tolist() == [10]
    assert np.isnan(entropy_bits(np.full((1, 3), NAN, np.float32))).all()


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), max_size=5), max_size=8), st.integers(0, 5))
def test_table_of_lists(lists, width):
    values = np.array([value for row in lists for value in row], np.float32)
    found = table_of(np.array([len(row) for row in lists], np.int64), values, width)
    assert found.shape == (len(lists), width)
    for row, listed in zip(found, lists, strict=True):
        np.testing.assert_array_equal(row, listed if len(listed) == width else np.full(width, NAN, np.float32))
