"""Incidents as people read them: what changed, since when, how sure that is, whether it hurts, and what to do next."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.common.pages.parts import cut
from components.common.verdict_words import COLOURS, MARKS_OF_TONES, MEANINGS, State

from ..incidents.actions import Action, What
from ..incidents.incident import Incident, Severity
from ..incidents.listing import Listed
from ..incidents.sequences import ACCURACY, SLOW_DRIFT, Ring
from ..reading.window_record import WindowRecord
from .lines import Facts, say
from .words import moment

FORMAT_VERSION = 1
PAGE = "docs/when_it_alarms.md"
SEVERITY_COLOURS = {Severity.INFORMATION: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "red"}
_RUNS_SHOWN = 12


@dataclass(frozen=True)
class Advice:
    """What to do next: a sentence, a command, and the section of `PAGE` that says more."""

    sentence: str
    command: str
    section: str


def what_changed(incident: Incident) -> str:
    """The cause in words, without a full stop.

    A slow drift is of windows that are fine each by itself.
    """
    cause = incident.cause
    if SLOW_DRIFT in cause.of:
        return "slow drift: no window by itself differs from the baseline, and together they do"
    if ACCURACY in cause.of:
        so_far = ", by estimates: labels decide" if cause.word is State.UNDECIDED else ""
        return f"accuracy over time: many windows together show that it has fallen by more than is allowed{so_far}"
    if cause.of and not set(cause.of) & set(incident.worst.checks or {}):
        return f"{cause.word.words}, first in {', '.join(cause.of)}"
    return f"{cause.word.words}, by the check of the {' and the '.join(cause.of)}" if cause.of else cause.word.words


def since_when(incident: Incident) -> str:
    """The first window, how many there are, and for how long, without a full stop.

    While the incident is open it lasts until the last window that is known.
    """
    so_far = f"; fine again at window {incident.end.window}" if incident.end else " so far"
    begins = f"window {incident.number}, {moment_of(incident.since)}"
    return f"{begins}: {_windows(incident)} not fine, {lasted(incident.seconds)}{so_far}"


def how_it_ended(incident: Incident) -> str:
    """Of an incident that is over, without a full stop."""
    return f"Fine again after {_windows(incident)}, {lasted(incident.seconds)}"


def how_sure(incident: Incident) -> str:
    """What was measured against what is allowed, of the window that says most, without a full stop."""
    worst, parts = incident.worst, []
    if worst.p_value is not None:
        alarm = f", an alarm below {worst.p_threshold:.2g}" if worst.p_threshold is not None else ""
        parts.append(f"p = {worst.p_value:.2g}{alarm}")
    if worst.distance is not None and worst.distance_threshold is not None and worst.features:
        parts.append(f"{worst.features[0]} is at {worst.distance:.3g}, allowed {worst.distance_threshold:.3g}")
    parts += [ring_words(ring) for ring in incident.rings if ring.rings]
    if incident.windows > 1:
        parts.append(f"{incident.windows:,} windows in a row")
    elif worst.state is State.CHANGED:
        parts.append("one window alone may be chance")
    examples = f"{worst.examples:,} examples against {worst.baseline_examples:,}" if worst.baseline_examples else ""
    return "; ".join([*parts, *([examples] if examples else [])]) or "nothing could be compared"


def ring_words(ring: Ring) -> str:
    """What a test of many windows says, without a full stop."""
    since = f" since window {ring.since}" if ring.since else ""
    if ring.test == ACCURACY:
        return f"accuracy of at most {ring.statistic:.3f}{since}, {ring.threshold:.3f} is allowed"
    return f"{ring.test} at {ring.statistic:.3g}{since}, {ring.threshold:.3g} rings"


def whether_it_hurts(incident: Incident) -> str:
    """The accuracy of the window that says most, against the least that is allowed, without a full stop."""
    worst = incident.worst
    if worst.accuracy is None:
        return "not known: the window has no accuracy, estimated or by labels"
    way = "by labels" if worst.measured else "estimated"
    least = "" if worst.least_accuracy is None else f", at least {worst.least_accuracy:.3f} is allowed"
    known = f"accuracy {way} {worst.accuracy}{least}"
    fell = worst.least_accuracy is not None and worst.accuracy.value < worst.least_accuracy
    if incident.cause.word is State.DEGRADED or worst.state is State.DEGRADED or (fell and worst.measured):
        return f"yes: {known}"
    if worst.fell_by_estimate or ACCURACY in incident.cause.of:
        return f"likely: {known}, and labels decide"
    if worst.state in (State.CHANGED, State.FINE):
        return f"not as far as can be seen: {known}"
    return f"not known: {known}, which says little of a window that is {worst.state.words}"


def next_step(incident: Incident) -> Advice:
    """What to do next, by the cause: first the logs, then the images, the classes, the model."""
    worst, cause = incident.worst, incident.cause
    of = ("images" if any(name.startswith("image_") for name in cause.of) else
          next((name for name in ("logs", SLOW_DRIFT, "prediction_class") if name in cause.of), ""))  # fmt: skip
    known = cause.word.value if cause.word in (State.UNDECIDED, State.DEGRADED) else of
    if cause.word is State.UNDECIDED and (worst.fell_by_estimate or ACCURACY in cause.of):
        known = ACCURACY
    sentence, command, section = _ADVICE[known if known in _ADVICE else ""]
    return Advice(sentence, command.format(span=f"span:{worst.window}", run=worst.run), section)


_REPORT = "model-monitor report {span} --open"
_ADVICE = {  # by the cause: what to do, by which command, and where more is said
    "undecided": ("See what was missing", "model-monitor why {span}", "undecided"),
    "degraded": (
        "Look at the images, label a hundred of them, then retrain; roll back only if it began with a push",
        _REPORT,
        "the-estimated-accuracy-fell",
    ),
    "logs": (
        "Open the requests that are broken, and mend the client",
        "model-monitor inspect {run} --type ExampleAnomalies",
        "broken-logs",
    ),
    ACCURACY: ("Look at the images and label a hundred of them: labels decide", _REPORT, "the-estimated-accuracy-fell"),
    SLOW_DRIFT: ("Compare it with a window of weeks ago", "model-monitor compare span:N {span}", "slow-drift"),
    "images": ("Look at the images beside those of the baseline", _REPORT, "the-images-have-changed"),
    "prediction_class": (
        "See which classes are asked for more, and which less", _REPORT, "the-class-mix-has-changed"
    ),
    "": (
        "See what moved, and which version answered", _REPORT, "the-predictions-have-changed-the-images-have-not"
    ),
}  # fmt: skip


def action_words(action: Action) -> str:
    """An action in one sentence without a full stop."""
    every = " with all others" if not action.incident and action.what is not What.ACKNOWLEDGED else ""
    until = f" until {moment_of(action.until)}" if action.until is not None else ""
    return f"{action.what.value}{every} by {action.by}, {moment_of(action.at)}{until}: {action.because}"


def lasted(seconds: float) -> str:
    """A duration in words, the largest unit of which there are two or more.

    >>> [lasted(each) for each in (40, 7200, 5400, 3 * 86400)]
    ['40 s', '2 h', '90 min', '3 days']
    """
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment_of(seconds: float) -> str:
    return moment(datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc))


def show_list(found: Sequence[Listed], more: int, console: Console) -> None:
    """A line for each incident."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("incident", "severity", "state", "since", "windows", "cause"):
        table.add_column(column, justify="right" if column == "windows" else "left", overflow="fold")
    for each in found:
        incident = each.incident
        table.add_row(
            escape(incident.name),
            f"[{SEVERITY_COLOURS[incident.severity]}]{incident.severity.value}[/]",
            state_words(each),
            moment_of(incident.since)[:-3],
            f"{incident.windows:,}",
            escape(cut(str(incident.cause))),
        )
    console.print(table)
    if more:
        console.print(f"[dim]{more:,} more; `--limit 0` lists all[/]")


