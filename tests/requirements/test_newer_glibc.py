"""CI's interpreter for TFX 1.21: the machine's own where it will do, and a sentence where none can be made."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / ".ci" / "newer_glibc.py"


def run(version: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": str(folder), "HOME": str(folder)}
    command = [sys.executable, str(SCRIPT), version]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_interpreter_that_loads_what_is_needed_is_taken_as_it_is(tmp_path):
    python = tmp_path / "python3.99"
    python.write_text("#!/bin/sh\necho '3.99 glibc 2.39'\n")
    python.chmod(0o755)
    done = run("3.99", tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}\n")


def test_without_an_interpreter_nothing_is_fetched(tmp_path):
    done = run("3.98", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "newer_glibc: there is no Python 3.98 on the PATH or in pyenv\n"
