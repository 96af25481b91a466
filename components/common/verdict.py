"""What checks come to: one outcome, one finding, one check and one verdict, for every component, page and command.

A *check* looks at one thing. Its *outcome* is passed, failed or undecided; a *finding* is one reason for it, with what
was measured and what is allowed. The *verdict* is what all checks come to, in one of the words of `verdict_words`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from .records.span_history import NOTHING_KNOWN, SpanHistory
from .verdict_words import MEANINGS, OF_SPANS, State, exit_code, fails, tone
from .verdict_words import Outcome as Outcome  # noqa: PLC0414 - where those who make checks look for it

_SHOWN = 3  # findings that a one-line reason spells out; the rest are counted


class Effect(str, Enum):
    """What one finding does to the outcome of its check."""

    FAIL = "fail"
    UNDECIDED = "undecided"
    WARN = "warn"
    EXEMPT = "exempt"


@dataclass(frozen=True)
class Finding:
    """One reason for an outcome, or one thing noticed besides.

    Attributes:
      what: the metric, test or type of anomaly, such as `accuracy` or `SCHEMA_NEW_COLUMN`.
      where: the slice, feature or model output it is about; empty for the whole.
      effect: what it does to the outcome.
      message: a sentence for a person, without a full stop.
      measured: the value measured, None where there is none or it is not finite.
      allowed: the bound it was held against, None where there is none.

    """

    what: str
    where: str
    effect: Effect
    message: str
    measured: float | None = None
    allowed: float | None = None

    @property
    def blocks(self) -> bool:
        """Whether it keeps the check from passing."""
        return self.effect in (Effect.FAIL, Effect.UNDECIDED)


@dataclass(frozen=True)
class Check:
    """What one check says of one subject.

    Attributes:
      name: of the check.
      subject: what it is about, such as a split of an artifact; empty where there is only one thing.
      outcome: passed, failed or undecided.
      reason: why, in a few words, without a full stop; empty where there is nothing to say.
      findings: what it rests on, and what was noticed besides.
      failure: what it says of a span where it failed: changed, degraded or invalid.

    """

    name: str
    subject: str
    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...] = ()
    failure: State = State.INVALID

    @property
    def state(self) -> State:
        """What it says of a span, taken alone."""
        plain = {Outcome.PASSED: State.FINE, Outcome.UNDECIDED: State.UNDECIDED}
        return plain.get(self.outcome, self.failure)

    @staticmethod
    def of(name: str, findings: Iterable[Finding], *, passed: str, subject: str = "") -> "Check":
        """The check that follows from `findings`; `passed` is the reason to give when none of them blocks."""
        kept = tuple(findings)
        effects = {finding.effect for finding in kept}
        if Effect.FAIL in effects:
            outcome = Outcome.FAILED
        elif Effect.UNDECIDED in effects:
            outcome = Outcome.UNDECIDED
        else:
            outcome = Outcome.PASSED
        return Check(name, subject, outcome, _reason(outcome, kept, passed), kept)

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED

    @property
    def title(self) -> str:
        """Its name and its subject."""
        return f"{self.name} ({self.subject})" if self.subject else self.name

    @property
    def details(self) -> tuple[str, ...]:
        """The findings that the reason does not spell out."""
        return tuple(finding.message for finding in self.findings if finding.message not in self.reason)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Failed before undecided before passed; of none at all, undecided."""
    present = set(outcomes)
    order = (Outcome.FAILED, Outcome.UNDECIDED, Outcome.PASSED)
    return next((outcome for outcome in order if outcome in present), Outcome.UNDECIDED)


def lowered(sentence: str) -> str:
    """To go on with after a colon; a name that begins it stays as it is.

    >>> lowered("The window differs"), lowered("SkewDriftValidator failed")
    ('the window differs', 'SkewDriftValidator failed')
    """
    word = sentence.partition(" ")[0]
    return sentence if word[1:] != word[1:].lower() else sentence[:1].lower() + sentence[1:]


