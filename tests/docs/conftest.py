"""A folder as a reader of the docs has it after the first commands: an environment, and a store of runs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.code_blocks import REPOSITORY
from tests.support.example_runs import FEATURES, Story
from tests.support.warm.starting import warm


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the shell blocks find: an environment, data, runs with a push and spans, a stock pipeline."""
    folder = tmp_path_factory.mktemp("place")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(warm().commands)
    for name in ("data", "schemas", "Makefile"):
        (folder / name).symlink_to(REPOSITORY / name)
    runs = Story(folder / "runs")
    runs.gated("2026-11-25T09:26:00")
    served = str(next((folder / "runs" / "serving").iterdir()))
    runs.span("2026-11-25T09:27:00", 1, bundle=served)
    for number in (2, 3):
        changed = ("image_noise", "image_sharpness")
        runs.span(f"2026-11-25T09:28:0{number}", number, changed=changed, bundle=served)
    stock = Story(folder / "penguin")
    stock.penguin("2026-11-25T07:32:00", pipeline="penguin_local")
    stock.penguin("2026-11-25T07:32:04", accuracy=0.5, missing=FEATURES[0], pipeline="penguin_local")
    (folder / "metadata" / "penguin_local").mkdir(parents=True)
    shutil.copy(stock.metadata, folder / "metadata" / "penguin_local" / "metadata.db")
    return folder


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """A shell's variables, with the environment's commands on the path and a browser that shows nothing."""
    return {**warm().environment, "BROWSER": "true %s", "PYTHONPATH": str(REPOSITORY)}


@pytest.fixture
def shell(place: Path, environment: dict[str, str]):
    """Runs a script in that folder: (script) -> what became of it."""

    def run(script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return run
