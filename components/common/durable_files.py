"""Files that survive a crash and that several processes and users share: forced to disk, and locked."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# Never waits for a pipe, never follows a link, and is gone in a program that is started meanwhile.
SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Holds an exclusive lock on a file, made where it is missing; the kernel lets go of it when the process dies.

    Raises:
      OSError: it cannot be opened, or is no regular file: a link, a folder, a pipe.

    """
    with _held(open_to_lock(path)):
        yield


@contextmanager
def locked_folder(folder: str, name: str) -> Iterator[None]:
    """Holds an exclusive lock on a folder: its own, and that of the file `name` in it.

    Local file systems lock folders, whoever owns what is in them. NFS does not; there the file is what is locked. So
    another user's file, or anything else of that name, is in nobody's way on a local file system.

    Raises:
      OSError: neither can be locked.

    """
    with ExitStack() as held:
        failure: OSError | None = None
        try:
            held.enter_context(_held(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)))
        except OSError as error:
            failure = error
        try:
            held.enter_context(locked(os.path.join(folder, name)))
        except OSError:
            if failure is not None:
                raise
        yield


def open_to_lock(path: str, *, make: bool = True) -> int:
    """A descriptor of a regular file, made where it is missing: for writing, which NFS asks for, or else for reading.

    Raises:
      OSError: it cannot be opened, or is no regular file.

    """
    try:
        descriptor = os.open(path, os.O_RDWR | SAFELY | (os.O_CREAT if make else 0), 0o666)
    except PermissionError:  # another user's
        descriptor = os.open(path, os.O_RDONLY | SAFELY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} must be a regular file")


@contextmanager
def _held(descriptor: int) -> Iterator[None]:
    try:
        take(descriptor)
        try:
            yield
        finally:
            release(descriptor)
    finally:
        os.close(descriptor)


def take(descriptor: int) -> None:
    """Waits for the lock of an open file. The kernel lets go of it when the process dies."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_to_take(descriptor: int, *, shared: bool = False) -> bool:
    """Takes the lock of an open file if nobody holds it, or, `shared`, if nobody holds it alone; never waits.

    Returns:
      Whether it was taken.

    Raises:
      OSError: the file system has no locks.

    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(descriptor: int) -> None:
    """Lets go of a lock; closing alone leaves it as long as a child lives that was forked in the meantime."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def sync(path: str) -> None:
    """Forces a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: str) -> None:
    """Forces every file and folder below a folder to disk, the innermost first."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(os.path.join(parent, name))
        sync(parent)


def write_whole(path: str, text: str) -> None:
    """Writes a text so that whoever reads the file finds the old one or the new one, whole, whatever dies meanwhile.

    Raises:
      OSError: from the file system; the old file is there still.

    """
    temporary = f"{path}.{os.getpid()}.part"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync(os.path.dirname(path) or ".")
