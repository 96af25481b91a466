"""Labels that arrive after the model has answered, joined with the logged examples by id. Nothing is dropped unseen."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.class_names import Labels, whole_number
from ..common.errors import MonitorError, require
from ..common.label_numbering import Agreement
from ..common.model_spec import ModelSpec
from ..common.proportion import Proportion
from ..common.records.performance import LabelledAccuracy, Problem
from . import partitions
from .partitions import Entry, Partitions

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

ROW, EXAMPLE = 0, 1  # the sides of an entry
_SEVERAL = -2  # in place of a label
_NO_LABEL = (-1, 0)
_REMEMBERED = 10_000  # labels as they are spelled
_COUNTED_AT_ONCE = 100_000


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
      file: the name of the file that they are in.
      first: the number of the first of them in the file, from 0.

    """

    ids: Sequence[str]
    classes: Sequence[int]
    disagreeing: int = 0
    file: str = ""
    first: int = 0


def read_csv(content: Any, name: str) -> Iterator[LabelRow]:
    """The rows of a CSV file (RFC 4180, UTF-8) whose header names a column `id` and a column `label`.

    Other columns are not read. A row with more or fewer fields than the header is a `LabelRow` without id and label.

    Args:
      content: the file, to be read from the place where it is.
      name: its path, for errors.

    Raises:
      MonitorError: if there is no such header, or the file is not UTF-8 or not CSV.

    """
    file = io.BufferedReader(content)
    reader = csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""), strict=True)
    try:
        header = next(reader, [])
        rule = "begin with a header that names `id` and `label` once each"
        require(header.count(ID) == 1 and header.count(LABEL) == 1, name, rule, header)
        identity, label = header.index(ID), header.index(LABEL)
        for fields in reader:
            if fields:  # an empty line is no row
                fits = len(fields) == len(header)
                where = f"line {reader.line_num}"
                yield LabelRow(where, fields[identity] if fits else None, fields[label] if fits else None)
    except UnicodeDecodeError as error:  # of what was read last
        place = file.tell() - len(error.object) + error.start
        told = f"byte 0x{error.object[error.start]:02x} at {place}: {error.reason}"
        raise MonitorError(f"`{name}` must be a CSV file in UTF-8. Received: {told}") from error
    except csv.Error as error:
        raise MonitorError(f"`{name}` must be a CSV file in UTF-8. Received: {error}") from error


def join(rows: Iterable[LabelRow], examples: Iterable[LoggedExamples], spec: ModelSpec) -> LabelledAccuracy:
    """Gives examples their labels and measures the accuracy. Neither side is held in memory beyond a bound.

    Of several rows with one id and the same label, one is used and the others are duplicates; with different labels,
    none is used.

    Args:
      rows: of a labels file.
      examples: of the window, a batch at a time.
      spec: says which class a label means.

    """
    joined = Joined(spec)
    with Partitions(partitions.MOST_HELD) as by_id:
        for entry in joined.usable_rows(rows):
            by_id.add(entry)
        for entry in joined.usable_examples(examples):
            by_id.add(entry)
        for group in by_id.groups():
            joined.settle(group)
    return joined.accuracy()


class _Noted:
    """One kind of problem: how often, and the first ids in alphabetical order, with what was found of each."""

    def __init__(self) -> None:
        self._count = 0
        self._found: dict[str, str] = {}

    def add(self, name: str, times: int = 1, found: str = "") -> None:
        """Counts; `found` is the label in question, of which the first stays."""
        self._count += times
        if not times or name in self._found:
            return
        if len(self._found) == NAMED:
            last = max(self._found)
            if name > last:
                return
            del self._found[last]
        self._found[name] = found

    def merge(self, other: "_Noted") -> None:
        """Adds what was noted elsewhere."""
        found = {**other._found, **self._found}
        self._count += other._count
        self._found = {name: found[name] for name in sorted(found)[:NAMED]}

    def problem(self) -> Problem:
        named = tuple(sorted(self._found))
        return Problem(self._count, named, self._found[named[0]] if named else "")


