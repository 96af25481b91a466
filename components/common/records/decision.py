"""What a gate found and decided: plain records with one way to JSON and back."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from ..errors import MonitorError, require, require_known

FORMAT_VERSION = 1
REASONS_JSON = "reasons.json"
REASONS_TXT = "reasons.txt"
_SHOWN = 3  # findings that a one-line reason spells out; the rest are counted


class Outcome(str, Enum):
    """Only `passed` lets a model through: a gate that could not decide blocks like one that failed."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class Effect(str, Enum):
    """What one finding does to its gate's outcome."""

    FAIL = "fail"
    UNDECIDED = "undecided"
    WARN = "warn"
    EXEMPT = "exempt"


@dataclass(frozen=True)
class Finding:
    """One thing a gate noticed.

    Attributes:
      what: the metric, anomaly type or check, such as `accuracy` or `SCHEMA_NEW_COLUMN`.
      where: the slice, feature or model output it is about; empty for the whole.
      effect: what it does to the outcome.
      message: a sentence for a person, without a full stop.
      measured: the value measured, None where there is none or it is not finite.
      bound: the threshold it was held against, None where there is none.

    """

    what: str
    where: str
    effect: Effect
    message: str
    measured: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What one gate decided about one subject (an artifact's split, say; empty where there is only one)."""

    gate: str
    subject: str
    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...] = ()

    @staticmethod
    def of(gate: str, findings: Iterable[Finding], *, passed: str, subject: str = "") -> "Verdict":
        """The verdict that follows from `findings`; `passed` is the reason to give when none of them blocks."""
        kept = tuple(findings)
        effects = {finding.effect for finding in kept}
        if Effect.FAIL in effects:
            outcome = Outcome.FAILED
        elif Effect.UNDECIDED in effects:
            outcome = Outcome.UNDECIDED
        else:
            outcome = Outcome.PASSED
        return Verdict(gate, subject, outcome, _reason(outcome, kept, passed), kept)


@dataclass(frozen=True)
class Decision:
    """All verdicts about one model. A model without a verdict is not blessed."""

    model: str
    verdicts: tuple[Verdict, ...]

    @property
    def blessed(self) -> bool:
        return bool(self.verdicts) and all(verdict.outcome is Outcome.PASSED for verdict in self.verdicts)

    @property
    def summary(self) -> str:
        """One sentence: why the model was blocked, or that nothing objects."""
        blocking = [f"{_title(verdict)}: {verdict.reason}" for verdict in self.verdicts if not _passed(verdict)]
        if blocking:
            return "Not blessed. " + ". ".join(blocking) + "."
        return "Blessed: every gate passed." if self.verdicts else "Not blessed. No gate gave a verdict."

    def to_json(self) -> str:
        record = {"format_version": FORMAT_VERSION, "blessed": self.blessed, "summary": self.summary, **asdict(self)}
        return json.dumps(record, indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Decision":
        """Reads what `to_json` wrote.

        Raises:
          MonitorError: if `text` is anything else, or says of itself something that its verdicts do not.

        """
        try:
            record = json.loads(text)
            require(record["format_version"] == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", record)
            decision = Decision(record["model"], tuple(_verdict(each) for each in record["verdicts"]))
            require(record["blessed"] is decision.blessed, "blessed", "follow from the verdicts", record["blessed"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise MonitorError(
                f"This is not a {REASONS_JSON} of the gate: {error!r}. It begins {text[:60]!r}"
            ) from error
        return decision

    def to_text(self) -> str:
        """The same for reading: the summary, then every verdict with its findings."""
        lines = [self.summary, f"Model: {self.model}", ""]
        for verdict in self.verdicts:
            lines.append(f"{verdict.outcome.value.upper():9} {_title(verdict)}: {verdict.reason}")
            lines += [f"          {finding.effect.value:9} {finding.message}" for finding in verdict.findings]
        return "\n".join(lines) + "\n"


def _passed(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.PASSED


def _title(verdict: Verdict) -> str:
    return f"{verdict.gate} ({verdict.subject})" if verdict.subject else verdict.gate


def _reason(outcome: Outcome, findings: tuple[Finding, ...], passed: str) -> str:
    if outcome is Outcome.PASSED:
        warned = [finding.message for finding in findings if finding.effect is Effect.WARN]
        return f"{passed}. Warned: {_first(warned)}" if warned else passed
    # What failed is said before what could not be decided.
    blocking = [f.message for effect in (Effect.FAIL, Effect.UNDECIDED) for f in findings if f.effect is effect]
    return _first(blocking)


def _first(messages: list[str]) -> str:
    more = len(messages) - _SHOWN
    return "; ".join(messages[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _verdict(record: dict[str, Any]) -> Verdict:
    require_known(record["outcome"], [each.value for each in Outcome], "outcome")
    findings = tuple(_finding(each) for each in record["findings"])
    return Verdict(record["gate"], record["subject"], Outcome(record["outcome"]), record["reason"], findings)


def _finding(record: dict[str, Any]) -> Finding:
    require_known(record["effect"], [each.value for each in Effect], "effect")
    return Finding(**{**record, "effect": Effect(record["effect"])})
