"""The answer to "why", in a few lines of at most 100 columns."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ..artifact_tables.reports import TESTS
from ..explanation import Explanation, data_files, moment
from ..history import History
from ..inspect import Run
from ..lineage import Source
from ..verdicts import Finding, State
from .inspection import short
from .parts import grid

_FINDINGS_SHOWN = 3


def show(history: History, found: Explanation, console: Console) -> None:
    """The sentence, then what it rests on."""
    state = found.verdict.state
    colour = "green" if state.good else "yellow" if state in (State.RUNNING, State.UNDECIDED) else "red"
    console.print(f"[bold {colour}]{escape(found.sentence)}[/]\n", soft_wrap=False)
    rows = {
        "Run": f"{found.run.id} of {escape(found.run.pipeline)}, {moment(found.run.started)}",
        "Check": escape(", ".join(dict.fromkeys(each.check for each in found.findings))),
        "Found": _findings(found.findings),
        "Since": _since(history, found),
        "Baseline": _baseline(found),
        "Data": "\n".join(_data(found)),
        "Lineage": _lineage(found.sources),
        "Watched": _watched(history, found.watched),
        "Open": _open(found),
    }
    table = grid()
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    console.print(table)


def _findings(findings: Sequence[Finding]) -> str:
    lines = [_finding(each) for each in findings[:_FINDINGS_SHOWN]]
    more = len(findings) - _FINDINGS_SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _finding(found: Finding) -> str:
    """What was found, measured against allowed."""
    numbers = ""
    if found.measured is not None and found.allowed is not None:
        numbers = f": {TESTS.get(found.what, found.what)} {found.measured:.4g}, allowed {found.allowed:.4g}"
    return f"[red]✗[/] {escape(found.message + numbers)}"


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


def _baseline(found: Explanation) -> str:
    if not found.baseline:
        return ""
    by = f", pushed by run {found.baseline_run.id}" if found.baseline_run else ""
    return escape(f"version {Path(found.baseline).name}{by}: {found.baseline}")


def _data(found: Explanation) -> list[str]:
    """Where each set of examples came from, the nearest first; that of a span's predecessor is called so."""
    lines = []
    for source in (each for each in found.sources if each.is_data):
        before = found.verdict.span is not None and source.span not in (None, found.verdict.span)
        span = f", span {source.span}" if source.span else ""
        files = data_files(source.fingerprint)
        note = "the span before: " if before else ""
        rows = source.artifact.properties.get("rows")
        count = f", {rows:,} examples" if isinstance(rows, int) else ""
        lines.append(escape(f"{note}{source.place}{span}{count}{f' ({files})' if files else ''}"))
    return lines


def _lineage(sources: Sequence[Source]) -> str:
    return escape(" <- ".join(sources[0].path)) if sources else ""


def _watched(history: History, runs: Sequence[Run]) -> str:
    """How the spans went that were compared with the pushed version."""
    if not runs:
        return ""
    bad = [run for run in runs if not history.verdict(run).state.good]
    count = f"{len(runs)} {'span' if len(runs) == 1 else 'spans'}"
    if not bad:
        return f"{count}, all fine; the newest: {short(history.verdict(runs[-1]))}"
    return f"{count}, {len(bad)} not fine; the newest of those: {short(history.verdict(bad[-1]))}, run {bad[-1].id}"


def _open(found: Explanation) -> str:
    if not found.open:
        return ""
    number = f"\nmodel-monitor inspect artifact:{found.artifact.id}" if found.artifact else ""
    return escape(found.open) + number
