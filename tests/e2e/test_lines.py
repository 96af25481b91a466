"""What one line of TFX has written is read and continued by the other: an upgrade, and the way back."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from components.common import baseline_bundle
from tests.support.foreign_data import write_examples
from tests.support.grey_model import FEATURES, labelled, write_held_out, write_model

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = (REPOSITORY / ".venv", REPOSITORY / "build" / "tfx-1.21")
GIVEN = ("--saved-model", "models/7", "--examples", "held_out/*.tfrecord*")
READINGS = (
    ("inspect", "--json"),
    ("why", "span:1"),
    ("why", "span:2"),
    ("compare", "span:1", "span:2", "--json"),
    ("incidents", "--json"),
)

pytestmark = pytest.mark.long
Line = Callable[..., str]


def line_of(python: Path) -> str:
    """The line of TFX that an interpreter has; nothing where there is none."""
    code = "from importlib.metadata import version; print(version('tfx'))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition(".")[0]


def commands_of(python: Path, home: Path) -> Line:
    """Runs commands with an interpreter, in `home`; gives what they print."""

    def call(*arguments: str, code: int = 0) -> str:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [str(python), "-m", "model_monitor.cli", *arguments]
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="module")
def other() -> Path:
    """The interpreter of the line that does not run the tests."""
    ours = version("tfx").rpartition(".")[0]
    there = [folder / "bin" / "python" for folder in ENVIRONMENTS if (folder / "bin" / "python").exists()]
    for python in there:
        if line_of(python) not in ("", ours):
            return python
    return pytest.skip(f"TFX {ours} is the only line here; .ci/tfx-1.21 makes the other environment")


@pytest.mark.parametrize("upgrade", [False, True], ids=["other-first", "other-second"])
def test_each_line_continues_what_the_other_began(tmp_path: Path, other: Path, upgrade: bool):
    ours = commands_of(Path(sys.executable), tmp_path)
    others = commands_of(other, tmp_path)
    first, second = (ours, others) if upgrade else (others, ours)
    write_held_out(tmp_path / "held_out")
    write_model(tmp_path / "models" / "7")
    write_examples(tmp_path / "traffic" / "a.tfrecord.gz", labelled(400, seed=5), FEATURES)

    first("init", *GIVEN, "-o", "monitor.yaml")
    first("adopt", *GIVEN, "--spec", "monitor.yaml")
    replay = ("replay", "--examples", "traffic/*", "--logs", "logs", "--count", "300")
    first(*replay)
    assert "Span 1 is fine" in first("monitor", "--logs", "logs")
    first(*replay, "--shift", "darkness", "--seed", "1")
    verdict = second("monitor", "--logs", "logs", "--span", "2", code=2)  # with the first line's baseline and span
    assert "previous span" in " ".join(verdict.split())
    assert baseline_bundle.read(str(tmp_path / "models" / "7")).manifest.model_version == 7

    for reading in READINGS:
        said = {call(*reading) for call in (first, second)}
        assert len(said) == 1
        assert "".join(said).strip()
    assert "Span 1 is fine" in first("monitor", "--logs", "logs", "--span", "1")  # in a store the second has written
