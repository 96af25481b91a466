"""A model that nobody here trained, from its first look to its first verdict, by three commands."""

import json
import re
from pathlib import Path

import pytest

from components.common import baseline_bundle
from tests.support.code_blocks import named
from tests.support.foreign_data import write_examples
from tests.support.grey_model import FEATURES, labelled, write_held_out, write_model
from tests.support.printed import words

from .conftest import as_written, model_monitor

pytestmark = pytest.mark.e2e


INIT, ADOPT, MONITOR = named("README.md", "three commands").commands


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A model of floats 0..1 that tells grey levels, in a folder that is its version, and held-out Examples."""
    folder = tmp_path_factory.mktemp("adopted")
    write_held_out(folder / "held_out")
    write_model(folder / "models" / "7")
    return folder


@pytest.fixture(scope="module")
def adopted(home: Path) -> str:
    """What init and adopt printed."""
    first = as_written(home, INIT)
    assert first.returncode == 0, first.stdout + first.stderr
    second = as_written(home, ADOPT)
    assert second.returncode == 0, second.stdout + second.stderr
    return first.stdout + second.stdout


def test_the_baseline_is_beside_the_model(home: Path, adopted: str):
    bundle = baseline_bundle.read(str(home / "models" / "7"))
    assert (bundle.manifest.model_version, bundle.manifest.spec.num_classes) == (7, 3)
    assert "600 held out" in adopted
    assert "up to 1.7 times as many false alarms as asked for" in words(adopted)
    assert "model-monitor monitor --logs LOGS" in adopted


@pytest.fixture(scope="module")
def watched(home: Path, adopted: str) -> str:
    """What monitor printed of two spans: images that nobody has seen, as they are and darker."""
    write_examples(home / "traffic" / "a.tfrecord.gz", labelled(400, seed=5), FEATURES)
    for more in (("--labels", "labels.csv"), ("--shift", "darkness", "--seed", "1")):
        done = model_monitor(
            "replay", "--examples", "traffic/*", "--logs", "logs", "--count", "300", *more, folder=home
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = as_written(home, MONITOR)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stdout


def test_a_clean_span_is_fine_and_a_dark_one_is_not(home: Path, watched: str):
    assert "Span 1 is fine" in watched
    assert re.search("Span 2 is (changed|degraded|invalid): ", watched)
    assert model_monitor("why", "span:1", "--exit-code", folder=home).returncode == 0
    assert model_monitor("why", "span:2", "--exit-code", folder=home).returncode == 2


def test_delayed_labels_are_joined(home: Path, watched: str):
    done = model_monitor("monitor", "--logs", "logs", "--span", "1", "--labels", "labels.csv", folder=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 rows, 300 used" in done.stdout


def test_the_run_that_made_the_baseline_is_a_run_like_any(home: Path, adopted: str):
    done = model_monitor("inspect", "--pipeline", "adoption", "--json", folder=home)
    [run] = json.loads(done.stdout)["runs"]
    assert run["pipeline"] == "adoption"


def test_a_second_baseline_has_to_be_told(home: Path, adopted: str):
    given = ("--saved-model", "models/7", "--examples", "held_out/*.tfrecord*", "--spec", "monitor.yaml")
    done = model_monitor("adopt", *given, folder=home)
    assert done.returncode == 1
    assert "--force puts another in its place" in done.stderr
