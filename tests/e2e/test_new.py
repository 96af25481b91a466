"""A project that `model-monitor new` wrote, run as docs/your_own_model.md and its own README say."""

import re
import subprocess
from pathlib import Path

import pytest

from components.common.model_spec import ModelSpec
from tests.support import foreign_data, foreign_models
from tests.support.code_blocks import named
from tests.support.printed import words
from tests.support.warm.starting import warm

from .conftest import as_written, model_monitor

pytestmark = pytest.mark.long


def run_page(home: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Runs the page's block of this name."""
    return as_written(home, named("docs/your_own_model.md", name).text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for the digits, whose pipeline has run."""
    home = tmp_path_factory.mktemp("new")
    data = foreign_data.digits().part(0, 700)
    foreign_data.write_examples(home / "data" / "digits.tfrecord.gz", data, foreign_models.DIGIT_FEATURES)
    for name in ("new", "run the new project"):
        done = run_page(home, name)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return home / "digits"


def test_the_model_is_pushed(project: Path):
    why = model_monitor("why", "--exit-code", folder=project)
    assert why.returncode == 0, why.stdout
    assert why.stdout.startswith("Pushed as version ")


def test_its_traffic_is_monitored(project: Path):
    sent = run_page(project, "replay")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    done = model_monitor("monitor", "--logs", "logs", folder=project)
    assert done.returncode == 2, done.stdout
    assert re.search("Span 2 is (changed|degraded|invalid|undecided): .*he window differs", words(done.stdout))


def test_a_project_for_photographs_of_any_size_passes_its_own_test(tmp_path: Path):
    """Which runs its pipeline from Examples to a verdict."""
    data = foreign_data.crops(700)  # of which a fifth is held out, and a baseline wants 100
    foreign_data.write_examples(tmp_path / "data" / "a.tfrecord.gz", data, foreign_models.PHOTO_FEATURES, "JPEG")
    written = model_monitor("new", "flowers", "--examples", "data/*.tfrecord*", folder=tmp_path)
    assert written.returncode == 0, written.stdout + written.stderr
    spec = ModelSpec.load(tmp_path / "flowers" / "monitor.yaml")
    assert (spec.image.feature, spec.image.size, spec.label) == ("jpeg", None, "is_flower")
    own = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    done = warm().call("python", *own, folder=tmp_path / "flowers")
    assert done.returncode == 0, done.stdout[-3000:]
