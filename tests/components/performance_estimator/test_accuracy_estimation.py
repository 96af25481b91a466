"""Every estimator on samples with a known answer, and what holds for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.class_scores import probabilities_of
from components.common.errors import MonitorError
from components.performance_estimator.accuracy_estimation import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    HeldOut,
    estimate,
    negative_entropy,
    share_above,
)
from components.performance_estimator.temperature import logits, softmax

CLASSES = 5


def scored(rng, count, *, strength=2.5, shares=None, temperature=1.0):
    """Probabilities and labels of a model that is calibrated at temperature 1 where all classes are as frequent."""
    labels = rng.choice(CLASSES, count, p=shares)
    values = rng.normal(size=(count, CLASSES))
    values[np.arange(count), labels] += strength
    return softmax(strength * values / temperature).astype(np.float32), labels


def accuracy(probabilities, labels):
    return float((probabilities.argmax(axis=1) == labels).mean())


def scored_by_sigmoid(rng, count, noise=1.0):
    """The two probabilities of a calibrated sigmoid and the labels of what it looked at; `noise` makes it unsure."""
    labels = rng.integers(2, size=count)
    seen = 2.0 * labels - 1 + noise * rng.normal(size=count)
    sigmoid = 1 / (1 + np.exp(-2 * seen))
    return probabilities_of(sigmoid, "sigmoid", 2), labels


@pytest.mark.parametrize("name", ESTIMATORS)
def test_two_classes_of_a_sigmoid_are_estimated_with_and_without_a_shift(name):
    rng = np.random.default_rng(3)
    held_out = HeldOut(*scored_by_sigmoid(rng, 4000))
    window, labels = scored_by_sigmoid(rng, 4000)
    truth = accuracy(window, labels)
    assert 0.8 < truth < 0.9
    assert estimate(name, held_out, window, resamples=20).value == pytest.approx(truth, abs=0.02)
    clearer, _ = scored_by_sigmoid(rng, 4000, noise=0.3)
    assert estimate(name, held_out, clearer, resamples=20).value > truth, "what it is surer of, it has right more often"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_without_a_shift_all_but_the_plain_average_find_the_accuracy(name):
    rng = np.random.default_rng(0)
    held_out = HeldOut(*scored(rng, 4000, temperature=2.0))
    window, labels = scored(rng, 4000, temperature=2.0)
    found = estimate(name, held_out, window)
    truth = accuracy(window, labels)
    if name == "average_confidence":
        assert found.high < truth - 0.05, "the model is underconfident, and nothing corrects this estimator"
    else:
        assert found.low <= truth <= found.high
        assert found.value == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_window_that_is_harder_is_estimated_lower(name):
    rng = np.random.default_rng(1)
    held_out = HeldOut(*scored(rng, 3000))
    easy, hard = (estimate(name, held_out, scored(rng, 3000, strength=each)[0]) for each in (2.5, 1.2))
    assert hard.high < easy.low


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"average_confidence"}))
def test_an_estimate_of_the_held_out_examples_is_their_accuracy(name):
    held_out = HeldOut(*scored(np.random.default_rng(2), 2000))
    found = estimate(name, held_out, held_out.probabilities)
    assert found.value == pytest.approx(accuracy(held_out.probabilities, held_out.labels), abs=0.02)


@pytest.mark.parametrize("name", ["atc_confidence", "atc_entropy", "atc_entropy_by_class", "cott", DEFAULT_ESTIMATOR])
@pytest.mark.parametrize("right", [0, 1, 7, 60])
def test_thresholds_are_exact_however_many_scores_are_equal(name, right):
    """A saturated model says the same of every example; the share above the threshold is still the accuracy."""
    probabilities = np.tile(np.float32([1, 0, 0]), (60, 1))
    labels = np.where(np.arange(60) < right, 0, 1)
    assert estimate(name, HeldOut(probabilities, labels), probabilities).value == pytest.approx(right / 60)


def test_a_model_that_answers_one_class_to_everything_is_seen_by_transport():
    rng = np.random.default_rng(3)
    held_out = HeldOut(*scored(rng, 3000))
    values = rng.normal(size=(3000, CLASSES))
    values[:, 0] += 1.0  # a little more of one class, whatever the example
    window = softmax(2.5 * values).astype(np.float32)
    found = {name: estimate(name, held_out, window).value for name in ("atc_confidence", "cott", DEFAULT_ESTIMATOR)}
    assert found["cott"] < found[DEFAULT_ESTIMATOR] < found["atc_confidence"]


def test_other_shares_of_classes_do_not_fool_the_default():
    rng = np.random.default_rng(4)
    held_out = HeldOut(*scored(rng, 4000, strength=3.0))
    window, labels = scored(rng, 4000, strength=3.0, shares=[0.8, 0.1, 0.05, 0.03, 0.02])
    truth = accuracy(window, labels)
    assert estimate(DEFAULT_ESTIMATOR, held_out, window).value == pytest.approx(truth, abs=0.02)
    assert estimate("cott", held_out, window).value < truth - 0.2


def test_a_model_that_is_wrong_and_sure_of_it_is_seen_where_its_images_are_known():
    """Noise that a net takes for one class, with more confidence than it has in anything else."""
    rng = np.random.default_rng(11)
    known, labels = scored(rng, 3000, strength=3.0)
    window = np.full((2000, CLASSES), 0.001, np.float32)
    window[:, 2] = 1 - 0.001 * (CLASSES - 1)
    looks = [rng.normal(size=(len(rows), 3)) for rows in (known, window)]
    sure = estimate(DEFAULT_ESTIMATOR, HeldOut(known, labels, looks[0]), window, features=looks[1])
    assert sure.value > 0.9  # images of class 2 look like that
    seen = estimate(DEFAULT_ESTIMATOR, HeldOut(known, labels, looks[0]), window, features=looks[1] + 3)
    assert seen.value < 0.4
    deceived = estimate(DEFAULT_ESTIMATOR, HeldOut(known, labels), window)
    assert deceived.value > 0.9


def test_other_classes_do_not_fool_the_default_where_its_images_are_known():
    rng = np.random.default_rng(3)
    known, labels = scored(rng, 4000, strength=3.0)
    window, truth = scored(rng, 4000, strength=3.0, shares=[0.7, 0.2, 0.1, 0, 0])
    means = rng.normal(size=(CLASSES, 3))
    looks = [means[each] + rng.normal(size=(4000, 3)) for each in (labels, truth)]
    found = estimate(DEFAULT_ESTIMATOR, HeldOut(known, labels, looks[0]), window, features=looks[1])
    assert found.value == pytest.approx(accuracy(window, truth), abs=0.02)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_interval_holds_the_accuracy_about_as_often_as_it_says(name):
    """Of windows and held-out samples drawn afresh. 40 draws at 95 %: fewer than 34 have a chance of 0.002."""
    held = 0
    for seed in range(40):
        rng = np.random.default_rng([5, seed])
        known, window = scored(rng, 600), scored(rng, 400)
        found = estimate(name, HeldOut(*known), window[0], seed=seed, resamples=60)
        held += found.low <= TRUTH <= found.high
    assert held >= 34


TRUTH = accuracy(*scored(np.random.default_rng(6), 200_000))


def test_an_estimate_of_zero_is_not_known_exactly():
    rng = np.random.default_rng(0)
    held_out = HeldOut(*scored(rng, 1000))
    found = estimate("atc_confidence", held_out, np.full((1000, CLASSES), 1 / CLASSES, np.float32))
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.003 < found.high < 0.005


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(ESTIMATORS)), st.integers(1, 40), st.integers(1, 40))
def test_every_estimate_is_an_ordered_interval_of_shares(seed, name, known, count):
    rng = np.random.default_rng(seed)
    held_out = HeldOut(*scored(rng, known, strength=rng.uniform(0, 30)))
    found = estimate(name, held_out, scored(rng, count, strength=rng.uniform(0, 30))[0], resamples=20)
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(ESTIMATORS)))
def test_the_order_of_the_examples_does_not_matter_and_neither_does_the_order_of_the_classes(seed, name):
    rng = np.random.default_rng(seed)
    (known, labels), (window, _) = scored(rng, 80), scored(rng, 60)
    expected = estimate(name, HeldOut(known, labels), window, resamples=20).value
    rows, columns = rng.permutation(80), rng.permutation(CLASSES)
    shuffled = HeldOut(known[rows][:, columns], np.argsort(columns)[labels[rows]])
    found = estimate(name, shuffled, window[rng.permutation(60)][:, columns], resamples=20).value
    assert found == pytest.approx(expected, abs=0.04)  # two examples of 60: a transport may be ambiguous


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    rng = np.random.default_rng(7)
    held_out, window = HeldOut(*scored(rng, 300)), scored(rng, 200)[0]
    first, again, other = (estimate(DEFAULT_ESTIMATOR, held_out, window, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert (first.value, first.low) != (other.value, other.low)
    assert first.value == other.value


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_the_share_above_the_threshold_is_exact_on_the_reference(scores, data):
    reference = np.array(scores, np.float64)
    wanted = data.draw(st.integers(0, len(scores))) / len(scores)
    assert share_above(reference, wanted, reference) == pytest.approx(wanted)
    assert share_above(reference, wanted, reference + 10) >= share_above(reference, wanted, reference)


def test_negative_entropy_of_certain_and_of_even():
    assert negative_entropy(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx([0, -np.log(2)])


def test_logits_of_a_rounded_zero_are_finite():
    assert np.isfinite(logits(np.array([[0.0, 1.0]]))).all()


GOOD = np.float32([[0.5, 0.5], [0.1, 0.9]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HeldOut(GOOD, np.array([0])), r"`held_out.labels` must have the shape \(2,\)"),
        (lambda: HeldOut(GOOD, np.array([0, 2])), r"be integers in 0 \.\. 1. Received: \[0, 2\]"),
        (lambda: HeldOut(GOOD, np.array([0.0, 1.0])), "be integers"),
        (lambda: HeldOut(GOOD[:0], np.array([], np.int64)), "shape .n >= 1, K >= 2"),
        (lambda: HeldOut(GOOD * 2, np.array([0, 1])), "row 0 is not"),
        (lambda: HeldOut(GOOD, np.array([0, 1]), GOOD[:1]), r"`held_out.features` must have the shape .2, p"),
        (
            lambda: estimate("cot", HeldOut(GOOD, np.array([0, 1]), GOOD), GOOD, features=GOOD[:, :1]),
            "`features` must have 2 columns",
        ),
        (
            lambda: estimate("atc", HeldOut(GOOD, np.array([0, 1])), GOOD),
            "`name` must be one of atc_confidence",
        ),
        (lambda: estimate("cot", HeldOut(GOOD, np.array([0, 1])), GOOD, resamples=5), "at least 20"),
        (lambda: estimate("cot", HeldOut(GOOD, np.array([0, 1])), np.full((2, 4), 0.25)), "have 2 columns"),
        (lambda: estimate("cot", HeldOut(GOOD, np.array([0, 1])), np.full((2, 2), np.nan)), "row 0 is not"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(MonitorError, match=message):
        call()
