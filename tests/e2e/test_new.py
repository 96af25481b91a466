"""A project that `model-monitor new` wrote, run as its README says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import foreign_data, foreign_models

pytestmark = pytest.mark.e2e


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for the digits, whose pipeline has run."""
    home = tmp_path_factory.mktemp("new")
    data = foreign_data.digits()
    foreign_data.write_examples(home / "data" / "digits.tfrecord.gz", data, foreign_models.DIGIT_FEATURES)
    made = run(home, "model-monitor", "new", "digits", "--examples", "data/*")
    assert made.returncode == 0, made.stdout + made.stderr
    done = run(home / "digits", "python", "pipeline.py")
    assert done.returncode == 0, done.stderr[-3000:]
    return home / "digits"


def test_the_model_is_pushed(project: Path):
    why = run(project, "model-monitor", "why", "--exit-code")
    assert why.returncode == 0, why.stdout
    assert why.stdout.startswith("Pushed as version ")


def test_its_traffic_is_monitored(project: Path):
    for more in ((), ("--shift", "gaussian_blur", "--severity", "5")):
        sent = run(
            project, "model-monitor", "replay", "--examples", "../data/*", "--logs", "logs", "--count", "400", *more
        )
        assert sent.returncode == 0, sent.stdout + sent.stderr
    done = run(project, "model-monitor", "monitor", "--logs", "logs")
    assert done.returncode == 2, done.stdout
    assert "Span 2 is not fine" in done.stdout


def test_its_own_test_passes(project: Path):
    done = run(project, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout[-3000:]
