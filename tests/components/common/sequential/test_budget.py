"""What a user calls bearable, as windows and as the parts of the tests."""

import pytest

from components.common.errors import MonitorError
from components.common.sequential.budget import Budget
from components.common.two_sample.false_alarms import GUARANTEED_FACTOR, require_rate


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("1 in 30 days", 720),
        ("one in 30 days", 720),
        ("One false alarm in a week", 168),
        ("2 false alarms per week", 84),
        ("once every 12 hours", 12),
        ("twice a year", 4380),
        ("1 per 0.5 d", 12),
        ("1 in 500 windows", 500),
        ("3 in 600 windows", 200),
    ],
)
def test_texts_that_people_write(text, windows):
    assert Budget.of(text, windows_per_day=24).windows == pytest.approx(windows)


@pytest.mark.parametrize(("every", "windows"), [("1 h", 720), ("15 min", 2880), ("90 seconds", 28800), ("day", 30)])
def test_the_time_between_windows_says_as_much_as_windows_per_day(every, windows):
    assert Budget.of("1 in 30 days", every=every).windows == pytest.approx(windows)


@pytest.mark.parametrize(
    "text", ["often", "1 in 30 dyas", "one in a month", "in 30 days", "1 in 30 days 4", "", 3, "1 in 0 days"]
)
def test_other_texts_are_refused_with_examples(text):
    with pytest.raises(
        MonitorError, match='`bearable` must be a number of false alarms in a time, such as "1 in 30 days"'
    ):
        Budget.of(text, windows_per_day=24)


def test_no_false_alarm_at_all_cannot_be_promised():
    with pytest.raises(MonitorError, match="no test has none"):
        Budget.of("0 in 30 days", windows_per_day=24)


@pytest.mark.parametrize("given", [{}, {"windows_per_day": 24, "every": "1 h"}])
def test_how_often_there_is_a_window_is_said_once(given):
    with pytest.raises(MonitorError, match="`windows_per_day` or `every` must say"):
        Budget.of("1 in 30 days", **given)


@pytest.mark.parametrize(
    "given", [{"windows_per_day": value} for value in (0, -1, float("nan"), float("inf"), True, "24")]
)
def test_windows_per_day_is_a_number_above_0(given):
    with pytest.raises(MonitorError, match="`windows_per_day` must be a number above 0"):
        Budget.of("1 in 30 days", **given)


@pytest.mark.parametrize("every", ["hourly", "0 h", "1 fortnight", 60])
def test_the_time_between_windows_has_a_unit(every):
    with pytest.raises(MonitorError, match="`every` must be the time between two windows"):
        Budget.of("1 in 30 days", every=every)


@pytest.mark.parametrize("windows", [9, 100_001, float("nan"), True, None])
def test_budgets_beyond_what_can_be_promised_are_refused(windows):
    with pytest.raises(MonitorError, match="10 to 100,000 windows to a false alarm"):
        Budget(windows)


def test_the_parts_together_are_the_whole():
    """For 19 of 20 baselines, whose single windows have up to 1.5 times the nominal rate."""
    budget = Budget(720)
    single = GUARANTEED_FACTOR * budget.false_alarm_rate
    assert single + 1 / budget.drift_run_length + 1 / budget.accuracy_run_length == pytest.approx(1 / 720)


@pytest.mark.parametrize("windows", [10, 168, 720, 100_000])
def test_its_permutations_can_raise_the_alarm_and_fewer_cannot(windows):
    budget = Budget(windows)
    require_rate(budget.false_alarm_rate, budget.permutations)
    with pytest.raises(MonitorError, match="permutations"):
        require_rate(budget.false_alarm_rate, budget.permutations - 1)
