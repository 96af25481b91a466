"""The CUSUM: its run length, what it does with each kind of window, and that it can be worked out again at any time."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy import special, stats

from components.common.errors import MonitorError
from components.common.sequential.cusum import (
    ALLOWANCE,
    Cusum,
    DriftState,
    JudgedWindow,
    average_run_length,
    normal_score,
    threshold_for,
)

RUN = Cusum(200)


def windows(p_values, size=500, reference=5000, first=0):
    return [JudgedWindow(f"w{first + i}", p, size, reference) for i, p in enumerate(p_values)]


def simulated_run_length(cusum, p_values):
    """The mean number of windows to the alarm of each row of p-values, all of which must ring."""
    found = []
    for row in p_values:
        state = cusum.start()
        for number, p in enumerate(row, 1):
            state = cusum.step(state, JudgedWindow(f"w{number}", float(p), 1, 10**9))  # a baseline beyond any doubt
            if state.rings:
                found.append(number)
                break
    assert len(found) == len(p_values)
    return np.mean(found)


def test_the_threshold_is_the_one_of_the_textbook():
    """Siegmund 1985, "Sequential analysis": (exp(2 k b) - 2 k b - 1) / (2 k^2), b = h + 1.166."""
    for run_length in (100, 1000, 10_000):
        reach = 2 * ALLOWANCE * (threshold_for(float(run_length)) + 1.166)
        assert (math.exp(reach) - reach - 1) / (2 * ALLOWANCE**2) == pytest.approx(run_length, rel=0.02)
        assert threshold_for(float(run_length)) < math.log(run_length) / (2 * ALLOWANCE)


def test_run_lengths_are_those_of_the_tables():
    """Montgomery, "Introduction to statistical quality control", k = 1/2: 168 and 465 of charts with two sides."""
    assert average_run_length(4.0) == pytest.approx(2 * 168, rel=0.005)
    assert average_run_length(5.0) == pytest.approx(2 * 465, rel=0.005)
    assert average_run_length(4.0, mean=1.0) == pytest.approx(8.38, rel=0.005)
    assert average_run_length(5.0, mean=1.0) == pytest.approx(10.4, rel=0.005)


@pytest.mark.parametrize("permutations", [0, 199])
def test_windows_without_drift_ring_once_in_a_run_length(permutations):
    """Of continuous p-values, and no sooner of k / (R + 1). 300 runs: the mean is known to 6 %."""
    rng = np.random.default_rng(0)
    p_values = 1 - rng.random((300, 1500))
    if permutations:
        p_values = (1 + rng.integers(0, permutations + 1, p_values.shape)) / (permutations + 1)
    found = simulated_run_length(Cusum(100), p_values)
    assert 85 < found < (115 if not permutations else 150)


def test_run_lengths_with_a_drift_are_those_of_a_simulation():
    rng = np.random.default_rng(1)
    p_values = special.ndtr(-(1.0 + 0.9 * rng.standard_normal((300, 200))))
    expected = average_run_length(threshold_for(200.0), mean=1.0, deviation=0.9)
    assert simulated_run_length(RUN, p_values) == pytest.approx(expected, rel=0.05)


def unlucky(run_length, *, columns, ratio, runs, length, luck=0.95):
    """Windows to the alarm where T2 has so many columns, given a baseline as unlucky as the twentieth."""
    rng = np.random.default_rng(columns)
    unusual = special.chdtri(columns, 1 - luck)
    distances = stats.ncx2.rvs(columns, ratio * unusual, size=(runs, length), random_state=rng)
    p_values = np.maximum(special.chdtrc(columns, distances / (1 + ratio)), 1e-12)
    cusum, found = Cusum(run_length), []
    for row in p_values:
        states = itertools.accumulate(
            (JudgedWindow(f"w{i}", float(p), round(ratio * 1000), 1000) for i, p in enumerate(row)),
            cusum.step,
            initial=cusum.start(),
        )
        found.append(next((state.windows for state in states if state.rings), length))
    return np.mean(found)


@pytest.mark.parametrize("ratio", [0.1, 1.0])
@pytest.mark.parametrize("columns", [10, 200])
def test_the_twentieth_baseline_keeps_the_run_length(columns, ratio):
    """By the model of `p_value_threshold`. 60 runs, cut off: the mean is known to 13 %."""
    assert unlucky(50, columns=columns, ratio=ratio, runs=60, length=400) > 50 * 0.8


def test_without_the_allowance_it_would_not():
    """The same p-values at a baseline that is taken for exact."""
    rng = np.random.default_rng(0)
    unusual = special.chdtri(200, 0.05)
    p_values = special.chdtrc(200, stats.ncx2.rvs(200, unusual, size=(60, 400), random_state=rng) / 2)
    assert simulated_run_length(Cusum(50), np.maximum(p_values, 1e-12)) < 25


def test_a_slow_drift_rings_that_no_single_window_shows():
    states = RUN.follow(windows([0.5, 0.4, 0.7, 0.06, 0.04, 0.05, 0.07]))
    assert [state.rings for state in states] == [False] * 6 + [True]
    assert states[-1].since == "w3"
    assert states[-1].value == states[-1].threshold == RUN.threshold


def test_it_goes_on_ringing_until_it_has_come_down_to_half_and_then_starts_anew():
    states = RUN.follow(windows([0.001] * 4 + [0.5] * 8))
    ringing = [state.rings for state in states]
    assert ringing[1:4] == [True] * 3
    over = ringing.index(False, 2)
    assert states[over - 1].value > RUN.threshold / 2
    assert (states[over].value, states[over].since) == (0.0, "")
    assert not any(ringing[over:])


def test_a_persistent_drift_is_not_learnt_away():
    """Not even where windows are as large as the baseline, whose luck could explain much."""
    states = RUN.follow(windows([special.ndtr(-2.5)] * 300, size=1000, reference=1000))
    assert states[-1].rings
    assert states[20].rings


def test_nothing_is_learnt_while_it_rings():
    states = RUN.follow(windows([0.001] * 30))
    first = next(i for i, state in enumerate(states) if state.rings)
    assert (states[-1].luck, states[-1].certainty) == (states[first - 1].luck, states[first - 1].certainty)


def test_an_unlucky_baseline_is_learnt_and_then_costs_nothing():
    """After 200 windows a little above the middle the bound is what was seen, and no more than a sixth of a score."""
    state = RUN.follow(windows([special.ndtr(-0.2)] * 200, size=1000, reference=1000))[-1]
    assert state.value == 0
    assert state.luck / state.certainty == pytest.approx(0.4, abs=0.02)  # a score of 0.2 is 0.4 in units of a = 1/2
    assert state.certainty > 60


def test_windows_without_a_p_value_change_nothing_but_their_count():
    with_gaps = [JudgedWindow("a", 0.01, 500, 5000), JudgedWindow("b", None, 0, 0), JudgedWindow("c", 0.02, 500, 5000)]
    first, gap, last = RUN.follow(with_gaps)
    assert gap == DriftState(**(first.to_record() | {"window": "b", "skipped": 1}))
    without = RUN.follow([with_gaps[0], with_gaps[2]])[-1]
    assert last == DriftState(**(without.to_record() | {"skipped": 1}))


def test_large_windows_are_allowed_more_for_the_baseline():
    """The larger the window against the baseline, the more the baseline's own error weighs."""
    values = [RUN.follow([JudgedWindow("w", 0.01, size, 2000)])[0].value for size in (20, 200, 2000)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[2] > 0.7


def test_a_p_value_of_1_counts_as_very_much_alike_and_no_more():
    assert normal_score(1.0) == -3.0
    assert RUN.follow(windows([0.01, 0.01, 1.0]))[-1].value == 0


def test_steps_and_follow_agree_exactly_across_json():
    """So that the state can be kept, or worked out again from the store after a crash."""
    rng = np.random.default_rng(2)
    history = [
        JudgedWindow(
            f"w{i}", None if rng.random() < 0.1 else float(1 - rng.random() ** 2), int(rng.integers(30, 3000)), 4000
        )
        for i in range(300)
    ]
    state, stepped = RUN.start(), []
    for window in history:
        state = DriftState.from_record(json.loads(json.dumps(RUN.step(state, window).to_record())))
        stepped.append(state)
    assert stepped == RUN.follow(history)


def test_a_window_is_counted_once():
    state = RUN.follow(windows([0.3]))[-1]
    with pytest.raises(MonitorError, match=r"`window` must be counted once. Received: 'w0'"):
        RUN.step(state, windows([0.3])[0])


def test_a_state_of_another_run_length_is_refused():
    with pytest.raises(MonitorError, match="`state` must be of a run length of 200 windows"):
        RUN.step(Cusum(300).start(), windows([0.3])[0])


@pytest.mark.parametrize("p_value", [0.0, -0.1, 1.1, float("nan")])
def test_p_values_are_above_0_and_at_most_1(p_value):
    with pytest.raises(MonitorError, match="`p_value of window w7` must be above 0"):
        JudgedWindow("w7", p_value, 500, 5000)


def test_windows_have_a_name_and_sizes():
    with pytest.raises(MonitorError, match="`id` must be the text"):
        JudgedWindow("", 0.1, 500, 5000)
    with pytest.raises(MonitorError, match="`size and reference of window w7` must be 1 or more"):
        JudgedWindow("w7", 0.1, 500, 0)


@pytest.mark.parametrize("record", [[], {}, {"value": 1.0}, None])
def test_records_of_another_kind_are_refused(record):
    with pytest.raises(MonitorError, match="`state` must hold"):
        DriftState.from_record(record)


def test_a_record_with_a_value_of_another_type_is_refused():
    with pytest.raises(MonitorError, match="`value` must be a valid number"):
        DriftState.from_record(RUN.start().to_record() | {"value": "high"})


@pytest.mark.parametrize("run_length", [9, 1_000_001, float("nan")])
def test_run_lengths_that_cannot_be_kept_are_refused(run_length):
    with pytest.raises(MonitorError, match="`run_length` must be 10 to 1,000,000 windows"):
        Cusum(run_length)
