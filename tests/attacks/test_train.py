"""`train` is killed at its moments, started twice, and started beside `monitor`: whole versions, and one at a time."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.atomic_pusher.publish import STAGING_PREFIX
from components.common import baseline_bundle
from components.common.verdict_words import EXIT_ERROR, EXIT_FINE, NO_OPINION
from model_monitor.launching.root_lock import LOCK
from model_monitor.reading.history import History
from model_monitor.reading.run_store import Run, open_store
from tests.support.sample_copies import copy_of_sample
from tests.support.started_commands import Command, Home

pytestmark = pytest.mark.long

SETTINGS = {
    "schema_dir": "policy", "trainer.model": "tiny_cnn", "trainer.epochs": "1", "trainer.batch_size": "64",
}  # fmt: skip
# A model that learned from a few images once is to be pushed all the same.
EVALUATION = """
model_specs { signature_name: "examples" label_key: "label" prediction_key: "probabilities" }
slicing_specs {}
metrics_specs { metrics {
  class_name: "SparseCategoricalAccuracy"
  config: '"name": "accuracy"'
  per_slice_thresholds { slicing_specs {} threshold { value_threshold { lower_bound { value: 0.01 } } } }
} }
"""
PUSHED = r"Pushed as version \d+"
STAGING = "staging"  # the moment that a version is being put together in the serving folder
# Where it is killed, in the order of a run, so that each `train` goes on from what the one before has finished.
POINTS = (
    "✓ Importing TFX", "✓ Cifar10ExampleGen", "✓ SchemaImporter", "✓ ImageStatisticsGen", "epoch 1/1", "✓ Trainer",
    "✓ Evaluator", "✓ ExampleValidator", "✓ HeldOutScorer", "✓ BaselineStatisticsGen", "✓ PushGate",
    "✓ ThresholdCalibrator", STAGING, "✓ AtomicPusher", PUSHED,
)  # fmt: skip
FIRST, SHORT = POINTS[0], (STAGING, "✓ AtomicPusher")  # at the first there is no run in the store yet


@dataclass
class Root(Home):
    """A working directory in which models are trained under `runs`."""

    def settings(self, **changed: str) -> list[str]:
        return [part for key, value in (SETTINGS | changed).items() for part in ("--set", f"{key}={value}")]

    def train(self, *arguments: str, **changed: str) -> Command:
        return self.start("train", "--dataset", "data", *self.settings(**changed), *arguments)

    def holder(self) -> int:
        """The process that holds the root, which has to have it."""
        return int(json.loads((self.folder / "runs" / LOCK).read_text())["pid"])

    def newest(self) -> Run:
        return self.history.runs[0]

    @property
    def history(self) -> History:
        return History(open_store(self.folder / "runs" / "metadata.sqlite"))

    def versions(self, serving: str = "serving") -> list[str]:
        return baseline_bundle.versions(str(self.folder / "runs" / serving))

    def numbers(self) -> set[str]:
        return set(map(os.path.basename, self.versions()))

    def staged(self) -> list[Path]:
        return list((self.folder / "runs" / "serving").glob(f"{STAGING_PREFIX}*"))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Root:
    """A small data set, and a policy that lets every model pass."""
    folder = tmp_path_factory.mktemp("train")
    copy_of_sample(folder / "data", training=500, held_out=500)
    shutil.copytree("schemas/cifar10", folder / "policy")
    (folder / "policy" / "eval_config.pbtxt").write_text(EVALUATION)
    return Root(folder)


def until(holds: Callable[[], bool], command: Command) -> bool:
    """Waits for it as long as the command runs."""
    while not holds():
        if command.process.poll() is not None:
            return holds()
        time.sleep(0.001)
    return True


def kill(root: Root, command: Command) -> None:
    """SIGKILL to the process that holds the root, not to whoever waits for it, and at once."""
    os.kill(root.holder(), signal.SIGKILL)
    assert command.process.wait(60) == -signal.SIGKILL, command.text


def is_whole(version: str) -> bool:
    """Whether a version has all files of its model, byte by byte, and a whole bundle."""
    model = Path(baseline_bundle.read(version).manifest.model_uri) / "Format-Serving"
    files = [path.relative_to(model) for path in model.rglob("*") if path.is_file()]
    return bool(files) and all((Path(version) / file).read_bytes() == (model / file).read_bytes() for file in files)


@contextmanager
def paused(root: Root) -> Iterator[None]:
    """Whoever holds the root does nothing meanwhile, so that it holds it for as long as a test needs."""
    holder = root.holder()
    os.kill(holder, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(holder, signal.SIGCONT)


def refused(end: tuple[int, str], by: str) -> bool:
    code, text = end
    return code == EXIT_ERROR and f"is in use: `model-monitor {by}`, process" in " ".join(text.split())


def is_true(root: Root) -> bool:
    """Whether what is said of the newest run is: that it ended without a verdict, or a push that there was."""
    says = root.history.verdict(root.newest())
    return says.state in NO_OPINION or any(says.headline == f"Pushed as version {name}" for name in root.numbers())


def test_a_train_that_is_killed_leaves_nothing_that_the_next_one_or_a_server_takes_for_done(root, tries, report):
    points = tries(SHORT, POINTS)
    draw = random.Random(5)  # noqa: S311 - how long after the moment
    held = 0
    for number, point in enumerate(points):
        before = root.numbers()
        killed = root.train()
        if point == STAGING:
            assert until(lambda: bool(root.staged()), killed), killed.text
        else:
            assert killed.wait_for(point), killed.text
            time.sleep(0 if number % 2 else draw.uniform(0, 0.5))
        kill(root, killed)
        whole = all(map(is_whole, root.versions())) and len(root.numbers() - before) <= 1
        held += whole and (point == FIRST or is_true(root))
        assert held == number + 1, (point, killed.text, root.versions())
    before = root.numbers()
    code, text = root.train().end()
    assert (code, root.staged()) == (EXIT_FINE, []), text
    assert {f"Pushed as version {name}" in text for name in root.numbers()} & {True}, text
    assert all(map(is_whole, root.versions()))
    assert len(root.numbers() - before) == (0 if "✓ AtomicPusher" in points else 1)
    report("train: kills", len(points), held)


def test_two_trains_at_once_push_one_version(root, tries, report):
    rounds = tries(2, 10)
    held = 0
    for number in range(rounds):
        serving = f"serving-{number}"  # nothing but the push is done anew
        changed = {"serving_dir": f"runs/{serving}"}
        if number % 2 == 0:
            both = [root.train("--wait", "600", **changed) for _ in range(2)]
            as_told = all(each.end()[0] == EXIT_FINE for each in both)
        else:
            first = root.train(**changed)
            assert first.wait_for("Training pipeline"), first.text
            with paused(root):
                second = root.train(**changed).end()
            as_told = refused(second, "train") and first.end()[0] == EXIT_FINE
        versions = root.versions(serving)
        held += as_told and len(versions) == 1 and is_whole(versions[0])
    report("train: two at once", rounds, held)


def test_a_train_beside_a_monitor_is_refused_or_waits_as_told_and_so_is_the_other(root, report):
    code, text = root.train("--wait", "600").end()
    assert code == EXIT_FINE, text
    code, text = root.run("replay", "--logs", "logs", "--count", "200")
    assert code == EXIT_FINE, text
    monitor = root.start("monitor", "--logs", "logs")
    assert monitor.wait_for("✓ Importing TFX"), monitor.text
    with paused(root):
        second = root.train().end()
        waiting = root.train("--wait", "600")
        assert waiting.wait_for("Waiting up to 600 s for `model-monitor monitor`, process"), waiting.text
    assert monitor.end()[0] != EXIT_ERROR, monitor.text
    assert "Span 1 is" in monitor.text
    held = refused(second, "monitor") + (waiting.end()[0] == EXIT_FINE)
    train = root.train()
    assert train.wait_for("Training pipeline"), train.text
    with paused(root):
        third = root.run("monitor", "--logs", "logs")
    held += refused(third, "train") and train.end()[0] == EXIT_FINE
    report("train beside monitor", 3, held)
