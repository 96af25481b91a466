"""Commands in processes of their own that need not import TFX again: forked from a server that has done so once."""

import multiprocessing
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.forked_commands", "pipelines.monitoring", "pipelines.adopting",
                                 "pipelines.runners.local"])  # fmt: skip


def _run(arguments: tuple[str, ...], home: Path, output: Path) -> None:
    os.chdir(home)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    from model_monitor import cli

    code = cli.main(arguments)
    sys.stdout.flush()
    os._exit(code)


def _call(function: Callable[..., None], home: Path, *arguments: object) -> None:
    os.chdir(home)
    function(*arguments)


@dataclass
class Command:
    """`model-monitor` with some arguments, at work in a process of its own."""

    process: ForkServerProcess
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def wait_for(self, pattern: str, seconds: float = 300) -> bool:
        """Waits until its output has the pattern; False where it ended without."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            if self.process.exitcode is not None:
                return re.search(pattern, self.text) is not None
            assert time.monotonic() < deadline, self.text
            time.sleep(0.01)
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def end(self) -> tuple[int, str]:
        """Its exit code and what it printed."""
        self.process.join(600)
        assert self.process.exitcode is not None, self.text
        return self.process.exitcode, self.text


@dataclass
class Home:
    """A working directory in which commands run."""

    folder: Path
    started: int = 0

    def start(self, *arguments: str) -> Command:
        self.started += 1
        output = self.folder / f"output-{self.started}.txt"
        process = _CONTEXT.Process(target=_run, args=(arguments, self.folder, output))
        process.start()
        return Command(process, output)

    def run(self, *arguments: str) -> tuple[int, str]:
        return self.start(*arguments).end()

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Calls a function of a module in a process of its own."""
        process = _CONTEXT.Process(target=_call, args=(function, self.folder, *arguments))
        process.start()
        process.join(600)
        assert process.exitcode == 0, function
