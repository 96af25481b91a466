"""The table of series: names, labels, and values that are never made up."""

import math
import re
from dataclasses import replace

import pytest

from model_monitor.metrics.observed import Observed
from model_monitor.metrics.series import SERIES

NOW = 1_795_700_160.0
BY_NAME = {series.name: series for series in SERIES}


def test_names_are_as_prometheus_has_them_and_help_is_a_sentence_without_its_full_stop():
    assert len(BY_NAME) == len(SERIES)
    for series in SERIES:
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z]", series.name), series.name
        assert not series.name.endswith("_total")
        assert series.help[0].isupper() or series.help[0].isdigit()
        assert not series.help.endswith(".")


def test_every_series_has_points_with_its_own_labels(observed):
    for series in SERIES:
        points = series.points(observed, NOW)
        assert points, series.name
        assert all(set(point.labels) == set(series.labels) for point in points)
        assert len({tuple(sorted(point.labels.items())) for point in points}) == len(points)


def test_what_is_not_known_is_no_point_and_not_zero():
    nothing = Observed("digits")
    known = {series.name for series in SERIES if series.points(nothing, NOW)}
    counted = {series.name for series in SERIES if series.kind == "counter"} - {"alerts"}
    assert known == counted | {"open_incidents", "lag_seconds", "backlog_windows", "backlog_examples"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_no_point(observed, value):
    broken = replace(observed, last=replace(observed.last, p_value=value))
    assert BY_NAME["window_p_value"].points(broken, NOW) == []


def test_ends_of_an_interval_that_is_not_known_are_no_points(observed):
    kinds = {name: [point.labels["kind"] for point in BY_NAME[name].points(observed, NOW)] for name in
             ("accuracy", "accuracy_low")}  # fmt: skip
    assert kinds == {"accuracy": ["estimated", "baseline"], "accuracy_low": ["estimated"]}


def test_one_word_of_the_verdict_is_one_and_the_others_are_zero(observed):
    points = BY_NAME["window_state"].points(observed, NOW)
    assert {point.labels["state"]: point.value for point in points} == {
        "degraded": 1, "invalid": 0, "changed": 0, "undecided": 0, "fine": 0,
    }  # fmt: skip


def test_the_lag_is_the_age_of_the_oldest_request_without_a_verdict_and_never_negative(observed):
    assert BY_NAME["lag_seconds"].points(observed, NOW)[0].value == 60
    assert BY_NAME["lag_seconds"].points(observed, NOW - 1000)[0].value == 0  # the clock was set back
    assert BY_NAME["lag_seconds"].points(replace(observed, oldest_unjudged=None), NOW)[0].value == 0
