"""The Beam part: log files in; serialised tf.Examples, dead letters and one tally out."""

import contextlib
import itertools
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from tensorflow.core.example import example_pb2
from tfx.dsl.io import fileio

from ..common.artifacts.record_files import is_remote
from ..common.artifacts.record_parts import Given
from ..common.artifacts.tfrecord import Record
from ..common.beam import in_process
from ..common.beam.records import SpreadRecords, cut_file, pieces, records_of
from ..common.canonical_rows import Value, write_features
from ..common.model_spec import IMAGE
from ..common.records.log_counts import DEAD_LETTERS
from . import dead_letters
from . import tally as names
from .known_ids import KnownIds
from .prediction_log import Request, Row, read_origin, read_request
from .problems import Problem
from .read_options import MAX_RECORDS, MAX_ROWS, ReadOptions
from .record_kinds import parse_example, parse_log, why_no_log
from .subsampling import Subsampling, lot
from .tally import DAMAGE_PROBLEMS, Tally, merged, version_name

ROWS = "rows"
TALLY = "tally"
UNFINISHED = ".tmp"  # behind the name of a file of dead letters that is being written
_ROWS_OF = "rows_of"  # (part of a file, how many rows it gave)

# A part of a file: its name, and the number of the first record.
_Part: TypeAlias = tuple[str, int]
# Where a row comes from (part, number among the part's rows, record), what it competes within, model version, and its
# serialised tf.Example.
_Found: TypeAlias = tuple[tuple[_Part, int, int], bytes, str, bytes]
_Keyed: TypeAlias = tuple[bytes, _Found]
_Drawing: TypeAlias = tuple[_Keyed | None, Counter[str]]
_LIMITS: Any = {"links_out": False, "most_records": MAX_RECORDS + 1}
_NO_TIMESTAMP = "the log's timestamp_secs is 0"
_NO_CLIENT = "the request has no such field, or its id no such part"


class ConvertLogs(beam.PTransform):
    """Paths of log files -> `ROWS`, serialised tf.Examples in no particular order, and `TALLY`, one `Tally` of it all.

    Dead letters are written beside, under `dead_letter_folder`, a pair of files for each part of a log file that has
    any.
    """

    def __init__(self, options: ReadOptions, dead_letter_folder: str) -> None:
        super().__init__()
        self._options = options
        self._folder = dead_letter_folder

    def expand(self, paths: beam.PCollection) -> Any:
        reading = _ReadPart(self._options, self._folder)
        read = (
            paths
            | "Records" >> SpreadRecords(**_LIMITS)
            | "Read" >> beam.ParDo(reading).with_outputs(TALLY, _ROWS_OF, main=ROWS)
        )
        starts = read[_ROWS_OF] | "RowsOf" >> beam.combiners.ToDict() | "Starts" >> beam.Map(_starts)
        distinct = _Distinct(self._options.max_rows)
        # grouping shuffles the rows as well, as every ExampleGen does
        kept = (
            read[ROWS] | "ById" >> beam.GroupByKey() | "Distinct" >> _select(distinct, beam.pvalue.AsSingleton(starts))
        )
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
            ROWS: written[ROWS],
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
    read = in_process.stream(_ReadPart(options, dead_letter_folder), parts)
    kept = _distinct_in_order(read, options.max_rows, tally)
    subsampling = Subsampling.parse(options.one_example_per)
    if subsampling.across_requests:
        kept = _drawn_here(kept, tally, by_client=bool(subsampling.client))
    for tag, given in in_process.stream(_Written(), kept):
        if tag == TALLY:
            tally.merge(given)
        else:
            yield given


def _distinct_in_order(read: Iterable[tuple[str | None, Any]], max_rows: int, tally: Tally) -> Iterator[_Keyed]:
    """As `_Distinct`, of rows in the order of files and records: of those with the same id the first is the one."""
    seen = KnownIds()
    start = 0
    for tag, given in read:
        if tag == _ROWS_OF:
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
                _leave_out(identity, found, max_rows, tally)


def _drawn_here(rows: Iterable[_Keyed], tally: Tally, *, by_client: bool) -> Iterator[_Keyed]:
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