def show(listed: Listed, console: Console) -> None:
    """One incident."""
    incident = listed.incident
    colour = COLOURS[MEANINGS[incident.worst.state].tone]
    headline = f"Incident {incident.name}, {incident.severity.value}, {state_words(listed)}"
    say(console, f"[bold {colour}]{escape(headline)}[/]\n")
    advice = next_step(incident)
    facts = Facts()
    rows = {
        "Changed": what_changed(incident),
        "Said": incident.worst.sentence,
        "Since": since_when(incident),
        "How sure": how_sure(incident),
        "Hurts": whether_it_hurts(incident),
        "Next": f"{advice.sentence}:\n{advice.command}\n{PAGE}#{advice.section}",
        "Causes": "\n".join(map(str, incident.causes)) if len(incident.causes) > 1 else "",
        "Done": "\n".join(map(action_words, listed.actions)),
        "Runs": _runs(listed.records),
    }
    for name, text in rows.items():
        if text:
            facts.add(name, escape(text))
    facts.show(console)


def incident_record(listed: Listed) -> dict[str, Any]:
    """One incident for JSON."""
    incident, advice = listed.incident, next_step(listed.incident)
    standing = listed.standing
    return {
        "incident": incident.name,
        "key": listed.key,
        "model": incident.model,
        "logs": listed.series.logs,
        "open": incident.open,
        "severity": incident.severity.value,
        "state": incident.last.state.value,
        "cause": {"word": incident.cause.word.value, "of": list(incident.cause.of)},
        "causes": [{"word": each.word.value, "of": list(each.of)} for each in incident.causes],
        "first_window": incident.first.window,
        "last_window": incident.last.window,
        "worst_window": incident.worst.window,
        "windows": incident.windows,
        "opened_at": incident.since,
        "seconds": incident.seconds,
        "closed_window": incident.end.window if incident.end else None,
        "what_changed": what_changed(incident),
        "since_when": since_when(incident),
        "how_sure": how_sure(incident),
        "whether_it_hurts": whether_it_hurts(incident),
        "next": {"do": advice.sentence, "command": advice.command, "read": f"{PAGE}#{advice.section}"},
        "acknowledged": action_record(standing.acknowledged),
        "muted": action_record(standing.muted),
        "actions": [action_record(each) for each in listed.actions],
        "runs": [each.run for each in listed.records],
    }


def action_record(action: Action | None) -> dict[str, Any] | None:
    if action is None:
        return None
    names = ("because", "by", "at", "until")
    return {"what": action.what.value, "all": not action.incident} | {name: getattr(action, name) for name in names}


def _windows(incident: Incident) -> str:
    return f"{incident.windows:,} window{'' if incident.windows == 1 else 's'}"


def state_words(listed: Listed) -> str:
    """Open or over, and what stands of it, in a few words."""
    stands = [
        word
        for word, action in (("acknowledged", listed.standing.acknowledged), ("muted", listed.standing.muted))
        if action is not None and listed.incident.open
    ]
    return ", ".join(["open" if listed.incident.open else "fine again", *stands])


def _runs(records: Sequence[WindowRecord]) -> str:
    """The runs of its windows, the newest last, each with its window's mark."""
    shown = records[-_RUNS_SHOWN:]
    before = len(records) - len(shown)
    told = [f"{MARKS_OF_TONES[MEANINGS[each.state].tone]} {each.run} (span {each.window})" for each in shown]
    return ", ".join([*([f"{before:,} before these"] if before else []), *told])
