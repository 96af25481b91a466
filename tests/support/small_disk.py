"""A small file system of its own, which can be full: a tmpfs, where this user may mount one."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = bytes(1 << 20)


@dataclass(frozen=True)
class SmallDisk:
    """Attributes:
    folder: where it is mounted.

    """

    folder: Path

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """While the block runs there is no room on it, not for a byte."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (len(_BLOCK), 1):
                with contextlib.suppress(OSError):  # it is full
                    while file.write(_BLOCK[:size]):
                        pass
        try:
            yield
        finally:
            ballast.unlink()


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk | str]:
    """Such a disk while the block runs; or why there is none, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        yield f"no disk is filled: {error.filename} is not there"
        return
    if done.returncode:
        yield f"no disk is filled: none may be mounted here ({done.stderr.strip()})"
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
