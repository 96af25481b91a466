"""Which spans were evaluated: those whose verdict was delivered, with the files that it was about.

This is the one definition. A run that ended without a verdict, or whose verdict nobody was told, is no evaluation: it
leaves artifacts and no record here, so the span is evaluated again. A record is of files, each known by its name, its
size and a digest of its content. Files that come later make the span one that was not evaluated; files that are
deleted do not. Content is read once a file: while its size and its time of change stay, so does its digest.

    <root>/evaluated/<pipeline>/<digest of the folder of logs>/<span>.json
"""

import datetime
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from components.common.artifacts.files import DAMAGE
from components.common.artifacts.record_files import open_regular
from components.common.durable_files import write_whole
from components.common.errors import MonitorError, require
from components.common.records.span_history import Seen, SpanHistory
from components.common.strict_text import parse_json
from components.common.verdict_words import State

FORMAT_VERSION = 1
FOLDER = "evaluated"
_CHUNK = 1 << 20
_NEAR = 16  # spans before one that are looked for by their numbers: to list the records of all takes longer each time
_NO_FILE, _NOT_READ = "no regular file", "cannot be read"  # in the place of a digest


@dataclass(frozen=True)
class FileStamp:
    """One file of logs, by its name below their folder. `digest` is of its content, or says why that is not known."""

    name: str
    size: int
    changed: int
    digest: str

    @property
    def identity(self) -> tuple[str, int, str]:
        """What makes it the same file, whenever it was touched."""
        return self.name, self.size, self.digest

    @property
    def unread(self) -> bool:
        """Whether its content is not known."""
        return self.digest.startswith((_NO_FILE, _NOT_READ))


@dataclass(frozen=True)
class Evaluation:
    """One verdict that was delivered.

    Attributes:
      span: its number.
      files: what it was about; of all but the newest evaluation of a span, none are kept.
      bundle: folder of the version whose baseline it was compared with.
      run, run_id: of the run in ML Metadata.
      state: what it came to, in a word.
      examples: how many were compared.
      p_value: of the comparison; None where nothing was compared.
      statistics: the folder of its statistics.
      delivered: when, in UTC.
      besides: the other words that its checks say, such as that it is changed where its accuracy is undecided.
      inputs: a digest of all that the run was made of (`unchanged`); empty where that cannot be told.

    """

    span: int
    bundle: str
    run: int
    run_id: str
    state: str
    examples: int
    p_value: float | None
    statistics: str
    files: tuple[FileStamp, ...] = ()
    delivered: str = ""
    besides: tuple[str, ...] = ()
    inputs: str = ""

    @property
    def comparable(self) -> bool:
        """Whether its statistics can be compared with: it had enough examples, and they are there still."""
        return self.p_value is not None and os.path.isdir(self.statistics)


