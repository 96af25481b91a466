"""Keeps what is read for others below one folder: a page in a browser shows nothing from outside the pipeline root.

ML Metadata says where artifacts are, and anybody who can write below the root can put a link there. So what counts is
where a path ends up, with links and `..` resolved.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from components.common.errors import MonitorError

_root: ContextVar[str] = ContextVar("root", default="")


@contextlib.contextmanager
def confined_to(root: Path) -> Iterator[None]:
    """While this lasts, `check` refuses files that are not below `root`. Holds for the thread that it is called in."""
    token = _root.set(os.path.realpath(root))
    try:
        yield
    finally:
        _root.reset(token)


def check(path: str | Path) -> None:
    """Raises `MonitorError` for a path that ends up outside the root, or that is neither a file nor a folder.

    A named pipe would keep its reader waiting for ever. Without `confined_to`, everything may be read.
    """
    root = _root.get()
    if not root:
        return
    if not is_below(path, root):
        raise MonitorError(f"{path} is outside the pipeline root {root} and is not shown")
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # whoever opens it has something better to say
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise MonitorError(f"{path} must be a file or a folder to be shown. Received: something else")


def is_below(path: str | Path, root: str | Path) -> bool:
    """Whether a path is `root` or below it, once links and `..` are resolved. What is no path at all is not.

    >>> is_below("/srv/runs/1/report.html", "/srv/runs"), is_below("/srv/runs/../keys", "/srv/runs")
    (True, False)
    """
    if "\0" in str(path):
        return False
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
