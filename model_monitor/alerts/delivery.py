"""Sends what is in the outbox: a thread a channel, one message at a time, in order, until it is taken or too old."""

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from components.common.durable_files import open_to_lock
from components.common.errors import MonitorError

from .json_lines import JsonLines
from .outbox import Letter, Outbox
from .sending import Picture, Sends, UndeliveredError, keep_addresses_out_of_logs
from .services import Service
from .settings import AlertsConfig, Channel, secret_of
from .webhook import LONGEST_AFTER, Webhook

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 900.0  # seconds before the second attempt, at most, and before any
LEAST_ATTEMPTS = 10  # before a message is given up: a clock that is set forward makes it look old
_LOOK_SECONDS = 1.0  # between two looks into the outbox, into which another thread puts
_DAY = 86400.0
LONGEST_WAIT = max(LONGEST_PAUSE, LONGEST_AFTER)
_logger = logging.getLogger(__name__)
PictureOf = Callable[[int], bytes | None]  # of a run


def opened(channel: Channel, stdout: IO[str]) -> Sends:
    """A channel that is ready to send.

    Raises:
      MonitorError: a secret is not where it should be, a URL is none, or a library is missing.

    """
    keep_addresses_out_of_logs()
    what = f"alerts.channels[{channel.name}]"
    if channel.type == "json_lines":
        return JsonLines(stdout)
    url = secret_of(channel.url or "", f"{what}.url")
    if channel.type == "webhook":
        secret = secret_of(channel.secret or "", f"{what}.secret")
        return Webhook(url, secret, channel.images, channel.timeout_seconds)
    return Service(url, channel.images)


def pause(attempts: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds before the next attempt: any number up to one that doubles each time ("full jitter").

    >>> [pause(attempts, lambda: 1.0) for attempts in (1, 2, 3, 20)]
    [2.0, 4.0, 8.0, 900.0]
    """
    return draw() * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 30))


@dataclass
class Sender:
    """Sends the messages of one channel, in the thread of whoever calls it."""

    channel: Channel
    sends: Sends
    outbox: Outbox
    keep_days: float
    picture_of: PictureOf

    def step(self, now: float | None = None) -> float | None:
        """Sends the oldest message, if it is due.

        Returns:
          When to come again, seconds since the epoch; None where there is no message.

        """
        now = time.time() if now is None else now
        letter = self.outbox.next(self.channel.name)
        if letter is None:
            return None
        if 0 < letter.due - now <= LONGEST_WAIT:  # a clock that was set back is not waited for
            return letter.due
        self.outbox.begin(letter)
        try:
            self.sends.send(letter.message, letter.key, self._picture(letter))
        except UndeliveredError as error:
            due = self._due(letter, error, now)
            self.outbox.failed(letter, str(error), due)
            return now if due is None else due
        except Exception as error:  # the next message is not to suffer from what a library makes of this one
            due = self._due(letter, UndeliveredError(""), now)
            self.outbox.failed(letter, type(error).__name__, due)
            return now if due is None else due
        self.outbox.sent(letter)
        return now

    def _due(self, letter: Letter, error: UndeliveredError, now: float) -> float | None:
        """When it is tried again; None where it is not."""
        attempts = letter.attempts + 1
        old = now - letter.created >= self.keep_days * _DAY and attempts >= LEAST_ATTEMPTS
        return None if error.final or old else now + max(pause(attempts), error.after or 0.0)

    def _picture(self, letter: Letter) -> Picture:
        def made() -> bytes | None:
            if not self.channel.images or not letter.message.run:
                return None
            try:
                return self.picture_of(letter.message.run)
            except Exception as error:  # a message without a picture is better than none
                _logger.warning("No picture of run %d: %s", letter.message.run, type(error).__name__)
                return None

        return made


class Delivery:
    """The threads of all channels of one outbox. Of several processes with the same outbox, one sends."""

    def __init__(self, config: AlertsConfig, folder: Path, ready: dict[str, Sends], picture_of: PictureOf) -> None:
        self._config, self._folder, self._ready, self._picture_of = config, folder, ready, picture_of
        self._ending, self._wake = threading.Event(), threading.Event()
        self._until = 0.0  # when to give up what is left, once it is ending
        self._threads = [
            threading.Thread(target=self._send, args=(channel,), name=f"alerts-{channel.name}", daemon=True)
            for channel in config.channels
        ]
        self.problems: dict[str, str] = {}

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There is something new."""
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Sends what is due, for so many seconds at most; what is left stays in the outbox."""
        self._until = time.monotonic() + seconds
        self._ending.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(0.0, self._until - time.monotonic()))

    def _send(self, channel: Channel) -> None:
        """Until it is ending, and then until nothing is due, or it has taken too long."""
        with ExitStack() as opened_here:
            sender: Sender | None = None
            while True:
                again = None
                try:
                    sender = sender or self._sender(channel, opened_here)
                    again = sender.step() if sender else None
                    self.problems.pop(channel.name, None)
                except (MonitorError, OSError) as error:  # a full disk, a damaged file
                    self.problems[channel.name] = f"Alerts by {channel.name} wait: {error}"
                due = again is not None and again <= time.time()
                if self._ending.is_set() and (not due or time.monotonic() >= self._until):
                    return
                if not due:
                    self._wake.wait(_LOOK_SECONDS)
                    self._wake.clear()

    def _sender(self, channel: Channel, stack: ExitStack) -> Sender | None:
        """What sends, once this process has the lock; None while another one has it."""
        with ExitStack() as first:
            if not first.enter_context(locked_at_once(self._folder / f"{channel.name}.lock")):
                return None
            outbox = Outbox(self._folder)
            first.callback(outbox.close)
            stack.push(first.pop_all())
        return Sender(channel, self._ready[channel.name], outbox, self._config.keep_days, self._picture_of)


@contextmanager
def locked_at_once(path: Path) -> Iterator[bool]:
    """Whether this process holds a lock on a file, made where it is missing, until the block ends."""
    descriptor = open_to_lock(str(path))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            # Closing alone leaves it locked as long as a child lives that was forked in the meantime.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
