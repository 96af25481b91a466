"""A line for each step of a run while it runs."""

import contextlib
import logging
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

PROGRESS_LOGGER = "model_monitor.progress"


def spinner(console: Console, markup: str) -> Live:
    """A line that says what is going on, and is gone at the end; nothing where there is no terminal.

    What others write to `sys.stdout` and `sys.stderr` meanwhile stays theirs: rich's own `status` would print it here.
    """
    return Live(turning(markup), console=console, transient=True, redirect_stdout=False, redirect_stderr=False)


def turning(markup: str) -> Spinner:
    """What `spinner` shows; another takes its place by `Live.update`."""
    return Spinner("dots", text=markup)


class Progress:
    """One line a step, with its time; messages of `PROGRESS_LOGGER` appear beneath the step that is running."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator["Step"]:
        """Shows a spinner while the step runs (on a terminal), then its line. A failed step is marked and re-raised."""
        started, step = time.monotonic(), Step()
        handler = _ProgressHandler(self._console)
        logger = logging.getLogger(PROGRESS_LOGGER)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        mark = "[red]✗[/]"
        try:
            with spinner(self._console, f"{name} ..."):
                yield step
            mark = "[green]✓[/]"
        finally:
            logger.removeHandler(handler)
            seconds = time.monotonic() - started
            self._console.print(f"{mark} {name:<24}{seconds:7.1f} s  [dim]{step.remark}[/]")


class Step:
    """A running step; `remark` is shown at the end of its line."""

    remark = ""


class _ProgressHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(f"    [dim]{record.getMessage()}[/]")
