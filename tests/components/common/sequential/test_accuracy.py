"""The accuracy that is followed: what it promises, what ends it, and that it can be worked out again at any time."""

import json

import numpy as np
import pytest
from scipy import integrate, stats

from components.common.errors import MonitorError
from components.common.proportion import Proportion
from components.common.sequential import accuracy
from components.common.sequential.accuracy import AccuracyFollowed, AccuracyState, AccuracyWindow, SourceAccuracy

SOURCE = SourceAccuracy(900, 1000)
FOLLOWED = AccuracyFollowed(SOURCE, tolerance=0.05, run_length=200)


def windows(rng, accuracies, size=200, first=0):
    counts = rng.binomial(size, accuracies)
    return [AccuracyWindow(f"w{first + i}", int(right), size) for i, right in enumerate(counts)]


def test_the_source_s_bound_is_held_for_19_of_20_baselines():
    rng = np.random.default_rng(0)
    bounds = [SourceAccuracy(int(right), 500).lowest for right in rng.binomial(500, 0.9, 2000)]
    assert 0.93 < np.mean(np.array(bounds) < 0.9) < 0.97
    assert SourceAccuracy(0, 10).lowest == 0
    assert SourceAccuracy(10, 10).lowest == pytest.approx(0.05 ** (1 / 10))


def test_the_capital_is_the_integral_that_its_docstring_names():
    hits, misses, chance = 30.0, 70.0, 0.2
    density = stats.beta(1 + accuracy._PRIOR * chance, 1 + accuracy._PRIOR * (1 - chance))

    def won(t):
        return (t / chance) ** hits * ((1 - t) / (1 - chance)) ** misses * density.pdf(t) / density.sf(chance)

    found = accuracy._log_capital(np.array([hits]), np.array([misses]), chance)[0]
    assert found == pytest.approx(np.log(integrate.quad(won, chance, 1)[0]), abs=1e-6)


def test_the_bound_holds_at_all_times_together():
    """Risks that change from window to window, 0.15 at most: in 5 % of sequences at most is the bound ever above."""
    rng = np.random.default_rng(1)
    wrong = np.cumsum(rng.binomial(20, rng.choice([0.05, 0.15], (400, 300), p=[0.1, 0.9])), axis=1)
    right = 20 * np.arange(1, 301) - wrong
    ever = accuracy._log_capital(wrong.astype(float), right.astype(float), 0.15).max(axis=1) >= np.log(20)
    assert 0 < ever.mean() <= 0.05


def test_without_harm_it_rings_no_sooner_than_a_run_length():
    """At the very accuracy that is allowed, the hardest case. Runs are cut off, so their mean is higher still."""
    rng = np.random.default_rng(2)
    followed = AccuracyFollowed(SOURCE, tolerance=0.05, run_length=20)
    lengths = []
    for _ in range(25):
        states = followed.follow(windows(rng, np.full(60, followed.allowed), size=50))
        lengths.append(next((i for i, state in enumerate(states, 1) if state.rings), 60))
    assert np.mean(lengths) > 20


def test_a_lasting_loss_rings_and_says_since_when():
    rng = np.random.default_rng(3)
    states = FOLLOWED.follow(windows(rng, [0.9] * 30 + [0.75] * 10))
    assert not any(state.rings for state in states[:30])
    assert states[-1].rings
    first = next(state for state in states if state.rings)
    assert first.since in {"w29", "w30", "w31"}
    assert first.highest < FOLLOWED.allowed
    assert first.accuracy < first.highest


def test_good_months_do_not_hide_a_bad_week():
    """The accuracy since the reset is still above what is allowed when it rings."""
    rng = np.random.default_rng(4)
    history = windows(rng, [0.9] * 700 + [0.78] * 20)
    states = FOLLOWED.follow(history)
    rung = next(i for i, state in enumerate(states) if state.rings)
    assert 700 <= rung < 712
    assert sum(w.right for w in history[: rung + 1]) / sum(w.labelled for w in history[: rung + 1]) > 0.88


def test_the_bound_is_below_what_is_allowed_exactly_when_it_begins_to_ring():
    rng = np.random.default_rng(5)
    states = FOLLOWED.follow(windows(rng, np.linspace(0.9, 0.7, 40)))
    first = next(i for i, state in enumerate(states) if state.rings)
    assert all(state.highest >= FOLLOWED.allowed for state in states[:first])
    assert states[first].highest < FOLLOWED.allowed


def test_it_ends_when_the_accuracy_is_shown_to_be_allowed_again():
    rng = np.random.default_rng(6)
    states = FOLLOWED.follow(windows(rng, [0.9] * 5 + [0.7] * 5 + [0.92] * 6))
    assert states[9].rings
    assert not states[-1].rings
    over = next(i for i in range(9, 16) if not states[i].rings)
    assert over >= 10
    assert states[over].stretches == ()


