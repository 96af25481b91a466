"""What the watcher knows, on disk: which records were taken from which files, and what became of each window.

One SQLite file a model. What is committed here has happened: a window's file counts as long as its row says, and what a
killed process wrote beyond that is cut off by the next one. Each thread has a journal of its own on the same file.

    windows   open -> closed -> judged, or set aside after too many attempts; or passed over, with too few examples
    files     how many records of each were taken up
    told      up to which judged window each hook was told
    events    what else happened that a person may want to know: a file that was replaced, what was removed
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, overload

from components.common.errors import MonitorError

from ..reading.window_record import WindowRecord
from .journal_rows import CLOSED, JUDGED, OPEN, SET_ASIDE, FileRow, Kept, WindowRow, columns, file_row, window_row
from .journal_tables import LATER, SUMS, TABLES
from .windows import PASSED_OVER

FILE = "journal.sqlite"
FORMAT_VERSION = 1
_BUSY_SECONDS = 30.0


class Journal:
    """The journal of one model, for one thread. Every method that changes something has done so, durably, on return.

    Raises:
      MonitorError: there is one of another format, or it is damaged.
      sqlite3.Error: it cannot be opened or, from any method, read or written: a full disk, another process's lock.

    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._database.close()
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise MonitorError(f"{self.path} must be a journal of windows. Received: {error}") from error

    def _prepare(self) -> None:
        with self._transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in TABLES:
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            elif version != FORMAT_VERSION:
                rule = f"be a journal of format {FORMAT_VERSION}"
                raise MonitorError(f"{self.path} must {rule}. Received: format {version}")
            self._database.execute(LATER)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    # ---- taking records up

    def took(self, file: FileRow | None, windows: Iterable[WindowRow], now: float) -> None:
        """Records what was taken up: the file that it came from, and the windows that it went into or that it closed.

        Args:
          file: how far it was read; None where windows were closed without a record.
          windows: as they are now, with their files; those whose window is closed become `CLOSED`.
          now: the time, seconds since the epoch.

        """
        with self._transaction():
            if file is not None:
                self._put("files", "place", vars(file))
            for each in windows:
                self._put("windows", "number", columns(each, now))

    def _put(self, table: str, key: str, values: Mapping[str, Any]) -> None:
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        changes = ", ".join(f"{name} = excluded.{name}" for name in values if name != key)
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {changes}"  # noqa: S608
        self._database.execute(statement, tuple(values.values()))

    def files(self) -> dict[str, FileRow]:
        """Every log file that something was taken from, by its place."""
        return {row["place"]: file_row(row) for row in self._database.execute("SELECT * FROM files")}

    def forget(self, places: Iterable[str]) -> None:
        """Forgets files that are no longer there."""
        with self._transaction():
            self._database.executemany("DELETE FROM files WHERE place = ?", [(each,) for each in places])

    def ends(self) -> dict[int, float]:
        """By version, the latest request of the windows that are closed and not late."""
        asked = "SELECT version, MAX(until) AS until FROM windows WHERE late = 0 AND state != 'open' GROUP BY version"
        return {row["version"]: row["until"] for row in self._database.execute(asked) if row["until"] is not None}

    @property
    def last_number(self) -> int:
        """Of all windows; 0 where there is none."""
        return self._one("SELECT COALESCE(MAX(number), 0) FROM windows")

    # ---- what becomes of windows

    def windows(self, *states: str) -> list[WindowRow]:
        """The windows in these states, by their numbers."""
        marks = ", ".join("?" for _ in states)
        asked = f"SELECT * FROM windows WHERE state IN ({marks}) ORDER BY number"  # noqa: S608
        return [window_row(row) for row in self._database.execute(asked, states)]

    def window(self, number: int) -> WindowRow | None:
        row = self._database.execute("SELECT * FROM windows WHERE number = ?", (number,)).fetchone()
        return None if row is None else window_row(row)

    def waiting(self) -> list[int]:
        """The numbers of the windows that are closed and not judged, in order."""
        return [row["number"] for row in self._database.execute("SELECT number FROM windows WHERE state = 'closed'")]

    def count(self, *states: str, untried: bool = False) -> int:
        """How many windows are in these states; `untried`: of those that no attempt has failed on."""
        marks = ", ".join("?" for _ in states)
        asked = f"SELECT COALESCE(SUM(windows), 0) FROM totals WHERE state IN ({marks})"  # noqa: S608
        if untried:
            asked = f"SELECT COUNT(*) FROM windows WHERE state IN ({marks}) AND attempts = 0"  # noqa: S608
        return self._one(asked, *states)

    def begin(self, number: int) -> None:
        """Notes that an evaluation begins: whoever finds that, and no end of it, looks for its run first."""
        self._change("UPDATE windows SET begun = begun + 1 WHERE number = ?", number)

    def ended(self, number: int) -> None:
        """Notes that an evaluation has not taken the process with it; its run may have come to its end all the same."""
        self._change("UPDATE windows SET begun = MIN(begun, 1) WHERE number = ?", number)

    def judged(self, record: WindowRecord, size: int = 0) -> int:
        """Records what came of a window, and how many bytes there are of it. Returns its place among those judged."""
        with self._transaction():
            place = 1 + self._one("SELECT COALESCE(MAX(place), 0) FROM windows")
            changes = "state = 'judged', record = ?, place = ?, size = ?, problem = ''"
            statement = f"UPDATE windows SET {changes} WHERE number = ? AND state != 'judged'"  # noqa: S608
            if not self._database.execute(statement, (record.to_json(), place, size, record.window)).rowcount:
                raise MonitorError(f"Window {record.window} must not be judged twice")
        return place

    def failed(self, number: int, problem: str, *, aside: bool, size: int = 0) -> None:
        """Records that an attempt to evaluate a window failed, whether it is set aside for that, and its bytes then."""
        state = SET_ASIDE if aside else CLOSED
        changes = "state = ?, problem = ?, attempts = attempts + 1, size = ?"
        self._change(f"UPDATE windows SET {changes} WHERE number = ?", state, problem, size, number)  # noqa: S608

    def retry(self, number: int) -> None:
        """Has a window that was set aside evaluated again.

        Raises:
          MonitorError: it was not, or its examples were removed since.

        """
        anew, which = "state = 'closed', attempts = 0, begun = MIN(begun, 1)", "state = 'set aside' AND removed = 0"
        changed = self._change(f"UPDATE windows SET {anew} WHERE number = ? AND {which}", number)  # noqa: S608
        if not changed:
            aside = [each.window.number for each in self.windows(SET_ASIDE) if not each.removed]
            raise MonitorError(f"`--retry` must be one of the windows that were set aside: {aside}. Received: {number}")

    def oldest(self, most: int) -> list["Kept"]:
        """The windows that were closed first, of those that nothing more becomes of and whose examples are there still.

        Args:
          most: how many of them.

        """
        told = "(SELECT COALESCE(MIN(place), 9223372036854775807) FROM told)"
        columns = (
            "number, COALESCE(json_extract(record, '$.run_id'), ''), closed_at, size, "
            f"COALESCE(place, 0) <= {told}, attempts > 0 OR begun > 1"
        )
        kept = "removed = 0 AND state NOT IN ('open', 'closed') ORDER BY number LIMIT ?"
        asked = f"SELECT {columns} FROM windows WHERE {kept}"  # noqa: S608
        return [
            Kept(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]))
            for row in self._database.execute(asked, (most,))
        ]

    def last_fine(self) -> int:
        """The number of the last window that was judged and fine; 0 where there is none."""
        asked = "SELECT number FROM windows WHERE json_extract(record, '$.state') = 'fine' ORDER BY place DESC LIMIT 1"
        row = self._database.execute(asked).fetchone()
        return int(row["number"]) if row else 0

    def removed(self, number: int, at: float, text: str) -> None:
        """Records that the examples of a window are gone, when and why."""
        with self._transaction():
            self._database.execute("UPDATE windows SET removed = 1, size = 0 WHERE number = ?", (number,))
            self._database.execute("INSERT INTO events (at, kind, text) VALUES (?, 'removed', ?)", (at, text))

    # ---- what came of them

    @property
    def records(self) -> "Records":
        """What came of all judged windows, in the order in which they were judged. Read when it is looked at."""
        return Records(self)

    def told(self, hook: str) -> int:
        """Up to which place a hook was told; a new one is told of nothing that came before it."""
        with self._transaction():
            place = self._one("SELECT COALESCE(MAX(place), 0) FROM windows")
            self._database.execute("INSERT OR IGNORE INTO told (hook, place) VALUES (?, ?)", (hook, place))
            return self._one("SELECT place FROM told WHERE hook = ?", hook)

    def tell(self, hook: str, place: int) -> None:
        """Records that a hook was told of the window at `place`, and of all before it."""
        self._change("UPDATE told SET place = ? WHERE hook = ?", place, hook)

    def note(self, at: float, kind: str, text: str) -> None:
        """Records something else that happened."""
        self._change("INSERT INTO events (at, kind, text) VALUES (?, ?, ?)", at, kind, text)

    def events(self, newest: int = 20) -> list[tuple[float, str, str]]:
        """The newest things that happened: when, of what kind, in words; the newest last."""
        rows = self._database.execute("SELECT at, kind, text FROM events ORDER BY id DESC LIMIT ?", (newest,))
        return [tuple(row) for row in rows][::-1]

    def totals(self) -> dict[str, int]:
        """What was taken up in all: windows by state, examples, records, those damaged and those of late windows.

        And of how many windows the examples were `removed`, and the `size` of the others in bytes.
        """
        sums = ", ".join(f"COALESCE(SUM({name}), 0) AS {name}" for name in SUMS)
        found = dict(self._database.execute(f"SELECT {sums} FROM totals").fetchone())  # noqa: S608
        del found["windows"]
        return {**{state: self.count(state) for state in (OPEN, CLOSED, JUDGED, SET_ASIDE, PASSED_OVER)}, **found}

    def _change(self, statement: str, *values: Any) -> int:
        with self._transaction():
            return self._database.execute(statement, values).rowcount

    def _one(self, statement: str, *values: Any) -> int:
        return int(self._database.execute(statement, values).fetchone()[0])

    def _records(self, start: int, stop: int) -> list[WindowRecord]:
        """The records at places `start` to before `stop`, from 0."""
        asked = "SELECT record FROM windows WHERE place > ? AND place <= ? ORDER BY place"
        return [WindowRecord.from_json(row["record"]) for row in self._database.execute(asked, (start, stop))]


class Records(Sequence[WindowRecord]):
    """The records of the judged windows, from the first; a slice reads no more than it holds."""

    def __init__(self, journal: Journal, length: int | None = None) -> None:
        self._journal = journal
        self._length = length

    def upto(self, place: int) -> "Records":
        """The first `place` of them: what there was when the last of these was judged."""
        return Records(self._journal, place)

    def __len__(self) -> int:
        return self._journal.count(JUDGED) if self._length is None else self._length

    @overload
    def __getitem__(self, index: int) -> WindowRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[WindowRecord]: ...
    def __getitem__(self, index: int | slice) -> WindowRecord | list[WindowRecord]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self._journal._records(start, stop)[::step] if step > 0 else list(self)[index]
        place = range(len(self))[index]
        return self._journal._records(place, place + 1)[0]

    def __iter__(self) -> Iterator[WindowRecord]:
        for start in range(0, len(self), 256):
            yield from self[start : start + 256]
