"""Counts of the data, and the facts of the run."""

from typing import Any

from ..common.artifacts.checks import beside
from ..common.artifacts.files import Files
from ..common.artifacts.sources import Sources
from ..common.pages.parts import Table, cut
from ..common.records.log_counts import COUNTS_JSON, DEAD_LETTERS, read_counts
from ..common.statistics.monitored_features import corrupt_images

_COUNTS = {
    "files": "Log files",
    "files_not_read": "of them not read",
    "side_files": "Files beside them, left out",
    "records": "Requests",
    "records_with_rows": "Requests that became examples",
    "records_broken": "Broken requests",
    "records_torn": "of them cut off",
    "records_excluded": "Requests of other model versions, left out",
    DEAD_LETTERS: "Dead letters",
    "images": "Images",
    "rows": "Images that became examples",
    "images_broken": "Broken images",
    "duplicates": "Duplicates",
    "over_max_rows": "Beyond what a span may have",
    "subsampled": "Subsampled",
    "without_timestamp": "Without a time",
    "without_client": "Without a client",
}


def data_counts(data: dict[str, Any]) -> tuple[Table, ...]:
    """How many examples each side has, and how many of its images cannot be read."""
    rows = tuple((name, f"{each.num_examples:,}", _corrupt(each)) for name, each in data.items())
    columns = ("Data", "Examples", "Unreadable images")
    return (Table("Examples", columns, rows, frozenset({1, 2})),) if rows else ()


def log_counts(sources: Sources, files: Files) -> tuple[Table, ...]:
    """The counts of the serving logs, what was wrong with them, and where the dead letters are."""
    given = beside(files, sources.anomalies, COUNTS_JSON)
    if given is None:
        return ()
    counts = files.record(given.path(COUNTS_JSON), read_counts)
    rows = tuple((title, f"{counts[key]:,}") for key, title in _COUNTS.items() if key in counts)
    tables = [Table("Serving logs", ("Count", "Number"), rows, frozenset({1}))]
    problems = tuple((kind.replace("_", " "), _number(each)) for kind, each in sorted(counts["problems"].items()))
    if problems:
        tables.append(Table("What was wrong with them", ("Problem", "Number"), problems, frozenset({1})))
    if counts[DEAD_LETTERS]:
        folder = given.path(DEAD_LETTERS)
        tables.append(Table("Dead letters are kept in", ("", "Folder"), (("dead letters", folder),)))
    return tuple(tables)


def run_tables(sources: Sources) -> tuple[Table, ...]:
    """The run, its nodes, their parameters, and the artifacts that the page was made from."""
    run = sources.run
    named = {"Pipeline": run.pipeline, "Run": run.run_id, "Started": run.started, **run.versions}
    facts = tuple((name, value) for name, value in named.items() if value)
    tables = [Table("Run", ("Fact", "Value"), facts)] if facts else []
    if run.nodes:
        rows = tuple((n.name, n.state.lower(), "-" if n.seconds is None else f"{n.seconds:.1f} s") for n in run.nodes)
        tables.append(Table("Nodes", ("Node", "State", "Duration"), rows, frozenset({2})))
    parameters = tuple(
        (node.name, name, cut(value))
        for node in run.nodes
        for name, value in sorted(node.parameters.items())
        if str(value)
    )
    if parameters:
        tables.append(Table("Parameters", ("Node", "Parameter", "Value"), parameters))
    given = tuple(
        (name.replace("_", " "), each.type or "-", each.known_as) for name, each in sources.artifacts().items()
    )
    if given:
        tables.append(Table("Artifacts this page was made from", ("What", "Type", "Where"), given))
    return tuple(tables)


def _corrupt(data: Any) -> str:
    count = corrupt_images(data)
    return "not evaluated" if count is None else f"{count:,}"


def _number(value: Any) -> str:
    """The count of a problem, which the logs keep alone or with examples of it."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {each:,}" for name, each in value.items() if isinstance(each, int))
    return f"{value:,}" if isinstance(value, int) else str(value)
