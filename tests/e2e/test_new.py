"""A project that `model-monitor new` wrote, run as docs/your_own_model.md and its own README say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import foreign_data, foreign_models
from tests.support.code_blocks import named

pytestmark = pytest.mark.e2e


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


def run_page(home: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Runs the page's block of this name."""
    return run(home, "bash", "-euo", "pipefail", "-c", named("docs/your_own_model.md", name).text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for the digits, whose pipeline has run."""
    home = tmp_path_factory.mktemp("new")
    data = foreign_data.digits()
    foreign_data.write_examples(home / "data" / "digits.tfrecord.gz", data, foreign_models.DIGIT_FEATURES)
    for name in ("new", "run the new project"):
        done = run_page(home, name)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return home / "digits"


def test_the_model_is_pushed(project: Path):
    why = run(project, "model-monitor", "why", "--exit-code")
    assert why.returncode == 0, why.stdout
    assert why.stdout.startswith("Pushed as version ")


def test_its_traffic_is_monitored(project: Path):
    sent = run_page(project, "replay")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    done = run(project, "model-monitor", "monitor", "--logs", "logs")
    assert done.returncode == 2, done.stdout
    assert "Span 2 is not fine" in done.stdout


def test_its_own_test_passes(project: Path):
    done = run(project, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout[-3000:]
