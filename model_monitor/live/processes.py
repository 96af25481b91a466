"""The commands of the demonstration as processes of their own, started one after the other and all ended at the end."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from components.common.errors import MonitorError
from components.common.pipes import output_of

_LAST_LINES = 5  # of what a process said, in messages
_END_SECONDS = 30.0


class Process:
    """A command of `model-monitor` that runs.

    Attributes:
      name: of the command.

    """

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        """Starts it; what it writes to standard error goes to the file `log`."""
        self.name = arguments[0]
        self._log = log
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._file = log.open("wb")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "400", "NO_COLOR": "1"}
        # A session of its own: Ctrl-C ends this process, which then ends the others in their order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "model_monitor.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._file,
            text=True,
            env=environment,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(output_of(self._process),), daemon=True).start()

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def until(self, wanted: Callable[[str], bool], seconds: float, what: str) -> str:
        """The first line that is wanted, of those not read yet.

        Raises:
          MonitorError: the process ended before, or said no such thing in time.

        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise MonitorError(
                    f"`model-monitor {self.name}` gave no {what} within {seconds:g} s{self._said()}"
                ) from None
            if line is None:
                self._process.wait()
                code = self._process.returncode
                raise MonitorError(f"`model-monitor {self.name}` ended with exit code {code}{self._said()}")
            if wanted(line):
                return line

    def end(self) -> None:
        """Asks it to end, and waits; what does not end in time is killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._file.close()

    def _said(self) -> str:
        self._file.flush()
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        return f". It said, in {self._log}: {' / '.join(line.strip() for line in lines)}" if lines else ""


@contextmanager
def running(arguments: Sequence[str], log: Path) -> Iterator[Process]:
    """A command that runs while the block does."""
    process = Process(arguments, log)
    try:
        yield process
    finally:
        process.end()
