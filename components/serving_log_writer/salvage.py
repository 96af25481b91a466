"""What writers that were killed left behind, published by the next one. Nothing that lies there can stop it."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from ..common.artifacts.packing import packing
from ..common.artifacts.tfrecord import frame, read_records
from ..common.durable_files import SAFELY, open_to_lock, try_to_take
from .log_files import SALVAGED, WRITING, entry, make_visible

_HIDDEN = re.compile(re.escape(WRITING) + r"[0-9]+\.part-.+\.tfrecord\.gz")
_NAMES = 100  # that are tried for a copy, where what cannot be removed has the first


@dataclass(frozen=True)
class Salvage:
    """What was found in a file that a process left behind when it was killed.

    Attributes:
      file: its name.
      path: where the records are now; empty when there were none.
      records: how many are whole.
      reason: why there are no more; empty when the file was complete.
      done: whether the file is gone. Otherwise it is where it was, and the next writer tries again.

    """

    file: str
    path: str
    records: int
    reason: str
    done: bool = True


def salvage(logs: str) -> list[Salvage]:
    """Publishes the whole records of every file that a process was writing when it was killed, and removes the file.

    Under the name that the file would have had, so that doing it twice (this process may be killed too) does no harm.
    What cannot be salvaged, such as another user's file or what is no file at all, is told and left where it is.

    Raises:
      OSError: the folder cannot be listed or locked.

    """
    if not os.path.isdir(logs):
        return []
    found: list[Salvage] = []
    claimed: dict[str, BinaryIO] = {}
    try:
        with entry(logs):
            for name in sorted(filter(_HIDDEN.fullmatch, os.listdir(logs))):
                try:
                    if (file := _claim(os.path.join(logs, name))) is not None:
                        claimed[name] = file
                except OSError as error:
                    found.append(_left(name, error))
        for name, file in claimed.items():
            try:
                found.append(_salvage_file(logs, name, file))
            except OSError as error:
                found.append(_left(name, error))
    finally:
        for file in claimed.values():
            file.close()
    return found


def _left(name: str, error: OSError) -> Salvage:
    return Salvage(name, "", 0, error.strerror or str(error), done=False)


def _claim(path: str) -> BinaryIO | None:
    """The file, locked, if it is one that nobody is writing any more. Raises `OSError` where it cannot be opened."""
    try:
        file = os.fdopen(open_to_lock(path, make=False), "rb")
    except FileNotFoundError:  # published or salvaged this moment
        return None
    if try_to_take(file.fileno()) and os.path.exists(path):  # or else it is being written
        return file
    file.close()
    return None


def _salvage_file(logs: str, name: str, file: BinaryIO) -> Salvage:
    hidden = os.path.join(logs, name)
    copy, descriptor = _copy_of(hidden)
    records, reason = 0, ""
    try:
        with os.fdopen(descriptor, "wb") as target:
            packed = packing()
            for record in read_records(file):
                if record.damage is None:
                    target.write(packed.compress(frame(record.data)))
                    records += 1
                reason = reason or record.reason
            target.write(packed.flush())
            target.flush()
            path = make_visible(logs, copy, target.fileno(), lambda: None) if records else ""
    finally:
        with suppress(FileNotFoundError):  # which it is when readers have it
            os.unlink(copy)
    os.unlink(hidden)
    return Salvage(name, path, records, reason)


def _copy_of(hidden: str) -> tuple[str, int]:
    """A new file beside the hidden one, and its descriptor. What a killed salvage left there gives way."""
    failure: OSError | None = None
    for number in range(_NAMES):
        copy = hidden + SALVAGED + (f"-{number}" if number else "")
        try:
            with suppress(FileNotFoundError):
                os.unlink(copy)
            return copy, os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY, 0o666)
        except (PermissionError, IsADirectoryError, FileExistsError) as error:
            failure = error
    raise failure or FileExistsError(hidden)
