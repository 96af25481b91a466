"""Runs, nodes and artifacts as a person reads them, in at most 100 columns."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from components.common.artifacts.files import Artifact
from components.common.verdict_words import COLOURS, MARKS_OF_TONES, State

from ..reading.artifact_tables.table import Cell, Opened, Table
from ..reading.history import History
from ..reading.origins import Origin, origins
from ..reading.run_store import Node, Run
from ..reading.verdicts import RunVerdict
from .lines import say
from .words import cell_text, moment, nodes_in_words, place, short, took

_WIDEST = 28  # characters of a column that is not the last
_FIRST_WIDEST = 44  # characters of the first, before it is broken up
_UNFINISHED = {State.RUNNING: "…", State.NO_VERDICT: "-"}  # marks of runs without an outcome
_NODE_COLOURS = {"COMPLETE": "green", "CACHED": "cyan", "FAILED": "red", "CANCELED": "red"}


def show_runs(history: History, runs: Sequence[Run], more: int, console: Console) -> None:
    """A line for each run, and how many there are besides."""
    table = _table("id", "started", "pipeline", ">took", ">nodes", "verdict")
    for run in runs:
        says = history.verdict(run)
        cells = [str(run.id), moment(run.started)[:-3], escape(run.pipeline), took(run.seconds), nodes_in_words(run)]
        table.add_row(*cells, _coloured(says, f"{_mark(says)} {short(says)}"))
    _print(table, console)
    if more:
        console.print(f"[dim]{more} more; `--limit 0` lists all[/]")


def show_run(history: History, run: Run, console: Console) -> None:
    """One run: its verdict, its nodes and what they gave."""
    says = history.verdict(run)
    say(console, f"[bold]Run {run.id}[/] of {escape(run.pipeline)}: {escape(run.run_id)}")
    console.print(f"{moment(run.started)}, took {took(run.seconds)}")
    say(console, _coloured(says, f"{_mark(says)} {says.state.words}: {says.reason}") + "\n")
    table = _table("node", "state", ">took", "component")
    for node in run.nodes.values():
        state = f"[{_NODE_COLOURS.get(node.state, 'yellow')}]{node.state.lower()}[/]"
        table.add_row(escape(node.name), state, took(node.seconds), escape(node.type.rpartition(".")[2]))
    _print(table, console)
    console.print()
    show_artifacts(origins([run]), 0, console, with_run=False)


def show_artifacts(found: Sequence[Origin], more: int, console: Console, *, with_run: bool = True) -> None:
    """A line for each artifact, with its place below the folder that all of them share."""
    shared = _shared([artifact.uri for *_, artifact in found])
    _say_shared(shared, console)
    run_column = ["run"] if with_run else []
    table = _table("artifact", *run_column, "node", "type", "place")
    for run, node, _, artifact in found:
        where = escape(artifact.uri.removeprefix(shared) if shared else place(artifact.uri))
        if "://" not in artifact.uri and run.files.gone(artifact.uri):
            where = f"[red]gone:[/] {where}"
        runs = [str(run.id)] if with_run else []
        table.add_row(str(artifact.id), *runs, escape(node.name), escape(artifact.type), where)
    _print(table, console)
    if more:
        console.print(f"[dim]{more} more; `--limit 0` lists all[/]")


def show_node(node: Node, console: Console) -> None:
    """A node's state, its parameters, what it took, and what it chose if it is a resolver."""
    state = f"{node.state.lower()}, {took(node.seconds)}"
    console.print(f"[bold]{escape(node.name)}[/] ({escape(node.type)}): {state}")
    if node.parameters:
        table = _table("parameter", "value")
        for name, value in sorted(node.parameters.items()):
            lines = str(value).splitlines() or [""]
            more = f" ... ({len(lines)} lines)" if len(lines) > 3 else ""
            shown = " ".join(line.strip() for line in (lines[:3] if more else lines))
            table.add_row(escape(name), escape(shown) + more)
        _print(table, console)
    for title, artifacts in (("input", node.inputs), ("chosen", node.chosen)):
        _show_taken(title, artifacts, console)
    console.print()


