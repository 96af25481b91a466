import json

import pytest

from components.common.errors import MonitorError
from components.common.records.decision import Decision
from components.common.verdict import Check, Effect, Finding, Outcome


def finding(effect: Effect, message: str = "m") -> Finding:
    return Finding("accuracy", "label 3", effect, message, 0.31, 0.35)


@pytest.mark.parametrize(
    ("effects", "outcome"),
    [
        ([], Outcome.PASSED),
        ([Effect.WARN, Effect.EXEMPT], Outcome.PASSED),
        ([Effect.WARN, Effect.UNDECIDED], Outcome.UNDECIDED),
        ([Effect.UNDECIDED, Effect.FAIL], Outcome.FAILED),
    ],
)
def test_worst_finding_decides(effects, outcome):
    assert Check.of("g", [finding(effect) for effect in effects], passed="fine").outcome is outcome


def test_reason_says_what_failed_first_and_counts_the_rest():
    findings = [finding(Effect.UNDECIDED, "unsure"), *(finding(Effect.FAIL, f"bad {n}") for n in range(4))]
    assert Check.of("g", findings, passed="fine").reason == "bad 0; bad 1; bad 2; and 2 more"


def test_warnings_are_part_of_the_reason_for_passing():
    assert Check.of("g", [finding(Effect.WARN, "odd")], passed="fine").reason == "fine. Warned: odd"


@pytest.mark.parametrize(
    ("outcomes", "blessed"),
    [
        ([], False),
        ([Outcome.PASSED, Outcome.PASSED], True),
        ([Outcome.PASSED, Outcome.UNDECIDED], False),
        ([Outcome.FAILED], False),
    ],
)
def test_only_a_model_that_everything_passed_is_blessed(outcomes, blessed):
    decision = Decision("uri", tuple(Check("g", "", outcome, "r") for outcome in outcomes))
    assert decision.blessed is blessed
    assert decision.summary.startswith("Blessed" if blessed else "Not blessed")
    assert json.loads(decision.to_json())["blessed"] is blessed


def test_json_there_and_back():
    findings = [finding(effect) for effect in Effect] + [Finding("x", "", Effect.WARN, "no numbers")]
    verdicts = (
        Check.of("evaluation", findings, passed=""),
        Check.of("anomalies", [], passed="ok", subject="train"),
    )
    decision = Decision("/models/1", verdicts)
    assert Decision.from_json(decision.to_json()) == decision


def test_text_names_every_verdict_and_finding():
    verdict = Check.of("anomalies", [finding(Effect.FAIL, "too dark")], passed="", subject="Validator, train")
    text = Decision("/models/1", (verdict,)).to_text()
    assert text.startswith("Not blessed. anomalies (Validator, train): too dark.")
    assert "FAILED    anomalies (Validator, train): too dark" in text
    assert "fail      too dark" in text


GOOD = json.loads(Decision("m", (Check.of("g", [finding(Effect.FAIL)], passed=""),)).to_json())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not a reasons.json"),
        ("[]", "is not a reasons.json"),
        ("{}", "is not a reasons.json"),
        (json.dumps({**GOOD, "format_version": 2}), "must be 1"),
        (json.dumps({**GOOD, "blessed": True}), "must follow from the verdicts"),
        (json.dumps({**GOOD, "verdicts": [{**GOOD["verdicts"][0], "outcome": "pased"}]}), "did you mean 'passed'"),
        (json.dumps({**GOOD, "verdicts": [{"gate": "g"}]}), "is not a reasons.json"),
    ],
)
def test_damaged_json_is_refused(text, expected):
    with pytest.raises(MonitorError, match=expected):
        Decision.from_json(text)
