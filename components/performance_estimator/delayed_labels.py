"""Labels that arrive after the model has answered, joined with the logged examples by id. Nothing is dropped unseen."""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..common.class_names import class_number
from ..common.errors import MonitorError, require
from ..common.proportion import Proportion
from ..common.records.performance import LabelledAccuracy, Problem

ID, LABEL = "id", "label"
NAMED = 5  # how many ids of each problem are kept, the first ones in alphabetical order
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)

# What can be wrong with a row of a labels file ...
MALFORMED = "malformed"
NO_ID = "no_id"
NOT_A_CLASS = "not_a_class"
OUT_OF_RANGE = "out_of_range"
UNKNOWN_ID = "unknown_id"
CONFLICTING = "conflicting"
DUPLICATE = "duplicate"
ROW_PROBLEMS = (MALFORMED, NO_ID, NOT_A_CLASS, OUT_OF_RANGE, UNKNOWN_ID, CONFLICTING, DUPLICATE)
# ... and why an example has no use for one.
UNLABELLED = "unlabelled"
CONFLICTING_LABELS = "conflicting_labels"
WITHOUT_ID = "without_id"
WITHOUT_PREDICTION = "without_prediction"
EXAMPLE_PROBLEMS = (UNLABELLED, CONFLICTING_LABELS, WITHOUT_ID, WITHOUT_PREDICTION)


@dataclass(frozen=True)
class LabelRow:
    """One row as it was read. `id` and `label` are None where the row does not hold exactly one of it."""

    where: str
    id: str | None
    label: str | int | None


@dataclass(frozen=True)
class LoggedExamples:
    """What the log says about its examples, in one order: `ids` ("" for none) and predicted `classes` (-1 for none)."""

    ids: Sequence[str]
    classes: Sequence[int]


def read_csv(content: bytes, name: str) -> Iterator[LabelRow]:
    """The rows of a CSV file (RFC 4180, UTF-8) whose header names a column `id` and a column `label`.

    Other columns are not read. A row with more or fewer fields than the header is a `LabelRow` without id and label.

    Raises:
      MonitorError: if there is no such header, or the file is not UTF-8 or not CSV.

    """
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        rule = "begin with a header that names `id` and `label` once each"
        require(header.count(ID) == 1 and header.count(LABEL) == 1, name, rule, header)
        identity, label = header.index(ID), header.index(LABEL)
        for fields in reader:
            if fields:  # an empty line is no row
                fits = len(fields) == len(header)
                where = f"line {reader.line_num}"
                yield LabelRow(where, fields[identity] if fits else None, fields[label] if fits else None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise MonitorError(f"`{name}` must be a CSV file in UTF-8. Received: {error}") from error


def join(rows: Iterable[LabelRow], examples: LoggedExamples, classes: Sequence[str]) -> LabelledAccuracy:
    """Gives examples their labels and measures the accuracy.

    Of several rows with one id and the same label, one is used and the others are duplicates; with different labels,
    none is used. A label is the number or the name of a class; a name goes before a number.

    Args:
      rows: of a labels file.
      examples: of the window.
      classes: their names, in order.

    """
    found = _sort(rows, set(examples.ids), classes)
    example_problems: dict[str, list[str]] = {problem: [] for problem in EXAMPLE_PROBLEMS}
    right, total = Counter[int](), Counter[int]()
    for position, (identity, predicted) in enumerate(zip(examples.ids, examples.classes, strict=True)):
        problem = _example_problem(identity, predicted, found)
        if problem:
            example_problems[problem].append(identity or f"example {position}")
        else:
            label = found.labels[identity]
            total[label] += 1
            right[label] += predicted == label
    repeated = [identity for identity, count in Counter(examples.ids).items() if identity and count > 1]
    return LabelledAccuracy(
        overall=_proportion(sum(right.values()), sum(total.values())),
        by_class=tuple(_proportion(right[each], total[each]) for each in range(len(classes))),
        rows=found.rows,
        used=len(found.labels),
        row_problems={kind: _problem(found.problems[kind]) for kind in ROW_PROBLEMS},
        examples=len(examples.ids),
        example_problems={kind: _problem(names) for kind, names in example_problems.items()},
        repeated_ids=_problem(repeated),
    )


@dataclass
class _Sorted:
    """Rows of a labels file, each counted once."""

    rows: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    conflicting: set[str] = field(default_factory=set)
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def _sort(rows: Iterable[LabelRow], known: set[str], classes: Sequence[str]) -> _Sorted:
    found = _Sorted()
    numbers: dict[str | int | None, int | str] = {}
    labels: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        found.rows += 1
        if row.label not in numbers:
            numbers[row.label] = _label(row.label, classes)
        label = numbers[row.label]
        if row.id is None or row.label is None:
            found.problems[MALFORMED].append(row.where)
        elif row.id == "":
            found.problems[NO_ID].append(row.where)
        elif isinstance(label, str):
            found.problems[label].append(row.id)
        elif row.id not in known:
            found.problems[UNKNOWN_ID].append(row.id)
        else:
            labels[row.id].append(label)
    for identity, given in labels.items():
        if len(set(given)) > 1:
            found.conflicting.add(identity)
            found.problems[CONFLICTING] += [identity] * len(given)
        else:
            found.labels[identity] = given[0]
            found.problems[DUPLICATE] += [identity] * (len(given) - 1)
    return found


def _label(given: str | int | None, classes: Sequence[str]) -> int | str:
    """The number of the class, or what is wrong with it."""
    if given is None:
        return NOT_A_CLASS
    number = class_number(given, classes)
    if number is not None:
        return number
    return OUT_OF_RANGE if isinstance(given, int) or _INTEGER.fullmatch(given) else NOT_A_CLASS


def _example_problem(identity: str, predicted: int, found: _Sorted) -> str:
    if identity == "":
        return WITHOUT_ID
    if identity in found.conflicting:
        return CONFLICTING_LABELS
    if identity not in found.labels:
        return UNLABELLED
    return WITHOUT_PREDICTION if predicted < 0 else ""


def _problem(names: Sequence[str]) -> Problem:
    return Problem(len(names), tuple(sorted(set(names))[:NAMED]))


def _proportion(right: int, total: int) -> Proportion | None:
    return Proportion.of(right, total) if total else None
