"""How the process ends when it is asked to: at once between evaluations, within the grace period during one."""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from components.common.verdict_words import EXIT_FINE

_ASKING = (signal.SIGTERM, signal.SIGINT)
_INSISTENCE = 5  # times that an evaluation is interrupted, a second apart, before the process ends whatever it does


class AbandonedError(Exception):
    """The evaluation is given up: the grace period is over. The next process begins it anew."""


class Ending:
    """Waits for SIGTERM and SIGINT. Evaluations run in the main thread, and it takes a thread to interrupt them.

    Attributes:
      asked: set once the process is asked to end. A second signal ends the grace period.
      abandoned: whether the evaluation that ran was given up.

    """

    def __init__(self, grace: float, wake: Callable[[], None]) -> None:
        self.asked = threading.Event()
        self.abandoned = False
        self._grace, self._wake = grace, wake
        self._evaluating = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The signals are caught while the block runs, which is in the main thread."""
        told, tell = socket.socketpair()
        tell.setblocking(False)
        handlers = {**dict.fromkeys(_ASKING, _nothing), signal.SIGALRM: self._interrupt}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        wakeup = signal.set_wakeup_fd(tell.fileno())
        listener = threading.Thread(target=self._listen, args=(told,), name="signals", daemon=True)
        listener.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            tell.close()
            listener.join()
            told.close()
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

    def _listen(self, told: socket.socket) -> None:
        """Reads what signals come, until the block above is over."""
        insisted, interrupt_at = 0, float("inf")
        while True:
            left = max(0.0, interrupt_at - time.monotonic())
            if select.select([told], [], [], min(left, 3600.0))[0]:
                numbers = told.recv(64)
                if not numbers:
                    return
                for number in numbers:
                    if number in _ASKING:
                        interrupt_at = time.monotonic() + (0.0 if self.asked.is_set() else self._grace)
                        self.ask()
            elif self._evaluating:
                insisted += 1
                if insisted > _INSISTENCE:
                    os._exit(EXIT_FINE)  # nothing is lost: what counts is on the disk
                interrupt_at = time.monotonic() + 1.0
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
            elif left == 0.0:
                interrupt_at = time.monotonic() + 1.0

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._evaluating:
            self.abandoned = True
            raise AbandonedError


def _nothing(number: int, frame: FrameType | None) -> None:
    """The thread that listens does what there is to do."""
