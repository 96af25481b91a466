"""The check: fine, degraded or undecided, and never fine for want of evidence."""

import dataclasses
import json
import math

import numpy as np
import pytest

from components.common.errors import MonitorError
from components.common.proportion import Proportion
from components.common.records.performance import Examples, Performance
from components.common.verdict import Outcome
from components.performance_estimator import measurement
from components.performance_estimator.delayed_labels import LabelRow, LoggedExamples, join
from components.performance_estimator.measurement import measure
from tests.support.specs import model_spec

BASELINE_RIGHT = 0.9


@pytest.fixture
def judge(sample):
    def run(baseline=..., window=..., labelled=None, max_accuracy_drop=0.05):
        return measure(
            sample(1000, right=BASELINE_RIGHT) if baseline is ... else baseline,
            sample(500, right=0.9, seed=1, labels=False) if window is ... else window,
            labelled,
            estimator="atc_confidence",
            max_accuracy_drop=max_accuracy_drop,
            class_names=("a", "b", "c", "d"),
        )

    return run


def labels(count, right):
    """Labels of `count` examples, of which `right` are as predicted."""
    examples = LoggedExamples([f"e{number}" for number in range(count)], [number % 4 for number in range(count)])
    rows = [LabelRow("", f"e{number}", number % 4 if number < right else (number + 1) % 4) for number in range(count)]
    return join(rows, [examples], model_spec(classes=["a", "b", "c", "d"]))


def test_a_window_like_the_baseline_is_fine(judge):
    found = judge()
    assert found.check.outcome is Outcome.PASSED
    assert found.check.findings == ()
    assert (found.baseline.count, found.baseline.total) == (900, 1000)
    assert found.estimate.value == pytest.approx(0.9, abs=0.02)
    assert (found.baseline_examples, found.window_examples) == (Examples(1000, 1000, 1000), Examples(500, 500, 500))
    assert found.labelled is found.labels_check is None
    assert [share.total for share in found.baseline_by_class] == [250] * 4


def test_a_window_that_lost_confidence_is_degraded_and_says_by_how_much(judge, sample):
    found = judge(window=sample(500, right=0.7, labels=False))
    assert (found.check.outcome, found.check.findings[0].what) == (Outcome.FAILED, "CUSTOM_VALIDATION")
    assert found.check.reason.startswith("Estimated accuracy fell by 20.0 points, more than the 5 allowed: 0.700 (")
    assert judge(window=sample(500, right=0.7), max_accuracy_drop=0.4).check.outcome is Outcome.PASSED


def test_a_fall_within_the_interval_is_fine(judge, sample):
    """The estimate is 6 points lower; with 100 examples that may be chance, with 5,000 it may not."""
    small, large = (judge(window=sample(count, right=0.84, labels=False)) for count in (100, 5000))
    assert small.estimate.value == pytest.approx(large.estimate.value, abs=0.005)
    assert small.check.outcome is Outcome.PASSED
    told = "6.0 points below the baseline's 0.900; so few examples cannot tell whether that is more than the 5 allowed"
    assert told in small.check.reason
    assert judge(window=sample(5000, right=0.82, labels=False)).check.outcome is Outcome.FAILED


def test_which_drop_a_window_of_this_size_can_show_is_said(judge, sample):
    """What a fall must reach to be called degraded: more than is allowed, by the upper half of the interval."""
    small, large = (judge(window=sample(count, right=0.9, labels=False)) for count in (100, 5000))
    assert small.visible_drop > large.visible_drop > 0.05
    assert small.visible_drop == pytest.approx(0.05 + small.estimate.high - small.estimate.value)
    points = f"{100 * large.visible_drop:.1f} points or more"
    assert large.check.reason.endswith(f"5,000 examples show a fall of {points}")
    assert large.caveats[0] == f"5,000 examples show a fall of the accuracy of {points}"
    assert json.loads(large.to_json())["visible_drop"] == large.visible_drop


def test_bounds_allow_for_what_the_estimators_are_wrong_by(sample):
    """Half of the window has lost its confidence: transport and thresholds differ, and the bounds hold both."""
    shifted = sample(500, right=0.7, labels=False)
    settings = {"estimator": "cott", "max_accuracy_drop": 0.05}
    found = measure(sample(1000, right=0.9), shifted, None, **settings)
    second = measure(sample(1000, right=0.9), shifted, None, **{**settings, "estimator": "atc_confidence"})
    assert found.bounds[0] < min(found.estimate.low, second.estimate.low)
    assert found.bounds[1] > max(found.estimate.high, second.estimate.high)
    assert f"{found.bounds[0]:.3f} to {found.bounds[1]:.3f}" in found.caveats[1]
    again = Performance.from_json(found.to_json())
    assert (again.bounds, again.visible_drop) == (found.bounds, found.visible_drop)
    record = json.loads(found.to_json())
    del record["bounds"], record["visible_drop"]
    before = Performance.from_json(json.dumps(record))
    assert (before.bounds, len(before.caveats)) == (None, 1)