@beam.typehints.with_output_types(_Keyed)
class _ReadPart(beam.DoFn):
    """Part of a log file -> its rows by id, and its tally."""

    def __init__(self, options: ReadOptions, dead_letter_folder: str) -> None:
        self._options = options
        self._folder = dead_letter_folder
        self._subsampling = Subsampling.parse(options.one_example_per)

    def process(self, given: Given) -> Iterator[Any]:
        for part in pieces(given, **_LIMITS):
            yield from self._process(part)

    def _process(self, given: Given) -> Iterator[Any]:
        tally = Tally()
        tally.counts[names.FILES] += not given.first
        file = os.path.basename(given.path)
        part, number = (file, given.first), 0
        with _DeadLetters(self._folder, *part) as dead:
            for record in _records(given, tally):
                request = self._read(record, file, tally, dead)
                if request is None:
                    continue
                for row in self._subsampled(request, tally):
                    found = self._found(row, request, (part, number, record.number))
                    number += 1
                    if number <= self._options.max_rows:
                        yield row.id, found
                    else:
                        _leave_out(row.id, found, self._options.max_rows, tally)
        yield beam.pvalue.TaggedOutput(_ROWS_OF, (part, number))
        yield beam.pvalue.TaggedOutput(TALLY, tally)

    def _read(self, record: Record, file: str, tally: Tally, dead: "_DeadLetters") -> Request | None:
        """Reads and counts one record; None if there is nothing to take from it."""
        identity = f"{file}:{record.number}".encode("utf-8", "surrogateescape")
        if record.damage is not None:
            tally.add_damage(record, identity)
            problem = DAMAGE_PROBLEMS[record.damage]
            tally.counts[DEAD_LETTERS] += dead.add(record, [(None, problem, record.reason)])
            return None
        log = parse_log(record.data)
        if log is None or log.WhichOneof("log_type") is None:  # of no version either
            reason = why_no_log(record.data)
            tally.add_unparsable(record, identity, reason)
            tally.counts[DEAD_LETTERS] += dead.add(record, [(None, Problem.NOT_A_LOG, reason)])
            return None
        origin = read_origin(log)
        if self._options.model_version and origin.model_version != self._options.model_version:
            tally.add_excluded(record, version_name(origin.model_version))
            return None
        client = self._subsampling.client
        field = client.field if client else ""
        request = read_request(log, origin, self._options.spec, identity, parse_example, client_field=field)
        tally.add_request(record, request, identity)
        if request.broken:
            tally.counts[DEAD_LETTERS] += dead.add(record, request.broken)
        self._count_colours(request, tally)
        return request

    def _subsampled(self, request: Request, tally: Tally) -> list[Row]:
        if not self._subsampling.by_request or len(request.rows) < 2:
            return request.rows
        tally.add_rows(names.SUBSAMPLED, version_name(request.origin.model_version), len(request.rows) - 1)
        return [min(request.rows, key=lambda row: lot(row.id))]

    def _found(self, row: Row, request: Request, place: tuple[_Part, int, int]) -> _Found:
        return place, self._block(row, request), version_name(request.origin.model_version), _serialise(row.features)

    def _block(self, row: Row, request: Request) -> bytes:
        """What the row competes within, b"" where that cannot be told or nothing competes."""
        client = self._subsampling.client
        timestamp = -1 if request.origin.timestamp is None else request.origin.timestamp
        image = row.features[IMAGE]
        name = request.client(row.number, client) if client else b""
        return self._subsampling.block(image if isinstance(image, bytes) else b"", name, timestamp)

    def _count_colours(self, request: Request, tally: Tally) -> None:
        if self._options.spec.image.channel_means:
            flagged = {row for row, _, _ in request.flags}
            for row in request.rows:
                if row.number not in flagged:
                    tally.add_colour(row)


def _records(given: Given, tally: Tally) -> Iterator[Record]:
    """The records of a part, as many as can be read; the tally has what cannot.

    Of a file the first `MAX_RECORDS` are: a gzipped megabyte can hold a hundred million empty ones.
    """
    name = os.path.basename(given.path)
    try:
        for record in records_of(given, links_out=False):
            if record.number >= MAX_RECORDS:
                if record.number == MAX_RECORDS:
                    tally.add_unread(name, f"it has more than {MAX_RECORDS} records, and is read no further")
                return
            yield record
    except OSError as error:  # not to be opened, gone meanwhile, or of a disk that fails
        if is_remote(given.path):
            raise
        tally.add_unread(name, error.strerror or str(error))


def _count_again(identity: bytes, found: "_Found", tally: Tally) -> None:
    (file, _), _, record = found[0]
    tally.add_rows(names.DUPLICATES, found[2])
    tally.add_problem(Problem.DUPLICATE_ID, identity, f"again in {file}, record {record}")


def _leave_out(identity: bytes, found: "_Found", max_rows: int, tally: Tally) -> None:
    tally.add_rows(names.TOO_MANY, found[2])
    text = f"at most {max_rows} may be in a span; log fewer by `sampling_rate`, or raise `monitor.{MAX_ROWS}`"
    tally.add_problem(Problem.TOO_MANY_ROWS, identity, text)


def _starts(rows_of: dict[_Part, int]) -> dict[_Part, int]:
    """How many rows there are in the parts before each part, those of the files before it too."""
    parts = sorted(rows_of)
    return dict(zip(parts, itertools.accumulate((rows_of[part] for part in parts), initial=0), strict=False))


def _serialise(features: dict[str, Value]) -> bytes:
    """The features as a serialised tf.Example."""
    example = example_pb2.Example()
    write_features(features, example)
    return example.SerializeToString(deterministic=True)


