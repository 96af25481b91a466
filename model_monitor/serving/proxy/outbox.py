"""Records on their way to the process that logs: into the pipe to it at once, or by a thread once there is room again.

So no request waits for the log, and a proxy that is killed takes with it what it had no answer to yet, and what found
no room in the pipe, which is as much as Linux allows: a megabyte.
"""

import contextlib
import fcntl
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from components.common.pipes import output_of
from components.common.strict_text import parse_json

from .counters import CRASHED, Counters
from .frames import parts_of
from .taken import Budget, Record

_logger = logging.getLogger(__name__)
_MOST_PARTS = 64  # that one system call writes; Linux takes a thousand
_PIPE_BYTES = 1 << 20  # the most that Linux allows anybody; by default a pipe has 64 KiB
_RESTART_SECONDS = 1.0  # between two attempts to start a process that ended
_TELLING = {"signatures", "settled"}  # words of what is no record, but tells of records
_MODULE = f"{__package__}.log_process"
_COMMAND = f"import sys; sys.path[:] = sys.argv[1].splitlines(); from {_MODULE} import main; main()"


@dataclass(frozen=True)
class LogSettings:
    """What the process that logs is told at its start.

    Attributes:
      logs: the folder of the logs.
      model: the name of the model that is logged; "": the first one that answers.
      spec: what it takes and answers, as JSON; "": unknown.
      sampling_rate: at which requests were chosen.
      span: the number of the span that records go to; None: the day, as the days since 1970-01-01.
      file_seconds: after which a file is finished.
      model_version: of records of which nothing says the version; None: none.

    """

    logs: str
    model: str = ""
    spec: str = ""
    sampling_rate: float = 1.0
    span: int | None = None
    file_seconds: float = 60.0
    model_version: int | None = None


