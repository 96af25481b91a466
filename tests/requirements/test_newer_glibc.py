"""CI's interpreter for TFX 1.21: the machine's own where it will do, and a sentence where none can be made."""

import shutil
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


def test_ci_fails_where_a_line_cannot_be_had_and_says_what_to_do(tmp_path):
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    for folder in (".ci", "requirements"):  # a checkout in which nothing was made before
        shutil.copytree(REPOSITORY / folder, tmp_path / "checkout" / folder)
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    command = ["/bin/bash", str(tmp_path / "checkout" / ".ci" / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "newer_glibc: there is no Python 3.12 on the PATH or in pyenv" in done.stderr
    assert "TFX_LINE=1.16 .ci/run tests the other line alone" in done.stderr