@pytest.mark.parametrize(
    ("bounds", "outcome", "anomaly"),
    [
        ((0.7, 0.849), Outcome.FAILED, "CUSTOM_VALIDATION"),
        ((0.7, 0.86), Outcome.UNDECIDED, "COMPARATOR_LOW_NUM_EXAMPLES"),
        ((0.7, math.nan), Outcome.UNDECIDED, "COMPARATOR_LOW_NUM_EXAMPLES"),
        (None, Outcome.FAILED, "CUSTOM_VALIDATION"),  # measured by labels, which have no error of their own
    ],
)
def test_a_fall_that_the_estimate_s_own_errors_may_explain_is_undecided_and_not_degraded(bounds, outcome, anomaly):
    found = Proportion(0.8, 0.78, 0.82, 1000)
    check = measurement.judge("Estimated accuracy", found, Proportion(0.9, 0.88, 0.92, 1000), 0.05, bounds)
    assert (check.outcome, check.findings[0].what) == (outcome, anomaly)
    assert check.reason.startswith("Estimated accuracy fell by 10.0 points, more than the 5 allowed: 0.800")
    told = "may lie between 0.700 and 0.860 when its own errors are allowed for, and 0.850 is allowed: labels decide"
    assert check.reason.endswith(told) == (bounds == (0.7, 0.86))


def test_of_a_window_the_bounds_decide(sample):
    """Half of it has lost its confidence: by transport too much is lost, by thresholds it may not be."""
    settings = {"estimator": "cott", "max_accuracy_drop": 0.05}
    found = measure(sample(1000, right=0.9), sample(500, right=0.7, labels=False), None, **settings)
    least = found.baseline.value - 0.05
    assert found.estimate.high < least
    expected = Outcome.FAILED if found.bounds[1] < least else Outcome.UNDECIDED
    assert found.check.outcome is found.estimate_check.outcome is expected
    allowed = max(0.0, found.baseline.value - found.bounds[1] + 0.001)
    doubted = measure(
        sample(1000, right=0.9), sample(500, right=0.7, labels=False), None, estimator="cott", max_accuracy_drop=allowed
    )
    assert doubted.estimate.high < doubted.baseline.value - allowed < doubted.bounds[1]
    assert doubted.check.outcome is Outcome.UNDECIDED
    assert "labels decide" in doubted.check.reason


def without_probabilities(sample, count):
    rows = sample.probabilities.copy()
    rows[:count] = np.nan
    return dataclasses.replace(sample, probabilities=rows)


@pytest.mark.parametrize(
    ("given", "reason", "anomaly"),
    [
        (lambda s: {"baseline": None}, "baseline hold no sample", "COMPARATOR_CONTROL_DATA_MISSING"),
        (lambda s: {"window": None}, "window hold no sample", "COMPARATOR_TREATMENT_DATA_MISSING"),
        (lambda s: {"baseline": s(99, labels=False)}, "baseline has no labels", "COMPARATOR_CONTROL_DATA_MISSING"),
        (lambda s: {"baseline": s(99, probabilities=False)}, "baseline has no prob", "COMPARATOR_CONTROL_DATA_MISSING"),
        (lambda s: {"window": s(99, probabilities=False)}, "window has no prob", "COMPARATOR_TREATMENT_DATA_MISSING"),
        (lambda s: {"window": s(49)}, "49 usable examples of 49, fewer than the 50", "COMPARATOR_LOW_NUM_EXAMPLES"),
        (lambda s: {"baseline": s(49)}, "The baseline has 49 usable", "COMPARATOR_LOW_NUM_EXAMPLES"),
        (lambda s: {"window": s(0)}, "no examples", "NO_DATA_IN_SPAN"),
        (
            lambda s: {"window": without_probabilities(s(100), 60)},
            "window has 40 usable examples of 100",
            "COMPARATOR_LOW_NUM_EXAMPLES",
        ),
        (
            lambda s: {"baseline": dataclasses.replace(s(100), labels=np.full(100, -1))},
            "baseline has 0 usable examples of 100",
            "COMPARATOR_LOW_NUM_EXAMPLES",
        ),
    ],
)
def test_what_cannot_be_told_is_undecided(judge, sample, given, reason, anomaly):
    found = judge(**given(sample))
    assert (found.check.outcome, found.check.findings[0].what) == (Outcome.UNDECIDED, anomaly)
    assert reason in found.check.reason
    assert found.estimate is None
    assert Performance.from_json(found.to_json()) == found


def test_another_number_of_classes_is_undecided(judge, sample):
    other = sample(100)
    wider = dataclasses.replace(other, probabilities=np.pad(other.probabilities, ((0, 0), (0, 1))))
    found = judge(window=wider)
    assert found.check.outcome is Outcome.UNDECIDED
    assert "4 probabilities an example and the window 5" in found.check.reason


def test_rows_that_cannot_be_used_are_left_out_and_counted(judge, sample):
    found = judge(window=without_probabilities(sample(500), 100))
    assert found.window_examples == Examples(500, 500, 400)
    assert found.estimate.value == pytest.approx(350 / 400, abs=0.01)