@dataclass
class Evaluations:
    """The evaluations of one pipeline's spans of one folder of logs.

    Attributes:
      damaged: records that could not be read, as sentences; their spans count as not evaluated.

    """

    root: Path
    pipeline: str
    logs: Path
    damaged: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        named = hashlib.blake2b(str(self.logs).encode(), digest_size=8).hexdigest()
        return self.root / FOLDER / self.pipeline / named

    def of(self, span: int) -> tuple[Evaluation, ...]:
        """All evaluations of a span, the newest last."""
        path = self.folder / f"{span}.json"
        try:
            return _read(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        except (*DAMAGE, OSError) as error:
            told = f"{path} cannot be read ({error}): span {span} counts as not evaluated"
            self.damaged += [told] if told not in self.damaged else []
            return ()

    def last(self, span: int) -> Evaluation | None:
        found = self.of(span)
        return found[-1] if found else None

    def covers(self, span: int, files: Sequence[str]) -> bool:
        """Whether the last evaluation of a span was about all of these files, as they are now."""
        last = self.last(span)
        if last is None:
            return False
        known = {each.identity for each in last.files}
        return all(each.identity in known for each in self.stamps(files, last))

    def stamps(self, files: Sequence[str], last: Evaluation | None = None) -> tuple[FileStamp, ...]:
        """The files as they are now; those that the last evaluation knows and that nobody has touched are not read."""
        known = {each.name: each for each in last.files} if last else {}
        return tuple(_stamp(self.logs, name, known) for name in files)

    def before(self, span: int) -> Iterator[Evaluation]:
        """The last evaluation of each earlier span, the newest span first."""
        near = range(span - 1, max(-1, span - 1 - _NEAR), -1)  # one of them is all that most ask for
        yield from filter(None, map(self.last, near))
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        numbers = [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal()]
        for number in sorted(numbers, reverse=True):
            if number < span - _NEAR and (last := self.last(number)) is not None:
                yield last

    def to_compare_with(self, span: int, bundle: str, *, fine: bool) -> Evaluation | None:
        """The newest earlier span whose statistics can be compared with; None where there is none.

        It was held against the same pushed version: another model's answers differ without anything having drifted.

        Args:
          span: the one that is to be evaluated.
          bundle: the folder of the version.
          fine: whether it has to have been fine, so that what broke does not become the measure of what comes after.

        """
        for each in self.before(span):
            if each.bundle == bundle and each.comparable and (each.state == State.FINE or not fine):
                return each
        return None

    def history(self, span: int, files: Iterable[FileStamp]) -> SpanHistory:
        """What is known of a span, and of those before it, when it is about to be evaluated from these files."""
        not_fine: list[Evaluation] = []
        again = False
        for each in self.before(span):
            if each.state == State.FINE:
                again = True
                break
            not_fine.append(each)
        last = self.last(span)
        other = last is not None and {each.identity for each in last.files} != {each.identity for each in files}
        return SpanHistory(
            not_fine=tuple(each.span for each in reversed(not_fine)),
            again=again,
            incident=any({each.state, *each.besides} != {State.UNDECIDED.value} for each in not_fine),
            seen=Seen(last.examples, last.state, last.run) if last is not None and other else None,
        )

    def deliver(self, evaluation: Evaluation) -> None:
        """Records that a verdict has reached whoever asked for it. Only after this its span counts as evaluated.

        Raises:
          MonitorError: the record cannot be written.

        """
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        earlier = [replace(each, files=()) for each in self.of(evaluation.span)]
        record = {
            "format_version": FORMAT_VERSION,
            "logs": str(self.logs),
            "evaluations": [asdict(each) for each in (*earlier, replace(evaluation, delivered=now))],
        }
        path = self.folder / f"{evaluation.span}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(str(path), json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise MonitorError(f"{path} must be a file that can be written. Received: {error.strerror}") from error


def _read(text: str) -> tuple[Evaluation, ...]:
    record = parse_json(text)
    require(
        record["format_version"] == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", record["format_version"]
    )
    return tuple(_evaluation(each) for each in record["evaluations"])


def _evaluation(record: dict[str, Any]) -> Evaluation:
    files = tuple(FileStamp(**each) for each in record["files"])
    return Evaluation(**{**record, "files": files, "besides": tuple(record.get("besides", ()))})


def _stamp(logs: Path, name: str, known: Mapping[str, FileStamp]) -> FileStamp:
    path = logs / name
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would keep its reader waiting for ever
            return FileStamp(name, 0, found.st_mtime_ns, _NO_FILE)
        before = known.get(name)
        if before is not None and (before.size, before.changed) == (found.st_size, found.st_mtime_ns):
            return before
        return FileStamp(name, found.st_size, found.st_mtime_ns, digest(path))
    except OSError as error:
        return FileStamp(name, 0, 0, f"{_NOT_READ}: {error.strerror}")


def digest(path: Path) -> str:
    """Of a regular file's content. Raises OSError where it is none or cannot be read."""
    found = hashlib.blake2b(digest_size=16)
    with open_regular(str(path), links_out=True) as file:  # whether a link may be read is for the reader to say
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
