"""The loop: windows as they are closed, one after the other, into verdicts, and verdicts to the hooks.

Each model's files are taken up by a thread of its own; all evaluations run here, in the main thread.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol, TypeVar

from components.common.bounded_files import in_words
from components.common.errors import MonitorError
from components.common.verdict_words import EXIT_ERROR, MEANINGS, State, exit_code

from ..launching import root_lock
from ..launching.root_lock import RootBusyError
from ..reading.window_record import WindowRecord
from .ending import Ending, TooLongError
from .garbage import Garbage
from .hooks import Hook, Status
from .journal import FILE, Journal
from .journal_rows import CLOSED, OPEN, SET_ASIDE, WindowRow
from .judging import is_of_the_place, judge
from .notices import Notices
from .retention import size_of_window, sweep
from .settings import WatchConfig
from .taking_up import TakingUp
from .window_files import size_of

_STATUS_SECONDS = 10.0
_PLACE_SECONDS = 2.0  # before a window is tried again that nothing is wrong with
_TELL_SECONDS = 30.0  # before a hook that failed is told again
_REMOVED_SECONDS = 60.0  # between two lines about what was removed
_MOST_DEATHS = 20  # of the process during the evaluation of one window: what kills it each time must not go on for ever
_LONGEST_RETRY = 3600.0
_IDLE_SECONDS = 0.5
Result = TypeVar("Result")
_logger = logging.getLogger(__name__)


class Shown(Protocol):
    """What a person or a script is told."""

    def say(self, sentence: str) -> None:
        """Something that a person may want to know."""

    def judged(self, record: WindowRecord, row: WindowRow, status: Status) -> None:
        """A window was judged."""

    def failed(self, model: str, row: WindowRow, problem: str, *, aside: bool) -> None:
        """A window could not be judged this time, or is set aside for that."""

    def status(self, statuses: Sequence[Status]) -> None:
        """How all of them are doing."""


class Follower:
    """One model: its files, its windows, its hooks."""

    def __init__(  # noqa: PLR0913 - what is watched, who is told, and what all of them share
        self,
        config: WatchConfig,
        hooks: Sequence[Hook],
        shown: Shown,
        ending: Ending,
        wake: Callable[[], None],
        *,
        once: bool,
    ) -> None:
        self.config, self.hooks = config, hooks
        self.journal = _journal_of(config)
        self.notices = Notices(shown.say)
        self.files = TakingUp(config, self.notices, ending.asked, wake, once=once)
        self.codes: set[int] = set()  # what to exit with for what was judged
        self._shown, self._ending, self._once = shown, ending, once
        self._due: dict[int, float] = {}  # when windows are tried again
        self._not_before = 0.0  # when any is, where nothing could be judged
        self._told = {hook.name: self.journal.told(hook.name) for hook in hooks}
        self._tell_at = dict.fromkeys(self._told, 0.0)
        self._seconds: float | None = None
        self._removed = (0, 0)  # windows and bytes, since that was said
        self._say_removed = 0.0
        self._garbage = Garbage()

    def work(self) -> bool:
        """Judges one window, if one is due; whether there was one. Never raises for what can be tried again.

        Raises:
          AbandonedError: or whatever became of it, when the process is to end.

        """
        self._tell()
        now = time.monotonic()
        if now < self._not_before:
            return False
        number = next((each for each in self.journal.waiting() if self._due.get(each, 0.0) <= now), None)
        row = None if number is None else self.journal.window(number)
        if row is None:
            return False
        if row.begun > _MOST_DEATHS:
            self._set_aside(row, f"the process ended {row.begun} times in a row while it was evaluated")
            return True
        try:
            started = time.monotonic()
            limit = 60 * self.config.watch.evaluation_minutes
            judging = partial(judge, self.config, self.journal, row, self._ending.decided)
            record, size = self._ending.evaluation(limit, partial(self._hung, row), judging)
            self._seconds = time.monotonic() - started
            place = self.journal.judged(record, size)
        except Exception as error:
            self.journal.ended(row.window.number)
            if self._ending.abandoned:
                raise
            self._failed(row, self._ending.overdue or error)
        else:
            self._due.pop(row.window.number, None)
            self.notices.right("place", f"Verdicts on {self.config.name} go on.")
            self.codes.add(_exit_code(record, self.config))
            self._shown.judged(record, row, self.status())
            self._tell(place)
            self._garbage.judged()
        self._remove_old()
        self.files.nudge()
        return True

    def _remove_old(self) -> None:
        """Removes what need not be kept any longer; says how much it was, not more than once a minute."""
        try:
            windows, freed = sweep(self.config, self.journal, time.time())
        except RootBusyError:  # it is not urgent
            return
        except (MonitorError, OSError) as error:
            self.notices.wrong("removing", f"What is old cannot be removed: {error}. It is tried again.")
            return
        self.notices.right("removing")
        self._removed = (self._removed[0] + windows, self._removed[1] + freed)
        if self._removed[0] and time.monotonic() >= self._say_removed:
            text = f"the examples and artifacts of {self._removed[0]} old windows of {self.config.name} were removed"
            self._shown.say(f"{in_words(self._removed[1])}: {text}; their verdicts stay.")
            self._removed, self._say_removed = (0, 0), time.monotonic() + _REMOVED_SECONDS

    def _failed(self, row: WindowRow, error: Exception) -> None:
        number, settings = row.window.number, self.config.watch
        problem = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
        _logger.warning("Window %d of %s: %s", number, self.config.name, problem, exc_info=error)
        now = time.monotonic()
        if is_of_the_place(error):
            self.notices.wrong("place", f"Verdicts on {self.config.name} wait: {problem}")
            self._not_before = now + _PLACE_SECONDS
            return
        aside = row.attempts + 1 >= settings.attempts
        pause = 0.0 if self._once else min(_LONGEST_RETRY, settings.retry_seconds * 2**row.attempts)
        self._due[number] = now + pause
        if aside:
            self._set_aside(row, problem)
        else:
            self.journal.failed(number, problem, aside=False)
            self._shown.failed(self.config.name, row, problem, aside=False)

    def _hung(self, row: WindowRow, error: TooLongError) -> None:
        """Records, for the next process, an attempt that this one will not survive. Runs in another thread."""
        aside = row.attempts + 1 >= self.config.watch.attempts
        journal = Journal(self.config.watch_path)
        journal.ended(row.window.number)
        size = size_of(self.config.windows_path / str(row.window.number)) if aside else 0
        journal.failed(row.window.number, str(error), aside=aside, size=size)
        journal.close()
        self._shown.failed(self.config.name, row, str(error), aside=aside)
        self._shown.say("The evaluation heeds no interruption, so that the process ends: the next one goes on.")

    def _set_aside(self, row: WindowRow, problem: str) -> None:
        self.codes.add(EXIT_ERROR)
        try:
            size = size_of_window(self.config, row.window.number, None, tried=True)
        except (MonitorError, OSError):  # it is removed by its age all the same
            size = 0
        self.journal.failed(row.window.number, problem, aside=True, size=size)
        self._shown.failed(self.config.name, row, problem, aside=True)

    def _tell(self, last: int | None = None) -> None:
        """Tells each hook what it does not know yet."""
        last = len(self.journal.records) if last is None else last
        for hook in self.hooks:
            while self._told[hook.name] < last and time.monotonic() >= self._tell_at[hook.name]:
                place = self._told[hook.name] + 1
                records = self.journal.records.upto(place)
                if not self._safely(hook.name, partial(_judged, hook, records)):
                    self._tell_at[hook.name] = time.monotonic() + _TELL_SECONDS
                    break
                self.journal.tell(hook.name, place)
                self._told[hook.name] = place

    def _safely(self, what: str, action: Callable[[], None]) -> bool:
        """Whether a hook did something; what it raises is said once, and stops nobody else."""
        try:
            action()
        except Exception as error:
            _logger.warning("%s failed", what, exc_info=error)
            self.notices.wrong(what, f"{what} failed: {type(error).__name__}: {error}. It is told again.")
            return False
        self.notices.right(what, f"{what} works again.")
        return True

    def status(self) -> Status:
        waiting = self.journal.windows(CLOSED)
        oldest = min((row.closed_at for row in waiting if row.closed_at is not None), default=None)
        return Status(
            model=self.config.name,
            files=self.files.unread,
            open=self.journal.count(OPEN),
            waiting=len(waiting),
            set_aside=self.journal.count(SET_ASIDE),
            lag=0.0 if oldest is None else max(0.0, time.time() - oldest),
            totals=self.journal.totals(),
            problems=self.notices.current,
            evaluation_seconds=self._seconds,
        )

    def tell_status(self) -> Status:
        """Tells the hooks how it is doing, and whoever asks."""
        status = self.status()
        for hook in self.hooks:
            self._safely(f"{hook.name} (status)", partial(hook.status, status))
        return status

    @property
    def finished(self) -> bool:
        """Whether, with `once`, there is nothing left to do."""
        return self.files.done and not self.journal.waiting()

    def close(self) -> None:
        """Ends the thread and the hooks."""
        self.files.join(self.config.watch.grace_seconds)
        for hook in self.hooks:
            self._safely(f"{hook.name} (closing)", hook.closing)
        self.journal.close()


def follow(  # noqa: PLR0913 - what is watched, who is told, and how; all but three by keyword
    configs: Sequence[WatchConfig],
    hooks: Callable[[WatchConfig], Sequence[Hook]],
    shown: Shown,
    *,
    once: bool = False,
    wait: float = 0.0,
    housekeeping: Callable[[], None] = lambda: None,
) -> set[int]:
    """Watches models until the process is asked to end or, with `once`, until there is nothing left to do.

    Args:
      configs: of the models, see `settings.models`.
      hooks: gives the hooks of a model.
      shown: takes what there is to tell.
      once: whether to end when all that is there was judged, with the windows that are open closed for that.
      wait: seconds to wait for another process that watches one of them.
      housekeeping: done every few seconds; may raise `OSError`.

    Returns:
      The exit codes of what was judged: as those of `monitor`, an error where a window was set aside or, with `once`, a
      file could not be read.

    Raises:
      RootBusyError: another process watches one of them.
      MonitorError: nothing with a baseline is served, there is no folder of logs, or a journal is damaged.

    """
    wake = threading.Event()
    ending = Ending(max(each.watch.grace_seconds for each in configs), wake.set)
    with ExitStack() as stack:
        for each in configs:
            stack.enter_context(root_lock.held(each.watch_path, "watch", wait))
        stack.enter_context(ending.installed())
        followers = [Follower(each, hooks(each), shown, ending, wake.set, once=once) for each in configs]
        for follower in followers:
            follower.files.start()
        try:
            _loop(followers, ending, wake, partial(_tell, followers, shown, housekeeping), once=once)
        except Exception:
            if not ending.abandoned:
                raise
            shown.say("The evaluation that ran was given up: the next process begins it again.")
        finally:
            ending.ask()
            for follower in followers:
                stack.callback(follower.close)
        return {code for follower in followers for code in follower.codes}


def _loop(
    followers: Sequence[Follower], ending: Ending, wake: threading.Event, tell: Callable[[], None], *, once: bool
) -> None:
    next_status = 0.0
    while not ending.asked.is_set():
        wake.clear()
        worked = False
        for follower in followers:
            if follower.files.error is not None:
                raise follower.files.error
            if not ending.asked.is_set():
                worked = _trying(follower, follower.work) or worked
        if worked or time.monotonic() >= next_status:
            next_status = time.monotonic() + _STATUS_SECONDS
            tell()
        if not worked:
            if once and all(follower.finished for follower in followers):
                for follower in followers:
                    follower.codes |= {EXIT_ERROR} if follower.files.unreadable else set()
                return
            wake.wait(_IDLE_SECONDS)


def _tell(followers: Sequence[Follower], shown: Shown, housekeeping: Callable[[], None]) -> None:
    """Tells everybody how all are doing."""
    shown.status([status for each in followers if (status := _trying(each, each.tell_status)) is not None])
    try:
        housekeeping()
    except OSError as error:
        _logger.warning("housekeeping failed", exc_info=error)


def _judged(hook: Hook, records: Sequence[WindowRecord]) -> None:
    hook.judged(records[-1], records)


def _journal_of(config: WatchConfig) -> Journal:
    """The journal of a model, a new one where nothing was watched yet. Raises `MonitorError` where it cannot be had."""
    path = config.watch_path / FILE
    left = [each for each in config.windows_path.glob("*") if each.name.isdecimal()]
    if left and not path.exists():
        raise MonitorError(
            f"{path} must be there where there are windows: without it nobody knows what is in them. Put it back, or "
            f"take another `root`. Received: no such file, and {len(left)} windows in {config.windows_path}"
        )
    try:
        return Journal(config.watch_path)
    except (OSError, sqlite3.Error) as error:
        raise MonitorError(f"{path} must be a file that can be written. Received: {error}") from error


def _exit_code(record: WindowRecord, config: WatchConfig) -> int:
    """What `monitor` would exit with by the same verdict."""
    in_doubt = State.UNDECIDED.value in (record.checks or {}).values()
    states = [record.state, *([State.UNDECIDED] if in_doubt else [])]
    return exit_code(states, MEANINGS[record.state].outcome, config.monitor.fail_on)


def _trying(follower: Follower, action: Callable[[], Result]) -> Result | None:
    """What an action gives; None where the journal cannot be read or written now."""
    try:
        result = action()
    except (OSError, sqlite3.Error) as error:
        follower.notices.wrong("journal", f"The journal of {follower.config.name} waits: {error}. It is tried again.")
        time.sleep(_PLACE_SECONDS)
        return None
    follower.notices.right("journal", f"The journal of {follower.config.name} goes on.")
    return result
