"""Starts `server.py` the first time that it is asked for, and gives a folder of commands that it runs."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .server import SOCKET

REPOSITORY = Path(__file__).resolve().parents[3]
CLIENT = Path(__file__).with_name("client.py")
COMMANDS = ("python", "model-monitor")


@dataclass(frozen=True)
class Warm:
    """Commands that need not import TFX. `commands` is a folder for PATH, with `python` and `model-monitor`."""

    commands: Path
    server: "subprocess.Popen[bytes]"

    @property
    def environment(self) -> dict[str, str]:
        """A shell's variables, with the commands first on its path, and 100 columns."""
        return {**os.environ, "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}

    def call(self, *command: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        """Runs `python`, `model-monitor`, or a shell that calls them, in a folder."""
        program = str(self.commands / command[0]) if command[0] in COMMANDS else command[0]
        return subprocess.run(
            [program, *command[1:]], cwd=folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def end(self) -> None:
        """Ends the server, which waits for what it has started."""
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.commands.parent, ignore_errors=True)


@functools.cache
def warm() -> Warm:
    """The server of this process, started if it is not at work yet. Waits until it answers."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    commands = folder / "bin"
    commands.mkdir()
    for name in COMMANDS:
        (commands / name).write_text(f"#!{sys.executable} -IS\n{CLIENT.read_text()}")
        (commands / name).chmod(0o755)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm.server", str(folder)],
            cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    while not (folder / SOCKET).exists():
        if server.poll() is not None:
            raise RuntimeError(f"the server of commands ended: {(folder / 'log').read_text()}")
        time.sleep(0.05)
    return Warm(commands, server)