class Outbox:
    """The queue of records, the thread that empties it, and the process that they go to.

    The process ends when it is told that no more comes, or when this process does, and publishes all it was given. One
    that dies is replaced, also while no record comes; what was not known to be in a file then is counted as `CRASHED`,
    but for what is salvaged.
    """

    def __init__(self, settings: LogSettings, counters: Counters, budget: Budget) -> None:
        self._settings, self._counters, self._budget = settings, counters, budget
        self._condition = threading.Condition()
        self._queue: deque[Record] = deque()
        self._known: list[dict[str, Any]] = []  # what every process has to be told: the signatures of models
        self._closed = False
        self._process: _Process | None = None
        self._in_doubt = 0
        self._thread = threading.Thread(target=self._run, name="proxy-outbox", daemon=True)

    @property
    def process_id(self) -> int:
        """Of the process that logs; 0 while there is none."""
        return self._process.id if self._process else 0

    def start(self) -> None:
        self._thread.start()

    def put(self, record: Record) -> None:
        """Takes a record, whose size the budget holds until it is handed over: at once, where nothing is before it."""
        with self._condition:
            idle = not self._queue and not self._closed
            if not (idle and self._process is not None and self._offer(self._process, record)):
                self._queue.append(record)
                self._condition.notify()
                return
        self._budget.give_back(record.size)

    def close(self, seconds: float) -> bool:
        """Hands everything over and waits for the log to be written; whether that was so within the time."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _offer(self, process: "_Process", record: Record) -> bool:
        """Whether the pipe took a record whole. What it took in part, the thread finishes, which does nothing else."""
        if "signatures" in record.words:  # every process is told these, see `_hand_over`
            return False
        try:
            whole = process.offer(record)
        except OSError:  # it has ended: the thread starts another
            return False
        process.sent += whole and not _TELLING & record.words.keys()
        return whole

    def _run(self) -> None:
        self._start_process()  # before it is needed, which takes a second
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._queue or self._closed or self._has_ended())
                record = self._queue[0] if self._queue else None
                closed = self._closed
            if record is not None:
                while not self._hand_over(record):
                    time.sleep(_RESTART_SECONDS)
                with self._condition:  # only now: until then, what comes waits behind it
                    self._queue.popleft()
                self._budget.give_back(record.size)
            elif closed:
                break
            else:
                self._replace_process()
        if self._process is not None and not self._process.finish():
            self._lost_process()
        with self._condition:
            self._counters.lost[CRASHED] += self._in_doubt
            self._in_doubt = 0

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.ended

    def _replace_process(self) -> None:
        """Starts another in place of one that ended; one that ends without any record waits for the next record."""
        had_records = self._process is not None and self._process.sent > 0
        self._lost_process()
        if had_records:
            self._start_process()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify()

    def _start_process(self) -> "_Process | None":
        if self._process is None:
            try:
                process = _Process(self._settings, self._told, self._wake)
                for words in self._known:
                    process.send(Record(words))
            except OSError as error:
                _logger.warning("The process that logs cannot be started: %s", error)
                return None
            self._process = process  # only now: nobody else writes to it before
        return self._process

    def _hand_over(self, record: Record) -> bool:
        """Whether the record is with the process that logs."""
        if "signatures" in record.words:
            self._known = [each for each in self._known if each["place"] != record.words["place"]]
            self._known.append(record.words)
        process = self._start_process()
        if process is None:
            return False
        try:
            process.send(record)
        except OSError:
            self._lost_process()
            return False
        process.sent += not _TELLING & record.words.keys()
        return True

    def _lost_process(self) -> None:
        """What the process had and did not say to be in a file is in doubt until the next one has looked for it."""
        with self._condition:  # nobody writes to it from here on
            process, self._process = self._process, None
        if process is None:
            return
        code = process.end()
        with self._condition:
            self._in_doubt += max(0, process.sent - process.settled)
        _logger.warning("The process that logs ended (%s); another is started", code)

    def _told(self, said: dict[str, Any], before: dict[str, Any]) -> None:
        """Counts what a process said since what it said before."""
        with self._condition:
            counters, salvaged = self._counters, said["salvaged"] - before.get("salvaged", 0)
            counters.logged += said["logged"] - before.get("logged", 0)
            counters.salvaged += salvaged
            for name in ("unfit", "version_unknown"):
                setattr(counters, name, getattr(counters, name) + said[name] - before.get(name, 0))
            for reason, count in said["lost"].items():
                counters.lost[reason] += count - before.get("lost", {}).get(reason, 0)
            if self._in_doubt:  # of the one before, whose files this one salvaged before its first word
                recovered = min(salvaged, self._in_doubt)
                counters.logged += recovered
                counters.lost[CRASHED] += self._in_doubt - recovered
                self._in_doubt = 0


class _Process:
    """One process that logs: the pipe to it, and the thread that hears what it says.

    Attributes:
      id: of the process.
      sent: records that it was given.
      settled: those of them that it said to be in a file, or lost.
      ended: whether it has said its last word.

    """

    def __init__(
        self, settings: LogSettings, told: Callable[[dict[str, Any], dict[str, Any]], None], wake: Callable[[], None]
    ) -> None:
        self.sent = self.settled = 0
        self.ended = False
        self._told, self._wake = told, wake
        self._said: dict[str, Any] = {}
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        self._pipe = open(writing, "wb", buffering=0)  # noqa: SIM115 - open as long as the process runs
        self._begun: tuple[Record, list[memoryview]] | None = None  # what is left of a record that it took in part
        with open(reading, "rb") as theirs:
            # what is in the pipe outlives a proxy that is killed, also while the process that logs still imports
            with contextlib.suppress(OSError):  # the system allows no more than there is
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            # of its own session: Ctrl-C is for the proxy, which says when no more comes
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, "\n".join(sys.path), json.dumps(vars(settings))],
                stdin=theirs,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        self.id = self._process.pid
        self._thread = threading.Thread(target=self._hear, name="proxy-log-counts", daemon=True)
        self._thread.start()

    def offer(self, record: Record) -> bool:
        """Writes as much of a record as there is room for; whether that was all. Raises `OSError` as `send`."""
        left = _written(self._pipe.fileno(), _views(record))
        self._begun = (record, left) if left else None
        return not left

    def send(self, record: Record) -> None:
        """Writes a record, or the rest of it. Raises `OSError` when the process has ended."""
        begun, left = self._begun or (None, [])
        left = left if begun is record else _views(record)
        while left := _written(self._pipe.fileno(), left):
            select.select([], [self._pipe], [])
        self._begun = None

    def finish(self) -> bool:
        """Says that no more comes, and waits for the end; whether it ended well."""
        self._close()
        return self.end() == 0

    def end(self) -> int:
        """Waits for the end of the process, and gives its exit code."""
        code = self._process.wait()
        self._thread.join()
        self._close()
        return code

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # it has ended already, and what is left for it goes nowhere
            self._pipe.close()

    def _hear(self) -> None:
        try:
            with output_of(self._process) as lines:
                for line in lines:
                    said = parse_json(line)
                    self._told(said, self._said)
                    self._said = said
                    self.settled = said["logged"] + sum(said["lost"].values())
        finally:
            self.ended = True
            self._wake()


def _views(record: Record) -> list[memoryview]:
    parts = parts_of(record.words, record.request, record.response)
    return [memoryview(part) for part in parts if part]


def _written(pipe: int, left: list[memoryview]) -> list[memoryview]:
    """What is left when a pipe is full. Raises `OSError` when nobody reads it any more."""
    while left:
        try:
            size = os.writev(pipe, left[:_MOST_PARTS])
        except BlockingIOError:
            break
        while left and size >= len(left[0]):
            size -= len(left.pop(0))
        if size:
            left[0] = left[0][size:]
    return left
