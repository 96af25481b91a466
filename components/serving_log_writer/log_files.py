"""Log files on their way to the readers: written hidden, made visible whole, by one rename. Knows no threads.

    <logs>/.writing-<span>.<file>     while it is being written, and locked by whoever does
    <logs>/<span>/<file>              when it is complete and on the disk

A folder for the former would not do: TFX finds the newest of the spans `{SPAN}/*` by what matches `*/*`, and takes
whatever folder it meets there for a span. <file> is `part-<host>-<process id>-<sequence>.tfrecord.gz`. The kernel lets
go of a lock when its process dies, which is how a later writer knows what was left behind, and saves the records in it.
"""

import fcntl
import gzip
import io
import itertools
import os
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..common.artifacts.tfrecord import frame, read_records
from ..common.durable_files import locked, sync
from ..common.errors import require

WRITING = ".writing-"
_LOCK = f"{WRITING}lock"
_SALVAGED = ".salvaged"
_HIDDEN = re.compile(re.escape(WRITING) + r"[0-9]+\.part-.+\.tfrecord\.gz")
_GZIP = 16 + zlib.MAX_WBITS  # zlib's number for gzip's header and trailer
_LEVEL = 3  # as small as the default level gets images, in two thirds of the time
# From the time on, so that names differ also from those of before a container's restart, with the same host and process
# id. One for all writers of a process.
_SEQUENCE = itertools.count(time.time_ns())


@dataclass(frozen=True)
class Rotation:
    """When a file is finished: at so many bytes (compressed) or so many seconds after its first record."""

    file_bytes: int = 64 << 20
    seconds: float = 60.0

    def __post_init__(self) -> None:
        require(self.file_bytes >= 1, "rotation.file_bytes", "be 1 or more", self.file_bytes)
        require(self.seconds > 0, "rotation.seconds", "be more than 0", self.seconds)


@dataclass(frozen=True)
class Salvage:
    """What was found in a file that a process left behind when it was killed.

    Attributes:
      path: where the records are now; empty when there were none.
      records: how many are whole.
      reason: why there are no more; empty when the file was complete.

    """

    path: str
    records: int
    reason: str


class LogFile:
    """One file being written: TFRecord, gzipped. Its records are safe from a crash of the process once flushed."""

    def __init__(self, logs: str, span: int) -> None:
        self.records = 0
        self.size = 0
        self._logs = logs
        name = f"part-{_host()}-{os.getpid()}-{next(_SEQUENCE)}.tfrecord.gz"
        self._hidden = os.path.join(logs, f"{WRITING}{span}.{name}")
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._flushed = True
        with _entry(logs):  # nobody may take it for abandoned between its creation and its lock
            self._raw = open(self._hidden, "xb", buffering=0)  # noqa: SIM115 - open as long as this object lives
            fcntl.flock(self._raw, fcntl.LOCK_EX)

    def append(self, record: bytes) -> None:
        self._write(self._packer.compress(frame(record)))
        self.records += 1
        self._flushed = False

    def flush(self) -> None:
        """Hands all records to the operating system, where a kill of this process does not reach them."""
        if not self._flushed:
            self._write(self._packer.flush(zlib.Z_SYNC_FLUSH))
            self._flushed = True

    def publish(self) -> str:
        """Makes the file visible to readers, whole and on the disk; returns its path."""
        self._write(self._packer.flush(zlib.Z_FINISH))
        path = _make_visible(self._logs, self._hidden)
        self._raw.close()
        return path

    def abandon(self) -> None:
        """Removes what could not be written to its end, which may give a full disk room again."""
        self._raw.close()
        if os.path.exists(self._hidden):
            os.unlink(self._hidden)

    def forget(self) -> None:
        """Closes this process's copy of a file that its parent is writing: it goes on there, and stays locked."""
        self._raw.close()

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[self._raw.write(view) :]


