"""The answer to "why", in a few lines of at most 100 columns."""

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common.statistics.monitored_features import short_name_of_test
from components.common.verdict import Outcome
from components.common.verdict_words import COLOURS

from ..reading.explanation import Explanation
from ..reading.findings import RunFinding
from ..reading.history import History
from ..reading.lineage import Source, Step
from ..reading.run_store import Run
from .lines import Facts, say
from .words import data_files, moment, place, short

_FINDINGS_SHOWN = 3
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def show(history: History, found: Explanation, console: Console, acts: Sequence[str] = ()) -> None:
    """The sentence, then what it rests on, and what was done about it, a sentence each."""
    colour = COLOURS[found.verdict.tone]
    say(console, f"[bold {colour}]{escape(found.sentence)}[/]\n")
    blocking = [each for each in found.findings if each.blocking]
    besides = [each for each in found.findings if not each.blocking]
    rows = {
        "Run": f"{found.run.id} of {escape(found.run.pipeline)}, {moment(found.run.started)}",
        "Check": escape(", ".join(dict.fromkeys(each.check for each in blocking))),
        "Found": _findings(blocking),
        "Besides": _findings(besides),
        "Since": _since(history, found),
        "Before": _before(found),
        "Baseline": _baseline(found),
        "Data": "\n".join(_data(found)),
        "Lineage": _lineage(found.steps),
        "Watched": _watched(history, found.watched),
        "Done": "\n".join(escape(act) for act in acts),
        "Open": _open(found),
    }
    facts = Facts()
    for name, text in rows.items():
        if text:
            facts.add(name, text)
    facts.show(console)


def _findings(findings: Sequence[RunFinding]) -> str:
    lines = [_finding(each) for each in findings[:_FINDINGS_SHOWN]]
    more = len(findings) - _FINDINGS_SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _finding(found: RunFinding) -> str:
    """What was found, measured against allowed."""
    numbers = ""
    said = found.measured is not None and f"{found.measured:.4g}" in _NUMBER.findall(found.message)
    if found.measured is not None and found.allowed is not None and not said:
        numbers = f": {short_name_of_test(found.what)} {found.measured:.4g}, allowed {found.allowed:.4g}"
    mark = "[red]✗[/]" if found.decided else "[yellow]?[/]"
    by = "" if found.blocking else f"{found.node}: "
    return f"{mark} {escape(by + found.message + numbers)}"


def _since(history: History, found: Explanation) -> str:
    since = found.since
    if since is None:
        return ""
    first = f"run {since.first.id}, {moment(since.first.started)}"
    says = history.verdict(since.first)
    if says.span is not None:
        first = f"span {says.span} ({first})"
    row = "the first with this finding" if since.in_a_row == 1 else f"{since.in_a_row} in a row"
    before = ""
    if since.before is not None:
        before = f"; before it {short(history.verdict(since.before))}, run {since.before.id}"
    return escape(f"{first}: {row}{before}")


def _before(found: Explanation) -> str:
    """The last evaluation of the same span from other files."""
    seen = found.verdict.history.seen
    if seen is None:
        return ""
    return f"run {seen.run}, with {seen.examples:,} examples: {escape(seen.state.replace('_', ' '))}"


def _baseline(found: Explanation) -> str:
    if not found.baseline:
        return ""
    by = f", pushed by run {found.baseline_run.id}" if found.baseline_run else ""
    compared = f"\ncompared with {found.reference}" if found.reference else ""
    return escape(f"version {Path(found.baseline).name}{by}{compared}\n{place(found.baseline)}")


def _data(found: Explanation) -> list[str]:
    """Where each set of examples came from, the run's own first, and whose it is where it is another's."""
    own = {artifact.id for node in found.run.nodes.values() for artifact in node.made}
    lines = []
    for source in sorted(filter(_is_data, found.sources), key=lambda each: each.artifact.id not in own):
        files = data_files(source.fingerprint)
        spans = found.verdict.span is not None and source.span not in (None, found.verdict.span)
        compared = "the previous span" if spans else f"what it was compared with, run {source.node.run}"
        if source.artifact.id not in own:
            lines.append(f"{compared}:")
        lines.append(escape(place(source.place)))
        known = [f"span {source.span}"] if source.span else []
        known += [] if source.rows is None else [f"{source.rows:,} examples"]
        known += [files] if files else []
        lines += [escape(f"  {', '.join(known)}")] if known else []
    return lines


def _is_data(source: Source) -> bool:
    return source.is_data


def _lineage(steps: Sequence[Step]) -> str:
    return escape(" <- ".join(f"{step.node.name} ({step.artifact.id})" for step in steps))


def _watched(history: History, runs: Sequence[Run]) -> str:
    """How the spans went that were compared with the pushed version."""
    if not runs:
        return ""
    bad = [run for run in runs if history.verdict(run).outcome is not Outcome.PASSED]
    count = f"{len(runs)} {'span' if len(runs) == 1 else 'spans'}"
    if not bad:
        return f"{count}, all fine; the newest: {short(history.verdict(runs[-1]))}"
    return f"{count}, {len(bad)} not fine; the newest of those: {short(history.verdict(bad[-1]))}, run {bad[-1].id}"


def _open(found: Explanation) -> str:
    if not found.open:
        return ""
    number = f"\nmodel-monitor inspect artifact:{found.artifact.id}" if found.artifact else ""
    return escape(place(found.open)) + number
