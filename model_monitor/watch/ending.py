"""How an evaluation ends that must not go on, and the process when it is asked to.

Asked to end, the process does so at once between evaluations, and within the grace period during one. An evaluation
that takes too long, as one that hangs, is given up so that the windows after it go on; where it heeds no interruption,
in code that never comes back to Python, the process ends.
"""

import contextlib
import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from components.common.errors import MonitorError
from components.common.verdict_words import EXIT_ERROR, EXIT_FINE

_ASKING = (signal.SIGTERM, signal.SIGINT)
_INSISTENCE = 5  # times that an evaluation is interrupted before the process ends whatever it does
_AGAIN = 1.0  # seconds between two of them
_LONGEST_LOOK = 3600.0
Result = TypeVar("Result")


class AbandonedError(Exception):
    """The evaluation is given up: the grace period is over. The next process begins it anew."""


class _Interruption(BaseException):
    """Raised in the main thread, wherever the evaluation is.

    It is no `Exception`: much that is evaluated is decided by catching those, and an image or a model would count as
    broken whose reading was interrupted.
    """


class TooLongError(MonitorError):
    """The evaluation is given up: it has taken longer than it may."""


class Ending:
    """Waits for SIGTERM and SIGINT. Evaluations run in the main thread, and it takes a thread to interrupt them.

    Attributes:
      asked: set once the process is asked to end. A second signal ends the grace period.
      abandoned: whether the evaluation that ran was given up because the process is to end.
      overdue: what is to be said of the last evaluation, where it took longer than it may; None where it did not.

    """

    def __init__(self, grace: float, wake: Callable[[], None]) -> None:
        self.asked = threading.Event()
        self.abandoned = False
        self.overdue: TooLongError | None = None
        self._grace, self._wake = grace, wake
        self._evaluating = self._decided = False
        self._abandon_at = self._overdue_at = math.inf  # by the monotonic clock
        self._insisted, self._limit = 0, math.inf
        self._last_words: Callable[[TooLongError], None] = _nothing_said
        self._tell: socket.socket | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The signals are caught while the block runs, which is in the main thread."""
        told, tell = socket.socketpair()
        tell.setblocking(False)
        self._tell = tell
        handlers = {**dict.fromkeys(_ASKING, _nothing), signal.SIGALRM: self._interrupt}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        wakeup = signal.set_wakeup_fd(tell.fileno())
        listener = threading.Thread(target=self._listen, args=(told,), name="signals", daemon=True)
        listener.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            self._tell = None
            tell.close()
            listener.join()
            told.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def evaluation(
        self, limit: float, last_words: Callable[[TooLongError], None], action: Callable[[], Result]
    ) -> Result:
        """What an action gives that may be given up.

        Args:
          limit: seconds that it may take until it is `decided`.
          last_words: called by another thread, before the process ends because the evaluation heeds no interruption.
          action: the evaluation.

        Raises:
          AbandonedError: the process is to end; or what became of it on its way out, see `abandoned`.
          TooLongError: it took longer than it may; likewise, see `overdue`.

        """
        try:
            try:
                self.overdue, self._insisted, self._limit, self._last_words = None, 0, limit, last_words
                self._decided, self._overdue_at = False, time.monotonic() + limit
                self._evaluating = True
                self._look()
                return action()
            finally:
                self._evaluating = False
                self._overdue_at = math.inf
        except _Interruption:
            self._evaluating = False  # it may have come where the line above was to be reached
            raise AbandonedError if self.abandoned or self.overdue is None else self.overdue from None

    def decided(self) -> None:
        """From here on there is a verdict, and what is left to do with it is not given up for the time it takes."""
        self._decided = True
        self.overdue = None

    def ask(self) -> None:
        self.asked.set()
        self._wake()

    def _look(self) -> None:
        """Has the thread that listens look at the clock."""
        if self._tell is not None:
            with contextlib.suppress(BlockingIOError):  # it has enough to look at
                self._tell.send(b"\0")

    def _listen(self, told: socket.socket) -> None:
        """Reads what signals come and looks at the clock, until the block above is over."""
        while True:
            due = min(self._abandon_at, self._overdue_at)
            left = max(0.0, due - time.monotonic())
            if select.select([told], [], [], min(left, _LONGEST_LOOK))[0]:
                numbers = told.recv(64)
                if not numbers:
                    return
                for number in numbers:
                    if number in _ASKING:
                        self._abandon_at = time.monotonic() + (0.0 if self.asked.is_set() else self._grace)
                        self.ask()
            elif time.monotonic() >= due:
                self._give_up()

    def _give_up(self) -> None:
        """Interrupts the evaluation, where one runs; after some times, ends the process whatever it does."""
        now = time.monotonic()
        abandoned = self._abandon_at <= now
        if abandoned:
            self._abandon_at = now + _AGAIN
        elif self._overdue_at <= now:
            self._overdue_at = now + _AGAIN
        if not self._evaluating or (self._decided and not abandoned):
            return
        self._insisted += 1
        if self._insisted > _INSISTENCE:
            if not abandoned:
                self._last_words(self._too_long())
            os._exit(EXIT_FINE if abandoned else EXIT_ERROR)  # nothing is lost: what counts is on the disk
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._evaluating:
            return
        if self.asked.is_set() and self._abandon_at < math.inf:
            self.abandoned = True
        elif self._decided:
            return
        else:
            self.overdue = self._too_long()
        raise _Interruption

    def _too_long(self) -> TooLongError:
        return TooLongError(f"its evaluation took longer than `watch.evaluation_minutes`, {self._limit / 60:g}")


def _nothing(number: int, frame: FrameType | None) -> None:
    """The thread that listens does what there is to do."""


def _nothing_said(error: TooLongError) -> None:
    """Nobody evaluates anything."""
