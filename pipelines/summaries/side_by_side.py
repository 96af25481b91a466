"""Two runs side by side as a person reads them, in at most 100 columns."""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.skew_drift_validator.drift_report import Measurement
from components.validation_report.page import Gate, Outcome

from ..artifact_tables.reports import TESTS
from ..comparison import Accuracies, Comparison, Output
from ..explanation import data_files, moment
from ..inspect import Node
from ..run_figures import Accuracy
from ..verdicts import Finding, Verdict
from .inspection import cell_text, short, took

SAME = "the same"
_NONE = "-"
_MARKS = {Outcome.PASSED: "[green]✓[/]", Outcome.FAILED: "[red]✗[/]", Outcome.UNDECIDED: "[yellow]?[/]"}
_ALWAYS = ("examples", "corrupt images", "dead letters")  # counts that are shown when they are equal too
_LONGEST = 72  # characters of a parameter's value
_PARAMETER = 36  # and of its name, before it is broken up


def show(found: Comparison, limit: int, console: Console) -> None:
    """Everything that is known of both, at most `limit` features (0: all)."""
    for number, sentence in enumerate(found.sentences):
        console.print(f"[bold]{escape(sentence)}[/]" if number == 0 else escape(sentence))
    sections: list[Callable[[Comparison, Console], None]] = [
        _problems, _runs, _nodes_apart, _parameters, _data, _checks, _findings, _accuracy, _metrics, _p_values,
    ]  # fmt: skip
    for section in sections:
        section(found, console)
    _moved(found, limit, console)
    _nodes(found, console)


def _problems(found: Comparison, console: Console) -> None:
    for label, side in zip(found.labels, found.sides, strict=True):
        for problem in side.problems:
            console.print(f"[red]✗ {escape(f'{label}: {problem}')}[/]")


def _runs(found: Comparison, console: Console) -> None:
    first, second = found.sides
    table = _table("", *found.labels)
    _row(table, "Run", f"{first.run.id}, {moment(first.run.started)}", f"{second.run.id}, {moment(second.run.started)}")
    _row(table, "Pipeline", *_once(first.run.pipeline, second.run.pipeline))
    _row(
        table, "Verdict", *(f"{_good(side.verdict.state.good)} {escape(_state(side.verdict))}" for side in found.sides)
    )
    if first.baseline or second.baseline:
        names = (Path(side.baseline).name and f"version {Path(side.baseline).name}" for side in found.sides)
        _row(table, "Baseline", *_once(*names))
    _row(table, "Took", took(first.run.seconds), took(second.run.seconds))
    _print("", table, console)


def _nodes_apart(found: Comparison, console: Console) -> None:
    """What cannot be compared, because one of the two does not have it."""
    if not found.same_pipeline:
        common = ", ".join(found.common_nodes) or "none"
        console.print(f"\nThe pipelines differ; only what both have is compared. Nodes of both: {escape(common)}")
    for label, names in zip(found.labels, found.only, strict=True):
        if names:
            console.print(f"Nodes of {label} only: {escape(', '.join(names))}")


def _parameters(found: Comparison, console: Console) -> None:
    table = _table("node", "parameter", *found.labels)
    for (node, name), pair in found.parameters.items():
        texts = _apart(*(text or "" for text in pair.both))
        table.add_row(escape(node), escape(name), *(escape(_cut(text)) or _NONE for text in texts))
    longest = max((len(name) for _, name in found.parameters), default=0)
    table.columns[1].min_width = min(longest, _PARAMETER)
    _print("Parameters that differ", table, console, "none")


def _data(found: Comparison, console: Console) -> None:
    table = _table("", *(f">{label}" for label in found.labels), ">difference")
    for (of, name), pair in found.counts.items():
        if name not in _ALWAYS and (None in pair.both or not pair.differs):
            continue
        less = "" if None in pair.both else f"{(pair.second or 0) - (pair.first or 0):+,}".replace("+0", "")
        table.add_row(escape(f"{of}: {name}"), *map(_cell, pair.both), less)
    _print("Data", table, console)
    for node, same in found.same_input.items():
        console.print(f"[dim]{escape(f'{node} read {_files(found, node, same)}')}[/]")


