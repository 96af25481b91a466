"""Starts `server.py`, and gives a folder of commands that it runs. The processes of one test run share a server."""

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
SHARED = "WARM_COMMANDS"  # the variable that tells the processes of one test run where the server is
# Code for a command whose own copy of our packages is wanted, from wherever it finds them, and only the libraries warm.
FORGET = """
import sys
for name in [*sys.modules]:
    if name.partition(".")[0] in ("components", "model_monitor", "pipelines", "schemas"):
        del sys.modules[name]
"""
_PATIENCE = 900.0  # seconds for its imports, on a very busy machine


@dataclass(frozen=True)
class Warm:
    """Commands that need not import TFX.

    Attributes:
      folder: the server's own.
      server: its process; None where another process has started it.

    """

    folder: Path
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def commands(self) -> Path:
        """A folder for PATH, with `python` and `model-monitor`."""
        return self.folder / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """A shell's variables, with the commands first on its path, and 100 columns."""
        return {**os.environ, "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}

    def call(self, *command: str, folder: Path = REPOSITORY, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs `python`, `model-monitor`, or a shell that calls them, in a folder, with more variables."""
        program = str(self.commands / command[0]) if command[0] in COMMANDS else command[0]
        return subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + _PATIENCE
        while not (self.folder / SOCKET).exists():
            if time.monotonic() > end or (self.server and self.server.poll() is not None):
                raise RuntimeError(f"the server of commands does not answer: {(self.folder / 'log').read_text()}")
            time.sleep(0.05)

    def end(self) -> None:
        """Ends the server, which waits for what it has started. Nothing, where another process has started it."""
        if self.server:
            self.server.terminate()
            self.server.wait()
            shutil.rmtree(self.folder, ignore_errors=True)


def start() -> Warm:
    """A new server, which may need some seconds until it answers."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    (folder / "bin").mkdir()
    for name in COMMANDS:
        command = folder / "bin" / name
        command.write_text(f"#!{sys.executable} -IS\n{CLIENT.read_text()}")
        command.chmod(0o755)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm.server", str(folder)],
            cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return Warm(folder, server)


@functools.cache
def warm() -> Warm:
    """The server of this test run, or of this process, started if there is none. It answers."""
    found = Warm(Path(os.environ[SHARED])) if SHARED in os.environ else start()
    found.wait()
    return found