@pytest.mark.parametrize(
    ("labelled", "window_right", "state", "reason"),
    [
        ((400, 300), 0.9, Outcome.FAILED, "Accuracy on 400 labelled examples fell by 15.0 points"),
        ((400, 360), 0.5, Outcome.PASSED, "Accuracy on 400 labelled examples is 0.900"),
        ((20, 20), 0.9, Outcome.UNDECIDED, "Labels came for 20 of 20 examples, fewer than the 50 needed"),
        ((0, 0), 0.9, Outcome.UNDECIDED, "Labels came for 0 of 0 examples"),
        ((20, 20), 0.5, Outcome.FAILED, "Estimated accuracy fell by 40.0 points"),
    ],
)
def test_labels_that_decide_are_believed_and_others_excuse_nothing(
    judge, sample, labelled, window_right, state, reason
):
    found = judge(window=sample(500, right=window_right, labels=False), labelled=labels(*labelled))
    assert found.check.outcome is state
    assert found.check.reason.startswith(reason)
    assert found.estimate_check.outcome is (Outcome.FAILED if window_right == 0.5 else Outcome.PASSED)
    assert Performance.from_json(found.to_json()) == found


def test_labels_need_a_baseline_too(judge):
    found = judge(baseline=None, labelled=labels(400, 400))
    assert found.check.outcome is Outcome.UNDECIDED
    assert "no baseline accuracy" in found.check.reason


def test_json_is_strict_and_versioned(judge):
    text = judge().to_json()
    record = json.loads(text)
    assert record["format_version"] == 1
    for damaged in (text[:50], "[]", json.dumps({**record, "format_version": 2}), json.dumps({**record, "extra": 1})):
        with pytest.raises(MonitorError):
            Performance.from_json(damaged)
    wrong = {**record, "judgement": {**record["judgement"], "state": "fne"}}
    with pytest.raises(MonitorError, match="did you mean 'fine'"):
        Performance.from_json(json.dumps(wrong))


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("kat", "400 of 400 rows have a label that is no class, such as 'kat'; it must be a class, such as 'a', or"),
        (9, "400 of 400 rows have a number that is no class's, such as 9; it must be a class, such as 'a', or its n"),
    ],
)
def test_labels_that_join_nothing_say_what_came_and_what_was_expected(judge, label, problem):
    examples = LoggedExamples([f"e{number}" for number in range(400)], [0] * 400)
    rows = [LabelRow("", f"e{number}", label) for number in range(400)]
    found = judge(labelled=join(rows, [examples], model_spec(classes=["a", "b", "c", "d"])))
    assert found.check.outcome is Outcome.UNDECIDED
    assert found.check.reason.startswith(f"Labels came for 0 of 400 examples, fewer than the 50 needed ({problem}")
    assert Performance.from_json(found.to_json()) == found


def test_a_few_labels_that_are_none_are_said_beside_the_accuracy(judge):
    found = judge(labelled=join(*with_rows(400, 360, LabelRow("", "e7", "kat"))))
    assert found.check.outcome is Outcome.PASSED
    assert "; 1 of 401 rows have a label that is no class, such as 'kat'; it must be" in found.check.reason


def with_rows(count, right, *others):
    examples = LoggedExamples([f"e{number}" for number in range(count)], [number % 4 for number in range(count)])
    rows = [LabelRow("", f"e{number}", number % 4 if number < right else (number + 1) % 4) for number in range(count)]
    return [*rows, *others], [examples], model_spec(classes=["a", "b", "c", "d"])


def test_delayed_labels_from_1_are_undecided_and_not_degraded(judge):
    examples = LoggedExamples([f"e{number}" for number in range(400)], [number % 3 for number in range(400)])
    rows = [LabelRow("", f"e{number}", number % 3 + 1) for number in range(400)]
    found = judge(labelled=join(rows, [examples], model_spec(classes=["a", "b", "c", "d"])))
    assert found.check.outcome is Outcome.UNDECIDED
    assert "The labels are counted otherwise than the classes: the scores agree with 400 of 400" in found.check.reason


def test_class_ids_that_contradict_the_probabilities_are_said_before_accuracy_is_blamed(judge):
    rows, (examples,), spec = with_rows(400, 300)
    logged = dataclasses.replace(examples, disagreeing=5)
    found = judge(labelled=join(rows, [logged], spec))
    assert found.check.outcome is Outcome.UNDECIDED
    told = "The class_id of 5 of 400 examples is not the class of their largest probability"
    assert found.check.reason.startswith(told)
    logged = dataclasses.replace(examples, disagreeing=4)
    assert judge(labelled=join(rows, [logged], spec)).check.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "found", [Proportion(0.9), Proportion(math.nan, 0.8, 0.9), Proportion(0.9, math.nan, math.nan)]
)
def test_an_accuracy_without_an_interval_is_undecided_and_never_within_what_is_allowed(found):
    check = measurement.judge("Estimated accuracy", found, Proportion.of(90, 100), 0.05)
    assert check.outcome is Outcome.UNDECIDED
    assert "whose interval is not known" in check.reason
