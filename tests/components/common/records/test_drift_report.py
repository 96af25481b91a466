"""The report: there and back, and what follows from its measurements."""

import json
import math
from dataclasses import replace

import pytest

from components.common.errors import MonitorError
from components.common.records.drift_report import DriftReport, Measurement, Side, State, ranked
from components.common.verdict import Outcome


def measurement(feature="image_noise", measured=0.3, *, threshold=0.2, adjusted=0.001, excess=2.0, comparison="skew"):
    return Measurement(comparison, feature, "jensen_shannon", measured, threshold, 0.001, adjusted, excess, 0.1, 0.4)


REPORT = DriftReport(
    state=State.CHANGED,
    outcome=Outcome.FAILED,
    sentence="The window differs from the baseline in image_noise",
    p_value=0.001,
    false_alarm_rate=0.01,
    skew_p_value=0.001,
    drift_p_value=None,
    window=Side(500, 500, 7),
    baseline=Side(5000, 5000, 0),
    previous=None,
    problems=("no previous span",),
    measurements=ranked(
        [
            measurement("image_warmth", 0.1, adjusted=0.4, excess=-1.0),
            measurement("image_entropy", 0.0, threshold=None, adjusted=1.0, excess=None),
            measurement("", 9.0, threshold=4.0, excess=3.0),
            measurement(excess=5.0),
        ]
    ),
)


def test_a_report_comes_back_from_json():
    assert DriftReport.from_json(REPORT.to_json()) == REPORT
    record = json.loads(REPORT.to_json())
    assert (record["format_version"], record["state"], record["alarm"]) == (1, "changed", True)
    assert record["measurements"][0]["reference_mean"] == 0.1


def test_a_measurement_is_a_line():
    lines = REPORT.to_json().splitlines()
    assert [line.strip().rstrip(",") for line in lines if '"test"' in line] == [
        json.dumps(vars(each)) for each in REPORT.measurements
    ]
    assert json.loads(replace(REPORT, measurements=()).to_json())["measurements"] == []


def test_a_record_without_thresholds_is_of_the_rule_of_its_time():
    """Then the alarm was raised at the false-alarm rate, shared evenly between the comparisons."""
    record = json.loads(replace(REPORT, drift_p_value=0.4).to_json())
    for name in ("p_threshold", "skew_p_threshold", "drift_p_threshold"):
        del record[name]
    before = DriftReport.from_json(json.dumps(record))
    assert before.allowed == 0.01
    assert before.comparisons == {"against the baseline": (0.001, 0.005), "against the previous span": (0.4, 0.005)}
    after = DriftReport.from_json(replace(REPORT, p_threshold=0.004, skew_p_threshold=0.004).to_json())
    assert (after.allowed, after.comparisons) == (0.004, {"against the baseline": (0.001, 0.004)})


def test_the_furthest_beyond_chance_is_first():
    assert REPORT.features == ["image_noise", "image_warmth", "image_entropy"]
    assert REPORT.changed_features == ["image_noise"]
    assert REPORT.alarm


def test_what_never_varies_raises_no_alarm():
    quiet = replace(REPORT, measurements=(measurement(measured=9.0, threshold=None),))
    assert not quiet.alarm


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "`format_version` must be 1"),
        ({"state": "good"}, "`state` must be one of"),
        ({"outcome": "blessed"}, "`outcome` must be one of"),
        ({"alarm": False}, "`alarm` must follow from the measurements"),
        ({"window": None}, "is not a drift_report.json"),
        ({"measurements": [{"feature": "a"}]}, "is not a drift_report.json"),
    ],
)
def test_what_is_not_a_report_is_refused(change, message):
    with pytest.raises(MonitorError, match=message):
        DriftReport.from_json(json.dumps(json.loads(REPORT.to_json()) | change))


@pytest.mark.parametrize("text", ["", "[]", "{}", REPORT.to_json()[:-20]])
def test_damaged_json_is_refused(text):
    with pytest.raises(MonitorError, match=r"is not a drift_report\.json"):
        DriftReport.from_json(text)


def test_a_measurement_or_threshold_that_is_no_number_is_not_within():
    def made(measured, threshold):
        return Measurement("skew", "x", "jensen_shannon", measured, threshold, 0.5, 0.5, None)

    assert [made(*each).exceeded for each in ((math.nan, 0.1), (0.1, math.nan), (0.1, 0.1), (0.2, 0.1))] == [
        True, True, False, True,
    ]  # fmt: skip