def test_old_beginnings_are_thinned_out_and_the_first_is_kept():
    states = FOLLOWED.follow(windows(np.random.default_rng(7), [0.9] * 1000))
    numbers = [stretch.number for stretch in states[-1].stretches]
    assert numbers[0] == 0
    assert numbers[-16:] == list(range(984, 1000))
    assert len(numbers) < 80
    assert max(np.diff(numbers)) <= 128


def test_what_is_dropped_is_never_asked_for_again():
    for number in range(300):
        kept = [accuracy._is_kept(number, age) for age in range(3000)]
        assert kept == sorted(kept, reverse=True)


def test_windows_without_labels_change_nothing_but_their_count():
    first, gap, last = FOLLOWED.follow(
        [AccuracyWindow("a", 80, 100), AccuracyWindow("b", 0, 0), AccuracyWindow("c", 70, 100)]
    )
    assert (gap.window, gap.skipped, gap.windows) == ("b", 1, 1)
    assert gap.stretches == first.stretches
    assert last.stretches == FOLLOWED.follow([AccuracyWindow("a", 80, 100), AccuracyWindow("c", 70, 100)])[-1].stretches


def test_steps_and_follow_agree_exactly_across_json():
    rng = np.random.default_rng(8)
    history = windows(rng, [0.9] * 100 + [0.7] * 10 + [0.93] * 20, size=150)
    state, stepped = FOLLOWED.start(), []
    for window in history:
        state = AccuracyState.from_record(json.loads(json.dumps(FOLLOWED.step(state, window).to_record())))
        stepped.append(state)
    assert stepped == FOLLOWED.follow(history)
    assert {state.rings for state in stepped} == {True, False}


def test_an_estimate_counts_as_much_as_its_interval_says():
    certain = AccuracyWindow.estimated("w", Proportion.of(450, 500))
    assert certain.labelled == pytest.approx(500, rel=0.01)
    wide = AccuracyWindow.estimated("w", Proportion(0.9, 0.8, 1.0, 500))
    assert wide.labelled == pytest.approx(0.09 * (1.96 / 0.1) ** 2, rel=0.01)
    assert AccuracyWindow.estimated("w", Proportion(1.0, 0.99, 1.0, 300)).labelled == 300
    assert AccuracyWindow.estimated("w", Proportion(0.9, 0.899, 0.901, 300)).labelled == 300


def test_an_estimate_without_an_interval_is_refused():
    with pytest.raises(MonitorError, match="`estimate of window w` must have an interval"):
        AccuracyWindow.estimated("w", Proportion(0.9))


@pytest.mark.parametrize(("right", "labelled"), [(-1, 5), (6, 5), (float("nan"), 5), (1, float("inf"))])
def test_labels_that_cannot_be_are_refused(right, labelled):
    with pytest.raises(MonitorError, match="`labels of window w3` must have 0 <= right <= labelled"):
        AccuracyWindow("w3", right, labelled)


def test_a_window_has_a_name_and_is_counted_once():
    with pytest.raises(MonitorError, match="`id` must be the text"):
        AccuracyWindow("", 1, 2)
    state = FOLLOWED.follow([AccuracyWindow("a", 1, 2)])[-1]
    with pytest.raises(MonitorError, match="`window` must be counted once"):
        FOLLOWED.step(state, AccuracyWindow("a", 1, 2))


def test_a_state_of_another_source_is_refused():
    other = AccuracyFollowed(SourceAccuracy(800, 1000), tolerance=0.05, run_length=200)
    with pytest.raises(MonitorError, match="`state` must be of an allowed accuracy of"):
        FOLLOWED.step(other.start(), AccuracyWindow("a", 1, 2))


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"tolerance": -0.1}, r"`tolerance` must be in \[0, 1\)"),
        ({"tolerance": 0.95}, "`tolerance` must be less than the source's accuracy, 0.883 at least"),
        ({"run_length": 9}, "`run_length` must be 10 windows or more"),
        ({"run_length": float("nan")}, "`run_length` must be 10 windows or more"),
    ],
)
def test_settings_that_say_nothing_are_refused(given, rule):
    with pytest.raises(MonitorError, match=rule):
        AccuracyFollowed(SOURCE, **({"tolerance": 0.05, "run_length": 200} | given))


@pytest.mark.parametrize(("right", "total"), [(5, 4), (-1, 4), (0, 0)])
def test_a_source_has_examples(right, total):
    with pytest.raises(MonitorError, match="`source` must have 0 <= right <= total"):
        SourceAccuracy(right, total)


@pytest.mark.parametrize("stretches", [None, "none", [[1, 2]], [3]])
def test_records_of_another_kind_are_refused(stretches):
    record = FOLLOWED.follow([AccuracyWindow("a", 1, 2)])[-1].to_record()
    with pytest.raises(MonitorError, match="`stretches` must be a list"):
        AccuracyState.from_record(record | {"stretches": stretches})
    with pytest.raises(MonitorError, match="`state` must hold"):
        AccuracyState.from_record({"stretches": stretches})