def show_opened(opened: Opened, origin: Origin, limit: int, console: Console) -> None:
    """The tables of an artifact, at most `limit` rows of each (0: all), and what could not be read."""
    run, node, key, artifact = origin
    name = f"[bold]{escape(artifact.type)} {artifact.id}[/]"
    console.print(f"{name}: {escape(key)} of {escape(node.name)}, run {run.id}")
    say(console, f"[dim]{escape(place(artifact.uri))}[/]")
    for problem in opened.problems:
        say(console, f"[red]✗ {escape(problem)}[/]")
    for table in opened.tables:
        show_table(table, limit, console)
    console.print()


def show_table(table: Table, limit: int, console: Console) -> None:
    """One table of an artifact; without its rows where it has none."""
    console.print(f"\n[bold]{escape(table.title)}[/]")
    if not table.rows:
        return
    rows = table.rows[:limit] if limit else table.rows
    numeric = [_is_numeric([row[number] for row in rows]) for number in range(len(table.columns))]
    drawn = _table(*(f">{name}" if right else name for name, right in zip(table.columns, numeric, strict=True)))
    for row in rows:
        drawn.add_row(*(escape(cell_text(cell)) for cell in row))
    _print(drawn, console)
    if more := len(table.rows) - len(rows):
        console.print(f"[dim]{more} more {'row' if more == 1 else 'rows'}; `--limit 0` shows all[/]")


def _show_taken(title: str, artifacts: Mapping[str, Sequence[Artifact]], console: Console) -> None:
    if not artifacts:
        return
    console.print()
    shared = _shared([each.uri for found in artifacts.values() for each in found])
    _say_shared(shared, console)
    table = _table(title, ">artifact", "type", "place")
    for key, found in artifacts.items():
        for each in found:
            where = each.uri.removeprefix(shared) if shared else place(each.uri)
            table.add_row(escape(key), str(each.id), escape(each.type), escape(where))
    _print(table, console)


def _is_numeric(cells: Sequence[Cell]) -> bool:
    """Whether a column holds numbers and nothing else."""
    given = [cell for cell in cells if cell is not None]
    return bool(given) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in given)


def _mark(says: RunVerdict) -> str:
    return _UNFINISHED.get(says.state, MARKS_OF_TONES[says.tone])


def _coloured(says: RunVerdict, text: str) -> str:
    colour = "dim" if says.state is State.NO_VERDICT else COLOURS[says.tone]
    return f"[{colour}]{escape(text)}[/]"


def _shared(uris: Sequence[str]) -> str:
    """The folder that all of several URIs are in, with its slash; "" where that says nothing."""
    if len(uris) < 2:
        return ""
    folders = [uri.split("/")[:-1] for uri in uris]
    same = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    folder = "/".join(parts[0] for parts in same)
    return f"{folder}/" if folder else ""


def _say_shared(folder: str, console: Console) -> None:
    if folder:
        say(console, f"[dim]Places are below\n{escape(place(folder))}[/]")


def _table(*columns: str) -> RichTable:
    """An empty table with these columns; ">" before a name sets it right."""
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for number, name in enumerate(columns):
        plain, right = name.removeprefix(">"), name.startswith(">")
        width = _WIDEST if 0 < number < len(columns) - 1 else None
        table.add_column(escape(plain), justify="right" if right else "left", overflow="fold", max_width=width)
    return table


def _print(table: RichTable, console: Console) -> None:
    """Prints a table with its first column broken up only where that is very wide."""
    first = table.columns[0]
    longest = max((len(line) for cell in first.cells for line in str(cell).splitlines()), default=0)
    first.min_width = min(longest, _FIRST_WIDEST)
    console.print(table)
