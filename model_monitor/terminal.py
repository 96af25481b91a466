"""What a person sees of a run: a console of our own, with everybody else's log in a file."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from components.common.errors import MonitorError

WIDTH = 100


# What a terminal would obey instead of showing it, or shows in another order: control pictures in its place.
_OBEYED = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
_OBEYED |= dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)


class _Console(Console):
    """Shows the control characters in names and paths, which are somebody else's, and does not pass them on."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=segment.text.translate(_OBEYED))


def make_console(file: object = None) -> Console:
    """A console that is at most 100 columns wide, coloured only on a terminal and only without `NO_COLOR`."""
    console = _Console(file=file, highlight=False)  # type: ignore[arg-type]
    if console.width > WIDTH or not console.is_terminal:
        console = _Console(file=file, highlight=False, width=WIDTH)  # type: ignore[arg-type]
    return console


@contextlib.contextmanager
def quiet(log_file: Path) -> Iterator[Console]:
    """Sends all that this process writes to stdout and stderr to `log_file`, and yields a console on the old stdout.

    The redirection is of the file descriptors, because TensorFlow and gRPC log from C++. It has to come before those
    libraries are imported. On leaving, both descriptors are as they were.

    Raises:
      MonitorError: the file, which is under the configured root, cannot be written.

    """
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.touch()
    except OSError as error:
        rule = "be a folder that can be written"
        raise MonitorError(f"`root` must {rule}. Received: {log_file.parent}, {error.strerror}") from error
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


def keep_small(log_file: Path, most: int = 16 << 20) -> None:
    """Begins the log of `quiet` anew where it has more than `most` bytes; the one before is beside it, as `.1`.

    Raises:
      OSError: the new one cannot be made; the old one goes on.

    """
    if log_file.stat().st_size <= most:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.replace(log_file, f"{log_file}.1")
    with open(log_file, "ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
