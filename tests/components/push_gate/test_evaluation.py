import pytest

from components.common.artifacts.evaluation import EvaluatedModels, evaluated_models
from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.validation import read_validation
from components.common.verdict import Outcome
from components.push_gate import evaluation
from components.push_gate.evaluation import Blessing, model_findings
from components.push_gate.policy import EvaluationPolicy

MODEL = Artifact("/model", address="s3://runs/model")
POLICY = EvaluationPolicy()


def test_a_missed_slice_is_named_with_value_and_threshold(evaluate):
    result, _ = evaluate("bad_at_3", "good")
    messages = [finding.message for finding in read_validation(result.uri, local_files())]
    assert "accuracy of label 3 is 0.25, below 0.35" in messages
    assert not any("label 2" in message for message in messages)


def test_a_missed_change_is_named(evaluate):
    result, _ = evaluate("bad_at_3", "good")
    findings = read_validation(result.uri, local_files())
    (change,) = [f for f in findings if f.where == "" and f.allowed == pytest.approx(-0.02)]
    assert change.message == "accuracy changed by -0.1875 against the baseline, but the change must be at least -0.02"
    assert change.measured == pytest.approx(-0.1875)
    assert evaluated_models(result.uri, local_files()).has_baseline is True


def test_a_first_push_says_that_no_change_was_checked(evaluate):
    result, _ = evaluate("good")
    findings = read_validation(result.uri, local_files())
    assert findings == []
    verdict = evaluation.judge(findings, evaluated_models(result.uri, local_files()).has_baseline, POLICY)
    assert verdict.outcome is Outcome.PASSED
    assert "first push, no change to compare" in verdict.reason
    strict = evaluation.judge(findings, False, EvaluationPolicy(without_baseline="block"))
    assert strict.outcome is Outcome.UNDECIDED
    assert "first push, no change to compare" in strict.reason


def test_no_warning_with_a_baseline():
    verdict = evaluation.judge([], True, POLICY)
    assert (verdict.outcome, verdict.reason) == (Outcome.PASSED, "every threshold was met")


@pytest.mark.parametrize(
    ("blessing", "expected"),
    [
        (Blessing(True, "/model", True), []),
        (Blessing(True, "s3://runs/model", True), []),  # as the blessing of another pod names it
        (Blessing(True, "", True), ["Evaluator's blessing does not say which model it is about"]),
        (Blessing(False, "/model", True), ["Evaluator did not bless the model"]),
        (Blessing(None, "", False, "no blessing was written"), ["no blessing was written"]),
        (Blessing(True, "/other", True), ["Evaluator's blessing is about another model, /other"]),
    ],
)
def test_blessings_in_words(blessing, expected):
    assert [finding.message for finding in evaluation.blessing_findings(blessing, MODEL)] == expected


def test_a_blessing_withheld_is_not_said_again_when_the_metrics_say_why():
    assert list(evaluation.blessing_findings(Blessing(False, "/model", True), MODEL, explained=True)) == []


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ("/model/Format-Serving", []),
        ("s3://runs/model/Format-Serving", []),
        ("s3://runs/model-2", ["the evaluation is about another model, s3://runs/model-2"]),
    ],
)
def test_an_evaluation_names_the_model_as_its_own_process_reads_it_or_as_everybody_does(candidate, expected):
    found = model_findings(EvaluatedModels(candidate, True), MODEL)
    assert [finding.message for finding in found] == expected


def test_nothing_given_is_undecided_or_fine_as_the_policy_says():
    assert evaluation.not_given(POLICY).outcome is Outcome.UNDECIDED
    assert evaluation.not_given(EvaluationPolicy(required=False)).outcome is Outcome.PASSED
