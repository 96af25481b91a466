"""The part of Beam's function that reads: part of a log file in; rows by their ids, dead letters and a tally out."""

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import apache_beam as beam

from ..common.artifacts.record_files import is_remote
from ..common.artifacts.record_parts import Given
from ..common.artifacts.tfrecord import Record
from ..common.beam import worker_files
from ..common.beam.records import pieces, records_of
from ..common.model_spec import IMAGE
from ..common.records.log_counts import DEAD_LETTERS
from ..common.row_encoding import serialised
from . import dead_letters
from . import tally as names
from .layouts import Layouts
from .prediction_log import Contents, read_contents, read_origin
from .problems import Problem
from .read_options import MAX_RECORDS, MAX_ROWS, ReadOptions
from .record_kinds import parse_example, parse_log, why_no_log
from .requests import Request, Row, read_requests
from .subsampling import Subsampling, lot
from .tally import DAMAGE_PROBLEMS, Tally, version_name

TALLY = "tally"
ROWS_OF = "rows_of"  # (part of a file, how many rows it gave)
UNFINISHED = ".tmp"  # behind the name of a file of dead letters that is being written
LIMITS: Any = {"links_out": False, "most_records": MAX_RECORDS + 1}
# What records are read together have at most, themselves and as arrays; a larger one is read alone.
BATCH_BYTES = 4 << 20
BATCH_IMAGES = 1_000

# A part of a file: its name, and the number of the first record.
Part: TypeAlias = tuple[str, int]
# Where a row comes from (part, number among the part's rows, record), what it competes within, model version, and its
# serialised tf.Example.
Found: TypeAlias = tuple[tuple[Part, int, int], bytes, str, bytes]
Keyed: TypeAlias = tuple[bytes, Found]


class _Examined(NamedTuple):
    """A record that is a log or a dead letter: its id, and what it holds or what is wrong with it."""

    record: Record
    identity: bytes
    contents: Contents | None = None
    broken: tuple[Problem, str] | None = None


@beam.typehints.with_output_types(Keyed)
class ReadPart(beam.DoFn):
    """Part of a log file -> its rows by id, and its tally."""

    def __init__(self, options: ReadOptions, dead_letter_folder: str) -> None:
        self._options = options
        self._folder = dead_letter_folder
        self._subsampling = Subsampling.parse(options.one_example_per)
        client = self._subsampling.client
        self._client_field = client.field if client else ""
        self._layouts = Layouts(parse_log, options.spec.input, self._client_field)

    def process(self, given: Given) -> Iterator[Any]:
        for part in pieces(given, **LIMITS):
            yield from self._process(part)

    def _process(self, given: Given) -> Iterator[Any]:
        tally = Tally()
        tally.counts[names.FILES] += not given.first
        file = os.path.basename(given.path)
        part, number = (file, given.first), 0
        with _DeadLetters(self._folder, *part) as dead:
            for record, request in self._read(given, file, tally, dead):
                for row in self._subsampled(request, tally):
                    found = self._found(row, request, (part, number, record.number))
                    number += 1
                    if number <= self._options.max_rows:
                        yield row.id, found
                    else:
                        leave_out(row.id, found, self._options.max_rows, tally)
        yield beam.pvalue.TaggedOutput(ROWS_OF, (part, number))
        yield beam.pvalue.TaggedOutput(TALLY, tally)

    def _read(self, given: Given, file: str, tally: Tally, dead: "_DeadLetters") -> Iterator[tuple[Record, Request]]:
        """Reads and counts the records; those that there is something to take from, in their order."""
        examined = filter(None, (self._examine(record, file, tally) for record in _records(given, tally)))
        for batch in _batches(examined):
            together = read_requests([each.contents for each in batch if each.contents], self._options.spec)
            tally.add_numbers(together)
            if self._options.spec.image.channel_means:
                tally.add_colours([row for request in together.requests for row in _unflagged(request)])
            requests = iter(together.requests)
            read = [(each.record, each.identity, each.broken or next(requests)) for each in batch]
            batch.clear()  # the arrays, which nobody needs any more
            for record, identity, found in read:
                if isinstance(found, Request):
                    tally.add_request(record, found, identity)
                    if found.broken:
                        tally.counts[DEAD_LETTERS] += dead.add(record, found.broken)
                    yield record, found
                else:
                    tally.counts[DEAD_LETTERS] += dead.add(record, [(None, *found)])

    def _examine(self, record: Record, file: str, tally: Tally) -> _Examined | None:
        """What one record holds; None, and it is counted, where that is of another version."""
        identity = f"{file}:{record.number}".encode("utf-8", "surrogateescape")
        if record.damage is not None:
            tally.add_damage(record, identity)
            return _Examined(record, identity, broken=(DAMAGE_PROBLEMS[record.damage], record.reason))
        contents = self._layouts.read(record.data, identity)
        return _Examined(record, identity, contents) if contents else self._parse(record, identity, tally)

    def _parse(self, record: Record, identity: bytes, tally: Tally) -> _Examined | None:
        """As `_examine`, of a whole record of a form that is not known."""
        log = parse_log(record.data)
        if log is None or log.WhichOneof("log_type") is None:  # of no version either
            reason = why_no_log(record.data)
            tally.add_unparsable(record, identity, reason)
            return _Examined(record, identity, broken=(Problem.NOT_A_LOG, reason))
        options, origin = self._options, read_origin(log)
        if options.model_version and origin.model_version != options.model_version:
            tally.add_excluded(record, version_name(origin.model_version))
            return None
        contents = read_contents(log, origin, options.spec, identity, parse_example, client_field=self._client_field)
        self._layouts.learn(record.data, log, contents)
        return _Examined(record, identity, contents)

    def _subsampled(self, request: Request, tally: Tally) -> list[Row]:
        if not self._subsampling.by_request or len(request.rows) < 2:
            return request.rows
        tally.add_rows(names.SUBSAMPLED, version_name(request.origin.model_version), len(request.rows) - 1)
        return [min(request.rows, key=lambda row: lot(row.id))]

    def _found(self, row: Row, request: Request, place: tuple[Part, int, int]) -> Found:
        return place, self._block(row, request), version_name(request.origin.model_version), serialised(row.features)

    def _block(self, row: Row, request: Request) -> bytes:
        """What the row competes within, b"" where that cannot be told or nothing competes."""
        if not self._subsampling.across_requests:
            return b""
        client = self._subsampling.client
        timestamp = -1 if request.origin.timestamp is None else request.origin.timestamp
        image = row.features[IMAGE]
        name = request.client(row.number, client) if client else b""
        return self._subsampling.block(image if isinstance(image, bytes) else b"", name, timestamp)


