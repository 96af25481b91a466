"""Ctrl-C for commands that tests start."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """What is started meanwhile can be interrupted.

    Where pytest is a shell's background job it ignores Ctrl-C, and what it starts would inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