class Joined:
    """What the rows and examples that were seen so far come to, each counted once. What others saw can be added."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._rows = self._examples = self._used = self._disagreeing = 0
        self._row_problems = {kind: _Noted() for kind in ROW_PROBLEMS}
        self._example_problems = {kind: _Noted() for kind in EXAMPLE_PROBLEMS}
        self._repeated = _Noted()
        self._total, self._right = (np.zeros(spec.num_classes, np.int64) for _ in range(2))
        self._agreement = Agreement()

    def usable_rows(self, rows: Iterable[LabelRow]) -> Iterator[Entry]:
        """Those with an id and a class; the others are counted."""
        classes = self._spec.labels
        numbers: dict[str | int | float | None, int | str] = {}
        for row in rows:
            self._rows += 1
            if row.label not in numbers:
                if len(numbers) >= _REMEMBERED:
                    numbers.clear()
                numbers[row.label] = _label(row.label, classes)
            label = numbers[row.label]
            if row.id is None or row.label is None:
                self._row_problems[MALFORMED].add(row.where)
            elif row.id == "":
                self._row_problems[NO_ID].add(row.where)
            elif isinstance(label, str):
                self._row_problems[label].add(row.id, found=repr(row.label))
            else:
                yield ROW, row.id, label

    def usable_examples(self, batches: Iterable[LoggedExamples]) -> Iterator[Entry]:
        """Those with an id; the others are counted."""
        for batch in batches:
            self._disagreeing += batch.disagreeing
            self._examples += len(batch.ids)
            for number, (identity, predicted) in enumerate(zip(batch.ids, batch.classes, strict=True), batch.first):
                if identity == "":
                    self._example_problems[WITHOUT_ID].add(f"record {number} of {batch.file}")
                else:
                    yield EXAMPLE, identity, predicted

    def settle(self, group: Iterable[Entry]) -> None:
        """Joins rows and examples, the rows of an id first; of the ids among them there are no others elsewhere."""
        labels: dict[str, list[int]] = {}  # the label, or that there are several, and the number of rows
        logged: dict[str, int] = {}
        pairs: list[tuple[int, int]] = []
        for side, identity, number in group:
            if side == ROW:
                given = labels.setdefault(identity, [number, 0])
                given[0] = number if given[0] == number else _SEVERAL
                given[1] += 1
                continue
            logged[identity] = logged.get(identity, 0) + 1
            label, _ = labels.get(identity, _NO_LABEL)
            if problem := _example_problem(label, number):
                self._example_problems[problem].add(identity)
            else:
                pairs.append((number, label))
                if len(pairs) == _COUNTED_AT_ONCE:
                    self._count(pairs)
                    pairs = []
        self._count(pairs)
        for identity, (label, times) in labels.items():
            self._count_rows(identity, label, times, known=identity in logged)
        for identity, times in logged.items():
            if times > 1:
                self._repeated.add(identity)

    def merge(self, other: "Joined") -> None:
        """Adds what was seen elsewhere, of other rows and examples and of other ids."""
        self._rows += other._rows
        self._examples += other._examples
        self._used += other._used
        self._disagreeing += other._disagreeing
        self._total, self._right = self._total + other._total, self._right + other._right
        self._agreement += other._agreement
        self._repeated.merge(other._repeated)
        for mine, others in (
            (self._row_problems, other._row_problems),
            (self._example_problems, other._example_problems),
        ):
            for kind, noted in mine.items():
                noted.merge(others[kind])

    def accuracy(self) -> LabelledAccuracy:
        spec, total, right = self._spec, self._total.tolist(), self._right.tolist()
        return LabelledAccuracy(
            overall=_proportion(sum(right), sum(total)),
            by_class=tuple(map(_proportion, right, total)),
            rows=self._rows,
            used=self._used,
            row_problems={kind: noted.problem() for kind, noted in self._row_problems.items()},
            examples=self._examples,
            example_problems={kind: noted.problem() for kind, noted in self._example_problems.items()},
            repeated_ids=self._repeated.problem(),
            wanted=spec.labels.wanted,
            numbering=self._agreement.words(spec.labels_from, spec.num_classes),
            disagreeing=self._disagreeing,
        )

    def _count_rows(self, identity: str, label: int, times: int, *, known: bool) -> None:
        if not known:
            self._row_problems[UNKNOWN_ID].add(identity, times)
        elif label == _SEVERAL:
            self._row_problems[CONFLICTING].add(identity, times)
        else:
            self._used += 1
            self._row_problems[DUPLICATE].add(identity, times - 1)

    def _count(self, pairs: list[tuple[int, int]]) -> None:
        predicted, labels = np.array(pairs, np.int64).reshape(-1, 2).T
        self._total += np.bincount(labels, minlength=len(self._total))
        self._right += np.bincount(labels[labels == predicted], minlength=len(self._right))
        self._agreement += Agreement.of(predicted, labels)


def _label(given: str | int | float | None, classes: Labels) -> int | str:
    """The number of the class, or what is wrong with it."""
    number = None if given is None else classes.number(given)
    if number is not None:
        return number
    return NOT_A_CLASS if whole_number(given) is None else OUT_OF_RANGE


def _example_problem(label: int, predicted: int) -> str:
    if label < 0:
        return CONFLICTING_LABELS if label == _SEVERAL else UNLABELLED
    return WITHOUT_PREDICTION if predicted < 0 else ""


def _proportion(right: int, total: int) -> Proportion | None:
    return Proportion.of(right, total) if total else None
