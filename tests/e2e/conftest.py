"""The first run of both stories: a model trained on the sample and pushed."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.common import baseline_bundle
from model_monitor.reading import run_store as inspect
from tests.support.printed import words
from tests.support.warm.starting import warm

# A script of its own, which pytest would import to look for doctests: it sets the environment for Keras 2, and TFX's
# example defines the flag --runner for the whole process (docs/traps.md).
collect_ignore = ["stock_penguin.py"]

REPOSITORY = Path(__file__).resolve().parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
SAMPLE = REPOSITORY / "data" / "cifar10_sample"
EPOCHS = "trainer.epochs=6"  # half of the demo's, and enough for a model that is pushed


@dataclass(frozen=True)
class Outcome:
    """How one call of the command line ended, and what the serving folder and the run's record held after it."""

    code: int
    output: str
    versions: list[str]
    run: inspect.Run

    @property
    def reasons(self) -> str:
        return Path(self.run.node("PushGate").output("blessing").path("reasons.json")).read_text()

    @property
    def words(self) -> str:
        """The output without its line breaks."""
        return words(self.output)


def model_monitor(*arguments: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder, in a process that need not import TFX."""
    return warm().call("model-monitor", *arguments, folder=folder)


def cold_model_monitor(
    *arguments: str, python: Path = Path(sys.executable), folder: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """The same in a Python that has nothing imported, as people start it."""
    command = [str(python), "-m", "model_monitor.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run_pipeline(command: str, root: Path, *arguments: str, call: Command = model_monitor) -> Outcome:
    """Runs `model-monitor train` or `monitor` in a root, and gives the newest run of that pipeline."""
    done = call(command, "--set", f"root={root}", *arguments)
    pipeline = {"train": "cifar10-training", "monitor": "monitoring"}[command]
    store = inspect.open_store(root / "metadata.sqlite")
    versions = [str(version) for version in baseline_bundle.versions(str(root / "serving"))]
    return Outcome(done.returncode, done.stdout + done.stderr, versions, list(inspect.runs(store, pipeline))[-1])


def train(
    root: Path, dataset: Path, *settings: str, arguments: tuple[str, ...] = (), call: Command = model_monitor
) -> Outcome:
    given = [
        part
        for setting in ("trainer.model=tiny_cnn", "trainer.batch_size=64", *settings)
        for part in ("--set", setting)
    ]
    return run_pipeline("train", root, "--dataset", str(dataset), *given, *arguments, call=call)


def as_written(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs commands of the docs in a folder, as they are written there; the first that fails is the last."""
    return warm().call("bash", "-euo", "pipefail", "-c", command, folder=folder)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`runs`, in a folder of its own with an environment, where the commands of the docs can be run."""
    folder = tmp_path_factory.mktemp("place")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(warm().commands)
    return folder / "runs"


@pytest.fixture(scope="session")
def good(root: Path) -> Outcome:
    return train(root, SAMPLE, EPOCHS, call=cold_model_monitor)
