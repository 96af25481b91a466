"""What is said of a change of an incident: short, what and why and what to do next. Plain data, without secrets."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.common.errors import MonitorError, require
from components.common.strict_text import TextError, parse_json

from ..incidents.incident import Change, Incident, Kind, Severity
from ..showing import incidents as showing

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Message:
    """One message about one change.

    Attributes:
      kind: what happened to the incident.
      severity: of the incident.
      model, incident, window: which model, which incident by its name, and the window that changed it.
      run: of the window that says most, in ML Metadata.
      title: in a few words.
      text: a few lines.
      facts: what the lines are made of, by name.
      url: a page about it; "" where there is none.
      at: when it happened, seconds since the epoch.

    """

    kind: str
    severity: str
    model: str
    incident: str
    window: int
    run: int
    title: str
    text: str
    facts: Mapping[str, str]
    url: str
    at: float

    def to_json(self) -> str:
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, ensure_ascii=False, allow_nan=False)

    def record(self) -> dict[str, Any]:
        """The same for JSON that holds more."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @staticmethod
    def from_json(text: str) -> "Message":
        """Reads what `to_json` wrote. Raises `MonitorError` for anything else."""
        try:
            record = parse_json(text)
            require(record.pop("format_version") == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", text[:60])
            return Message(**record)
        except (TextError, KeyError, TypeError, AttributeError) as error:
            raise MonitorError(f"This is no message: {error!r}. It begins {text[:60]!r}") from error


def message_of(change: Change, site: str) -> Message:
    """What is said of a change. `site` is where the pages of `model-monitor ui` are; "" for nowhere."""
    incident, advice = change.incident, showing.next_step(change.incident)
    over = change.kind in (Kind.CLOSED, Kind.WITHDRAWN)
    facts = {
        "what_changed": showing.what_changed(incident),
        "since_when": showing.since_when(incident),
        "how_sure": showing.how_sure(incident),
        "whether_it_hurts": showing.whether_it_hurts(incident),
        "next": advice.sentence,
        "command": advice.command,
        "read": f"{showing.PAGE}#{advice.section}",
    }
    url = f"{site.rstrip('/')}/incidents/{incident.name}" if site else ""
    lines = [_ended(change, facts)] if over else _going_on(change, facts)
    return Message(
        kind=change.kind.value,
        severity=incident.severity.value,
        model=incident.model,
        incident=incident.name,
        window=change.window,
        run=incident.worst.run,
        title=_title(change),
        text="\n".join([*lines, *([url] if url else [])]),
        facts=facts,
        url=url,
        at=change.record.judged_at,
    )


def test_message(at: float) -> Message:
    """A message that says that it is a test."""
    text = "This is a test of Model Monitor's alerts. Nothing is wrong, and nothing is to be done."
    return Message("test", Severity.INFORMATION.value, "", "", 0, 0, "Test of an alert", text, {}, "", at)


def idempotency_key(*parts: str | int) -> str:
    """The same for the same message however often it is sent: a digest of the channel and what it is about."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _title(change: Change) -> str:
    incident, severity = change.incident, change.incident.severity.value
    word = incident.cause.word.words
    titles = {
        Kind.OPENED: f"{incident.model} is {word} since window {incident.number}",
        Kind.WORSE: f"{incident.model} got worse: {word} at window {change.window}",
        Kind.CAUSE_CHANGED: f"{incident.model} has another cause: {incident.cause}",
        Kind.STILL_OPEN: f"{incident.model} is still {word} since window {incident.number}",
        Kind.CLOSED: f"{incident.model} is fine again",
        Kind.WITHDRAWN: f"{incident.model}: incident {incident.number} is withdrawn",
    }
    return f"[{severity}] {titles[change.kind]}"


def _ended(change: Change, facts: Mapping[str, str]) -> str:
    if change.kind is Kind.WITHDRAWN:
        return f"Incident {change.incident.name} is none: its windows were judged again and are fine."
    return f"{showing.how_it_ended(change.incident)}. It was {facts['what_changed']}."


def _going_on(change: Change, facts: Mapping[str, str]) -> list[str]:
    incident: Incident = change.incident
    return [
        f"What: {facts['what_changed']}.",
        f"Since: {facts['since_when']}.",
        f"How sure: {facts['how_sure']}.",
        f"Hurts: {facts['whether_it_hurts']}.",
        f"Next: {facts['next']}: {facts['command']}",
        f"More: model-monitor incidents {incident.number}, {facts['read']}",
    ]
