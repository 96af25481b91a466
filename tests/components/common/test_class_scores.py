"""Scores become probabilities in one place, and one rule says what counts as such."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from components.common.class_scores import (
    SUM_TOLERANCE,
    Kind,
    ScoreCounts,
    are_probabilities,
    disagreeing,
    looks_like_logits,
    probabilities_of,
    sorted_unlike,
    why_none,
)
from components.common.errors import MonitorError


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.25, 0.75], True),
        ([1.0, 0.0], True),
        ([1.0, -0.0], True),
        ([0.5, 0.5 + SUM_TOLERANCE * 0.99], True),
        ([0.5, 0.5 - SUM_TOLERANCE * 0.99], True),
        ([0.5, 0.5 + SUM_TOLERANCE * 1.01], False),
        ([0.5, 0.5 - SUM_TOLERANCE * 1.01], False),
        ([1 + 1e-6, -1e-6], False),
        ([2.0, -1.0], False),
        ([0.0, 0.0], False),
        ([np.nan, 1.0], False),
        ([np.nan, np.nan], False),
        ([np.inf, 0.0], False),
        ([np.inf, -np.inf], False),
        ([1e308, 1e308], False),
    ],
)
def test_one_rule_says_what_probabilities_are(row, expected):
    assert are_probabilities(np.array([row])).tolist() == [expected]


def bfloat16(values):
    """Rounded to the nearest number of 8 bits, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("classes", [2, 10, 100, 1_000])
def test_half_precision_stays_a_distribution_wherever_it_was_rounded(classes):
    logits = np.random.default_rng(0).normal(0, 3, (2_000, classes)).astype(np.float32)
    exponentials = bfloat16(np.exp(logits - logits.max(1, keepdims=True)))
    coarse = bfloat16(exponentials / bfloat16(exponentials.sum(1, keepdims=True)))
    exact = probabilities_of(logits, Kind.LOGITS, classes)
    for rows in (coarse, bfloat16(exact), exact.astype(np.float16), exact):
        assert are_probabilities(rows).all()


def test_a_row_is_judged_alike_in_every_memory_layout_and_batch():
    rows = np.random.default_rng(1).dirichlet(np.ones(1_000), 50)
    rows[:, 0] += np.linspace(-0.011, 0.011, 50).clip(-rows[:, 0])
    expected = np.concatenate([are_probabilities(row[None]) for row in rows])
    assert (are_probabilities(np.asfortranarray(rows)) == expected).all()
    assert (are_probabilities(rows[::-1])[::-1] == expected).all()
    assert 0 < expected.sum() < 50


@given(arrays.arrays(np.float64, (5, 7), elements=st.floats(-1e300, 1e300)))
def test_any_finite_logits_become_probabilities_in_the_same_order(logits):
    rows = probabilities_of(logits, "logits", 7)
    assert rows.dtype == np.float32
    assert are_probabilities(rows).all()
    assert (rows.max(axis=1) == rows[np.arange(5), logits.argmax(axis=1)]).all()


def test_softmax_is_the_textbook_one_and_shifts_change_nothing():
    logits = np.random.default_rng(2).normal(0, 5, (100, 10))
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert probabilities_of(logits, "logits", 10) == pytest.approx(expected, abs=1e-7)
    assert probabilities_of(logits + 1e4, "logits", 10) == pytest.approx(expected, abs=1e-7)


def test_an_infinite_logit_rules_a_class_out_or_spoils_the_row():
    logits = np.array([[0, 0, -np.inf], [-np.inf] * 3, [np.inf, 0, 0], [np.nan, 0, 0]])
    rows = probabilities_of(logits, "logits", 3)
    assert rows[0].tolist() == [0.5, 0.5, 0]
    assert are_probabilities(rows).tolist() == [True, False, False, False]


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_sigmoid_is_the_second_of_two_classes(shape):
    scores = np.array([0, 0.25, 1], np.float32).reshape(shape)
    assert probabilities_of(scores, "sigmoid", 2).tolist() == [[1, 0], [0.75, 0.25], [0, 1]]


@pytest.mark.parametrize("value", [-0.1, 1.2, np.nan, np.inf, 1 + 1e-6])
def test_a_sigmoid_outside_of_0_to_1_is_no_probability(value):
    assert not are_probabilities(probabilities_of(np.array([value]), "sigmoid", 2)).any()


