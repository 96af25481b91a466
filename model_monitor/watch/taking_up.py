"""The thread that takes up the files of one model as they arrive, and goes on whatever the disk does."""

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .arriving import Arrived, Arriving
from .collecting import Collector, StoppedError, UnreadableError
from .journal import Journal
from .journal_rows import CLOSED
from .notices import Notices
from .settings import WatchConfig

_DISK = "disk"
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds before what failed is tried again, at first and at last
_TIDY_SECONDS = 86400.0  # between two times that files are forgotten
_LOOK = 0.5  # seconds between two looks at how many windows are waiting
Result = TypeVar("Result")


class TakingUp:
    """Reads the files of a model into windows until it is told to stop or, with `once`, there is nothing more.

    Attributes:
      done: whether it has come to its end; with `once`, all windows are closed then.
      error: what it ended by, where that is nothing that can be tried again.
      unread: files that are there and not read yet.
      unreadable: files that cannot be read.

    """

    def __init__(
        self, config: WatchConfig, notices: Notices, stop: threading.Event, wake: Callable[[], None], *, once: bool
    ) -> None:
        self.done = False
        self.error: Exception | None = None
        self.unread = 0
        self._config, self._notices, self._stop, self._wake, self._once = config, notices, stop, wake, once
        self._something = threading.Event()
        self._bad: dict[str, int] = {}  # files that cannot be read, and how often that was tried
        self._thread = threading.Thread(target=self._run, name=f"files of {config.name}", daemon=True)

    @property
    def unreadable(self) -> int:
        return len(self._bad)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        """A window was judged, or the process is to end: whatever it waits for may be there."""
        self._something.set()

    def join(self, seconds: float) -> None:
        self._something.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._follow()
        except StoppedError:
            pass
        except Exception as error:
            self.error = error
        finally:
            self.done = True
            self._wake()

    def _follow(self) -> None:
        journal = self._trying(lambda: Journal(self._config.watch_path))
        collector = self._trying(lambda: Collector(self._config, journal, may_go_on=lambda: self._may_go_on(journal)))
        settings = self._config.watch
        logs = self._config.serving_logs_path
        arriving = Arriving(logs, self._config.span_pattern, settings, collector.known)
        arriving.start(self._something.set)
        if not arriving.listening and not self._once:
            self._notices.wrong("told by", f"New files of {self._config.name} are {arriving.told_by}.")
        tidy_at = 0.0
        try:
            while not self._stop.is_set():
                self._something.clear()
                worked = self._trying(lambda: self._step(collector, arriving, journal), collector.recover)
                if time.monotonic() >= tidy_at:
                    tidy_at = time.monotonic() + _TIDY_SECONDS
                    self._trying(lambda: self._forget(arriving, journal))
                if not worked and self._once and not arriving.expected(self._bad):
                    self._trying(collector.close_all, collector.recover)
                    return
                if not worked:
                    left = [arriving.seconds_left(), collector.seconds_left()]
                    self._something.wait(min(each for each in left if each is not None))
        finally:
            arriving.close()
            journal.close()

    def _forget(self, arriving: Arriving, journal: Journal) -> None:
        gone = arriving.gone()
        journal.forget(gone)
        arriving.forget(gone)

    def _step(self, collector: Collector, arriving: Arriving, journal: Journal) -> bool:
        """Takes up what is there, and closes what is due; whether there was anything."""
        worked = collector.close_due()
        if worked:
            self._wake()
        ready = arriving.ready()
        self.unread = len(ready)
        for each in ready:
            self._may_go_on(journal)  # also where the process before has left enough of them
            worked = self._take(each, collector, arriving) or worked
            self.unread -= 1
            if collector.close_due():
                self._wake()
        return worked

    def _take(self, arrived: Arrived, collector: Collector, arriving: Arriving) -> bool:
        place = arrived.row.place
        try:
            collector.take(arrived)
        except UnreadableError as error:
            collector.recover()
            tries = self._bad[place] = self._bad.get(place, 0) + 1
            self._notices.wrong(place, f"{place} cannot be read: {error.strerror or error}. It is tried again.")
            arriving.put_off(place, min(_LONGEST_PAUSE, _PAUSE * 2**tries))
            return False
        arriving.taken(collector.known[place])
        if self._bad.pop(place, 0):
            self._notices.right(place, f"{place} was read after all.")
        return True

    def _may_go_on(self, journal: Journal) -> None:
        """Returns once there are few enough windows that wait: the disk is no place for an endless queue."""
        if self._stop.is_set():
            raise StoppedError
        self._wake()
        while journal.count(CLOSED, untried=True) >= self._config.watch.waiting_windows:
            if self._stop.is_set():
                raise StoppedError
            self._something.wait(_LOOK)
            self._something.clear()

    def _trying(self, action: Callable[[], Result], recover: Callable[[], None] = lambda: None) -> Result:
        """What an action gives, tried until the disk lets it be done; `recover` goes before each further try."""
        pause, failed = _PAUSE, False
        while True:
            try:
                if failed:
                    recover()
                result = action()
            except (OSError, sqlite3.Error) as error:
                self._notices.wrong(_DISK, f"Windows of {self._config.name} wait: {error}. It is tried again.")
                if self._stop.wait(pause):
                    raise StoppedError from error
                pause, failed = min(_LONGEST_PAUSE, 2 * pause), True
            else:
                self._notices.right(_DISK, f"Windows of {self._config.name} go on.")
                return result
