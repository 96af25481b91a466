"""The Beam part: log files in; serialised tf.Examples, dead letters and one tally out."""

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import apache_beam as beam

from ..common.beam import in_process
from ..common.beam.bundles import at_the_end
from ..common.beam.records import SpreadRecords, cut_file
from ..common.beam.shard_writer import WritingFn
from . import tally as names
from .known_ids import KnownIds
from .problems import Problem
from .read_options import ReadOptions
from .read_parts import LIMITS, ROWS_OF, TALLY, Found, Keyed, Part, ReadPart, leave_out
from .subsampling import Subsampling, lot
from .tally import Tally, merged

ROWS = "rows"
FILES = "files"

_Drawing: TypeAlias = tuple[Keyed | None, Counter[str]]
_NO_TIMESTAMP = "the log's timestamp_secs is 0"
_NO_CLIENT = "the request has no such field, or its id no such part"


class ConvertLogs(beam.PTransform):
    """Paths of log files -> `FILES` and `ROWS`, as `KeepRows` takes them, and `TALLY`, one `Tally` of it all.

    Each worker writes the rows that it reads, as serialised tf.Examples; which of them are kept is found out by their
    ids and places alone.

    Args:
      options: how logs are read.
      dead_letter_folder: where dead letters go, a pair of files for each part of a log file that has any.
      scratch: where rows are written.

    """

    def __init__(self, options: ReadOptions, dead_letter_folder: str, scratch: str) -> None:
        super().__init__()
        self._options = options
        self._folder = dead_letter_folder
        self._scratch = scratch

    def expand(self, paths: beam.PCollection) -> Any:
        reading = ReadPart(self._options, self._folder)
        read = (
            paths
            | "Records" >> SpreadRecords(**LIMITS)
            | "Read" >> beam.ParDo(reading).with_outputs(TALLY, ROWS_OF, main=ROWS)
        )
        starts = read[ROWS_OF] | "RowsOf" >> beam.combiners.ToDict() | "Starts" >> beam.Map(_starts)
        placed = read[ROWS] | "Write" >> beam.ParDo(WriteAhead(self._scratch)).with_outputs(FILES, main=ROWS)
        distinct = _Distinct(self._options.max_rows)
        by_id = placed[ROWS] | "ById" >> beam.GroupByKey()
        kept = by_id | "Distinct" >> _select(distinct, beam.pvalue.AsSingleton(starts))
        tallies = [read[TALLY], kept[TALLY]]
        subsampling = Subsampling.parse(self._options.one_example_per)
        if subsampling.across_requests:
            blocks = kept[ROWS] | "ByBlock" >> _select(_ByBlock(by_client=bool(subsampling.client)))
            drawn = blocks[ROWS] | "Compete" >> beam.CombinePerKey(_DrawFn()) | "Draw" >> _select(_Drawn())
            tallies.append(blocks[TALLY])
            kept = drawn
            tallies.append(kept[TALLY])
        written = kept[ROWS] | "Examples" >> _select(_Written())
        tallies.append(written[TALLY])
        return {
            FILES: placed[FILES],
            ROWS: written[ROWS] | "Places" >> beam.Map(_place).with_output_types(tuple[str, int]),
            TALLY: tallies | "Tallies" >> beam.Flatten() | "Add" >> beam.CombineGlobally(merged),
        }


def convert_here(paths: Sequence[str], options: ReadOptions, dead_letter_folder: str, tally: Tally) -> Iterator[bytes]:
    """As `ConvertLogs`, without a pipeline, in one process: serialised tf.Examples, one after the other.

    Of each row sixteen bytes of its id are kept in memory; where rows of different requests compete, also one row of
    each block. Beam's in-process runner keeps all rows, several times over.

    Args:
      paths: of log files.
      options: how they are read.
      dead_letter_folder: where dead letters go.
      tally: all that is counted is added to it; it is whole when the last row has come.

    """
    parts = (part for path in sorted(paths, key=os.path.basename) for part in cut_file(path, links_out=False))
    read = in_process.stream(ReadPart(options, dead_letter_folder), parts)
    kept = _distinct_in_order(read, options.max_rows, tally)
    subsampling = Subsampling.parse(options.one_example_per)
    if subsampling.across_requests:
        kept = _drawn_here(kept, tally, by_client=bool(subsampling.client))
    for tag, given in in_process.stream(_Written(), kept):
        if tag == TALLY:
            tally.merge(given)
        else:
            yield given


def _distinct_in_order(read: Iterable[tuple[str | None, Any]], max_rows: int, tally: Tally) -> Iterator[Keyed]:
    """As `_Distinct`, of rows in the order of files and records: of those with the same id the first is the one."""
    seen = KnownIds()
    start = 0
    for tag, given in read:
        if tag == ROWS_OF:
            start += given[1]
        elif tag == TALLY:
            tally.merge(given)
        else:
            identity, found = given
            if not seen.add(identity):
                _count_again(identity, found, tally)
            elif start + found[0][1] < max_rows:
                yield given
            else:
                leave_out(identity, found, max_rows, tally)


