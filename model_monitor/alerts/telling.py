"""What is done about each judged window: its incidents are recorded, and the messages about them go into the outbox.

`Alerts` is told of the windows, by `watch` and by `monitor`; threads of its own send: nobody waits for a service.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from ..incidents import actions
from ..incidents.incident import Change, Kind, Severity
from ..incidents.recorded import Record
from ..reading.window_record import WindowRecord
from .delivery import Delivery, PictureOf, opened
from .outbox import DEAD, SENT, Outbox
from .settings import AlertsConfig, Channel
from .texts import message_of

FOLDER = "alerts"  # under the root
_SETTLE_SECONDS = 10.0  # between two looks for mutes that have ended


class Alerts:
    """The incidents of one model's windows, and who is told of them.

    Attributes:
      record: the incidents.
      latest: what the last window changed.

    Args:
      config: who is told, and how.
      record: the incidents.
      root: the folder that the outbox is in a folder of.
      stdout: where lines of JSON go.
      picture_of: gives the six images of a run.

    Raises:
      MonitorError: a secret is not where it should be, a URL is none, or a library is missing.

    """

    name = "alerts"

    def __init__(
        self, config: AlertsConfig, record: Record, root: Path, stdout: IO[str], picture_of: PictureOf
    ) -> None:
        self.config, self.record = config, record
        self.latest: tuple[Change, ...] = ()
        record.resume()
        self.folder = root / FOLDER
        ready = {channel.name: opened(channel, stdout) for channel in config.channels}
        self._series = f"{record.model}@{hashlib.blake2b(record.logs.encode(), digest_size=8).hexdigest()}"
        self._settled = 0.0
        self._outbox = Outbox(self.folder) if ready else None
        self._delivery = Delivery(config, self.folder, ready, picture_of) if ready else None
        if self._delivery:
            self._delivery.start()

    def judged(self, record: WindowRecord, records: Sequence[WindowRecord]) -> None:
        """A window was judged, see `Record.judged`. Doing it again does no harm.

        Raises:
          MonitorError: ML Metadata or the outbox cannot be written; what is missing is put in the next time.

        """
        changes = self.record.judged(record, records)
        if self._outbox and self._delivery:
            self._put(self._outbox, self._new(self._outbox, record, changes), record.run)
            self._delivery.wake()
        self.latest = changes

    def status(self, status: Any = None) -> None:
        """Called every few seconds: tells again of incidents that were muted until now."""
        now = time.monotonic()
        if self._outbox and self._delivery and now - self._settled >= _SETTLE_SECONDS:
            self._settled = now
            self._put(self._outbox, [], None)
            self._delivery.wake()

    def closing(self, seconds: float = 5.0) -> None:
        """Sends what is due, for so many seconds at most. What is left is sent by the next process."""
        if self._outbox and self._delivery:
            self._delivery.close(seconds)
            self._outbox.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why nothing is sent at the moment, a sentence a channel."""
        return tuple(self._delivery.problems.values()) if self._delivery else ()

    def counts(self) -> dict[tuple[str, str], int]:
        """How many messages there were since ever, by channel and state."""
        return self._outbox.counts() if self._outbox else {}

    def outcomes(self) -> dict[tuple[str, str], int]:
        """How many messages were delivered and how many are dead letters ("failed"), since ever, by channel."""
        counts = self.counts()
        return {
            (channel.name, outcome): counts.get((channel.name, state), 0)
            for channel in self.config.channels
            for outcome, state in (("delivered", SENT), ("failed", DEAD))
        }

    def _new(self, outbox: Outbox, record: WindowRecord, changes: Iterable[Change]) -> list[Change]:
        """The changes that were not put in yet: of this window, and of those before it where the process ended."""
        told = outbox.told(self._series)
        if told is None:
            return list(changes)
        missed = [each for each in self.record.changes if told < each.record.run < record.run]
        return [*missed, *changes] if told < record.run else []

    def _put(self, outbox: Outbox, changes: Iterable[Change], run: int | None) -> None:
        """Puts messages in, and with them what follows from what people have muted, all or nothing."""
        if run is None and not any(each.open for each in self.record.incidents.values()) and not outbox.silenced():
            return
        now = time.time()
        done = actions.recorded(self.record.written.store)
        standing = {
            number: actions.standing(done, self.record.key(number), now)
            for number, incident in self.record.incidents.items()
            if incident.open
        }
        silenced = {self.record.key(number) for number, stands in standing.items() if stands.any}
        ended = outbox.silenced() - silenced
        again = [
            Change(Kind.STILL_OPEN, incident, incident.last)
            for number in standing
            if self.record.key(number) in ended and (incident := self.record.incidents[number])
        ]
        if run is None and not again and silenced == outbox.silenced():
            return
        told = outbox.told(self._series)
        with outbox.changing():
            for change in (*changes, *again):
                key = self.record.key(change.incident.number)
                if not actions.standing(done, key, now).withholds(change.kind):
                    self._put_one(outbox, change, key)
            outbox.silence(silenced)
            if run is not None:
                outbox.tell(self._series, run if told is None else max(told, run))

    def _put_one(self, outbox: Outbox, change: Change, key: str) -> None:
        message = message_of(change, self.config.url)
        for channel in self.config.channels:
            if wanted(channel, change):
                outbox.put(channel.name, key, message, self.config.most_pending)


def wanted(channel: Channel, change: Change) -> bool:
    """Whether a channel is told of a change."""
    return change.kind.value in channel.kinds and change.incident.severity.rank >= Severity(channel.severity).rank
