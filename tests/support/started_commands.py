"""Commands that run beside a test, which waits for what they print, stops them and kills them."""

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .warm.starting import REPOSITORY, warm


@dataclass
class Command:
    """`model-monitor` with some arguments, at work in a process of its own."""

    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, pattern: str) -> bool:
        """Waits until its output has the pattern; False where it ended without."""
        while not re.search(pattern, self.text):
            if self.process.poll() is not None:
                return re.search(pattern, self.text) is not None
            time.sleep(0.01)
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> tuple[int, str]:
        """Its exit code and what it printed."""
        return self.process.wait(600), self.text


@dataclass
class Home:
    """A working directory in which commands run."""

    folder: Path

    def start(self, *arguments: str) -> Command:
        output = self.folder / f"output-{time.monotonic_ns()}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [str(warm().commands / "model-monitor"), *arguments],
                cwd=self.folder, env=warm().environment, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        return Command(process, output)

    def run(self, *arguments: str) -> tuple[int, str]:
        return self.start(*arguments).end()

    def start_alone(self, *arguments: str, environment: Mapping[str, str], before: Sequence[str] = ()) -> Command:
        """Starts it as an own Python, which takes its time to import, with more variables, by way of other commands."""
        output = self.folder / f"output-{time.monotonic_ns()}.txt"
        own = {**warm().environment, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", **environment}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "model_monitor.cli", *arguments],
                cwd=self.folder, env=own, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        return Command(process, output)
