"""What `model-monitor watch` prints: a line a window, and what else there is to say; for people, or as JSON lines."""

import datetime
import json
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from components.common.strict_text import parse_json
from components.common.verdict_words import COLOURS, MEANINGS
from pipelines.progress import spinner, turning

from ..reading.window_record import WindowRecord
from ..watch.hooks import Status
from ..watch.journal_rows import WindowRow
from .lines import say
from .words import took

_BACKLOG_SECONDS = 30.0  # between two lines about how much there is still to do, where there is no terminal


class Lines:
    """For people: a line a window; on a terminal, beneath them, what is waiting."""

    def __init__(self, console: Console, *, several: bool) -> None:
        """Args:
        console: where to print.
        several: whether more than one model is watched, so that lines say which.

        """
        self._console, self._several = console, several
        self._spinner: Live | None = None
        self._said = time.monotonic()

    def say(self, sentence: str) -> None:
        say(self._console, f"[dim]{_clock()}[/] {escape(sentence)}")

    def judged(self, record: WindowRecord, row: WindowRow, status: Status) -> None:
        self._console.print(f"[dim]{_clock()}[/] {self._of(record.model)}{line_of(record)}", soft_wrap=True)

    def failed(self, model: str, row: WindowRow, problem: str, *, aside: bool) -> None:
        then = "set aside" if aside else "tried again"
        self.say(f"{self._of(model)}window {row.window.number} could not be judged and is {then}: {problem}")

    def status(self, statuses: Sequence[Status]) -> None:
        text = "; ".join(f"{self._of(each.model)}{backlog_of(each)}" for each in statuses)
        if self._console.is_terminal:
            if self._spinner is None:
                self._spinner = spinner(self._console, "")
                self._spinner.start()
            self._spinner.update(turning(escape(text)))
        elif any(each.waiting + each.files for each in statuses) and time.monotonic() - self._said > _BACKLOG_SECONDS:
            self._said = time.monotonic()
            self.say(text)

    def close(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def _of(self, model: str) -> str:
        return f"{model}: " if self._several else ""


class JsonLines:
    """For scripts: an object a line; its `event` is one of `judged`, `failed`, `set_aside`, `status` and `said`."""

    def __init__(self, console: Console) -> None:
        self._file = console.file

    def say(self, sentence: str) -> None:
        self._write("said", text=sentence)

    def judged(self, record: WindowRecord, row: WindowRow, status: Status) -> None:
        self._write("judged", record=parse_json(record.to_json()), closed=row.window.closed, lag=status.lag)

    def failed(self, model: str, row: WindowRow, problem: str, *, aside: bool) -> None:
        self._write("set_aside" if aside else "failed", model=model, window=row.window.number, problem=problem)

    def status(self, statuses: Sequence[Status]) -> None:
        for each in statuses:
            self._write("status", **vars(each))

    def close(self) -> None:
        pass

    def _write(self, event: str, **fields: Any) -> None:
        self._file.write(json.dumps({"event": event, "at": time.time(), **fields}, allow_nan=False) + "\n")
        self._file.flush()


def line_of(record: WindowRecord) -> str:
    """A window in a line, in rich's markup."""
    colour = COLOURS.get(MEANINGS[record.state].tone, "")
    late = ", late" if record.late else ""
    facts = [f"window {record.window}{late}", f"{record.examples:,} examples"]
    line = f"{', '.join(facts)}  [{colour}]{record.state.words:<9}[/]"
    if record.p_value is not None:
        line += f"  p {record.p_value:.2g}"
    if record.accuracy is not None:
        kind = "measured" if record.measured else "estimated"
        line += f"  accuracy {record.accuracy.value:.3f} {kind}"
    return line if record.fine else f"{line}  {escape(record.sentence)}"


def backlog_of(status: Status) -> str:
    """How much there is still to do, in words."""
    windows = f"{status.waiting} {'window' if status.waiting == 1 else 'windows'} waiting"
    parts = [f"{status.totals.get('judged', 0):,} judged", windows]
    if status.lag:
        parts.append(f"the oldest for {took(status.lag)}")
    if status.files:
        parts.append(f"{status.files:,} {'file' if status.files == 1 else 'files'} to read")
    if status.set_aside:
        parts.append(f"{status.set_aside} set aside")
    return ", ".join(parts)


def _clock() -> str:
    return f"{datetime.datetime.now():%H:%M:%S}"
