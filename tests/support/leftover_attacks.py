"""What may lie in the way of a push or a log writer, and what the machine may lack: `python -m` this, name.

Every case runs in a child that is killed when it hangs, as another user where this is root. Prints as JSON how often it
was tried and what did not hold.
"""

import itertools
import json
import os
import resource
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from components.atomic_pusher.publish import publish
from components.common.errors import MonitorError
from components.serving_log_writer.log_files import Rotation
from components.serving_log_writer.writer import ServedModel, ServingLogWriter
from tests.support.kill_attacks import fill, is_whole, read, seal, versions

SECONDS = 60  # until a child counts as hanging
NOBODY = 65_534
RECORDS = 10
SECRET = b"not to be touched"
HIDDEN = ".writing-3.part-host-1-1.tfrecord.gz"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{(folder := os.open(path.parent, os.O_RDONLY))}/{path.name}")
        os.close(folder)


def _folder_with_file(path: Path) -> None:
    path.mkdir()
    (path / "file").write_bytes(b"x")


def _others(path: Path) -> None:
    """A file that only its owner can read, who is someone else."""
    path.write_bytes(b"another user's")
    path.chmod(0)


def _others_folder(path: Path) -> None:
    _folder_with_file(path)
    path.chmod(0)


def _link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "outside")


LEFTOVERS: dict[str, Callable[[Path], object]] = {
    "an empty file": Path.touch,
    "a folder": _folder_with_file,
    "a named pipe": os.mkfifo,
    "a socket": _socket,
    "a link to a file outside": _link,
    "a link to nothing": lambda path: path.symlink_to("nowhere/at/all"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "another user's file": _others,
    "another user's folder": _others_folder,
}


def child(action: Callable[[], list[str]]) -> list[str]:
    """What did not hold of an action, done in a child, as another user where this is root."""
    there, here = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(there)
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            found = action()
        except BaseException as error:
            found = [f"{type(error).__name__}: {error}"]
        os.write(here, json.dumps(found).encode())
        os._exit(0)
    os.close(here)
    deadline = time.monotonic() + SECONDS
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return ["it hangs"]
        time.sleep(0.005)
    with os.fdopen(there, "rb") as answer:
        return [str(each) for each in json.loads(answer.read() or b'["it died"]')]


def _log_and_close(logs: Path) -> ServingLogWriter:
    writer = ServingLogWriter(str(logs), ServedModel("m", 1), span=3, rotation=Rotation(seconds=3600))
    for count in range(RECORDS):
        writer.log({"x": [count]}, {}, request_id=str(count), timestamp=1e9)
    writer.close()
    return writer


def write(logs: Path, least: int) -> list[str]:
    """Logs records: at least so many are written, what is written is there, and counts add up to what was given."""
    counts = _log_and_close(logs).counts
    try:
        there = len(read(logs))
    except OSError:
        there = 0
    found = [] if counts.written >= least else [f"{counts.written} of {RECORDS} records were written"]
    if there != counts.written:
        found.append(f"{counts.written} records were written and {there} are there")
    if counts.written + counts.failed + counts.dropped != RECORDS or counts.pending:
        found.append(f"counts do not add up: {counts}")
    return found


def push(serving: Path) -> list[str]:
    publish(str(serving), fill, seal, lambda: 100.0)
    found = [
        f"{version} is not whole" for version in versions(serving) if version.name == "100" and not is_whole(version)
    ]
    return found if (serving / "100").is_dir() else ["nothing was pushed"]


def _prepared(root: Path, leftovers: dict[str, str]) -> Path:
    """A folder that everybody may write to, with things in it, and a file outside it that nobody may touch."""
    root.chmod(0o755)
    (root / "outside").write_bytes(SECRET)
    (root / "outside").chmod(0o666)
    folder = root / "folder"
    folder.mkdir()
    for name, kind in leftovers.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).parent.chmod(0o777)
        LEFTOVERS[kind](folder / name)
    folder.chmod(0o777)
    return folder


def _untouched(root: Path) -> list[str]:
    return [] if (root / "outside").read_bytes() == SECRET else ["a file outside was written to"]


def leftovers_of_writers(root: Path) -> Iterator[tuple[str, list[str]]]:
    names = (HIDDEN, f"{HIDDEN}.salvaged", ".writing-lock", "3")
    for number, (name, kind) in enumerate(itertools.product(names, LEFTOVERS)):
        place = root / str(number)
        place.mkdir()
        logs = _prepared(place, {name: kind})
        if name.endswith(".salvaged"):  # and what there is to salvage
            (logs / HIDDEN).write_bytes(b"\x1f\x8b\x08")
            (logs / HIDDEN).chmod(0o666)
        # Where the span's folder cannot be had, records cannot be written, and that is counted.
        least = RECORDS if name != "3" or kind == "a folder" else 0
        if (name, kind) == ("3", "a folder"):
            (logs / "3").chmod(0o777)
            (logs / "3" / "file").unlink()
        yield f"{name} is {kind}", child(lambda logs=logs, least=least: write(logs, least)) + _untouched(place)