def _files(found: Comparison, node: str, same: bool) -> str:
    """Whether both read the same files. TFX's checksums of files are the times at which they were changed."""
    first, second = (data_files(side.fingerprints[node]) for side in found.sides)
    if same:
        return f"the same files: {first}"
    if first == second:
        return f"files of the same sizes that were changed at other times: {first}"
    return f"other files: {first} in {found.labels[0]}, {second} in {found.labels[1]}"


def _checks(found: Comparison, console: Console) -> None:
    table = _table("check", *found.labels)
    for name, pair in found.checks.items():
        table.add_row(escape(name), *map(_gate, pair.both))
    _print("Checks", table, console)


def _findings(found: Comparison, console: Console) -> None:
    """What checks other than those of the table say, and of which run."""
    said = " ".join(gate.reason for pair in found.checks.values() for gate in pair.both if gate)
    rows = [pair for pair in found.findings if not any(each.message in said for each in pair.both if each)]
    table = _table("found by", *found.labels)
    for pair in rows:
        known: Finding = pair.first or pair.second  # type: ignore[assignment]
        table.add_row(
            escape(known.check), *(f"[red]✗[/] {escape(each.message)}" if each else _NONE for each in pair.both)
        )
    _print("Findings", table, console)


def _accuracy(found: Comparison, console: Console) -> None:
    table = _table("", *(f">{label}" for label in found.labels), ">difference", "")
    starred = False
    for known, rows in _grouped(found.accuracies):
        for each in rows:
            name = f"  {each.slice}" if each.slice else known
            less = each.difference
            starred |= bool(less and less.beyond_chance)
            told = _NONE if less is None else f"{less.value:+.3f} ({less.low:+.3f} to {less.high:+.3f})"
            table.add_row(escape(name), *map(_share, each.values.both), told, _star(each))
    _print("Accuracy, with 95 % intervals", table, console)
    if starred:
        console.print("[dim]* the interval of the difference leaves 0 out[/]")


def _metrics(found: Comparison, console: Console) -> None:
    table = _table("metric", *(f">{label}" for label in found.labels), ">difference")
    for name, pair in found.metrics.items():
        less = "" if pair.first is None or pair.second is None else f"{pair.second - pair.first:+.4g}"
        table.add_row(escape(name.replace("_", " ")), *map(_cell, pair.both), less)
    _print("Other metrics of the held-out examples", table, console)


def _p_values(found: Comparison, console: Console) -> None:
    table = _table("p-value", *(f">{label}" for label in found.labels))
    for name, pair in found.p_values.items():
        table.add_row(name, *(_NONE if value is None else f"{value:.2g}" for value in pair.both))
    _print("Comparison with the baseline and the span before", table, console)
    if table.rows and not found.same_baseline and all(side.baseline for side in found.sides):
        console.print("[yellow]The two were held against different baselines.[/]")


def _moved(found: Comparison, limit: int, console: Console) -> None:
    rows = found.moved
    shown = rows[:limit] if limit else rows
    heads = [name for label in found.labels for name in (f">{label}", ">p")]
    table = _table("feature", "test", "against", *heads, firm=3)
    for each in shown:
        against = "baseline" if each.comparison == "skew" else "span before"
        cells = [cell for side in each.measured.both for cell in _measured(side)]
        table.add_row(escape(each.feature or "(all together)"), _test(each.test), against, *cells)
    features = [each for each in rows if each.feature]
    beyond = sum(each.exceeded for each in features)
    title = f"What moved, the most unusual first: {beyond} of {len(features)} features beyond the threshold in either"
    _print(title, table, console)
    if more := len(rows) - len(shown):
        console.print(f"[dim]{more} more {'feature' if more == 1 else 'features'}; `--limit 0` shows all[/]")


def _nodes(found: Comparison, console: Console) -> None:
    table = _table("node", *(f">{label}" for label in found.labels), "outputs")
    for name in found.common_nodes:
        outputs = found.outputs.get(name, ())
        told = ", ".join(map(_output, outputs)) if not all(each.same for each in outputs) else SAME
        table.add_row(escape(name), *map(_node, found.nodes[name].both), escape(told))
    _print("Durations, and artifacts that differ", table, console)
    if table.rows:
        console.print("[dim]`model-monitor inspect artifact:ID` opens one[/]")


