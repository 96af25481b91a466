"""Files of this machine that somebody else names or writes: opened without waiting, and never read beyond a size."""

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from .errors import MonitorError

# Far above what the tool and its components write of themselves, far below what a machine has of memory.
MOST_BYTES = 1 << 30
_BLOCK = 1 << 18
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, opened to be read. What is none is not waited for: a pipe may never have anything to say.

    Raises:
      MonitorError: it is a folder, a pipe, a device or a socket, or its name is none that a file can have.
      OSError: it cannot be opened.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise MonitorError(f"{os.fspath(path)!r} must be the name of a file. Received: {error}") from error
    if kind := other_kind(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MonitorError(f"{os.fspath(path)} must be a regular file. Received: {kind}")
    return os.fdopen(descriptor, "rb")


def read_bounded(path: str | os.PathLike[str], most: int = MOST_BYTES) -> bytes:
    """A regular file's content of at most `most` bytes, also where it grows meanwhile. Raises as `open_regular`.

    Raises:
      MonitorError: it is longer; the message has its size and the limit.

    """
    with open_regular(path) as file:
        require_size(file, path, most)
        content = file.read(most + 1)
        if len(content) > most:
            raise too_large(path, max(len(content), os.fstat(file.fileno()).st_size), most)
    return content


def blocks(file: BinaryIO, most: int) -> Iterator[bytes]:
    """The rest of a file in blocks, at most `most` bytes of it: a file that grows has an end. Closes the file."""
    with file:
        while most > 0 and (block := file.read(min(_BLOCK, most))):
            most -= len(block)
            yield block


def require_size(file: BinaryIO, path: str | os.PathLike[str], most: int) -> None:
    """Raises `MonitorError`, with the size and the limit, for the open file `path` that is longer than `most` bytes."""
    size = os.fstat(file.fileno()).st_size
    if size > most:
        raise too_large(path, size, most)


def too_large(path: str | os.PathLike[str], size: int, most: int) -> MonitorError:
    """The error about a file of `size` bytes where at most `most` are read."""
    return MonitorError(f"{os.fspath(path)} must have at most {in_words(most)} to be read. Received: {in_words(size)}")


def in_words(size: int) -> str:
    """A number of bytes for people.

    >>> in_words(700), in_words(64 << 20), in_words(1_600_000_000)
    ('700 bytes', '67.1 MB', '1.6 GB')
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def other_kind(mode: int) -> str:
    """What something is by its mode, as `os.stat` has it, where it is no regular file; "" where it is one.

    >>> other_kind(os.stat("/dev/null").st_mode), other_kind(os.stat("/").st_mode)
    ('a device', 'a folder')
    """
    return "" if stat.S_ISREG(mode) else next((name for is_kind, name in _KINDS if is_kind(mode)), "no file")