def leftovers_of_pushes(root: Path) -> Iterator[tuple[str, list[str]]]:
    names = (".push.lock", ".push-old", ".push-old/lock", ".push-old/version", "99", "99999999999999999999", "0099")
    for number, (name, kind) in enumerate(itertools.product(names, LEFTOVERS)):
        place = root / str(number)
        place.mkdir()
        serving = _prepared(place, {name: kind})
        yield f"{name} is {kind}", child(lambda serving=serving: push(serving)) + _untouched(place)


def lacks_of_writers(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Descriptors, room for files of any size, a folder that can be written to: whatever is written is counted."""
    descriptors = range(3, 40)
    sizes = (0, 1, 10, 50, 100, 150, 200, 300, 500, 1000)
    limits = [(resource.RLIMIT_NOFILE, number) for number in descriptors] + [
        (resource.RLIMIT_FSIZE, size) for size in sizes
    ]
    for number, (kind, limit) in enumerate(limits):
        place = root / str(number)
        place.mkdir()
        logs = _prepared(place, {})
        yield f"limit {kind} of {limit}", child(lambda logs=logs, kind=kind, limit=limit: _limited(logs, kind, limit))
    for name, mode in (("read-only", 0o555), ("not to be listed", 0o333), ("no folder of ours", 0)):
        place = root / name
        place.mkdir()
        logs = _prepared(place, {})
        logs.chmod(mode)
        yield f"a folder that is {name}", child(lambda logs=logs: _write_and_add_up(logs))


def _limited(logs: Path, kind: int, limit: int) -> list[str]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit, hard))
    writer = _log_and_close(logs)
    resource.setrlimit(kind, (hard, hard))
    return _adds_up(logs, writer)


def _write_and_add_up(logs: Path) -> list[str]:
    writer = _log_and_close(logs)
    return _adds_up(logs, writer)


def _adds_up(logs: Path, writer: ServingLogWriter) -> list[str]:
    counts = writer.counts
    there = len(read(logs)) if os.access(logs, os.R_OK | os.X_OK) else counts.written
    adds_up = (
        counts.written == there and counts.written + counts.failed + counts.dropped == RECORDS and not counts.pending
    )
    return [] if adds_up else [f"{there} records are there, {counts}"]


def lacks_of_pushes(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Descriptors and room: there is a whole version or none, and the next push works."""
    limits = [(resource.RLIMIT_NOFILE, number) for number in range(3, 20)]
    limits += [(resource.RLIMIT_FSIZE, size) for size in (0, 1, 3, 100, 4999, 5000, 69_999, 70_000)]
    for number, (kind, limit) in enumerate(limits):
        place = root / str(number)
        place.mkdir()
        serving = _prepared(place, {})
        yield f"limit {kind} of {limit}", child(lambda serving=serving, k=kind, n=limit: _push_limited(serving, k, n))


def _push_limited(serving: Path, kind: int, limit: int) -> list[str]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit, hard))
    failure: Exception | None = None
    try:
        publish(str(serving), fill, seal, lambda: 100.0)
    except (OSError, MonitorError) as error:
        failure = error
    resource.setrlimit(kind, (hard, hard))
    found = [f"{version} is not whole" for version in versions(serving) if not is_whole(version)]
    if failure is None and len(versions(serving)) != 1:
        found.append("it said that it pushed, and did not")
    publish(str(serving), fill, seal, lambda: 200.0)
    left = [name for name in os.listdir(serving) if name.startswith(".push-")]
    return found + [f"{name} is left" for name in left]


ATTACKS = {
    "leftovers of writers": leftovers_of_writers,
    "leftovers of pushes": leftovers_of_pushes,
    "what writers lack": lacks_of_writers,
    "what pushes lack": lacks_of_pushes,
}


def _open_to_all() -> str | None:
    """Where another user can work too: the usual folder for temporary files if all may enter it, else /tmp."""
    usual = Path(tempfile.gettempdir()).resolve()
    return None if all(folder.stat().st_mode & stat.S_IXOTH for folder in (usual, *usual.parents)) else "/tmp"  # noqa: S108


def main() -> None:
    root = tempfile.mkdtemp(prefix="leftovers-", dir=_open_to_all())
    Path(root).chmod(0o755)
    try:
        results = list(ATTACKS[sys.argv[1]](Path(root)))
    finally:
        for folder, names, _ in os.walk(root):
            for name in names:
                if not os.path.islink(path := os.path.join(folder, name)):
                    os.chmod(path, 0o700)
        shutil.rmtree(root)
    broken = [f"{case}: {text}" for case, found in results for text in found[:1]]
    print(json.dumps({"tried": len(results), "broken": broken}))  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main()