def _output(found: Output) -> str:
    if found.same:
        return f"{found.key} {SAME}"
    ids = " and ".join(", ".join(str(each.id) for each in side) or "none" for side in found.artifacts)
    return f"{found.key} {ids}" + (" (not compared)" if found.same is None else "")


def _node(node: Node | None) -> str:
    if node is None:
        return _NONE
    return node.state.lower() if node.state != "COMPLETE" else took(node.seconds)


def _measured(found: Measurement | None) -> tuple[str, str]:
    """What was measured against what is allowed, and the p-value of all tests together."""
    if found is None or found.threshold is None:
        return _NONE, ""
    sign, colour = (">", "red") if found.exceeded else ("<=", "green")
    return f"[{colour}]{found.measured:.3f} {sign:>2} {found.threshold:.3f}[/]", f"{found.adjusted_p_value:.2g}"


def _test(name: str) -> str:
    return TESTS.get(name, name.replace("hotelling_t2", "T2").replace("_", " "))


def _gate(gate: Gate | None) -> str:
    return _NONE if gate is None else f"{_MARKS[gate.outcome]} {escape(gate.reason)}"


def _share(found: Accuracy | None) -> str:
    return _NONE if found is None else f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _star(found: Accuracies) -> str:
    less = found.difference
    if less is None or not less.beyond_chance:
        return ""
    return f"[{'green' if less.value > 0 else 'red'}]*[/]"


def _grouped(rows: Sequence[Accuracies]) -> Iterator[tuple[str, list[Accuracies]]]:
    for known in dict.fromkeys(each.known for each in rows):
        yield known, [each for each in rows if each.known == known]


def _apart(first: str, second: str) -> tuple[str, str]:
    """Of texts of several lines the lines that differ, of paths what is not the same at the beginning or the end."""
    ours, theirs = first.splitlines(), second.splitlines()
    if max(len(ours), len(theirs)) > 1:
        return "\n".join(x for x in ours if x not in theirs), "\n".join(x for x in theirs if x not in ours)
    if first.startswith("/") and second.startswith("/"):
        return _apart_paths(first.split("/"), second.split("/"))
    return first, second


def _apart_paths(first: list[str], second: list[str]) -> tuple[str, str]:
    """Two paths without what is the same at their beginning or their end.

    >>> _apart_paths(["", "a", "b", "1", "z"], ["", "a", "b", "2", "z"])
    ('…/1/…', '…/2/…')
    """
    head = _alike(first, second)
    head = head if head > 1 else 0  # what all paths begin with says nothing
    tail = _alike(first[head:][::-1], second[head:][::-1])
    texts = ["/".join(parts[head : len(parts) - tail]) for parts in (first, second)]
    return tuple(f"{'…/' if head else ''}{text}{'/…' if tail else ''}" for text in texts)  # type: ignore[return-value]


def _alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many two lists have in common at the beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text):,} characters)"


def _once(first: str, second: str) -> tuple[str, str]:
    return escape(first) or _NONE, SAME if first == second else escape(second) or _NONE


def _state(says: Verdict) -> str:
    """The verdict without its reason, which the checks give."""
    return short(says).partition(":")[0]


def _good(good: bool) -> str:
    return "[green]✓[/]" if good else "[red]✗[/]"


def _cell(value: Any) -> str:
    return _NONE if value is None else escape(cell_text(value))


def _row(table: Table, name: str, first: str, second: str) -> None:
    table.add_row(f"[bold]{name}[/]", first, second)


def _table(*columns: str, firm: int = 1) -> Table:
    """An empty table; ">" before a name sets it right. The first columns, as many as are `firm`, are not broken up."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for number, name in enumerate(columns):
        right = name.startswith(">")
        table.add_column(escape(name.removeprefix(">")), justify="right" if right else "left", overflow="fold")
        table.columns[-1].no_wrap = number < firm or right
    return table


def _print(title: str, table: Table, console: Console, otherwise: str = "") -> None:
    """A table under its title, or what is said in its place; nothing where there is neither."""
    if table.rows:
        console.print(f"\n[bold]{title}[/]" if title else "")
        console.print(table)
    elif otherwise:
        console.print(f"\n[bold]{title}:[/] {otherwise}")
