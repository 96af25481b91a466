"""A command that outlives whoever started it: one at a time, its end on disk, told apart from one that was killed.

    <folder>/lock              held by the process that runs the command, as long as it does
    <folder>/<name>/started    the command, and when it began
    <folder>/<name>/output     what it printed
    <folder>/<name>/ended      its exit code, and when: written whole, or not at all

The command runs under a small process of its own, in its own session: neither a restart of the watcher nor Ctrl-C ends
it. Where that process is killed there is no `ended`, and nobody holds the lock: then the command was interrupted.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.common.durable_files import open_to_lock, write_whole
from components.common.errors import MonitorError, require
from components.common.pipes import output_of
from components.common.strict_text import TextError, parse_json

LOCK = "lock"
STARTED, OUTPUT, ENDED = "started", "output", "ended"
_BUSY = 75  # of the small process, where another holds the lock
_NOT_FOUND = 127  # as shells have it
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class CommandRun:
    """One run of a command.

    Attributes:
      name: of the run.
      command: with its arguments.
      began, ended: seconds since the epoch; `ended` is None while it runs, and where it was interrupted.
      exit_code: 0 or more, or below 0 the signal that ended it; None likewise.
      running: whether it does.
      output: the file with what it printed.

    """

    name: str
    command: tuple[str, ...]
    began: float
    ended: float | None
    exit_code: int | None
    running: bool
    output: Path

    @property
    def interrupted(self) -> bool:
        """Whether it was killed with the process that watched it, or the machine went down."""
        return self.exit_code is None and not self.running


class BusyError(MonitorError):
    """Another command runs."""


def start(
    folder: Path, name: str, command: Sequence[str], *, where: Path, environment: Mapping[str, str]
) -> CommandRun:
    """Starts a command and does not wait for it.

    Args:
      folder: of all runs; made where it is missing.
      name: of the run, a name that a folder can have. A run that has begun is not begun again.
      command: with its arguments.
      where: the folder in which it runs.
      environment: variables that it gets beside those of this process.

    Raises:
      BusyError: another command runs.
      MonitorError: the folder cannot be written, or the command could not be started within half a minute.

    """
    require(bool(command), "command", "name a program", list(command))
    require(where.is_dir(), "folder", "be a folder", str(where))
    try:
        (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"{folder / name} must be a folder that can be made. Received: {error.strerror}") from error
    ours = [sys.executable, "-m", __name__, str(folder.absolute()), name, *command]
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    keeper = subprocess.Popen(
        ours,
        cwd=where,
        env={**os.environ, **environment, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return _when_begun(keeper, folder, name)


def read(folder: Path, name: str) -> CommandRun | None:
    """A run; None where it never began. Raises `MonitorError` where its files are damaged."""
    place = folder / name
    running = _is_held(folder, name)  # asked first: an end that comes in between is seen below
    try:
        started = parse_json((place / STARTED).read_text(encoding="utf-8"))
        ended = parse_json((place / ENDED).read_text(encoding="utf-8")) if (place / ENDED).exists() else None
        return CommandRun(
            name=name,
            command=tuple(str(part) for part in started["command"]),
            began=float(started["at"]),
            ended=None if ended is None else float(ended["at"]),
            exit_code=None if ended is None else int(ended["exit_code"]),
            running=running and ended is None,
            output=place / OUTPUT,
        )
    except FileNotFoundError:
        return None
    except (OSError, TextError, KeyError, TypeError, ValueError) as error:
        raise MonitorError(f"{place} must hold the record of a command. Received: {error!r}") from error


def runs(folder: Path) -> list[CommandRun]:
    """Every run that began, the oldest first."""
    names = [each.name for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
    found = [run for name in names if (run := read(folder, name)) is not None]
    return sorted(found, key=lambda run: run.began)


def _when_begun(keeper: "subprocess.Popen[bytes]", folder: Path, name: str) -> CommandRun:
    """The run, once the small process says that it has the lock and has written that it began."""
    with output_of(keeper) as stdout:
        said = stdout.read()  # the keeper closes its end when it begins
    if said:
        return _known(folder, name)
    code = keeper.wait(_WAIT_SECONDS)
    if code == _BUSY:
        raise BusyError(f"Another command runs in {folder}: two never do at a time")
    raise MonitorError(f"The command could not be started: its keeper ended with exit code {code}")


def _known(folder: Path, name: str) -> CommandRun:
    found = read(folder, name)
    if found is None:
        raise MonitorError(f"{folder / name} has lost the record of a command that began")
    return found


def _is_held(folder: Path, name: str) -> bool:
    """Whether the lock is held, and by this run."""
    try:
        with os.fdopen(open_to_lock(str(folder / LOCK), make=False), "r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() == name
    except FileNotFoundError:
        return False
    return False


def _keep(folder: Path, name: str, command: Sequence[str]) -> int:
    """Runs the command while the lock is held. What this prints tells `start` that it has begun."""
    with os.fdopen(open_to_lock(str(folder / LOCK)), "r+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _BUSY
        lock.seek(0)
        lock.truncate()
        lock.write(name)
        lock.flush()
        place = folder / name
        if (place / STARTED).exists():  # by a watcher that was killed before it knew
            os.write(1, b"began before")
            return 0
        _note(place / STARTED, {"command": list(command), "at": time.time()})
        with open(place / OUTPUT, "wb") as output:
            os.write(1, b"began")
            os.dup2(output.fileno(), 1)
            code = _run(command, output.fileno(), lock.fileno())
        _note(place / ENDED, {"exit_code": code, "at": time.time()})
    return 0


def _run(command: Sequence[str], output: int, lock: int) -> int:
    """The command's exit code. It holds the lock too: it still counts as running where this process is killed."""
    silent = subprocess.DEVNULL
    try:
        done = subprocess.run(command, stdin=silent, stdout=output, stderr=output, pass_fds=(lock,), check=False)
        return done.returncode
    except OSError as error:
        os.write(1, f"{command[0]} cannot be run: {error.strerror}\n".encode())
        return _NOT_FOUND


def _note(path: Path, record: Mapping[str, object]) -> None:
    write_whole(str(path), json.dumps(record) + "\n")


if __name__ == "__main__":
    sys.exit(_keep(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
