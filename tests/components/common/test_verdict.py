"""The word that the checks of a span come to, what it says, and what it ends a command with."""

import itertools

import pytest

from components.common.artifacts.checks import ACCURACY, DATA, LOGS
from components.common.errors import MonitorError
from components.common.records.span_history import NOTHING_KNOWN, Seen, SpanHistory
from components.common.verdict import Check, Push, verdict_of_push, verdict_of_span
from components.common.verdict_words import (
    COLOURS,
    EXIT_BLOCKED,
    EXIT_ERROR,
    EXIT_FINE,
    FAIL_ON,
    MARKS_OF_TONES,
    MEANINGS,
    OF_SPANS,
    Outcome,
    State,
)

P, F, U = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED


def checks(logs: Outcome = P, data: Outcome = P, accuracy: Outcome = P, outside: bool = False) -> list[Check]:
    """What the three checks of a span say; `outside`: the data failed because they are outside the schema."""
    return [
        Check(LOGS, "", logs, f"logs {logs.value}"),
        Check(DATA, "", data, f"data {data.value}", failure=State.INVALID if outside else State.CHANGED),
        Check(ACCURACY, "", accuracy, f"accuracy {accuracy.value}", failure=State.DEGRADED),
    ]


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (checks(), State.FINE),
        (checks(data=F), State.CHANGED),
        (checks(accuracy=F), State.DEGRADED),
        (checks(data=F, accuracy=F), State.DEGRADED),
        (checks(logs=F), State.INVALID),
        (checks(data=F, outside=True), State.INVALID),
        (checks(data=F, outside=True, accuracy=U), State.INVALID),
        # of what is broken or outside the schema, whatever else is known
        (checks(logs=F, data=F, accuracy=F), State.INVALID),
        (checks(data=F, outside=True, accuracy=F), State.INVALID),
        (checks(data=U), State.UNDECIDED),
        (checks(accuracy=U), State.UNDECIDED),
        # that a change does no harm has to be known
        (checks(data=F, accuracy=U), State.UNDECIDED),
        (checks(logs=U, data=F), State.UNDECIDED),
        # what is known to be wrong stays so beside what is not known
        (checks(logs=F, accuracy=U), State.INVALID),
        (checks(data=U, accuracy=F), State.DEGRADED),
        ([], State.NO_VERDICT),
    ],
)
def test_the_word_is_the_worst_that_a_check_says(given, state):
    says = verdict_of_span(given, span=3)
    assert (says.state, says.outcome) == (state, MEANINGS[state].outcome)
    assert given == [] or says.headline == f"Span 3 is {state.value}"


def test_no_word_passes_beside_another_unless_it_was_taken_out():
    """Of all that three checks may say and all that may fail: 0 only where every word that was said was taken out."""
    tried = 0
    for outcomes in itertools.product((P, F, U), repeat=3):
        for outside in (True, False):
            given = checks(*outcomes, outside=outside)
            says = verdict_of_span(given)
            for size in range(len(FAIL_ON) + 1):
                for fail_on in itertools.combinations((state.value for state in FAIL_ON), size):
                    code = says.exit_code(fail_on)
                    words = {says.state.value} | {check.state.value for check in given}
                    assert code == (EXIT_BLOCKED if words & set(fail_on) else EXIT_FINE)
                    tried += 1
    assert tried == 27 * 2 * 16


def test_by_default_only_a_pass_passes():
    for outcomes in itertools.product((P, F, U), repeat=3):
        says = verdict_of_span(checks(*outcomes))
        assert (says.exit_code(FAIL_ON) == EXIT_FINE) == (outcomes == (P, P, P)) == (says.outcome is P)


def test_what_explains_the_rest_comes_first_and_a_change_says_what_holds():
    assert verdict_of_span(checks(data=F)).reason == "data failed. accuracy passed"
    assert verdict_of_span(checks(data=F, accuracy=F)).reason == "data failed. accuracy failed"
    assert verdict_of_span(checks(data=F, accuracy=U)).reason == "data failed. accuracy undecided"


