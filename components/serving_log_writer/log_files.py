"""Log files on their way to the readers: written hidden, made visible whole, by one rename. Knows no threads.

    <logs>/.writing-<span>.<file>     while it is being written, and locked by whoever does
    <logs>/<span>/<file>              when it is complete and on the disk

A folder for the former would not do: TFX finds the newest of the spans `{SPAN}/*` by what matches `*/*`, and takes
whatever folder it meets there for a span. <file> is `part-<host>-<process id>-<sequence>.tfrecord.gz`. The kernel lets
go of a lock when its process dies, which is how a later writer knows what was left behind, and saves the records in it.
"""

import itertools
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..common.artifacts.packing import SYNC_FLUSH, packing
from ..common.artifacts.tfrecord import frame
from ..common.durable_files import locked_folder, take
from ..common.errors import require

WRITING = ".writing-"
_LOCK = f"{WRITING}lock"
SALVAGED = ".salvaged"
_COPY = re.compile(re.escape(SALVAGED) + r"(-[0-9]+)?$")
# From the time on, so that names differ also from those of before a container's restart, with the same host and process
# id. One for all writers of a process.
_SEQUENCE = itertools.count(time.time_ns())


@dataclass(frozen=True)
class Rotation:
    """When a file is finished: at so many bytes or so many seconds after its first record.

    Bytes are those that were packed; some 130 kB of records, which the packer still holds, are not counted.
    """

    file_bytes: int = 64 << 20
    seconds: float = 60.0

    def __post_init__(self) -> None:
        require(self.file_bytes >= 1, "rotation.file_bytes", "be 1 or more", self.file_bytes)
        require(self.seconds > 0, "rotation.seconds", "be more than 0", self.seconds)


class LogFile:
    """One file being written: TFRecord, gzipped. Its records are safe from a crash of the process once flushed.

    Attributes:
      records: how many it has.
      size: bytes, compressed.
      visible: whether readers can see it.

    """

    def __init__(self, logs: str, span: int) -> None:
        self.records = 0
        self.size = 0
        self._logs = logs
        name = f"part-{_host()}-{os.getpid()}-{next(_SEQUENCE)}.tfrecord.gz"
        self._hidden = os.path.join(logs, f"{WRITING}{span}.{name}")
        self._packing = packing()
        self._flushed = True
        self.visible = False
        with entry(logs):  # nobody may take it for abandoned between its creation and its lock
            self._raw = open(self._hidden, "xb", buffering=0)  # noqa: SIM115 - open as long as this object lives; no link
            take(self._raw.fileno())

    def append(self, record: bytes) -> None:
        self._write(self._packing.compress(frame(record)))
        self.records += 1
        self._flushed = False

    def flush(self) -> None:
        """Hands all records to the operating system, where a kill of this process does not reach them."""
        if not self._flushed:
            self._write(self._packing.flush(SYNC_FLUSH))
            self._flushed = True

    def publish(self) -> str:
        """Makes the file visible to readers, whole and on the disk; returns its path.

        Raises:
          OSError: from the file system. If `visible`, readers have it, and only a crash of the machine could undo that.

        """
        self._write(self._packing.flush())
        path = make_visible(self._logs, self._hidden, self._raw.fileno(), self._seen)
        self._raw.close()
        return path

    def _seen(self) -> None:
        self.visible = True

    def abandon(self) -> None:
        """Removes what could not be written to its end, which may give a full disk room again."""
        self._raw.close()
        with suppress(FileNotFoundError):
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
        except Exception:
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
        failure: Exception | None = None
        for span in list(self._open) if spans is None else spans:
            try:
                action(span)
            except Exception as error:
                failure = error
                try:
                    self._abandon(span)
                except OSError as further:  # it cannot be removed: the next writer salvages what is in it
                    failure = further
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
        """Gives up a file, unless readers have it already and only its last step failed."""
        if span not in self._open:
            return
        file, _ = self._open.pop(span)
        if file.visible:
            self.written += file.records
            file.forget()
        else:
            self.failed += file.records
            file.abandon()


def visible_name(hidden: str) -> tuple[str, str]:
    """The folder and the name that a file gets when it is complete, by the name that it is written under.

    >>> visible_name("/logs/.writing-7.part-host-1-2.tfrecord.gz")
    ('7', 'part-host-1-2.tfrecord.gz')
    """
    span, _, file = os.path.basename(hidden).removeprefix(WRITING).partition(".")
    return span, _COPY.sub("", file)


def make_visible(logs: str, hidden: str, descriptor: int, seen: Callable[[], None]) -> str:
    """Forces a complete file to disk and renames it into its span's folder, which may be no link; returns its new path.

    Args:
      logs: the folder of all logs.
      hidden: the file.
      descriptor: of it.
      seen: called as soon as readers can see the file, whatever fails after that.

    Raises:
      OSError: from the file system; everything that can fail but syncing does so before the rename.

    """
    span, file = visible_name(hidden)
    os.fsync(descriptor)
    folder = os.path.join(logs, span)
    os.makedirs(folder, exist_ok=True)
    with _opened(folder) as spans, _opened(logs, follow=True) as all_logs:
        os.rename(hidden, file, dst_dir_fd=spans)
        seen()
        os.fsync(spans)
        os.fsync(all_logs)
    return os.path.join(folder, file)


@contextmanager
def _opened(folder: str, *, follow: bool = False) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def entry(logs: str) -> Iterator[None]:
    """One process at a time makes files or looks for abandoned ones."""
    os.makedirs(logs, exist_ok=True)
    with locked_folder(logs, _LOCK):
        yield


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"
