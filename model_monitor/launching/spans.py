"""Which spans of serving logs somebody is still writing to. Reads only."""

import os
import re
import stat
from pathlib import Path

from components.common.durable_files import SAFELY, try_to_take
from components.serving_log_writer.log_files import WRITING

_UNFINISHED = re.compile(rf"{re.escape(WRITING)}([0-9]+)\.")


def being_written(logs: Path) -> set[int]:
    """The spans that a `ServingLogWriter` has an unfinished file for, and has not left behind when it was killed.

    What it left behind is in no span before the next writer salvages it, and makes a new file of the span then.
    """
    found = ((path, _UNFINISHED.match(path.name)) for path in logs.iterdir())
    return {int(name[1]) for path, name in found if name and _is_held(path)}


def _is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file that it is writing; where that cannot be told, as if one did."""
    try:
        descriptor = os.open(path, os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and not try_to_take(descriptor, shared=True)
    finally:
        os.close(descriptor)
