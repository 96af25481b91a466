"""New files of serving logs: told by the kernel where it can tell, looked for where it cannot; in order of their spans.

A file is taken once it is complete. That is so when it was renamed to its name or closed by its writer, which the
kernel tells; otherwise when it has not changed for a while.
"""

import os
import queue
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from components.common.span_patterns import SpanPattern

from .journal_rows import FileRow
from .settings import WatchSettings

# Where changes by another machine are not told by this one's kernel.
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse", "lustre", "ceph", "gluster", "afs", "virtiofs", "beegfs", "gpfs", "ocfs")
_KERNEL = "told by the kernel"
_FORGOTTEN_DAYS = 30.0  # after which a file that is gone is not expected to come back
_LOOK_SECONDS = 60.0  # between two looks at the whole folder where the kernel tells: it may have lost something


@dataclass(frozen=True)
class Arrived:
    """A file that can be read: its place below the folder of logs, its span, and what the file system says of it."""

    span: int
    row: FileRow


@dataclass
class _Seen:
    """A file that is not read yet: as it was last seen, since when it is so, and whether its writer has closed it."""

    identity: tuple[int, int, int, int]
    since: float
    closed: bool
    first: float


class Arriving:
    """The files of a folder of logs that are new or have changed.

    Attributes:
      told_by: how new files are noticed, in words.
      left_out: what lies beside the spans, by its place: why it is none.

    """

    def __init__(self, logs: Path, pattern: SpanPattern, settings: WatchSettings, known: dict[str, FileRow]) -> None:
        """Args:
        logs: the folder.
        pattern: which of its files are logs.
        settings: how often to look, and how long a file has to settle.
        known: the files that were read already, which is kept up to date by whoever reads.

        """
        self._logs, self._pattern, self._settings, self._known = logs, pattern, settings, known
        self._seen: dict[str, _Seen] = {}
        self._put_off: dict[str, float] = {}  # until when
        self._spans: dict[str, int] = {}  # of the files that were found
        self._folders: set[str] = set()  # that they are in
        self._closed: set[str] = set()  # files that the kernel told of and that are yet to be found
        self._events: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
        self._next_look = 0.0
        self._wake: Callable[[], None] = lambda: None
        self._stop: Callable[[], None] = lambda: None
        self._lost = False  # whether the folder was away meanwhile, and the kernel was asked about another one
        self.told_by = ""
        self.left_out: dict[str, str] = {}

    def start(self, wake: Callable[[], None]) -> None:
        """Begins to listen; `wake` is called when something has happened, by another thread."""
        self._wake = wake
        why = _why_no_events(self._logs) if self._settings.file_events else "`watch.file_events` is off"
        if not why:
            why = self._listen(wake)
        every = f"looked for every {self._settings.poll_seconds:g} s"
        self.told_by = f"{every}: {why}" if why else _KERNEL

    def _listen(self, wake: Callable[[], None]) -> str:
        """Has the kernel tell of files; "" or why it does not."""

        def tell(path: str, closed: bool) -> None:
            self._events.put((path, closed))
            wake()

        try:
            from .file_events import listen  # noqa: PLC0415 - watchdog is in the extra `live`
        except ModuleNotFoundError as error:
            return f"{error.name} is not installed (the extra `live` has it)"
        try:
            self._stop = listen(self._logs, tell)
        except OSError as error:  # no more inotify instances or watches, as the system's limits say
            return f"the kernel does not tell: {error.strerror or error}"
        return ""

    def close(self) -> None:
        self._stop()

    @property
    def listening(self) -> bool:
        return self.told_by == _KERNEL

    def ready(self) -> list[Arrived]:
        """The files that can be read now, those of the first span first, and within it the oldest.

        Raises:
          OSError: the folder cannot be listed.

        """
        now = time.monotonic()
        self._take_events(now)
        if now >= self._next_look:
            self._look(now)
            self._next_look = now + (_LOOK_SECONDS if self.listening else self._settings.poll_seconds)
        found = []
        for place in list(self._seen):
            row = self._stat(place)
            if row is None or place not in self._spans:
                del self._seen[place]
            elif now >= self._put_off.get(place, 0.0) and self._is_ready(place, row, now):
                found.append(Arrived(self._spans[place], row))
        return sorted(found, key=lambda each: (each.span, each.row.changed, each.row.place))

    def expected(self, but: Container[str]) -> int:
        """How many files are yet to settle or to be read, but for these, and for those that change all the time."""
        patience = 10 * max(1.0, self._settings.settle_seconds)
        now = time.monotonic()
        return sum(place not in but and now - seen.first < patience for place, seen in self._seen.items())

    def seconds_left(self) -> float:
        """How long there is nothing to do, unless the kernel tells of something."""
        until = max(0.0, self._next_look - time.monotonic())
        return min(until, max(0.05, self._settings.settle_seconds / 4)) if self._seen else until

    def taken(self, row: FileRow) -> None:
        """Notes that a file was read to its end, as it was then."""
        self._known[row.place] = row
        self._seen.pop(row.place, None)
        self._put_off.pop(row.place, None)

    def put_off(self, place: str, seconds: float) -> None:
        """Has a file that cannot be read wait for another attempt."""
        self._put_off[place] = time.monotonic() + seconds

    def gone(self) -> list[str]:
        """Files that were read long ago and are no longer there: they may be forgotten.

        None where there is no file at all: then the folder itself may be away.
        """
        long_ago = (time.time() - 86400 * _FORGOTTEN_DAYS) * 1e9
        old = [place for place, row in self._known.items() if place not in self._spans and row.changed < long_ago]
        return old if self._spans else []

    def forget(self, places: Iterable[str]) -> None:
        for place in places:
            del self._known[place]

    def _look(self, now: float) -> None:
        """Looks at the whole folder."""
        try:
            found = self._pattern.find(self._logs)
        except OSError:
            self._lost = True
            raise
        if self._lost and self.listening:
            self.close()
            self.start(self._wake)
        self._lost = False
        self.left_out = {each.place: each.why for each in found.left_out}
        self._spans = {place: each.span for each in found.spans for place in each.files}
        self._folders = {os.path.dirname(place) for place in self._spans}
        for place in self._spans:
            self._note(place, now, closed=place in self._closed)
        self._closed.clear()

    def _take_events(self, now: float) -> None:
        while True:
            try:
                path, closed = self._events.get_nowait()
            except queue.Empty:
                return
            place = os.path.relpath(path, self._logs)
            span = self._pattern.span_of(place)
            if span is None:
                continue
            if place in self._spans or (self._pattern.by_folder and os.path.dirname(place) in self._folders):
                self._spans[place] = span
                self._note(place, now, closed=closed)
            else:  # which of several spellings and versions of a span counts, only a look at the whole tells
                self._closed |= {place} if closed else set()
                self._next_look = 0.0

    def _note(self, place: str, now: float, *, closed: bool) -> None:
        row = self._stat(place)
        known = self._known.get(place)
        if row is None or (known is not None and known.whole and known.identity == row.identity):
            return
        seen = self._seen.setdefault(place, _Seen(row.identity, now, closed, now))
        seen.closed = seen.closed or closed

    def _is_ready(self, place: str, row: FileRow, now: float) -> bool:
        seen = self._seen[place]
        if seen.closed:
            return True
        if row.identity != seen.identity:
            seen.identity, seen.since = row.identity, now
        settle = self._settings.settle_seconds
        # of files that have been there for long, the time of change says so at once
        return now - seen.since >= settle or time.time() - row.changed / 1e9 >= max(10.0, 2 * settle)

    def _stat(self, place: str) -> FileRow | None:
        try:
            found = os.stat(self._logs / place)
        except OSError:
            return None
        return FileRow(place, found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino)


def _why_no_events(folder: Path, mounts: str = "/proc/self/mountinfo") -> str:
    """Why the kernel cannot tell of changes in a folder: another machine makes them; "" where it can."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"{mounts} cannot be read: {error.strerror}"
    place, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if f"{os.path.realpath(folder)}/".startswith(f"{point.rstrip('/')}/") and len(point) >= len(place):
            place, kind = point, after.split()[0]
    return f"{place} is a file system of kind {kind}" if kind.startswith(_REMOTE) else ""