def _drawn_here(rows: Iterable[Keyed], tally: Tally, *, by_client: bool) -> Iterator[Keyed]:
    """As `_ByBlock`, `_DrawFn` and `_Drawn`."""
    draw = _DrawFn()
    blocks: dict[bytes, _Drawing] = {}
    for tag, given in in_process.stream(_ByBlock(by_client=by_client), rows):
        if tag == TALLY:
            tally.merge(given)
        else:
            block, keyed = given
            blocks[block] = draw.add_input(blocks.get(block) or draw.create_accumulator(), keyed)
    for tag, given in in_process.stream(_Drawn(), blocks.items()):
        if tag == TALLY:
            tally.merge(given)
        else:
            yield given


def _count_again(identity: bytes, found: Found, tally: Tally) -> None:
    (file, _), _, record = found[0]
    tally.add_rows(names.DUPLICATES, found[2])
    tally.add_problem(Problem.DUPLICATE_ID, identity, f"again in {file}, record {record}")


def _starts(rows_of: dict[Part, int]) -> dict[Part, int]:
    """How many rows there are in the parts before each part, those of the files before it too."""
    parts = sorted(rows_of)
    return dict(zip(parts, itertools.accumulate((rows_of[part] for part in parts), initial=0), strict=False))


def _place(written: bytes) -> tuple[str, int]:
    """Where a row is, as `WriteAhead` says it."""
    name, number = written.decode().split("/")
    return name, int(number)


@beam.typehints.with_output_types(Keyed)
class WriteAhead(WritingFn):
    """Rows -> the same with the place of the example instead of the example, and how many there are in each file."""

    def process(self, keyed: Keyed) -> Iterator[Keyed]:
        identity, (place, block, version, serialised) = keyed
        name, number = self._writer.write(serialised)
        yield identity, (place, block, version, f"{name}/{number}".encode())

    def finish_bundle(self) -> Iterator[Any]:
        self._writer.close()
        for name, count in self._writer.counts.items():
            yield beam.pvalue.TaggedOutput(FILES, at_the_end((name, -count)))


class _Selecting(beam.DoFn):
    """Hands some rows on and counts; the tally comes once a bundle."""

    def start_bundle(self) -> None:
        self._tally = Tally()

    def finish_bundle(self) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput(TALLY, at_the_end(self._tally))


def _select(selecting: _Selecting, *side_inputs: Any) -> beam.ParDo:
    return beam.ParDo(selecting, *side_inputs).with_outputs(TALLY, main=ROWS)


@beam.typehints.with_output_types(Keyed)
class _Distinct(_Selecting):
    """Of rows with the same id, takes that of the first file and record, where that is one of the first `max_rows`."""

    def __init__(self, max_rows: int) -> None:
        super().__init__()
        self._max_rows = max_rows

    def process(self, group: tuple[bytes, Iterable[Found]], starts: dict[Part, int]) -> Iterator[Keyed]:
        identity, rows = group[0], iter(group[1])  # any number of them: two at a time are held
        first = next(rows)
        for row in rows:
            first, again = sorted((first, row), key=lambda each: each[0])
            _count_again(identity, again, self._tally)
        part, number, _ = first[0]
        if starts[part] + number < self._max_rows:
            yield identity, first
        else:
            leave_out(identity, first, self._max_rows, self._tally)


@beam.typehints.with_output_types(tuple[bytes, Keyed])
class _ByBlock(_Selecting):
    """Rows by the block that they compete in; none of those whose log does not say what block they are of."""

    def __init__(self, *, by_client: bool) -> None:
        self._unknown, self._problem, self._reason = names.WITHOUT_TIMESTAMP, Problem.NO_TIMESTAMP, _NO_TIMESTAMP
        if by_client:
            self._unknown, self._problem, self._reason = names.WITHOUT_CLIENT, Problem.NO_CLIENT, _NO_CLIENT

    def process(self, keyed: Keyed) -> Iterator[tuple[bytes, Keyed]]:
        identity, (_, block, version, _) = keyed
        if block:
            yield block, keyed
        else:
            self._tally.add_rows(self._unknown, version)
            self._tally.add_problem(self._problem, identity, self._reason)


class _DrawFn(beam.CombineFn):
    """Of the rows of a block, the one that is drawn, and how many rows there are of each version."""

    def create_accumulator(self) -> _Drawing:
        return None, Counter()

    def add_input(self, drawing: _Drawing, keyed: Keyed) -> _Drawing:
        return self.merge_accumulators([drawing, (keyed, Counter([keyed[1][2]]))])

    def merge_accumulators(self, drawings: Iterable[_Drawing]) -> _Drawing:
        best: Keyed | None = None
        versions: Counter[str] = Counter()
        for drawn, counts in drawings:
            versions += counts
            if best is None or (drawn is not None and lot(drawn[0]) < lot(best[0])):
                best = drawn
        return best, versions

    def extract_output(self, drawing: _Drawing) -> _Drawing:
        return drawing


@beam.typehints.with_output_types(Keyed)
class _Drawn(_Selecting):
    """The row that is drawn of each block; the others are counted."""

    def process(self, drawn: tuple[bytes, _Drawing]) -> Iterator[Keyed]:
        best, versions = drawn[1]
        if best is None:
            return
        for version, count in versions.items():
            self._tally.add_rows(names.SUBSAMPLED, version, count - (version == best[1][2]))
        yield best


@beam.typehints.with_output_types(bytes)
class _Written(_Selecting):
    """Counts what is written."""

    def process(self, keyed: Keyed) -> Iterator[bytes]:
        _, (_, _, version, serialised) = keyed
        self._tally.add_rows(names.ROWS, version)
        yield serialised
