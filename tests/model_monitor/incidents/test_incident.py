"""Incidents from made-up windows: when one is opened, told again and closed, and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.proportion import Proportion
from components.common.verdict_words import State
from model_monitor.incidents.incident import (
    MOST_CAUSES,
    NOTHING,
    Cause,
    Kind,
    Severity,
    follow,
    step,
)
from model_monitor.incidents.sequences import ACCURACY, SLOW_DRIFT, Ring
from model_monitor.incidents.settings import IncidentsConfig
from model_monitor.showing.incidents import next_step, what_changed, whether_it_hurts
from tests.model_monitor.incidents.windows import HOUR, window, windows


def told(words: str, **known) -> str:
    """What was told, as kind@window."""
    _, changes = follow(windows(words), **known)
    return " ".join(f"{change.kind.value}@{change.window}" for change in changes)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ffff", ""),
        ("ffcccf", "opened@3 closed@6"),
        ("ccc", "opened@1"),
        ("fcfcf", "opened@2 closed@3 opened@4 closed@5"),
        ("cid", "opened@1 worse@2 worse@3"),
        ("dic", "opened@1"),  # one window alone does not change the cause
        ("dccdcc", "opened@1 cause_changed@3"),  # and each is told once
        ("uuuuu", "opened@1 worse@3"),  # undecided for long
        ("uucuuf", "opened@1 closed@6"),  # in a row
        ("ccucuc", "opened@1"),  # undecided says nothing of the cause
        ("uccuu", "opened@1 cause_changed@3"),
        ("fDDf", ""),  # late ones open nothing
        ("cFFcf", "opened@1 closed@5"),  # and close nothing
        ("cDc", "opened@1"),
    ],
)
def test_what_is_told(words, expected):
    assert told(words) == expected


@pytest.mark.parametrize(
    ("word", "severity"),
    [("c", "information"), ("u", "information"), ("i", "warning"), ("d", "critical")],
)
def test_severity_goes_by_the_word(word, severity):
    (incident,), _ = follow(windows(word))
    assert incident.severity == Severity(severity)


def test_severity_does_not_go_down_while_it_lasts():
    (incident,), changes = follow(windows("cdccc"))
    assert incident.severity is Severity.CRITICAL
    assert incident.worst.window == 2
    assert (incident.cause.word, incident.last.state) == (State.DEGRADED, State.CHANGED)
    assert [change.incident.severity.value for change in changes] == ["information", "critical"]


def test_undecided_for_long_goes_by_hours_too():
    rules = IncidentsConfig(undecided_windows=99, undecided_hours=3)
    assert told("uuuu", rules=rules) == "opened@1 worse@4"
    assert told("uuuu", rules=IncidentsConfig(undecided_windows=99)) == "opened@1"


def test_a_cause_is_another_when_two_windows_share_no_feature_with_those_told():
    records = [
        window(1, "c", ("noise", "blur")),
        window(2, "c", ("blur", "hue")),  # shares one
        window(3, "c", ("brightness", "contrast")),  # once is chance
        window(4, "c", ("noise",)),
        window(5, "c", ("brightness",)),
        window(6, "c", ("contrast", "brightness")),
        window(7, "c", ("noise",)),  # told before
        window(8, "c", ("contrast",)),
    ]
    (incident,), changes = follow(records)
    assert [(change.kind, change.window) for change in changes] == [(Kind.OPENED, 1), (Kind.CAUSE_CHANGED, 6)]
    assert incident.causes == (
        Cause(State.CHANGED, ("noise", "blur")),
        Cause(State.CHANGED, ("contrast", "brightness")),
    )


def test_causes_without_end_are_told_up_to_a_limit():
    records = [window(number, "c", (f"feature_{number // 2}",)) for number in range(2, 100)]
    (incident,), changes = follow(records)
    assert len(incident.causes) == len(changes) == MOST_CAUSES


FELL = {"logs": "fine", "data": "changed", "accuracy": "undecided"}


def drift(statistic):
    return (Ring(SLOW_DRIFT, statistic, 5.0, statistic >= 5, 2),)


def test_a_slow_drift_is_an_incident_of_windows_that_are_fine_each():
    rings = {2: drift(4.0), 3: drift(5.0), 4: drift(5.0), 5: drift(0.0)}
    (incident,), changes = follow(windows("fffff"), rings)
    assert [(change.kind, change.window) for change in changes] == [(Kind.OPENED, 3), (Kind.CLOSED, 5)]
    assert incident.cause == Cause(State.CHANGED, (SLOW_DRIFT,))
    assert changes[0].incident.rings == rings[3]
    assert incident.windows == 2


def test_an_accuracy_that_fell_over_time_is_critical_whatever_the_windows_say():
    rings = {number: (Ring(ACCURACY, 0.84, 0.86, rings=True),) for number in (2, 3)}
    (incident,), changes = follow(windows("cffi"), rings)
    assert [(change.kind, change.incident.severity.value) for change in changes] == [
        (Kind.OPENED, "information"),
        (Kind.WORSE, "critical"),
    ]
    assert incident.cause == Cause(State.DEGRADED, (ACCURACY,))


def test_an_accuracy_that_fell_over_time_by_estimates_is_a_warning_which_labels_decide():
    rings = {number: (Ring(ACCURACY, 0.84, 0.86, rings=True, estimated=True),) for number in (2, 3)}
    (incident,), changes = follow(windows("cffi"), rings)
    assert [(change.kind, change.incident.severity.value) for change in changes] == [
        (Kind.OPENED, "information"),
        (Kind.WORSE, "warning"),
    ]
    assert incident.cause == Cause(State.UNDECIDED, (ACCURACY,))
    assert "by estimates: labels decide" in what_changed(incident)
    assert whether_it_hurts(incident).startswith("likely: ")
    assert "label a hundred of them" in next_step(incident).sentence


def test_a_window_whose_accuracy_fell_by_its_estimate_alone_is_a_warning_at_once():
    fell = window(1, "u", ("noise",), checks=FELL)
    assert fell.fell_by_estimate
    (incident,), _ = follow([fell])
    assert (incident.severity.value, incident.cause) == ("warning", Cause(State.UNDECIDED, ("noise",)))
    assert whether_it_hurts(incident).startswith("likely: accuracy estimated 0.700")
    assert "label a hundred of them" in next_step(incident).sentence
    within = Proportion(0.84, 0.81, 0.87, 1000)
    for known in ({"checks": FELL, "estimated": within}, {"checks": FELL, "estimated": None}, {}):
        other = window(1, "u", **known)
        assert not other.fell_by_estimate
        (incident,), _ = follow([other])
        assert incident.severity.value == "information"
        assert whether_it_hurts(incident).startswith("not known: ")


def test_what_an_incident_says_of_itself():
    (incident,), _ = follow(windows("ffcccf"))
    assert (incident.name, incident.first.window, incident.last.window) == ("cifar10/3", 3, 5)
    assert incident.end.window == 6
    assert incident.seconds == 3 * HOUR
    assert not incident.open


def test_time_is_that_of_the_requests_where_it_is_known():
    late_verdicts = [
        window(1, "c", judged_at=9_000.0, first_request=0.0, last_request=100.0),
        window(2, "f", judged_at=9_001.0, first_request=7_200.0, last_request=7_300.0),
    ]
    (incident,), _ = follow(late_verdicts)
    assert (incident.since, incident.seconds) == (0.0, 7_200.0)


def test_a_clock_that_is_set_back_makes_no_negative_duration():
    (incident,), _ = follow([window(1, "c", judged_at=9_000.0), window(2, "f", judged_at=100.0)])
    assert incident.seconds == 0.0


FEATURES = st.lists(st.sampled_from(["blur", "noise", "hue", "size"]), max_size=3, unique=True).map(tuple)
STORIES = st.lists(st.tuples(st.sampled_from("fffcdiu"), FEATURES, st.booleans(), st.booleans()), max_size=25)


def told_story(story):
    """Records and what the sequential test says after each."""
    records = [
        window(number, word, features if word in "cd" else (), late=late)
        for number, (word, features, late, _) in enumerate(story)
    ]
    rings = {number: drift(5.0) for number, (_, _, _, rings) in enumerate(story) if rings}
    return records, rings


@given(STORIES)
def test_a_window_at_a_time_comes_to_what_the_whole_comes_to(story):
    records, rings = told_story(story)
    incidents, changes = follow(records, rings)
    at, stepped, ended = NOTHING, [], []
    for record in records:
        at, change = step(at, record, rings.get(record.window, ()))
        stepped += [change] if change else []
        ended += [change.incident] if change and change.kind is Kind.CLOSED else []
    assert stepped == changes
    assert [*ended, *([at.incident] if at.incident else [])] == incidents


@given(STORIES)
def test_an_incident_is_opened_once_closed_once_and_only_gets_worse(story):
    records, rings = told_story(story)
    incidents, changes = follow(records, rings)
    assert [incident.open for incident in incidents[:-1]] == [False] * len(incidents[:-1])
    for incident in incidents:
        own = [change for change in changes if change.incident.number == incident.number]
        assert own[0].kind is Kind.OPENED
        assert [change.kind is Kind.CLOSED for change in own] == [False] * (len(own) - 1) + [not incident.open]
        ranks = [change.incident.severity.rank for change in own]
        assert ranks == sorted(ranks)
        assert sum(change.kind is Kind.WORSE for change in own) <= 2
        assert len({change.window for change in own}) == len(own)


@given(STORIES)
def test_late_windows_change_nothing(story):
    records, rings = told_story(story)
    in_time = [record for record in records if not record.late]
    assert follow(records, rings) == follow(in_time, rings)
