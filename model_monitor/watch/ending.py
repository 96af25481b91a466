"""How the process ends when it is asked to: at once between evaluations, within the grace period during one."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from components.common.verdict_words import EXIT_FINE

_INSISTENCE = 5  # times that an evaluation is interrupted, a second apart, before the process ends whatever it does


class AbandonedError(Exception):
    """The evaluation is given up: the grace period is over. The next process begins it anew."""


class Ending:
    """Waits for SIGTERM and SIGINT, in the main thread, where evaluations run.

    Attributes:
      asked: set once the process is asked to end.
      abandoned: whether the evaluation that ran was given up.

    """

    def __init__(self, grace: float, wake: Callable[[], None]) -> None:
        self.asked = threading.Event()
        self.abandoned = False
        self._grace, self._wake = grace, wake
        self._evaluating = False
        self._alarms = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The signals are caught while the block runs."""
        handlers = {signal.SIGTERM: self._ask, signal.SIGINT: self._ask, signal.SIGALRM: self._interrupt}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """What runs here may be given up: `AbandonedError`, or what became of it on its way out."""
        self._evaluating = True
        try:
            yield
        finally:
            self._evaluating = False

    def ask(self) -> None:
        self.asked.set()
        self._wake()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        again = self.asked.is_set()
        self.ask()
        signal.setitimer(signal.ITIMER_REAL, 0.001 if again else self._grace, 1.0)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._evaluating:
            return
        self.abandoned = True
        self._alarms += 1
        if self._alarms > _INSISTENCE:
            os._exit(EXIT_FINE)  # nothing is lost: what counts is on the disk
        raise AbandonedError
