"""A package's tarball by the npm client, which may take no more time and room than it is given."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from components.common.bounded_files import in_words
from components.common.errors import MonitorError

from .deadline import Deadline
from .download import Limits

_MOST_SAID = 1 << 16  # characters of what npm says
_LOOK_EVERY = 0.2  # seconds between two looks at what npm does


def client() -> str:
    """The npm client of this machine. Raises `MonitorError` where there is none."""
    found = shutil.which("npm")
    if found is None:
        raise MonitorError("the npm client is not installed")
    return found


def pack(npm: str, package: str, to: Path, limits: Limits) -> None:
    """Fetches and verifies a package's tarball; which registry is asked is npm's own setting.

    Args:
      npm: the client.
      package: its name and version, as `name@1.2.3`.
      to: the file that is written, whole or not at all.
      limits: of time, and of what npm writes on the way.

    Raises:
      MonitorError: the client failed, or went beyond the limits; it is ended then.

    """
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        # from an empty folder: npm would read the settings of a project it is started in, and packs to where it is
        packed = Path(folder, "packed")
        packed.mkdir()
        command = [npm, "pack", package, "--ignore-scripts", "--no-update-notifier",
                   "--cache", str(Path(folder, "cache"))]  # fmt: skip
        code, said = _run_within(command, packed, Path(folder), limits)
        tarballs = list(packed.glob("*.tgz"))
        if code != 0 or len(tarballs) != 1:
            raise MonitorError(f"`npm pack` failed: {_reason(said) or f'exit code {code}'}")
        os.replace(tarballs[0], to)


def _run_within(command: list[str], working: Path, folder: Path, limits: Limits) -> tuple[int, str]:
    """The exit code of a command, and what it said on stderr.

    Raises:
      MonitorError: it took longer, or wrote more into `folder`, than `limits` allow; it is ended then.

    """
    deadline = Deadline(limits.seconds)
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command,
            cwd=working,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        ) as process,
    ):
        try:
            while process.poll() is None:
                if deadline.passed:
                    raise MonitorError(f"`npm pack` must end within {limits.seconds:g} s. Received: no end by then")
                if (size := _bytes_in(folder)) > limits.most_bytes:
                    rule = f"`npm pack` must bring at most {in_words(limits.most_bytes)}"
                    raise MonitorError(f"{rule}. Received: {in_words(size)} and more")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_EVERY)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # npm's own processes too, which are of its session
        said.seek(0)
        return process.returncode, said.read(_MOST_SAID)


def _bytes_in(folder: Path) -> int:
    """What the files below a folder have in all; of those that come and go meanwhile, what there is."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.lstat().st_size
    return size


def _reason(stderr: str) -> str:
    """What npm says went wrong, without its prefixes and the place of its log."""
    said = [re.match(r"npm (?:error|ERR!) (.+)", line) for line in stderr.splitlines()]
    return "; ".join(match[1].strip() for match in said if match and "complete log" not in match[1])[:500]
