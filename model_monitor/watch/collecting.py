"""From log files into windows: every record into exactly one, whatever ends the process meanwhile.

What is taken up is appended to the windows' files and forced to disk; then one transaction of the journal says how far
each file was read and how long each window's files are. Of what fails or is killed between the two, nothing counts:
`recover` makes the disk what the journal says, and the records are taken up again.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from components.common.artifacts.gunzip import Damage
from components.common.artifacts.record_files import open_regular
from components.common.artifacts.tfrecord import Record, read_records
from components.serving_log_example_gen.outline import outline
from components.serving_log_example_gen.read_options import MAX_RECORDS

from .arriving import Arrived
from .journal import Journal
from .journal_rows import OPEN, FileRow, WindowRow
from .settings import WatchConfig
from .versions import Versions
from .window_files import WindowFiles
from .windows import Arrival, Limits, Moment, Window, Windows

_BATCH_BYTES = 4 << 20  # that are written before they are counted
_BATCH_RECORDS = 1024
_CHUNK = 1 << 20


def this_moment() -> Moment:
    """Now, on this machine."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return Moment(time.time(), time.monotonic(), boot)


class UnreadableError(OSError):
    """A log file cannot be read. The others can, and the disk that windows are on is not to blame."""


class StoppedError(Exception):
    """The process is asked to end. What was not counted yet is taken up by the next one."""


@dataclass
class _Batch:
    """What was taken up since the last time that it was counted."""

    windows: dict[int, Window] = field(default_factory=dict)
    records: int = 0


