"""Labels that arrive after the model has answered, joined with the logged examples by id. Nothing is dropped unseen."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..common.class_names import Labels, whole_number
from ..common.errors import MonitorError, require
from ..common.label_numbering import Agreement
from ..common.model_spec import ModelSpec
from ..common.proportion import Proportion
from ..common.records.performance import LabelledAccuracy, Problem

ID, LABEL = "id", "label"
NAMED = 5  # how many ids of each problem are kept, the first ones in alphabetical order

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
    label: str | int | float | None


@dataclass(frozen=True)
class LoggedExamples:
    """What the log says about its examples, in one order.

    Attributes:
      ids: "" for none.
      classes: predicted ones, -1 for none.
      disagreeing: examples whose `class_id` is not the class of their largest probability.

    """

    ids: Sequence[str]
    classes: Sequence[int]
    disagreeing: int = 0


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


def join(rows: Iterable[LabelRow], examples: LoggedExamples, spec: ModelSpec) -> LabelledAccuracy:
    """Gives examples their labels and measures the accuracy.

    Of several rows with one id and the same label, one is used and the others are duplicates; with different labels,
    none is used.

    Args:
      rows: of a labels file.
      examples: of the window.
      spec: says which class a label means.

    """
    read = _sort(rows, set(examples.ids), spec.labels)
    example_problems: dict[str, list[str]] = {problem: [] for problem in EXAMPLE_PROBLEMS}
    pairs: list[tuple[int, int]] = []
    for position, (identity, predicted) in enumerate(zip(examples.ids, examples.classes, strict=True)):
        problem = _example_problem(identity, predicted, read)
        if problem:
            example_problems[problem].append(identity or f"example {position}")
        else:
            pairs.append((predicted, read.labels[identity]))
    predicted_classes, labels = np.array(pairs, np.int64).reshape(-1, 2).T
    total = np.bincount(labels, minlength=spec.num_classes).tolist()
    right = np.bincount(labels[labels == predicted_classes], minlength=spec.num_classes).tolist()
    repeated = [identity for identity, count in Counter(examples.ids).items() if identity and count > 1]
    return LabelledAccuracy(
        overall=_proportion(sum(right), sum(total)),
        by_class=tuple(map(_proportion, right, total)),
        rows=read.rows,
        used=len(read.labels),
        row_problems={kind: _problem(read.problems[kind], read.found.get(kind, {})) for kind in ROW_PROBLEMS},
        examples=len(examples.ids),
        example_problems={kind: _problem(names) for kind, names in example_problems.items()},
        repeated_ids=_problem(repeated),
        wanted=spec.labels.wanted,
        numbering=Agreement.of(predicted_classes, labels).words(spec.labels_from, spec.num_classes),
        disagreeing=examples.disagreeing,
    )


@dataclass
class _Sorted:
    """Rows of a labels file, each counted once; `found` has the labels that are no class, by problem and id."""

    rows: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    conflicting: set[str] = field(default_factory=set)
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    found: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))


def _sort(rows: Iterable[LabelRow], known: set[str], classes: Labels) -> _Sorted:
    read = _Sorted()
    numbers: dict[str | int | float | None, int | str] = {}
    labels: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        read.rows += 1
        if row.label not in numbers:
            numbers[row.label] = _label(row.label, classes)
        label = numbers[row.label]
        if row.id is None or row.label is None:
            read.problems[MALFORMED].append(row.where)
        elif row.id == "":
            read.problems[NO_ID].append(row.where)
        elif isinstance(label, str):
            read.problems[label].append(row.id)
            read.found[label].setdefault(row.id, repr(row.label))
        elif row.id not in known:
            read.problems[UNKNOWN_ID].append(row.id)
        else:
            labels[row.id].append(label)
    for identity, given in labels.items():
        if len(set(given)) > 1:
            read.conflicting.add(identity)
            read.problems[CONFLICTING] += [identity] * len(given)
        else:
            read.labels[identity] = given[0]
            read.problems[DUPLICATE] += [identity] * (len(given) - 1)
    return read


def _label(given: str | int | float | None, classes: Labels) -> int | str:
    """The number of the class, or what is wrong with it."""
    number = None if given is None else classes.number(given)
    if number is not None:
        return number
    return NOT_A_CLASS if whole_number(given) is None else OUT_OF_RANGE


def _example_problem(identity: str, predicted: int, read: _Sorted) -> str:
    if identity == "":
        return WITHOUT_ID
    if identity in read.conflicting:
        return CONFLICTING_LABELS
    if identity not in read.labels:
        return UNLABELLED
    return WITHOUT_PREDICTION if predicted < 0 else ""


def _problem(names: Sequence[str], labels: Mapping[str, str] | None = None) -> Problem:
    named = tuple(sorted(set(names))[:NAMED])
    return Problem(len(names), named, (labels or {}).get(named[0], "") if named else "")


def _proportion(right: int, total: int) -> Proportion | None:
    return Proportion.of(right, total) if total else None