def test_the_logit_of_two_classes_may_come_as_one():
    rows = probabilities_of(np.array([[0.0], [2.0], [-800.0], [800.0]]), "logits", 2)
    assert rows[:, 1] == pytest.approx([0.5, 1 / (1 + np.exp(-2)), 0, 1])
    assert are_probabilities(rows).all()


@pytest.mark.parametrize(
    ("shape", "kind", "classes", "expected"),
    [
        ((4, 3), "probabilities", 10, r"of kind probabilities must have the shape \[batch, 10\]. Received: \[4, 3\]$"),
        ((4,), "probabilities", 10, r"Received: \[4\]$"),
        ((4, 2, 5), "probabilities", 10, r"Received: \[4, 2, 5\]$"),
        ((4, 1), "probabilities", 2, r"shape \[batch, 2\]. Received: \[4, 1\]. One score .* say `kind: sigmoid`"),
        ((4,), "probabilities", 2, "say `kind: sigmoid`"),
        ((4, 3), "logits", 10, r"of kind logits must have the shape \[batch, 10\]"),
        ((4, 3), "logits", 2, r"shape \[batch, 2\], \[batch\] or \[batch, 1\]. Received: \[4, 3\]"),
        ((4, 1), "logits", 3, r"shape \[batch, 3\]. Received: \[4, 1\]$"),
        ((4, 2), "sigmoid", 2, r"\[batch\] or \[batch, 1\]. Received: \[4, 2\]. Two scores .* `kind: probabilities`"),
        ((4, 3), "sigmoid", 2, r"\[batch\] or \[batch, 1\]. Received: \[4, 3\]$"),
        ((4, 1), "sigmoid", 3, "probability of one of two classes, not of 3"),
        ((), "sigmoid", 2, r"Received: \[\]"),
        ((4, 2), "logit", 2, r"`kind` must be one of .* \(did you mean 'logits'\?\)"),
    ],
)
def test_a_wrong_shape_or_kind_says_what_was_wanted_and_what_came(shape, kind, classes, expected):
    with pytest.raises(MonitorError, match=expected):
        probabilities_of(np.zeros(shape), kind, classes)


def test_probabilities_stay_as_they_are():
    rows = np.array([[0.3, 0.7], [5, -4], [np.nan, 0]], np.float32)
    assert probabilities_of(rows, Kind.PROBABILITIES, 2) is rows


LOGITS = np.random.default_rng(3).normal(0, 4, (100, 10))
SOFTMAX = np.random.default_rng(3).dirichlet(np.ones(10), 100)
SEVERAL = np.random.default_rng(3).uniform(0, 1, (100, 10))
ONE = np.random.default_rng(3).uniform(0, 1, (100, 1))


@pytest.mark.parametrize(
    ("scores", "kind", "expected"),
    [
        (SOFTMAX, "probabilities", ""),
        (LOGITS, "logits", ""),
        (ONE, "sigmoid", ""),
        (LOGITS[:, :1], "logits", ""),
        (ONE[:19], "logits", ""),
        (np.zeros((0, 10)), "probabilities", ""),
        (np.full((5, 10), np.nan), "probabilities", ""),
        (LOGITS, "probabilities", "(100 of 100 rows have scores outside 0..1); say `kind: logits`"),
        (SEVERAL, "probabilities", "independent scores of several labels (100 of 100 rows do not add up to 1)"),
        (SOFTMAX, "logits", "these are probabilities already (100 of 100 rows add up to 1); say `kind: probabilities`"),
        (ONE, "logits", "these look like a sigmoid's output (all of 100 lie in 0..1); say `kind: sigmoid`"),
        (LOGITS[:, :1], "sigmoid", "rows have scores outside 0..1); say `kind: logits`"),
    ],
)
def test_scores_of_another_kind_are_recognised(scores, kind, expected):
    sentence = ScoreCounts.of(scores).wrong_kind(kind)
    assert (expected in sentence) if expected else (sentence == "")


def test_a_few_bad_rows_are_no_other_kind():
    rows = np.concatenate([SOFTMAX, LOGITS[:20], np.full((20, 10), np.nan)])
    assert ScoreCounts.of(rows).wrong_kind("probabilities") == ""