class Collector:
    """Takes up the records of one model, in one thread.

    Raises:
      MonitorError: nothing with a baseline is served yet, or the journal is damaged.
      OSError, sqlite3.Error: the disk is full, or does not work.

    """

    def __init__(
        self,
        config: WatchConfig,
        journal: Journal,
        *,
        may_go_on: Callable[[], None] = lambda: None,
        moment: Callable[[], Moment] = this_moment,
    ) -> None:
        """Args:
        config: of the model.
        journal: of this thread.
        may_go_on: called whenever windows were closed: returns when more may be, or raises `StoppedError`.
        moment: what time it is.

        """
        minutes = config.watch.window_minutes
        self._limits = Limits(
            config.window_examples,
            None if minutes is None else 60 * minutes,
            60 * config.watch.allowed_lateness_minutes,
            config.monitor.min_examples,
        )
        self._journal, self._may_go_on, self._moment = journal, may_go_on, moment
        self._logs = config.serving_logs_path
        self._versions = Versions(config)
        self._files = WindowFiles(config.windows_path)
        self._bundles: dict[int, str] = {}
        self.known = journal.files()
        self.recover()

    def recover(self) -> None:
        """Makes the disk and this object what the journal says. Raises as the constructor."""
        rows = self._journal.windows(OPEN)
        number = self._journal.last_number
        self._windows = Windows.of(self._limits, [row.window for row in rows], self._journal.ends(), number)
        self._bundles = {row.window.number: row.bundle for row in rows}
        self._files.recover({row.window.number: row.files for row in rows}, number)
        self._batch = _Batch()

    def take(self, arrived: Arrived, taken: Callable[[FileRow], None] = lambda _: None) -> None:
        """Takes up what is new in a file.

        Args:
          arrived: the file, as it was found.
          taken: called with how far it was read, each time that this counts.

        Raises:
          UnreadableError: the file cannot be read; then `recover` is due.
          OSError: a window's file cannot be written; likewise.
          sqlite3.Error: likewise of the journal.
          StoppedError: from `may_go_on`.

        """
        with _opened(self._logs / arrived.row.place) as raw:
            row, start = self._where_from(raw, _row_of(arrived.row.place, raw))
            if start is not None:
                row = self._read(raw, row, start, taken)
            self._count(row)
            self.known[row.place] = row
            taken(row)

    def _where_from(self, raw: BinaryIO, row: FileRow) -> tuple[FileRow, int | None]:
        """The row of a file and the first record of it that is new; None: there is nothing new in it."""
        known = self.known.get(row.place)
        if known is None:
            return row, 0
        if not known.whole:
            as_it_was = known.identity == row.identity or (known.inode == row.inode and row.size >= known.size)
            return row, known.records if as_it_was else self._replaced(row)
        if row.size < known.size or _digest(raw, known.size) != known.digest:
            return row, self._replaced(row)
        if row.size == known.size:  # touched, and nothing else
            return replace(known, **{name: getattr(row, name) for name in ("changed", "device", "inode")}), None
        return row, known.records - known.torn

    def _replaced(self, row: FileRow) -> int:
        text = f"{row.place} has other content than when it was read: it counts as a new file"
        self._journal.note(self._moment().wall, "replaced", text)
        return 0

    def _read(self, raw: BinaryIO, row: FileRow, start: int, taken: Callable[[FileRow], None]) -> FileRow:
        """Takes up the records of a file from number `start` on; what is to be counted of it at last."""
        whole = _Limited(raw, row.size)
        end, torn = start, False
        for record in _bounded(read_records(whole)):
            if record.number < start:
                continue
            torn = record.damage is Damage.TORN
            if torn and _row_of(row.place, raw).identity != row.identity:
                break  # it is being written to: the rest comes when it has come
            end = record.number + 1
            closed = self._take(record)
            if closed or self._files.pending_bytes >= _BATCH_BYTES or self._batch.records >= _BATCH_RECORDS:
                partly = replace(row, records=end)
                self._count(partly)
                self.known[row.place] = partly
                taken(partly)
                if closed:
                    self._may_go_on()
        whole.drain()
        return replace(row, records=end, whole=True, torn=torn, digest=whole.digest)

    def _take(self, record: Record) -> bool:
        """Puts a record into its window; whether that closed any."""
        found = None if record.damage is not None else outline(record.data, self._versions.current.image)
        version, own = self._versions.of(found.origin.model_version if found else None)
        examples = max(1, found.images) if found else 1
        arrival = Arrival(
            version.number,
            examples=examples if own or found is None else 0,
            timestamp=found.origin.timestamp if found else None,
            damaged=found is None,
        )
        window, *others = self._windows.place(arrival, self._moment())
        self._bundles.setdefault(window.number, version.bundle)
        self._files.add(window.number, record)
        self._batch.records += 1
        for each in (window, *others):
            self._batch.windows[each.number] = each
        return bool(window.closed or others)

    def close_due(self) -> bool:
        """Closes the windows that were open long enough; whether there were any. Raises as `take`."""
        return self._close(self._windows.due(self._moment()))

    def close_all(self) -> bool:
        """Closes every window: nothing more is to come. Raises as `take`."""
        return self._close(self._windows.end())

    def seconds_left(self) -> float | None:
        """Until a window is to be closed; None where none will be."""
        return self._windows.seconds_left(self._moment())

    @property
    def open_windows(self) -> list[Window]:
        return list(self._windows.open.values())

    def _close(self, windows: list[Window]) -> bool:
        self._batch.windows.update({each.number: each for each in windows})
        if windows:
            self._count(None)
        return bool(windows)

    def _count(self, row: FileRow | None) -> None:
        """Forces what was taken up to disk, and has the journal count it."""
        self._files.flush()
        rows = [self._window_row(each) for each in self._batch.windows.values()]
        self._journal.took(row, rows, self._moment().wall)
        for each in self._batch.windows.values():
            if each.closed:
                self._files.forget(each.number)
                self._bundles.pop(each.number, None)
        self._batch = _Batch()

    def _window_row(self, window: Window) -> WindowRow:
        return WindowRow(window, bundle=self._bundles[window.number], files=self._files.of(window.number))


class _Limited:
    """The first bytes of a file, with their digest: what is appended meanwhile is none of them."""

    def __init__(self, raw: BinaryIO, size: int) -> None:
        self._raw, self._left = raw, size
        self._digest = hashlib.blake2b(digest_size=16)

    def read(self, size: int = _CHUNK, /) -> bytes:
        try:
            block = self._raw.read(min(size, self._left))
        except OSError as error:
            raise UnreadableError(*error.args) from error
        self._left -= len(block)
        self._digest.update(block)
        return block

    def drain(self) -> None:
        """Reads what nobody asked for, for the digest."""
        while self.read():
            pass

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(str(path))
    except OSError as error:
        raise UnreadableError(*error.args) from error


def _digest(raw: BinaryIO, size: int) -> str:
    """Of the first `size` bytes of an open file, which is at its begin afterwards."""
    limited = _Limited(raw, size)
    limited.drain()
    raw.seek(0)
    return limited.digest


def _row_of(place: str, raw: BinaryIO) -> FileRow:
    found = os.fstat(raw.fileno())
    return FileRow(place, found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino)


def _bounded(records: Iterator[Record]) -> Iterator[Record]:
    """As many records of a file as the pipeline reads; behind them, that the rest was not read."""
    for record in records:
        if record.number >= MAX_RECORDS:
            reason = f"it has more than {MAX_RECORDS} records, and is read no further"
            yield Record(record.number, b"", 0, Damage.UNREADABLE, reason)
            return
        yield record