def _reason(outcome: Outcome, findings: tuple[Finding, ...], passed: str) -> str:
    if outcome is Outcome.PASSED:
        warned = [finding.message for finding in findings if finding.effect is Effect.WARN]
        return f"{passed}. Warned: {first_of(warned)}" if warned else passed
    # What failed is said before what could not be decided.
    blocking = [f.message for effect in (Effect.FAIL, Effect.UNDECIDED) for f in findings if f.effect is effect]
    return first_of(blocking)


def first_of(messages: list[str]) -> str:
    """The first few messages in one line, and how many more there are."""
    more = len(messages) - _SHOWN
    return "; ".join(messages[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Verdict:
    """What all checks come to.

    Attributes:
      outcome: passed, failed or undecided.
      headline: what became of the span or the model, such as "Span 3 is changed".
      reason: why, without a full stop.
      state: in one word.
      besides: the other words that its checks say, which have to be asked about as well.

    """

    outcome: Outcome
    headline: str
    reason: str
    state: State
    besides: tuple[State, ...] = ()

    @property
    def sentence(self) -> str:
        """The whole in one sentence."""
        return f"{self.headline}: {lowered(self.reason)}."

    @property
    def states(self) -> tuple[State, ...]:
        """Its word, and those that its checks say besides."""
        return (self.state, *self.besides)

    @property
    def tone(self) -> str:
        """The style in which it is shown."""
        return tone(self.state, self.outcome)

    def fails(self, fail_on: Collection[str]) -> bool:
        """Whether it is to stop whoever waits for it, where these words of spans do."""
        return fails(self.states, self.outcome, fail_on)

    def exit_code(self, fail_on: Collection[str]) -> int:
        """What a command exits with by it, where these words of spans fail."""
        return exit_code(self.states, self.outcome, fail_on)


@dataclass(frozen=True)
class Push:
    """What the pusher did with a model.

    Attributes:
      pushed: whether it is in the serving folder, by this run or by the earlier one that this run repeats.
      version: its version, "" where it is not known.
      repeated: whether the run repeats an earlier one, so that nothing was pushed anew.
      gone: whether its folder is there no longer.

    """

    pushed: bool
    version: str = ""
    repeated: bool = False
    gone: bool = False


def verdict_of_span(
    checks: Sequence[Check],
    *,
    span: int | None = None,
    p_value: float | None = None,
    missing: Sequence[str] = (),
    history: SpanHistory = NOTHING_KNOWN,
) -> Verdict:
    """The verdict on a span of serving logs, or on any data.

    Args:
      checks: of the span, what explains the rest first.
      span: its number; None where the data have none.
      p_value: of the comparison with the baseline; None where there was none.
      missing: what the checks should have been given and were not, a sentence each; it is no pass then.
      history: what came before.

    """
    if not checks:
        return Verdict(Outcome.UNDECIDED, "No verdict", "nothing was checked", State.NO_VERDICT)
    state = _state_of_span(checks, missing=bool(missing))
    subject = "The data are" if span is None else f"Span {span} is"
    again = " again" if state is State.FINE and history.incident and history.again else ""
    reason = _fine(p_value, history) if state is State.FINE else _reasons(checks, state, missing)
    said = {check.state for check in checks} - {state, State.FINE}
    besides = tuple(each for each in OF_SPANS if each in said)
    headline = f"{subject} {state.words}{again}"
    return Verdict(MEANINGS[state].outcome, headline, reason + _seen(history), state, besides)


def _state_of_span(checks: Sequence[Check], *, missing: bool) -> State:
    """The worst of what the checks say. That a change does no harm takes that all else was checked and passed."""
    states = [check.state for check in checks]
    worst_of = next(state for state in OF_SPANS if state in states)
    doubt = missing or State.UNDECIDED in states
    return State.UNDECIDED if doubt and worst_of in (State.CHANGED, State.FINE) else worst_of


def _reasons(checks: Sequence[Check], state: State, missing: Sequence[str]) -> str:
    """Of the checks that failed, what explains the rest first; then what could not be decided, or what holds."""
    failed = [check for check in checks if check.outcome is Outcome.FAILED]
    doubts = [check for check in checks if state is State.UNDECIDED and check.outcome is Outcome.UNDECIDED]
    holds = [check for check in checks if state is State.CHANGED and check.passed and check.failure is State.DEGRADED]
    told = [check.reason.rstrip(".") for check in (*failed, *doubts, *holds) if check.reason]
    unsaid = missing[:1] if all(check.outcome is not Outcome.UNDECIDED for check in checks) else ()
    return ". ".join([*told, *unsaid]) or "no check says why"


def _fine(p_value: float | None, history: SpanHistory) -> str:
    chance = "" if p_value is None else f"p = {p_value:.2g}"
    if history.incident:
        return f"as the baseline, after {_not_fine(history.not_fine)}" + (f", {chance}" if chance else "")
    return (
        f"it differs from the baseline no more than by chance, {chance}" if chance else "no check found anything wrong"
    )


def _not_fine(spans: Sequence[int]) -> str:
    """How many spans were not fine, and which.

    >>> _not_fine([2, 3, 4]), _not_fine([7])
    ('3 spans that were not (2 to 4)', '1 span that was not (7)')
    """
    if len(spans) == 1:
        return f"1 span that was not ({spans[0]})"
    return f"{len(spans)} spans that were not ({spans[0]} to {spans[-1]})"


def _seen(history: SpanHistory) -> str:
    seen = history.seen
    if seen is None:
        return ""
    return f". Seen before with {seen.examples:,} examples: {seen.state.replace('_', ' ')}, run {seen.run}"


def verdict_of_push(checks: Sequence[Check], push: Push | None) -> Verdict:
    """The verdict on a model.

    Args:
      checks: that the push depends on. Where there are none, nothing is known of the model, and that is no pass.
      push: what became of it; None where the pipeline does not push.

    """
    outcome = worst(check.outcome for check in checks)
    served = push is not None and push.pushed and not (push.repeated and push.gone)
    if push is None:
        state = State.BLESSED if outcome is Outcome.PASSED else State.NOT_BLESSED
    else:
        state = State.PUSHED if served else State.NOT_PUSHED
    if outcome is not Outcome.PASSED:
        return Verdict(outcome, _headline(push, blocked=bool(checks)), _blocking(checks, outcome), state)
    if push is None:
        return Verdict(outcome, "Blessed", "every check let it pass", state)
    if not served:
        return Verdict(Outcome.UNDECIDED, "Not pushed", _unserved(push), state)
    reason = "nothing has changed since it was pushed" if push.repeated else "every check let it pass"
    gone = "; it is gone from the serving folder since" if push.gone else ""
    return Verdict(outcome, _headline(push, blocked=False), reason + gone, state)


def _unserved(push: Push) -> str:
    """Why a model that every check let pass is not there."""
    if not push.pushed:
        return "every check let it pass, and yet it was not pushed"
    gone = f"version {push.version}, which an earlier run pushed and this run repeats, is gone"
    return f"{gone} from the serving folder; a run without the cache makes it again"


def _headline(push: Push | None, *, blocked: bool) -> str:
    if push is None:
        return "Not blessed"
    if not push.pushed:
        return "Not pushed"
    return f"Pushed{f' as version {push.version}' if push.version else ''}{' although a check blocks it' * blocked}"


def _blocking(checks: Sequence[Check], outcome: Outcome) -> str:
    """The reason of the first check that has the outcome, and how many more block."""
    if not checks:
        return "no check was asked"
    first = next(check for check in checks if check.outcome is outcome)
    more = sum(not check.passed for check in checks) - 1
    return first.reason + (f" (and {more} more {'check' if more == 1 else 'checks'})" if more else "")
