"""Messages on disk until they are sent: SQLite, one row for each channel and change, which is never there twice.

    messages   pending -> in flight -> sent, or pending again later, or dead after too long
    told       up to which run, which follow in order, the changes of each series were put in
    silenced   the open incidents of which nothing, or not everything, is told at the moment
    removed    how many messages were done so long ago that their rows are gone

What is committed here is not lost: a message that was in flight when the process was killed is sent again, under the
same key, by the next one. There is no URL and no secret in it, only the names of channels.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.common.errors import MonitorError

from .texts import Message, idempotency_key

FILE = "outbox.sqlite"
FORMAT_VERSION = 1
PENDING, IN_FLIGHT, SENT, DEAD = "pending", "in flight", "sent", "dead"
_BUSY_SECONDS = 10.0
_MOST_SENT, _MOST_DEAD = 10_000, 1_000  # rows that are kept of what is done
_MOST_REASON = 300
_FULL = "the outbox was full"
_TABLES = """
CREATE TABLE messages (
  id INTEGER PRIMARY KEY, channel TEXT NOT NULL, model TEXT NOT NULL, incident TEXT NOT NULL, kind TEXT NOT NULL,
  window INTEGER NOT NULL, message TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, due REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', done REAL,
  UNIQUE (channel, model, incident, kind, window)
);
CREATE INDEX by_state ON messages (state, channel, id);
CREATE TABLE told (series TEXT PRIMARY KEY, run INTEGER NOT NULL);
CREATE TABLE silenced (incident TEXT PRIMARY KEY);
CREATE TABLE removed (channel TEXT, state TEXT, count INTEGER NOT NULL, PRIMARY KEY (channel, state));
"""


@dataclass(frozen=True)
class Letter:
    """A message for a channel.

    Attributes:
      id: of its row.
      channel: its name.
      key: the same however often it is sent.
      message: what is said.
      state: one of `PENDING`, `IN_FLIGHT`, `SENT`, `DEAD`.
      created, due: when it was put in, and when it is to be sent, seconds since the epoch.
      attempts: how often it was sent, in vain or not.
      reason: why the last attempt failed; "" where none has.

    """

    id: int
    channel: str
    key: str
    message: Message
    state: str
    created: float
    due: float
    attempts: int
    reason: str


class Outbox:
    """The outbox in a folder, for one thread. What a method has changed is on disk when it returns.

    Raises:
      MonitorError: from every method: the file cannot be read or written, or is no outbox.

    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        with self._errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._prepare()

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Everything that is changed within is on disk at its end, or nothing of it."""
        with self._errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def put(self, channel: str, incident: str, message: Message, most_pending: int, now: float | None = None) -> None:
        """Puts a message in, unless the same is there already. To be called within `changing`.

        Args:
          channel: its name.
          incident: the key of the incident.
          message: what is said.
          most_pending: of the channel; beyond, the oldest that is pending becomes a dead letter.
          now: seconds since the epoch.

        """
        now = time.time() if now is None else now
        unique = (channel, message.model, incident, message.kind, message.window)
        self._database.execute(
            "INSERT OR IGNORE INTO messages (channel, model, incident, kind, window, message, state, created, due)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*unique, message.to_json(), PENDING, now, now),
        )
        self._database.execute(
            "UPDATE messages SET state = ?, reason = ?, done = ? WHERE id IN (SELECT id FROM messages"
            " WHERE state = ? AND channel = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (DEAD, _FULL, now, PENDING, channel, most_pending),
        )
        for state, most in ((SENT, _MOST_SENT), (DEAD, _MOST_DEAD)):
            self._remove(state, most)

    def _remove(self, state: str, most: int) -> None:
        """Leaves the newest rows of what is done, and counts those that go."""
        old = "state = ? AND id IN (SELECT id FROM messages WHERE state = ? ORDER BY id DESC LIMIT -1 OFFSET ?)"
        values = (state, state, most)
        self._database.execute(
            f"INSERT INTO removed SELECT channel, state, COUNT(*) FROM messages WHERE {old} GROUP BY channel, state"  # noqa: S608
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
            values,
        )
        self._database.execute(f"DELETE FROM messages WHERE {old}", values)  # noqa: S608

    def told(self, series: str) -> int | None:
        """Up to which run the changes of a series were put in; None where none ever was."""
        with self._errors():
            found = self._database.execute("SELECT run FROM told WHERE series = ?", (series,)).fetchone()
        return None if found is None else int(found[0])

    def tell(self, series: str, run: int) -> None:
        """To be called within `changing`."""
        self._database.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (series, run))

    def silenced(self) -> set[str]:
        """The keys of the incidents that are."""
        with self._errors():
            return {str(key) for (key,) in self._database.execute("SELECT incident FROM silenced")}

    def silence(self, incidents: Iterable[str]) -> None:
        """Makes these, and no others, the incidents that are silenced. To be called within `changing`."""
        self._database.execute("DELETE FROM silenced")
        self._database.executemany("INSERT INTO silenced VALUES (?)", [(each,) for each in sorted(set(incidents))])

    def next(self, channel: str) -> Letter | None:
        """The oldest message of a channel that is not done, whether it is due or not: they are sent in their order."""
        found = self._letters("WHERE channel = ? AND state IN (?, ?) ORDER BY id LIMIT 1", channel, PENDING, IN_FLIGHT)
        return found[0] if found else None

    def begin(self, letter: Letter) -> None:
        """Notes, before a message is sent, that it is."""
        self._change("UPDATE messages SET state = ?, attempts = attempts + 1 WHERE id = ?", IN_FLIGHT, letter.id)

    def sent(self, letter: Letter) -> None:
        self._change("UPDATE messages SET state = ?, reason = '', done = ? WHERE id = ?", SENT, time.time(), letter.id)

    def failed(self, letter: Letter, reason: str, due: float | None) -> None:
        """Notes why a message could not be sent, and when it is tried again; None: it is a dead letter."""
        state, done = (DEAD, time.time()) if due is None else (PENDING, None)
        self._change(
            "UPDATE messages SET state = ?, reason = ?, due = ?, done = ? WHERE id = ?",
            state, reason[:_MOST_REASON], letter.due if due is None else due, done, letter.id,
        )  # fmt: skip

    def counts(self) -> dict[tuple[str, str], int]:
        """How many messages there were since ever, by channel and state."""
        here = "SELECT channel, state, COUNT(*) AS count FROM messages GROUP BY channel, state"
        query = f"SELECT channel, state, SUM(count) FROM ({here} UNION ALL SELECT * FROM removed) GROUP BY 1, 2"  # noqa: S608
        with self._errors():
            return {(str(channel), str(state)): int(count) for channel, state, count in self._database.execute(query)}

    def dead(self) -> list[Letter]:
        """The dead letters, the newest first."""
        return self._letters("WHERE state = ? ORDER BY id DESC", DEAD)

    def _letters(self, where: str, *values: str | int) -> list[Letter]:
        columns = "id, channel, model, incident, kind, window, message, state, created, due, attempts, reason"
        query = f"SELECT {columns} FROM messages {where}"  # noqa: S608 - a text of this module
        with self._errors():
            rows = self._database.execute(query, values).fetchall()
        return [
            Letter(row[0], row[1], idempotency_key(*row[1:6]), Message.from_json(row[6]), *row[7:12]) for row in rows
        ]

    def _change(self, statement: str, *values: object) -> None:
        with self._errors():
            self._database.execute(statement, values)

    def _prepare(self) -> None:
        if self._version() == FORMAT_VERSION:
            return
        with self.changing():
            version = self._version()
            if version == 0:
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            elif version != FORMAT_VERSION:
                rule = f"be an outbox of format {FORMAT_VERSION}"
                raise MonitorError(f"{self.path} must {rule}. Received: format {version}")

    def _version(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise MonitorError(f"{self.path} cannot be read or written: {error}") from error
        except OSError as error:
            raise MonitorError(f"{self.path} cannot be made: {error.strerror}") from error
