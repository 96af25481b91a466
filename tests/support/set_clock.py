"""A wall clock that a test sets while a process runs, as that process sees it: by a library preloaded into it."""

import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("set_clock.c")


def compiler() -> str | None:
    """What compiles the library; None where there is nothing that does."""
    return shutil.which("cc") or shutil.which("gcc")


class SetClock:
    """Attributes:
    environment: of a process whose clock this is.

    """

    def __init__(self, folder: Path) -> None:
        """Compiles the library into the folder; `compiler` has to be there."""
        library, place = folder / "set_clock.so", folder / "ahead"
        command = [str(compiler()), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True)
        place.write_bytes(bytes(8))
        with place.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "SET_CLOCK": str(place)}

    @property
    def ahead(self) -> float:
        """By how many seconds it is ahead of this process's; below 0: behind."""
        return float(struct.unpack("=q", self._ahead[:])[0]) / 1e9

    def set(self, seconds: float) -> None:
        """Puts it ahead, or back, by so much of what it says now."""
        self._ahead[:] = struct.pack("=q", round((self.ahead + seconds) * 1e9))

    def now(self) -> float:
        """What time it says, seconds since the epoch."""
        return time.time() + self.ahead
