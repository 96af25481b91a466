"""What two runs have beside each other as tables of text, for a terminal and for a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from components.common.pages.parts import Table
from components.common.proportion import Proportion
from components.common.records.drift_report import Measurement
from components.common.statistics.monitored_features import short_name_of_test
from components.common.verdict import Check, Outcome
from components.common.verdict_words import MARKS, MARKS_OF_TONES

from ..comparing.comparison import Accuracies, Comparison, Output
from ..reading.findings import RunFinding
from ..reading.run_store import Node
from ..reading.verdicts import RunVerdict
from .words import cell_text, data_files, moment, short, took

SAME = "the same"
NONE = "-"
_ALWAYS = ("examples", "corrupt images", "dead letters")  # counts that are shown when they are equal too
_LONGEST = 72  # characters of a parameter's value


@dataclass(frozen=True)
class Section:
    """A table under a title, which may be "", and what is said below it. `key` stays the same whatever the title."""

    key: str
    title: str
    table: Table
    notes: tuple[str, ...] = ()


def sections(found: Comparison, limit: int) -> list[Section]:
    """Everything that is known of both; at most `limit` features (0: all). Sections without anything are left out."""
    makers: list[Callable[[Comparison], Section]] = [
        _runs, _parameters, _data, _checks, _findings, _accuracy, _metrics, _p_values,
        lambda each: _moved(each, limit), _nodes,
    ]  # fmt: skip
    made = [make(found) for make in makers]
    return [section for section in made if section.table.rows or section.notes]


def _runs(found: Comparison) -> Section:
    first, second = found.sides
    rows = [
        ("Run", *(f"{side.run.id}, {moment(side.run.started)}" for side in found.sides)),
        ("Pipeline", *_once(first.run.pipeline, second.run.pipeline)),
        ("Verdict", *(f"{MARKS_OF_TONES[side.verdict.tone]} {_state(side.verdict)}" for side in found.sides)),
        ("Took", *(took(side.run.seconds) for side in found.sides)),
    ]
    if first.baseline or second.baseline:
        names = (side.baseline and f"version {Path(side.baseline).name}" for side in found.sides)
        rows.insert(3, ("Baseline", *_once(*names)))
    return Section("runs", "", _table("The two runs", ("", *found.labels), rows), tuple(_apart_notes(found)))


def _apart_notes(found: Comparison) -> Iterator[str]:
    """What cannot be compared, because one of the two does not have it."""
    if not found.same_pipeline:
        common = ", ".join(found.common_nodes) or "none"
        yield f"The pipelines differ; only what both have is compared. Nodes of both: {common}"
    for label, names in zip(found.labels, found.only, strict=True):
        if names:
            yield f"Nodes of {label} only: {', '.join(names)}"


def _parameters(found: Comparison) -> Section:
    rows = [
        (node, name, *(_cut(text) or NONE for text in _apart(pair.first or "", pair.second or "")))
        for (node, name), pair in found.parameters.items()
    ]
    notes = () if rows else ("No parameter differs.",)
    return Section(
        "parameters", "Parameters that differ", _table("Parameters", ("node", "parameter", *found.labels), rows), notes
    )


def _data(found: Comparison) -> Section:
    rows = [
        (
            f"{of}: {name}",
            *(NONE if each is None else cell_text(each) for each in pair.both),
            _less(pair.first, pair.second),
        )
        for (of, name), pair in found.counts.items()
        if name in _ALWAYS or (None not in pair.both and pair.differs)
    ]
    notes = tuple(f"{node} read {_files(found, node, same)}" for node, same in found.same_input.items())
    return Section("data", "Data", _numbers("Data", ("", *found.labels, "difference"), rows), notes)


def _less(first: int | None, second: int | None) -> str:
    return "" if first is None or second is None or first == second else f"{second - first:+,}"


def _files(found: Comparison, node: str, same: bool) -> str:
    """Whether both read the same files. TFX's checksums of files are the times at which they were changed."""
    first, second = (data_files(side.fingerprints[node]) for side in found.sides)
    if same:
        return f"the same files: {first}"
    if first == second:
        return f"files of the same sizes that were changed at other times: {first}"
    return f"other files: {first} in {found.labels[0]}, {second} in {found.labels[1]}"


def _checks(found: Comparison) -> Section:
    rows = [(name, *map(_check, pair.both)) for name, pair in found.checks.items()]
    return Section("checks", "Checks", _table("Checks", ("check", *found.labels), rows))


def _check(check: Check | None) -> str:
    return NONE if check is None else f"{MARKS[check.outcome]} {check.reason}"


def _findings(found: Comparison) -> Section:
    """What checks found that their reasons do not say already."""
    said = " ".join(check.reason for pair in found.checks.values() for check in pair.both if check)
    rows = [
        ((pair.first or pair.second).check, *map(_finding, pair.both))  # type: ignore[union-attr]
        for pair in found.findings
        if not any(each.message in said for each in pair.both if each)
    ]
    return Section("findings", "Findings", _table("Findings", ("found by", *found.labels), rows))


