"""A model that nobody here trained, from its first look to its first verdict, by three commands."""

import json
import re
from pathlib import Path

import pytest

from components.common import baseline_bundle
from model_monitor.reading.run_store import open_store, runs
from tests.support.code_blocks import named
from tests.support.foreign_data import write_examples
from tests.support.grey_model import FEATURES, labelled, write_held_out, write_model
from tests.support.printed import words

from .conftest import as_written, model_monitor

pytestmark = pytest.mark.long


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
    assert re.search("Span 2 is (changed|degraded|invalid|undecided): .*he window differs", words(watched))
    assert model_monitor("why", "span:1", "--exit-code", folder=home).returncode == 0
    assert model_monitor("why", "span:2", "--exit-code", folder=home).returncode == 2


def test_a_span_of_which_nothing_has_changed_is_answered_without_importing_tfx(home: Path, watched: str):
    again = monitored(home, "--span", "1")
    assert "nothing has changed since run" in again
    assert "Importing TFX" not in again
    assert "Span 1 is fine" in again


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


def monitored(home: Path, *arguments: str, code: int = 0) -> str:
    done = model_monitor("monitor", "--logs", "logs", *arguments, folder=home)
    assert done.returncode == code, done.stdout + done.stderr
    return words(done.stdout)


def test_fine_windows_become_the_reference_of_those_to_come(home: Path, watched: str):
    """Another camera makes noise that leaves the answers as they were: what is like it is fine then, the old is not."""
    for seed in ("2", "3", "4"):
        noisy = ("--examples", "traffic/*", "--count", "300", "--shift", "gaussian_noise", "--seed", seed)
        assert model_monitor("replay", *noisy, "--logs", "logs", folder=home).returncode == 0
    for span in ("3", "4"):
        monitored(home, "--span", span, "--set", "monitor.features=[prediction_class]")
    because = ("--because", "a new camera", "--by", "ann")
    refused = model_monitor("rebaseline", "--windows", "2-4", *because, folder=home)
    assert refused.returncode == 1
    assert re.search("can be the reference: 2 (changed|degraded|invalid)", words(refused.stderr))
    before = baseline_bundle.read(str(home / "models" / "7"))
    assert monitored(home, "--span", "5", code=2)
    dry = model_monitor("rebaseline", "--windows", "3-4", *because, "--dry-run", folder=home)
    assert "600 examples, become the reference of version 7" in words(dry.stdout)
    assert baseline_bundle.read(str(home / "models" / "7")).manifest == before.manifest

    done = model_monitor("rebaseline", "--windows", "3-4", *because, folder=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Windows 3-4, 600 examples" in words(done.stdout)
    after = baseline_bundle.read(str(home / "models" / "7"))
    assert (after.manifest.reference.windows, after.manifest.reference.examples) == ("3-4", 600)
    assert after.manifest.baseline_examples_uri == before.manifest.baseline_examples_uri
    fine = monitored(home, "--span", "5")
    assert "Span 5 is fine" in fine
    assert "600 images of windows 3-4, the reference since" in fine
    assert "Span 1 is changed" in monitored(home, "--span", "1", code=2)

    why = model_monitor("why", "span:5", folder=home)
    assert "Windows 3-4 made the reference of version 7 by ann" in words(why.stdout)
    assert "a new camera" in words(why.stdout)
    found = json.loads(model_monitor("inspect", "--pipeline", "monitoring-rebaselining", "--json", folder=home).stdout)
    assert len(found["runs"]) == 1
    [newest, *_] = runs(open_store(home / "runs" / "metadata.sqlite"), "monitoring", newest_first=True)
    page = Path(newest.node("ValidationReport").output("report").path("report.html")).read_text()
    assert "compared with windows 3-4, the reference since" in page
    assert "Images of the baseline are not" not in page
