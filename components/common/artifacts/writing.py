"""How files are written: on this machine, or wherever whoever runs a step can write."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import require

_FORBIDDEN = "not lead back into a folder that it is in"


@dataclass(frozen=True)
class Writing:
    """How files are written.

    Attributes:
      write: puts bytes into a file, whose folder is made where it is missing.
      copy_tree: copies a folder with all that is in it, but for what lies at a path in it ("" for nothing), to a place
        that is replaced. Raises `MonitorError` or `OSError` where it cannot be copied.

    """

    write: Callable[[str, bytes], None]
    copy_tree: Callable[[str, str, str], None]


def local_writing() -> Writing:
    """Files of this machine."""
    return Writing(_write, _copy_tree)


def _write(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def _copy_tree(source: str, target: str, leave_out: str) -> None:
    require(os.path.isdir(source), "source", "be a folder that is there", source)
    if os.path.isdir(target):
        shutil.rmtree(target)
    left = os.path.join(source, leave_out) if leave_out else ""
    _copy_folder(source, target, left, ())


def _copy_folder(source: str, target: str, left: str, above: tuple[str, ...]) -> None:
    """Copies what is in a folder, and what links in it lead to. Modes are those of new files."""
    real = os.path.realpath(source)
    require(real not in above, source, _FORBIDDEN, real)
    os.makedirs(target, exist_ok=True)
    for name in sorted(os.listdir(source)):
        path, to = os.path.join(source, name), os.path.join(target, name)
        if path == left:
            continue
        if os.path.isdir(path):
            _copy_folder(path, to, left, (*above, real))
        else:
            shutil.copyfile(path, to)  # refuses a pipe