@pytest.mark.parametrize("data", [P, F])
def test_what_a_check_should_have_been_given_and_was_not_is_undecided(data):
    says = verdict_of_span(checks(data=data), missing=["PerformanceEstimator gave no anomalies"])
    assert says.state is State.UNDECIDED
    assert says.reason.endswith("PerformanceEstimator gave no anomalies")


def told(history: SpanHistory, **outcomes: Outcome) -> str:
    return verdict_of_span(checks(**outcomes), span=5, p_value=0.93, history=history).sentence


def test_fine_again_says_after_how_many_spans_that_were_not():
    after = SpanHistory(not_fine=(2, 3, 4), again=True, incident=True)
    assert told(after) == "Span 5 is fine again: as the baseline, after 3 spans that were not (2 to 4), p = 0.93."
    one = SpanHistory(not_fine=(4,), again=True, incident=True)
    assert told(one) == "Span 5 is fine again: as the baseline, after 1 span that was not (4), p = 0.93."
    first = SpanHistory(not_fine=(2, 3, 4), again=False, incident=True)
    assert told(first).startswith("Span 5 is fine: as the baseline, after 3 spans that were not (2 to 4)")
    assert told(after, data=F).startswith("Span 5 is changed: data failed")


def test_spans_that_were_undecided_only_are_no_incident():
    assert told(SpanHistory(not_fine=(4,), again=True)) == told(NOTHING_KNOWN)
    assert told(NOTHING_KNOWN).startswith(
        "Span 5 is fine: it differs from the baseline no more than by chance, p = 0.93"
    )


@pytest.mark.parametrize("data", [P, F, U])
def test_an_earlier_evaluation_of_fewer_files_is_named(data):
    seen = SpanHistory(seen=Seen(examples=1400, state="changed", run=12))
    assert told(seen, data=data).endswith(". Seen before with 1,400 examples: changed, run 12.")


def test_a_history_survives_json_and_what_is_none_is_refused():
    known = SpanHistory((2, 3), True, True, Seen(400, "fine", 9))
    assert SpanHistory.from_json(known.to_json()) == known
    assert SpanHistory.from_json("") == NOTHING_KNOWN
    for text in ("{", "[]", "{}", '{"not_fine": 3, "seen": null, "again": true, "incident": true}', "null"):
        with pytest.raises(MonitorError, match="`history` must be"):
            SpanHistory.from_json(text)


def test_every_word_has_a_mark_a_colour_and_a_code():
    assert set(MEANINGS) == set(State)
    for state, meaning in MEANINGS.items():
        assert MARKS_OF_TONES[meaning.tone]
        assert COLOURS[meaning.tone]
        assert (meaning.exit_code == EXIT_FINE) == (meaning.outcome is P)
        assert meaning.exit_code in (EXIT_FINE, EXIT_BLOCKED, EXIT_ERROR)
        assert state.words.replace(" ", "_") == state.value
    assert len({MEANINGS[state].tone for state in OF_SPANS}) == len(OF_SPANS)
    assert set(FAIL_ON) == set(OF_SPANS) - {State.FINE}


@pytest.mark.parametrize(
    ("outcome", "push", "state"),
    [
        (P, None, State.BLESSED),
        (F, None, State.NOT_BLESSED),
        (U, None, State.NOT_BLESSED),
        (P, Push(True, "7"), State.PUSHED),
        (F, Push(True, "7"), State.PUSHED),
        (P, Push(False), State.NOT_PUSHED),
        (F, Push(False), State.NOT_PUSHED),
        (P, Push(True, "7", repeated=True, gone=True), State.NOT_PUSHED),
        (F, Push(True, "7", repeated=True, gone=True), State.NOT_PUSHED),
    ],
)
def test_the_word_of_a_model_says_where_it_is_and_the_code_what_the_checks_say(outcome, push, state):
    says = verdict_of_push([Check("evaluation", "", outcome, "")], push)
    assert says.state is state
    fine = outcome is P and state in (State.PUSHED, State.BLESSED)
    assert says.exit_code(()) == (EXIT_FINE if fine else EXIT_BLOCKED)