def _finding(found: RunFinding | None) -> str:
    return NONE if found is None else f"{MARKS[Outcome.FAILED]} {found.message}"


def _accuracy(found: Comparison) -> Section:
    rows = [
        (f"  {each.slice}" if each.slice else each.known, *map(_shown, each.values.both), *_difference(each))
        for each in found.accuracies
    ]
    notes = ("* the interval of the difference leaves 0 out",) if any(row[-1] for row in rows) else ()
    title = "Accuracy, with 95 % intervals"
    return Section("accuracy", title, _numbers(title, ("", *found.labels, "difference", ""), rows), notes)


def _shown(accuracy: Proportion | None) -> str:
    return NONE if accuracy is None else str(accuracy)


def _difference(found: Accuracies) -> tuple[str, str]:
    less = found.difference
    if less is None:
        return NONE, ""
    return f"{less.value:+.3f} ({less.low:+.3f} to {less.high:+.3f})", "*" if less.beyond_chance else ""


def _metrics(found: Comparison) -> Section:
    rows = []
    for name, pair in found.metrics.items():
        less = "" if pair.first is None or pair.second is None else f"{pair.second - pair.first:+.4g}"
        rows.append((name.replace("_", " "), *(NONE if each is None else cell_text(each) for each in pair.both), less))
    title = "Metrics of the held-out examples"
    return Section("metrics", title, _numbers(title, ("metric", *found.labels, "difference"), rows))


def _p_values(found: Comparison) -> Section:
    rows = [
        (name, *(NONE if value is None else f"{value:.2g}" for value in pair.both))
        for name, pair in found.p_values.items()
    ]
    others = rows and not found.same_baseline and all(side.baseline for side in found.sides)
    notes = ("The two were held against different baselines.",) if others else ()
    title = "p-values, against the baseline and the previous span"
    return Section("p-values", title, _numbers(title, ("", *found.labels), rows), notes)


def _moved(found: Comparison, limit: int) -> Section:
    shown = found.moved[:limit] if limit else found.moved
    rows = [
        (
            each.feature or "(all together)",
            short_name_of_test(each.test),
            each.reference,
            *(cell for side in each.measured.both for cell in _measured(side)),
        )
        for each in shown
    ]
    more = len(found.moved) - len(shown)
    notes = (f"{more} more {'feature' if more == 1 else 'features'}; `--limit 0` shows all",) if more else ()
    features = [each for each in found.moved if each.feature]
    beyond = sum(each.exceeded for each in features)
    title = f"What moved, the most unusual first: {beyond} of {len(features)} features beyond the threshold in either"
    columns = ("feature", "test", "against", *(name for label in found.labels for name in (label, "p")))
    return Section("moved", title, Table(title, columns, tuple(rows), frozenset({3, 4, 5, 6})), notes)


def _measured(found: Measurement | None) -> tuple[str, str]:
    """What was measured against what is allowed, and the p-value of all tests together."""
    if found is None or found.threshold is None:
        return NONE, ""
    sign = ">" if found.exceeded else "<="
    return f"{found.measured:.3f} {sign:>2} {found.threshold:.3f}", f"{found.adjusted_p_value:.2g}"


def _nodes(found: Comparison) -> Section:
    rows = []
    for name in found.common_nodes:
        outputs = found.outputs.get(name, ())
        told = SAME if all(each.same for each in outputs) else ", ".join(map(_output, outputs))
        rows.append((name, *map(_node, found.nodes[name].both), told))
    notes = ("`model-monitor inspect artifact:ID` opens one",) if rows else ()
    title = "Durations, and artifacts that differ"
    return Section(
        "nodes", title, Table(title, ("node", *found.labels, "outputs"), tuple(rows), frozenset({1, 2})), notes
    )


def _output(found: Output) -> str:
    if found.same:
        return f"{found.key} {SAME}"
    ids = " and ".join(", ".join(str(each.id) for each in side) or "none" for side in found.artifacts)
    return f"{found.key} {ids}" + (" (not compared)" if found.same is None else "")


def _node(node: Node | None) -> str:
    if node is None:
        return NONE
    return node.state.lower() if node.state != "COMPLETE" else took(node.seconds)


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
    one, other = ("/".join(parts[head : len(parts) - tail]) for parts in (first, second))
    before, behind = "…/" if head else "", "/…" if tail else ""
    return f"{before}{one}{behind}", f"{before}{other}{behind}"


def _alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many two lists have in common at the beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text):,} characters)"


def _once(first: str, second: str) -> tuple[str, str]:
    return first or NONE, SAME if first == second else second or NONE


def _state(says: RunVerdict) -> str:
    """The verdict without its reason, which the checks give."""
    return short(says).partition(":")[0]


def _table(caption: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(caption, tuple(columns), tuple(rows))


def _numbers(caption: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """A table whose columns but the first are figures."""
    return Table(caption, tuple(columns), tuple(rows), frozenset(range(1, len(columns))))
