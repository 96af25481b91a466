"""What is bearable becomes the rate of a single window, unless that is set; contradictions are said."""

import pytest

from components.common.errors import MonitorError
from components.common.sequential.budget import Budget
from model_monitor.watch.bearable import applied, described
from model_monitor.watch.settings import WatchConfig

BUDGET = Budget(720)


def config(monitor=None, **incidents):
    return WatchConfig.model_validate({"name": "m", "monitor": monitor or {}, "incidents": incidents})


@pytest.mark.parametrize("stated", [{}, {"bearable": "one in 30 days", "windows_per_day": 24}])
def test_a_single_window_has_its_part_of_what_is_bearable(stated):
    found = applied(config({"window_size": 500}, **stated))
    assert found.monitor.false_alarm_rate == BUDGET.false_alarm_rate
    assert found.monitor.permutations == BUDGET.permutations
    assert found.monitor.window_size == 500
    assert described(found).startswith("Bearable is one false alarm in 720 windows (`incidents.bearable`): a single")
    assert "at a rate of 0.00037, by 15,097 permutations" in described(found)
    assert applied(found) == found


def test_a_rate_for_which_the_usual_permutations_do_leaves_them():
    assert applied(config(bearable="1 in 20 windows")).monitor.permutations == 1999


def test_for_spans_that_people_have_judged_it_has_to_be_said():
    assert applied(config(), by_default=False) == config()
    stated = config(bearable="1 in 720 windows")
    assert applied(stated, by_default=False).monitor.false_alarm_rate == BUDGET.false_alarm_rate


def test_a_rate_that_is_set_counts_and_a_contradiction_is_said():
    known = config({"false_alarm_rate": 0.01})
    assert applied(known) == known
    assert described(known) == (
        "`monitor.false_alarm_rate` is set to 0.01: single windows alone ring for nothing once in 100 windows, and "
        "`incidents.bearable` is one false alarm in 720 windows from all tests. What is set counts; without it the "
        "rate is 0.00037."
    )
    rarer = config({"false_alarm_rate": 1e-4, "permutations": 60_000})
    assert "a single window rings at a rate of 0.0001," in described(applied(rarer))


def test_where_nothing_is_bearable_nothing_is_turned_into_anything():
    known = config(bearable="")
    assert (applied(known), described(known)) == (known, "")


@pytest.mark.parametrize(
    ("monitor", "bearable", "told"),
    [
        ({"permutations": 1999}, "1 in 720 windows", "`monitor.permutations` must be 15,097 or more for what a single"),
        ({}, "1 in 100000 windows", "`incidents.bearable` must be of windows so large that 2,0"),
    ],
)
def test_what_cannot_be_had_is_said(monitor, bearable, told):
    with pytest.raises(MonitorError, match=told):
        applied(config(monitor, bearable=bearable))
