import math

import pytest
from google.protobuf import text_format
from tensorflow_model_analysis.proto import validation_result_pb2

from components.common.verdict import Outcome
from components.push_gate import evaluation, readers
from components.push_gate.evaluation import Blessing
from components.push_gate.policy import EvaluationPolicy

POLICY = EvaluationPolicy()


def test_a_missed_slice_is_named_with_value_and_threshold(evaluate):
    result, _ = evaluate("bad_at_3", "good")
    messages = [finding.message for finding in readers.evaluation_findings(result.uri)]
    assert "accuracy of label 3 is 0.25, below 0.35" in messages
    assert not any("label 2" in message for message in messages)


def test_a_missed_change_is_named(evaluate):
    result, _ = evaluate("bad_at_3", "good")
    findings = readers.evaluation_findings(result.uri)
    (change,) = [f for f in findings if f.where == "" and f.allowed == pytest.approx(-0.02)]
    assert change.message == "accuracy changed by -0.1875 against the baseline, but the change must be at least -0.02"
    assert change.measured == pytest.approx(-0.1875)
    assert readers.has_baseline(result.uri) is True


def test_a_first_push_says_that_no_change_was_checked(evaluate):
    result, _ = evaluate("good")
    findings = readers.evaluation_findings(result.uri)
    assert findings == []
    verdict = evaluation.judge(findings, readers.has_baseline(result.uri), POLICY)
    assert verdict.outcome is Outcome.PASSED
    assert "first push, no change to compare" in verdict.reason
    strict = evaluation.judge(findings, False, EvaluationPolicy(without_baseline="block"))
    assert strict.outcome is Outcome.UNDECIDED
    assert "first push, no change to compare" in strict.reason


def test_no_warning_with_a_baseline():
    verdict = evaluation.judge([], True, POLICY)
    assert (verdict.outcome, verdict.reason) == (Outcome.PASSED, "every threshold was met")


def result_of(text: str):
    return text_format.Parse(text, validation_result_pb2.ValidationResult())


FAILURE = """
validation_ok: false
metric_validations_per_slice {
  slice_key { %s }
  failures { metric_key { name: "m" %s } metric_threshold { %s } %s }
}
"""
LABEL = 'single_slice_keys { column: "label" int64_value: 3 }'
VALUE = "metric_value { double_value { value: %s } }"
LOWER = "value_threshold { lower_bound { value: 0.35 } }"
UPPER = "value_threshold { upper_bound { value: 0.1 } }"
RELATIVE = "change_threshold { relative { value: 0.1 } absolute { value: 0.02 } direction: LOWER_IS_BETTER }"
BOTH_KEYS = LABEL + 'single_slice_keys { column: "camera" bytes_value: "front" }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FAILURE % (LABEL, "", LOWER, VALUE % 0.31), "m of label 3 is 0.31, below 0.35"),
        (FAILURE % ("", "", UPPER, VALUE % 0.2), "m is 0.2, above 0.1"),
        (FAILURE % ("", "", LOWER, VALUE % 0.3499999), "m is 0.3499999, below 0.35"),
        (FAILURE % (BOTH_KEYS, "", LOWER, VALUE % 0), "m of label 3 and camera front is 0, below 0.35"),
        (FAILURE % ("", "sub_key { class_id { value: 2 } }", LOWER, VALUE % 0), "m (class 2) is 0, below 0.35"),
        (FAILURE % ("", "", LOWER, ""), "m was not computed, though a threshold is set (at least 0.35)"),
        (FAILURE % ("", "", LOWER, VALUE % "nan"), "m is nan, but must be at least 0.35"),
        (
            FAILURE % ("", "is_diff: true", RELATIVE, VALUE % 0.3),
            "m changed by +0.3 against the baseline, "
            "but the change must be at most +0.02 and at most +0.1 times its value",
        ),
        ("validation_ok: false missing_thresholds: true", "the evaluation checked no threshold at all"),
        ("validation_ok: true", "the evaluation checked no threshold at all"),
        (
            'validation_ok: false missing_slices { feature_values { key: "label" value: "9" } }',
            "no example of label 9, for which a threshold is set",
        ),
        (
            'validation_ok: false missing_slices { feature_keys: "label" }',
            "no example of each label, for which a threshold is set",
        ),
        ("validation_ok: false validation_details { }", "TFMA says that the model is not valid, and not why"),
    ],
)
def test_validation_results_in_words(text, message):
    (finding,) = evaluation.validation_findings(result_of(text))
    assert finding.message == message
    assert finding.measured is None or math.isfinite(finding.measured)


def test_cross_slices_are_named():
    text = """validation_ok: false metric_validations_per_slice {
      cross_slice_key { baseline_slice_key { single_slice_keys { column: "label" int64_value: 1 } }
                        comparison_slice_key { single_slice_keys { column: "label" int64_value: 2 } } }
      failures { metric_key { name: "m" } metric_threshold { value_threshold { upper_bound { value: 0.1 } } }
                 metric_value { double_value { value: 0.4 } } } }"""
    (finding,) = evaluation.validation_findings(result_of(text))
    assert finding.message == "m of label 1 against label 2 is 0.4, above 0.1"


@pytest.mark.parametrize(
    ("blessing", "expected"),
    [
        (Blessing(True, "/model", True), []),
        (Blessing(True, "", True), []),
        (Blessing(False, "/model", True), ["Evaluator did not bless the model"]),
        (Blessing(None, "", False), ["Evaluator wrote no blessing; does its configuration have a threshold?"]),
        (Blessing(True, "/other", True), ["Evaluator's blessing is about another model, /other"]),
    ],
)
def test_blessings_in_words(blessing, expected):
    assert [finding.message for finding in evaluation.blessing_findings(blessing, "/model")] == expected


def test_a_blessing_withheld_is_not_said_again_when_the_metrics_say_why():
    assert list(evaluation.blessing_findings(Blessing(False, "/model", True), "/model", explained=True)) == []


def test_nothing_given_is_undecided_or_fine_as_the_policy_says():
    assert evaluation.not_given(POLICY).outcome is Outcome.UNDECIDED
    assert evaluation.not_given(EvaluationPolicy(required=False)).outcome is Outcome.PASSED
