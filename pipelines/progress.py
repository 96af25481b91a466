"""A line for each step of a run while it runs."""

import contextlib
import logging
import time
from collections.abc import Iterator

from rich.console import Console

PROGRESS_LOGGER = "model_monitor.progress"


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
            with self._console.status(f"{name} ..."):
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
