"""The Beam part: files of examples and a file of labels in, what they come to out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeAlias

import apache_beam as beam

from ..common.artifacts.record_parts import Given
from ..common.beam.bundles import at_the_end
from ..common.beam.records import SpreadRecords, data_of
from ..common.beam.worker_files import files_of
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.records.performance import LabelledAccuracy
from .delayed_labels import EXAMPLE, ROW, Joined
from .partitions import Entry
from .readers import label_rows, logged_in

_COUNTED = "counted"
_SETTLED_AT_ONCE = 20_000  # entries: arrays of so many are counted in no time, and take 3 MB

_Keyed: TypeAlias = tuple[str, tuple[int, int]]  # an id; which of the two it is from, and a number
_Seen: TypeAlias = tuple[Joined, str]  # what a part of the work comes to, and why it could not be done


class JoinLabels(beam.PTransform):
    """Paths of the files of a split -> one value that `accuracy_of` reads.

    Files of examples are cut and spread; the labels file is read by one worker, for nobody knows where a line of a CSV
    file begins. Both are grouped by id, with a number of eight bytes or less for each row and each example.

    Args:
      labels_file: CSV or TFRecord.
      spec: says which class a label means.

    """

    def __init__(self, labels_file: str, spec: ModelSpec) -> None:
        super().__init__()
        self._labels_file = labels_file
        self._spec = spec

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        file = paths.pipeline | "LabelsFile" >> beam.Create([self._labels_file])
        rows = file | "ReadRows" >> _counting(_ReadRows(self._spec))
        logged = paths | "Records" >> SpreadRecords() | "ReadExamples" >> _counting(_ReadExamples(self._spec))
        settled = (
            (rows[None], logged[None])
            | "Both" >> beam.Flatten()
            | "ById" >> beam.GroupByKey()
            | "Settle" >> beam.ParDo(_Settle(self._spec))
        )
        return (
            (rows[_COUNTED], logged[_COUNTED], settled)
            | "All" >> beam.Flatten()
            | "Add" >> beam.CombineGlobally(_MergeFn(self._spec))
        )


def accuracy_of(seen: _Seen) -> LabelledAccuracy:
    """What all of it comes to.

    Raises:
      MonitorError: a file could not be read, or is not what it must be. Raised by a worker, Beam would bury it.

    """
    joined, refused = seen
    if refused:
        raise MonitorError(refused)
    return joined.accuracy()


def _counting(reading: "_Read") -> beam.ParDo:
    return beam.ParDo(reading).with_outputs(_COUNTED)


class _Read(beam.DoFn):
    """Gives what has an id, by its id; the rest is counted."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    def _entries(self, usable: Callable[[Joined], Iterable[Entry]]) -> Iterator[Any]:
        joined, refused = Joined(self._spec), ""
        try:
            for side, identity, number in usable(joined):
                yield identity, (side, number)
        except MonitorError as error:
            refused = str(error)
        yield beam.pvalue.TaggedOutput(_COUNTED, (joined, refused))


@beam.typehints.with_output_types(_Keyed)
class _ReadRows(_Read):
    """The path of a labels file -> its rows."""

    def process(self, path: str) -> Iterator[Any]:
        return self._entries(lambda joined: joined.usable_rows(label_rows(path, files_of(path))))


@beam.typehints.with_output_types(_Keyed)
class _ReadExamples(_Read):
    """A part of a file of examples -> the examples."""

    def process(self, given: Given) -> Iterator[Any]:
        logged = logged_in(data_of(given), given.path, given.first)
        return self._entries(lambda joined: joined.usable_examples(logged))


class _Settle(beam.DoFn):
    """All of an id -> what those of a bundle come to."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    def start_bundle(self) -> None:
        self._joined = Joined(self._spec)
        self._held: list[Entry] = []

    def process(self, group: tuple[str, Iterable[tuple[int, int]]]) -> None:
        identity, found = group  # any number of them, which are gone through twice: the rows of an id come first
        entries = ((side, identity, number) for wanted in (ROW, EXAMPLE) for side, number in found if side == wanted)
        self._held += islice(entries, _SETTLED_AT_ONCE)
        if len(self._held) >= _SETTLED_AT_ONCE:
            self._joined.settle(chain(self._held, entries))
            self._held = []

    def finish_bundle(self) -> Iterator[Any]:
        self._joined.settle(self._held)
        yield at_the_end((self._joined, ""))


class _MergeFn(beam.CombineFn):
    """Adds up what workers have seen, and keeps the first reason against any of it."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self._spec = spec

    def create_accumulator(self) -> _Seen:
        return Joined(self._spec), ""

    def add_input(self, seen: _Seen, other: _Seen) -> _Seen:
        return self.merge_accumulators([seen, other])

    def merge_accumulators(self, several: Sequence[_Seen]) -> _Seen:
        joined, refused = self.create_accumulator()
        for other, reason in several:
            joined.merge(other)
            refused = min(filter(None, (refused, reason)), default="")
        return joined, refused

    def extract_output(self, seen: _Seen) -> _Seen:
        return seen
