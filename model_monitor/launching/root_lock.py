"""One command at a time works under a root: two would evaluate a span twice, and push two versions for one.

The lock is the kernel's, on an open file, so that it is let go of by whatever ends its holder; the file itself may be
left over. What stands in it is for the message to whoever has to wait.
"""

import datetime
import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from components.common.durable_files import release, try_to_take
from components.common.errors import MonitorError, require
from components.common.strict_text import parse_json

LOCK = ".lock"
_PAUSE = 0.1  # seconds between two attempts


@dataclass(frozen=True)
class Holder:
    """Who holds a root: a command, its process, and when it took the lock."""

    command: str
    pid: int
    host: str
    since: str

    @staticmethod
    def this(command: str) -> "Holder":
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        return Holder(command, os.getpid(), socket.gethostname(), now)

    @property
    def described(self) -> str:
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"`model-monitor {self.command}`, process {self.pid}{where}, since {self.since}"


class RootBusyError(MonitorError):
    """Another command works under the root. `holder` is None where its record cannot be read."""

    def __init__(self, root: Path, holder: Holder | None, waited: float) -> None:
        who = holder.described if holder else "another process, which has left no record"
        after = f" after {waited:g} s of waiting" if waited else ""
        super().__init__(f"{root} is in use{after}: {who}; `--wait SECONDS` waits for it")
        self.holder = holder


@contextmanager
def held(
    root: Path, command: str, wait: float = 0.0, waiting: Callable[[Holder | None], None] = lambda _: None
) -> Iterator[None]:
    """Holds a root, made where it is missing, until the block ends or this process does.

    Args:
      root: the folder of a configuration.
      command: whose work it is, for the message to others.
      wait: seconds to wait for another that holds it, 0 or more; 0 refuses at once.
      waiting: called once, with the holder, before the waiting begins.

    Raises:
      RootBusyError: another holds it, and did so until the waiting was over.
      MonitorError: the root cannot be made or written to.

    """
    require(wait >= 0 and not math.isnan(wait), "--wait", "be 0 or more seconds", wait)
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = open(root / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise MonitorError(
            f"`root` must be a folder that can be written to. Received: {root}, {error.strerror}"
        ) from error
    with file:
        _take(file, root, wait, waiting)
        try:
            _note(file, json.dumps(asdict(Holder.this(command))))
            yield
        finally:
            _note(file, "")
            release(file.fileno())


def _take(file: IO[str], root: Path, wait: float, waiting: Callable[[Holder | None], None]) -> None:
    deadline, told = time.monotonic() + wait, False
    while not try_to_take(file.fileno()):
        holder = _holder(root)
        if time.monotonic() >= deadline:
            raise RootBusyError(root, holder, wait)
        if not told:
            waiting(holder)
            told = True
        time.sleep(_PAUSE)


def _note(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def _holder(root: Path) -> Holder | None:
    """Who says that the lock is theirs; None where that is not said, as in the moment in which it is written."""
    try:
        return Holder(**parse_json((root / LOCK).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
