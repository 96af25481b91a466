"""The words for what became of a run, and what each means for people, pages and schedulers: one table for all of them.

Terminal, `why`, `ui`, `compare`, the report, VerdictGuard, the exit codes and the docs take their words, marks, colours
and codes from here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

EXIT_FINE, EXIT_ERROR, EXIT_BLOCKED = 0, 1, 2


class Outcome(str, Enum):
    """Only `passed` is a pass: what could not be decided blocks, and is reported, like what failed."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class State(str, Enum):
    """What became of a span, of a model, or of a run, in one word."""

    FINE = "fine"
    CHANGED = "changed"
    DEGRADED = "degraded"
    INVALID = "invalid"
    UNDECIDED = "undecided"
    PUSHED = "pushed"
    NOT_PUSHED = "not_pushed"
    BLESSED = "blessed"
    NOT_BLESSED = "not_blessed"
    FAILED = "failed"
    RUNNING = "running"
    NO_VERDICT = "no_verdict"

    @property
    def words(self) -> str:
        """As it is read.

        >>> State.NOT_PUSHED.words
        'not pushed'
        """
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Meaning:
    """What a word says.

    Attributes:
      outcome: what it is for the checks; of a pushed model they may say another thing.
      tone: the style of pages, and by `COLOURS` the colour of the terminal.
      exit_code: of commands that exit by a verdict, unless `monitor.fail_on` says otherwise for the words of a span.
      means: a sentence without a full stop.

    """

    outcome: Outcome
    tone: str
    exit_code: int
    means: str


_PASSED, _FAILED, _UNDECIDED = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED
MEANINGS = {
    State.FINE: Meaning(_PASSED, "passed", EXIT_FINE, "every check passed"),
    State.CHANGED: Meaning(
        _FAILED, "changed", EXIT_BLOCKED, "the window differs by more than chance explains, and its accuracy holds"
    ),
    State.DEGRADED: Meaning(
        _FAILED,
        "degraded",
        EXIT_BLOCKED,
        "the accuracy fell by more than is allowed: by labels, or by an estimate whose own errors do not explain it",
    ),
    State.INVALID: Meaning(_FAILED, "invalid", EXIT_BLOCKED, "the logs are broken, or the data are outside the schema"),
    State.UNDECIDED: Meaning(
        _UNDECIDED,
        "undecided",
        EXIT_BLOCKED,
        "something could not be decided: an input is missing, there are too few examples, or only labels tell",
    ),
    State.PUSHED: Meaning(_PASSED, "passed", EXIT_FINE, "the model is in the serving folder"),
    State.NOT_PUSHED: Meaning(_FAILED, "failed", EXIT_BLOCKED, "a check blocked the push"),
    State.BLESSED: Meaning(_PASSED, "passed", EXIT_FINE, "every check let the model pass"),
    State.NOT_BLESSED: Meaning(_FAILED, "failed", EXIT_BLOCKED, "a check did not let the model pass"),
    State.FAILED: Meaning(_FAILED, "failed", EXIT_ERROR, "a node raised an error, and nothing was judged"),
    State.RUNNING: Meaning(_UNDECIDED, "undecided", EXIT_ERROR, "the run has not ended, or was stopped"),
    State.NO_VERDICT: Meaning(_UNDECIDED, "undecided", EXIT_ERROR, "the run has checked nothing"),
}
# The words of a span, or of any data: where several checks fail, the first of these. Invalid explains the rest.
OF_SPANS = (State.INVALID, State.DEGRADED, State.CHANGED, State.UNDECIDED, State.FINE)
FAIL_ON = tuple(state for state in OF_SPANS if state is not State.FINE)  # the default of `monitor.fail_on`
NO_OPINION = (State.FAILED, State.RUNNING, State.NO_VERDICT)  # runs that came to no verdict
# In the terminal. Those of outcomes are those of checks.
COLOURS = {
    "passed": "green",
    "failed": "red",
    "undecided": "yellow",
    "changed": "dark_orange",
    "degraded": "red",
    "invalid": "magenta",
}
MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.UNDECIDED: "?"}
MARKS_OF_TONES = {
    **{outcome.value: mark for outcome, mark in MARKS.items()},
    **{each.tone: MARKS[each.outcome] for each in MEANINGS.values()},
}


def tone(state: State, outcome: Outcome) -> str:
    """The style in which a verdict is shown: that of its word for a span, and of its outcome for all else."""
    return MEANINGS[state].tone if state in OF_SPANS else outcome.value


def fails(states: Sequence[State], outcome: Outcome, fail_on: Collection[str] = FAIL_ON) -> bool:
    """Whether a verdict is to stop whoever waits for it.

    Args:
      states: its word, and the others that its checks say: none of them passes unasked.
      outcome: of the verdict.
      fail_on: the words of spans that do, `monitor.fail_on`.

    """
    if states[0] in OF_SPANS:
        return any(state.value in fail_on for state in states)
    return outcome is not Outcome.PASSED


def exit_code(states: Sequence[State], outcome: Outcome, fail_on: Collection[str] = FAIL_ON) -> int:
    """What a command exits with by a verdict, see `fails`: 0, or 2 where it fails, or 1 where there is no verdict."""
    if states[0] in NO_OPINION:
        return EXIT_ERROR
    return EXIT_BLOCKED if fails(states, outcome, fail_on) else EXIT_FINE
