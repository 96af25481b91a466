"""What a person sees of a run: a console of our own, with everybody else's log in a file."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

PROGRESS_LOGGER = "model_monitor.progress"
WIDTH = 100


def make_console(file: object = None) -> Console:
    """A console that is at most 100 columns wide, coloured only on a terminal and only without `NO_COLOR`."""
    console = Console(file=file, highlight=False)  # type: ignore[arg-type]
    if console.width > WIDTH or not console.is_terminal:
        console = Console(file=file, highlight=False, width=WIDTH)  # type: ignore[arg-type]
    return console


@contextlib.contextmanager
def quiet(log_file: Path) -> Iterator[Console]:
    """Sends all that this process writes to stdout and stderr to `log_file`, and yields a console on the old stdout.

    The redirection is of the file descriptors, because TensorFlow and gRPC log from C++. It has to come before those
    libraries are imported. On leaving, both descriptors are as they were.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with open(log_file, "ab", buffering=0) as log, os.fdopen(os.dup(saved[0]), "w") as terminal:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield make_console(terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


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