class SpanFiles:
    """The open files of a folder of logs, one for each span, rotated by size and time.

    Attributes:
      written: records in files that readers can see.
      failed: records that were lost because their file could not be written.

    """

    def __init__(self, logs: str, rotation: Rotation, clock: Callable[[], float] = time.monotonic) -> None:
        self.written = 0
        self.failed = 0
        self._logs, self._rotation, self._clock = logs, rotation, clock
        self._open: dict[int, tuple[LogFile, float]] = {}

    def append(self, span: int, record: bytes) -> None:
        """Adds a record to the span's file.

        Raises:
          OSError: the record or the file that it made complete could not be written; all in it counts as failed.

        """
        try:
            if span not in self._open:
                self._open[span] = LogFile(self._logs, span), self._clock() + self._rotation.seconds
            file, _ = self._open[span]
            file.append(record)
        except OSError:
            self.failed += 1
            self._abandon(span)
            raise
        if file.size >= self._rotation.file_bytes:
            self._publish(span)

    def flush(self) -> None:
        self._each(lambda span: self._open[span][0].flush())

    def publish_due(self) -> None:
        """Publishes the files that are old enough. Raises `OSError` as `append` does."""
        now = self._clock()
        due = [span for span, (_, deadline) in self._open.items() if deadline <= now]
        self._each(self._publish, due)

    def publish_all(self) -> None:
        self._each(self._publish)

    def seconds_left(self) -> float | None:
        """Until the next file is due; None while none is open."""
        deadlines = [deadline for _, deadline in self._open.values()]
        return max(0.0, min(deadlines) - self._clock()) if deadlines else None

    def forget(self) -> None:
        """Leaves all files to the parent process, after a fork."""
        for file, _ in self._open.values():
            file.forget()
        self._open.clear()

    def _each(self, action: Callable[[int], None], spans: list[int] | None = None) -> None:
        """`action` for every span, one's failure not keeping it from the others; then raises the last one's error."""
        failure: OSError | None = None
        for span in list(self._open) if spans is None else spans:
            try:
                action(span)
            except OSError as error:
                self._abandon(span)
                failure = error
        if failure is not None:
            raise failure

    def _publish(self, span: int) -> None:
        file, _ = self._open[span]
        try:
            file.publish()
        except OSError:
            self._abandon(span)
            raise
        del self._open[span]
        self.written += file.records

    def _abandon(self, span: int) -> None:
        if span in self._open:
            file, _ = self._open.pop(span)
            self.failed += file.records
            file.abandon()


def salvage(logs: str) -> list[Salvage]:
    """Publishes the whole records of every file that a process was writing when it was killed, and removes the file.

    Under the name that the file would have had, so that doing it twice (this process may be killed too) does no harm.

    Raises:
      OSError: from the file system; what was not done yet is left for the next time.

    """
    if not os.path.isdir(logs):
        return []
    with _entry(logs):
        found = [claimed for name in sorted(os.listdir(logs)) if (claimed := _claim(logs, name))]
    try:
        return [_salvage_file(logs, file) for file in found]
    finally:
        for file in found:
            file.close()


def _claim(logs: str, name: str) -> io.FileIO | None:
    """The file, locked, if it is one that nobody is writing any more."""
    if not _HIDDEN.fullmatch(name):
        return None
    path = os.path.join(logs, name)
    try:
        file = io.FileIO(path, "r+")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):  # published or salvaged this moment; or being written
        return None
    if os.path.exists(path):
        return file
    file.close()
    return None


def _salvage_file(logs: str, file: io.FileIO) -> Salvage:
    hidden = str(file.name)
    copy = hidden + _SALVAGED  # one that a killed salvage left behind is written anew
    records, reason = 0, ""
    with open(copy, "wb") as target, gzip.GzipFile(fileobj=target, mode="wb", compresslevel=_LEVEL) as packed:
        for record in read_records(file):
            if record.damage is None:
                packed.write(frame(record.data))
                records += 1
            reason = reason or record.reason
    path = _make_visible(logs, copy) if records else ""
    if not records:
        os.unlink(copy)
    os.unlink(hidden)
    return Salvage(path, records, reason)


def _make_visible(logs: str, hidden: str) -> str:
    """Forces a complete file to disk and renames it into its span's folder; returns its new path."""
    span, file = os.path.basename(hidden).removeprefix(WRITING).removesuffix(_SALVAGED).split(".", maxsplit=1)
    sync(hidden)
    folder = os.path.join(logs, span)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, file)
    os.rename(hidden, path)
    sync(folder)
    sync(logs)
    return path


@contextmanager
def _entry(logs: str) -> Iterator[None]:
    """One process at a time makes files or looks for abandoned ones."""
    os.makedirs(logs, exist_ok=True)
    with locked(os.path.join(logs, _LOCK)):
        yield


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"
