"""Which of the files that a pattern names are record files, and opening one: regular files only, never a pipe."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from .. import bounded_files
from ..errors import MonitorError
from .files import is_below

# What tools leave beside data: hidden files and Hadoop's markers, checksums, and lists of the files that there are.
_SIDE_FILES = re.compile(
    r"[._].*|.*\.(crc|crc32|crc32c|md5|sha1|sha256|sha512|asc|sig)|(.*[._-])?manifest([._-].*)?|Thumbs\.db|desktop\.ini",
    re.IGNORECASE | re.DOTALL,
)


@dataclass
class Chosen:
    """The files that a pattern names.

    Attributes:
      files: those to be read, in order.
      side_files: those that tools leave beside data, which are no concern of anybody's.
      refused: why each other one is not read, by its path.

    """

    files: list[str] = field(default_factory=list)
    side_files: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def is_side_file(path: str) -> bool:
    """Whether a file is one that tools leave beside data, by its name.

    >>> [name for name in ("part-0.gz", ".part-0.gz.crc", "_SUCCESS", "a/manifest.json") if not is_side_file(name)]
    ['part-0.gz']
    """
    return _SIDE_FILES.fullmatch(os.path.basename(path.rstrip("/"))) is not None


def choose(paths: Iterable[str], *, links_out: bool = False) -> Chosen:
    """Tells record files from what lies beside them. What no file system of this machine has is told by name alone.

    Args:
      paths: what a pattern names.
      links_out: whether links may lead out of the folder that they are in.

    """
    chosen = Chosen()
    for path in sorted(paths):
        if is_side_file(path):
            chosen.side_files.append(path)
        elif reason := "" if is_remote(path) else _why_not(path, links_out=links_out):
            chosen.refused[path] = reason
        else:
            chosen.files.append(path)
    return chosen


def is_remote(path: str) -> bool:
    """Whether a path has a scheme, such as gs://."""
    return "://" in path


def open_regular(path: str, *, links_out: bool = False) -> BinaryIO:
    """Opens a file of this machine for reading, and never waits for it.

    Raises:
      OSError: it cannot be opened, is no regular file, or a link out of its folder where these are refused.

    """
    try:
        file = bounded_files.open_regular(path)
    except MonitorError as error:
        raise OSError(str(error)) from error
    if reason := "" if links_out else _leads_out(path):
        file.close()
        raise OSError(f"{path} must be a regular file. Received: {reason}")
    return file


def _why_not(path: str, *, links_out: bool) -> str:
    try:
        return bounded_files.other_kind(os.stat(path).st_mode) or ("" if links_out else _leads_out(path))
    except OSError as error:  # a link to nothing, or in a circle
        return f"it cannot be found: {error.strerror}"


def _leads_out(path: str) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    return "" if is_below(path, folder) else f"a link out of its folder, to {os.path.realpath(path)}"