def _unflagged(request: Request) -> list[Row]:
    flagged = {row for row, _, _ in request.flags}
    return [row for row in request.rows if row.number not in flagged] if flagged else request.rows


def _batches(examined: Iterable[_Examined]) -> Iterator[list[_Examined]]:
    """All of them, in their order, so many together as `BATCH_BYTES` and `BATCH_IMAGES` allow, or one that is larger.

    What image files unpack to is counted, too.
    """
    batch: list[_Examined] = []
    held = images = 0
    for each in examined:
        size = len(each.record.data) + (each.contents.size if each.contents else 0)
        if batch and held + size > BATCH_BYTES:
            yield batch
            batch, held, images = [], 0, 0
        batch.append(each)
        held += size
        images += 1 + (each.contents.count if each.contents else 0)
        if images >= BATCH_IMAGES:
            yield batch
            batch, held, images = [], 0, 0
    if batch:
        yield batch


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


def leave_out(identity: bytes, found: Found, max_rows: int, tally: Tally) -> None:
    """Counts a row that is beyond the most that a span may have."""
    tally.add_rows(names.TOO_MANY, found[2])
    text = f"at most {max_rows} may be in a span; log fewer by `sampling_rate`, or raise `monitor.{MAX_ROWS}`"
    tally.add_problem(Problem.TOO_MANY_ROWS, identity, text)


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
            worker_files.make_folders(self._folder)
            records, lines = (
                self._create(suffix) for suffix in (dead_letters.RECORDS_SUFFIX, dead_letters.LINES_SUFFIX)
            )
            self._letters = dead_letters.DeadLetterFile(records, lines, self._log_file)
        return self._letters.add(record, broken)

    def _create(self, suffix: str) -> Any:
        path = os.path.join(self._folder, self._name + suffix)
        self._paths.append(path)
        return self._streams.enter_context(worker_files.create(path + self._suffix))

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._letters is not None and kind is None:
            self._letters.close()
        self._streams.close()
        for path in self._paths:
            if kind is None:
                worker_files.replace(path + self._suffix, path)
            else:
                worker_files.remove(path + self._suffix)
