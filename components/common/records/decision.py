"""What PushGate decided about one model, with one way to JSON and back.

The keys of the JSON are those of its first version: a check's name is its `gate`, what is allowed the `bound`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import MonitorError, require, require_known
from ..strict_text import TextError, parse_json
from ..verdict import Check, Effect, Finding, Outcome
from .checked import checked

FORMAT_VERSION = 1
REASONS_JSON = "reasons.json"
REASONS_TXT = "reasons.txt"


@dataclass(frozen=True)
class Decision:
    """All checks of one model. A model that was not checked is not blessed."""

    model: str
    checks: tuple[Check, ...]

    @property
    def blessed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def summary(self) -> str:
        """One sentence: why the model was blocked, or that every check passed."""
        blocking = [f"{check.title}: {check.reason}" for check in self.checks if not check.passed]
        if blocking:
            return "Not blessed. " + ". ".join(blocking) + "."
        return "Blessed: every check passed." if self.checks else "Not blessed. Nothing was checked."

    def to_json(self) -> str:
        record = {
            "format_version": FORMAT_VERSION,
            "blessed": self.blessed,
            "summary": self.summary,
            "model": self.model,
            "verdicts": [_check_record(check) for check in self.checks],
        }
        return json.dumps(record, indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Decision":
        """Reads what `to_json` wrote.

        Raises:
          MonitorError: if `text` is anything else, or says of itself something that its checks do not.

        """
        try:
            record = parse_json(text)
            require(record["format_version"] == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", record)
            decision = checked(Decision(record["model"], tuple(_check(each) for each in record["verdicts"])))
            require(record["blessed"] is decision.blessed, "blessed", "follow from the verdicts", record["blessed"])
        except (TextError, KeyError, TypeError) as error:
            raise MonitorError(
                f"This is not a {REASONS_JSON} of the gate: {error!r}. It begins {text[:60]!r}"
            ) from error
        return decision

    def to_text(self) -> str:
        """The same for reading: the summary, then every check with its findings."""
        lines = [self.summary, f"Model: {self.model}", ""]
        for check in self.checks:
            lines.append(f"{check.outcome.value.upper():9} {check.title}: {check.reason}")
            lines += [f"          {finding.effect.value:9} {finding.message}" for finding in check.findings]
        return "\n".join(lines) + "\n"


def _check_record(check: Check) -> dict[str, Any]:
    record = asdict(check)
    findings = [{("bound" if key == "allowed" else key): value for key, value in each.items()}
                for each in record.pop("findings")]  # fmt: skip
    return {"gate": record.pop("name"), **record, "findings": findings}


def _check(record: dict[str, Any]) -> Check:
    require_known(record["outcome"], [each.value for each in Outcome], "outcome")
    findings = tuple(_finding(each) for each in record["findings"])
    return Check(record["gate"], record["subject"], Outcome(record["outcome"]), record["reason"], findings)


def _finding(record: dict[str, Any]) -> Finding:
    require_known(record["effect"], [each.value for each in Effect], "effect")
    values = {("allowed" if key == "bound" else key): value for key, value in record.items()}
    return Finding(**{**values, "effect": Effect(record["effect"])})