class _DeadLetters:
    """The dead letters of a part of a log file; nothing is created before there is one, and no half of it is ever seen.

    A worker may run twice over the same file: both write the same, each under a name of its own until it is whole.
    """

    def __init__(self, folder: str, log_file: str, first: int) -> None:
        self._folder = folder
        self._log_file = log_file
        self._name = dead_letters.file_name(log_file, first)
        self._suffix = f".{uuid.uuid4().hex}{UNFINISHED}"
        self._paths: list[str] = []
        self._letters: dead_letters.DeadLetterFile | None = None
        self._streams = contextlib.ExitStack()

    def __enter__(self) -> "_DeadLetters":
        return self

    def add(self, record: Record, broken: list[tuple[int | None, Problem, str]]) -> bool:
        """Whether the letter is kept: a part has so many at most."""
        if self._letters is None:
            fileio.makedirs(self._folder)
            records, lines = (
                self._create(suffix) for suffix in (dead_letters.RECORDS_SUFFIX, dead_letters.LINES_SUFFIX)
            )
            self._letters = dead_letters.DeadLetterFile(records, lines, self._log_file)
        return self._letters.add(record, broken)

    def _create(self, suffix: str) -> Any:
        path = os.path.join(self._folder, self._name + suffix)
        self._paths.append(path)
        return self._streams.enter_context(fileio.open(path + self._suffix, "wb"))

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._letters is not None and kind is None:
            self._letters.close()
        self._streams.close()
        for path in self._paths:
            if kind is None:
                fileio.rename(path + self._suffix, path, overwrite=True)
            else:
                fileio.remove(path + self._suffix)


class _Selecting(beam.DoFn):
    """Hands some rows on and counts; the tally comes once a bundle."""

    def start_bundle(self) -> None:
        self._tally = Tally()

    def finish_bundle(self) -> Iterator[Any]:
        window = GlobalWindow()
        yield beam.pvalue.TaggedOutput(TALLY, WindowedValue(self._tally, window.max_timestamp(), (window,)))


def _select(selecting: _Selecting, *side_inputs: Any) -> beam.ParDo:
    return beam.ParDo(selecting, *side_inputs).with_outputs(TALLY, main=ROWS)


@beam.typehints.with_output_types(_Keyed)
class _Distinct(_Selecting):
    """Of rows with the same id, takes that of the first file and record, where that is one of the first `max_rows`."""

    def __init__(self, max_rows: int) -> None:
        super().__init__()
        self._max_rows = max_rows

    def process(self, group: tuple[bytes, Iterable[_Found]], starts: dict[_Part, int]) -> Iterator[_Keyed]:
        identity, rows = group[0], iter(group[1])  # any number of them: two at a time are held
        first = next(rows)
        for row in rows:
            first, again = sorted((first, row), key=lambda each: each[0])
            _count_again(identity, again, self._tally)
        part, number, _ = first[0]
        if starts[part] + number < self._max_rows:
            yield identity, first
        else:
            _leave_out(identity, first, self._max_rows, self._tally)


@beam.typehints.with_output_types(tuple[bytes, _Keyed])
class _ByBlock(_Selecting):
    """Rows by the block that they compete in; none of those whose log does not say what block they are of."""

    def __init__(self, *, by_client: bool) -> None:
        self._unknown, self._problem, self._reason = names.WITHOUT_TIMESTAMP, Problem.NO_TIMESTAMP, _NO_TIMESTAMP
        if by_client:
            self._unknown, self._problem, self._reason = names.WITHOUT_CLIENT, Problem.NO_CLIENT, _NO_CLIENT

    def process(self, keyed: _Keyed) -> Iterator[tuple[bytes, _Keyed]]:
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

    def add_input(self, drawing: _Drawing, keyed: _Keyed) -> _Drawing:
        return self.merge_accumulators([drawing, (keyed, Counter([keyed[1][2]]))])

    def merge_accumulators(self, drawings: Iterable[_Drawing]) -> _Drawing:
        best: _Keyed | None = None
        versions: Counter[str] = Counter()
        for drawn, counts in drawings:
            versions += counts
            if best is None or (drawn is not None and lot(drawn[0]) < lot(best[0])):
                best = drawn
        return best, versions

    def extract_output(self, drawing: _Drawing) -> _Drawing:
        return drawing


@beam.typehints.with_output_types(_Keyed)
class _Drawn(_Selecting):
    """The row that is drawn of each block; the others are counted."""

    def process(self, drawn: tuple[bytes, _Drawing]) -> Iterator[_Keyed]:
        best, versions = drawn[1]
        if best is None:
            return
        for version, count in versions.items():
            self._tally.add_rows(names.SUBSAMPLED, version, count - (version == best[1][2]))
        yield best


@beam.typehints.with_output_types(bytes)
class _Written(_Selecting):
    """Counts what is written."""

    def process(self, keyed: _Keyed) -> Iterator[bytes]:
        _, (_, _, version, serialised) = keyed
        self._tally.add_rows(names.ROWS, version)
        yield serialised
