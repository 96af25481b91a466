"""The tests of many windows, given records: they see what no window shows, and begin anew with another version."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from components.common.proportion import Proportion
from components.common.sequential.budget import Budget
from model_monitor.incidents.sequences import ACCURACY, SLOW_DRIFT, Sequences, of_test, rings_of
from model_monitor.incidents.settings import IncidentsConfig
from tests.model_monitor.incidents.windows import window

BUDGET = Budget(720.0)


def drifting(count, p_value=0.02, **known):
    return [window(number, "f", skew_p_value=p_value, **known) for number in range(1, count + 1)]


def slow(rings, number):
    return of_test(rings[number], SLOW_DRIFT)


def test_windows_that_are_nothing_special_each_are_a_slow_drift_together():
    rings = rings_of(drifting(10), BUDGET)
    first = next(number for number in rings if slow(rings, number).rings)
    assert 3 <= first <= 8
    assert slow(rings, first).since == 1
    assert slow(rings, first).statistic == slow(rings, first).threshold
    assert not any(slow(rings_of(drifting(50, 0.4), BUDGET), number).rings for number in range(1, 51))


def test_windows_without_a_p_value_and_late_ones_change_nothing():
    records = drifting(2)
    odd = [
        window(3, "u", skew_p_value=None),
        window(4, "i", skew_p_value=1e-6),
        window(5, "f", skew_p_value=1e-6, late=True),
        window(6, "f", skew_p_value=1e-6, compared=0),
    ]
    rings = rings_of([*records, *odd], BUDGET)
    assert {slow(rings, number).statistic for number in range(3, 7)} == {slow(rings, 2).statistic}


@pytest.mark.parametrize("other", [{"version": "8"}, {"reference": "windows 1-6, the reference since today"}])
def test_another_version_or_reference_begins_anew(other):
    records = drifting(10)
    moved = [replace(record, **other) if record.window > 6 else record for record in records]
    rings = rings_of(moved, BUDGET)
    assert slow(rings, 6).rings
    assert not slow(rings, 7).rings
    assert slow(rings, 7).since == 7


def test_the_first_window_that_is_fine_again_begins_both_anew():
    records = [window(number, word) for number, word in enumerate("fdddff", start=1)]
    rings = rings_of(records, BUDGET)
    assert {ring.test: ring.rings for ring in rings[4]} == {SLOW_DRIFT: True, ACCURACY: True}
    assert {ring.test: (ring.rings, ring.since in (None, 5)) for ring in rings[5]} == {
        SLOW_DRIFT: (False, True),
        ACCURACY: (False, True),
    }


def test_windows_whose_accuracy_fell_by_its_estimate_said_so_by_themselves():
    """So the next one that is fine begins anew, as after windows that are degraded."""
    fell = {"checks": {"data": "changed", "accuracy": "undecided"}, "skew_p_value": 0.0005}
    records = [window(number, word, **(fell if word == "u" else {})) for number, word in enumerate("fuuuff", start=1)]
    rings = rings_of(records, BUDGET)
    assert {ring.test: ring.rings for ring in rings[4]} == {SLOW_DRIFT: True, ACCURACY: True}
    assert not any(ring.rings for ring in rings[5])


def with_accuracy(count, value, **known):
    """Windows whose accuracy is a little below what is allowed: each may be chance."""
    measured = Proportion.of(round(value * 1000), 1000)
    return [window(number, "f", measured=measured, **known) for number in range(1, count + 1)]


def test_an_accuracy_that_is_a_little_too_low_rings_in_time():
    rings = rings_of(with_accuracy(40, 0.82), BUDGET)
    first = next(number for number in rings if of_test(rings[number], ACCURACY).rings)
    assert first > 1
    found = of_test(rings[first], ACCURACY)
    assert found.statistic < found.threshold < 0.86
    assert not any(of_test(each, ACCURACY).rings for each in rings_of(with_accuracy(40, 0.9), BUDGET).values())


def test_an_estimate_counts_where_there_are_no_labels_and_nothing_where_it_has_no_interval():
    low = Proportion(0.7, 0.67, 0.73, 1000)
    rings = rings_of([window(1, "f", estimated=low), window(2, "f", estimated=Proportion(0.1))], BUDGET)
    assert of_test(rings[1], ACCURACY).statistic < 1
    assert of_test(rings[2], ACCURACY).statistic == of_test(rings[1], ACCURACY).statistic


def test_whether_an_estimate_is_among_what_a_ring_rests_on_is_said():
    labelled, unlabelled = with_accuracy(2, 0.9), [window(3), window(4, "i", measured=Proportion.of(9, 10))]
    rings = rings_of([*labelled, *unlabelled], BUDGET)
    assert [of_test(rings[number], ACCURACY).estimated for number in range(1, 5)] == [False, False, True, True]
    anew = [window(number, "f", version="8", measured=Proportion.of(900, 1000)) for number in (5, 6)]
    rings = rings_of([*labelled, *unlabelled, *anew], BUDGET)
    assert [of_test(rings[number], ACCURACY).estimated for number in (5, 6)] == [False, False]
    nothing = [window(1, estimated=None), *with_accuracy(3, 0.9)[1:]]
    assert not any(of_test(each, ACCURACY).estimated for each in rings_of(nothing, BUDGET).values())


@pytest.mark.parametrize(
    "known",
    [
        {"baseline_accuracy": None},
        {"least_accuracy": None},
        {"baseline_accuracy": Proportion(0.9)},
        {"baseline_accuracy": Proportion.of(1, 3000), "least_accuracy": 0.0},
    ],
)
def test_without_a_baseline_that_something_can_be_worse_than_the_accuracy_is_not_followed(known):
    rings = rings_of(with_accuracy(2, 0.1, **known), BUDGET)
    assert [ring.test for ring in rings[2]] == [SLOW_DRIFT]


def test_without_a_budget_there_are_no_tests():
    assert rings_of(drifting(3), None) == {1: (), 2: (), 3: ()}
    assert IncidentsConfig(bearable="").budget is None


def test_one_after_the_other_they_say_what_they_say_of_all():
    records = [*drifting(6), *[window(number, word) for number, word in enumerate("fcdui", start=7)]]
    sequences = Sequences(BUDGET)
    assert {record.window: sequences.step(record) for record in records} == rings_of(records, BUDGET)


def test_what_is_bearable_is_a_setting():
    assert IncidentsConfig().budget == BUDGET
    assert IncidentsConfig(bearable="1 in 30 days", windows_per_day=24.0).budget == BUDGET
    with pytest.raises(ValidationError, match="must say how often there is a window"):
        IncidentsConfig(bearable="1 in 30 days")
    with pytest.raises(ValidationError, match="be a number of false alarms in a time"):
        IncidentsConfig(bearable="seldom")