def test_counts_add_up_over_batches():
    rows = np.concatenate([SOFTMAX, LOGITS, SEVERAL, np.full((7, 10), np.nan)])
    parts = sum((ScoreCounts.of(part) for part in np.split(rows, [3, 150, 290])), ScoreCounts())
    assert parts == ScoreCounts.of(rows)
    assert parts == ScoreCounts(rows=307, not_finite=7, outside=100, distributions=100)


def test_rounding_is_not_what_makes_logits():
    assert looks_like_logits(np.array([[1.005, -0.005], [1.02, 0], [np.nan, 5]])).tolist() == [False, True, False]


def test_runtimes_that_round_subnormal_numbers_and_those_that_do_not_give_the_same():
    """Rows of 1e-40 and of 0 would have other ranks: a window from another runtime would differ from the baseline."""
    kept = np.array([[1, 1e-40], [1, 1e-37]], np.float32)
    rounded = np.array([[1, 0], [1, 1e-37]], np.float32)
    np.testing.assert_array_equal(
        probabilities_of(kept, "probabilities", 2), probabilities_of(rounded, "probabilities", 2)
    )
    assert not are_probabilities(probabilities_of(np.array([[1, -1e-40]], np.float32), "probabilities", 2)).any()


def test_rows_that_are_below_0_are_not_taken_for_independent_scores():
    rows = np.full((200, 3), [0.5, 0.500001, -1e-6])
    said = ScoreCounts.of(rows).wrong_kind(Kind.PROBABILITIES)
    assert said.startswith("these add up to 1 and are no probabilities (200 of 200 rows have a score below 0)")
    assert why_none(rows[0]) == "it has -1e-06, below 0"
    assert why_none(np.array([np.nan, 1])) == "it has a number that is not finite"
    assert not why_none(np.array([0.5, 0.5]))


SORTED = -np.sort(-np.random.default_rng(0).dirichlet(np.ones(6), 200), axis=1)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (SORTED, True),
        (np.log(SORTED), True),
        (SORTED[:49], False),  # too few
        (SORTED[:, :4], False),  # a model of few classes may give all the same order
        (np.vstack([SORTED, SORTED[:1, ::-1]]), False),
        (np.tile([1.0, 0, 0, 0, 0], (200, 1)), False),  # one that is sure
    ],
)
def test_scores_that_are_sorted_are_told(rows, told):
    halves = ScoreCounts.of(rows[:100]) + ScoreCounts.of(rows[100:])
    assert bool(halves.sorted_by_size()) is told


def test_another_class_than_the_largest_probability():
    rows = np.array([[0.2, 0.8], [0.5005, 0.4995], [0.9, 0.1], [0.9, 0.1], [0.9, 0.9]])
    assert disagreeing(rows, np.array([0, 1, 2, -1, 5])).tolist() == [True, False, True, True, False]


def scores_of(count: int, classes: int, seed: int, first: float = 0.0) -> np.ndarray:
    """Probabilities of a made-up model, the first class's raised."""
    logits = np.random.default_rng(seed).normal(size=(count, classes))
    logits[:, 0] += first
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [3, 4])
def test_few_scores_that_are_sorted_are_told_by_the_baseline(classes):
    baseline, window = scores_of(300, classes, 0), scores_of(60, classes, 1)
    assert "in all of 60 rows they fall from the first to the last" in sorted_unlike(-np.sort(-window), baseline)
    assert sorted_unlike(window, baseline) == ""
    assert sorted_unlike(-np.sort(-window[:49]), baseline) == ""
    # only the first class is seen, and the others come in any order
    assert sorted_unlike(scores_of(60, classes, 2, first=9), baseline) == ""
    # in the baseline they come in that order too, whenever the first is seen
    assert sorted_unlike(-np.sort(-window), -np.sort(-baseline)) == ""
    nothing = np.full((3, classes), np.nan)
    assert sorted_unlike(np.concatenate([-np.sort(-window), nothing]), baseline) != ""


def test_of_two_scores_nothing_tells_whether_they_are_sorted():
    assert sorted_unlike(-np.sort(-scores_of(500, 2, 1)), scores_of(500, 2, 0)) == ""
