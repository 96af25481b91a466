"""The ways in of docs/your_own_model.md, run as that page has them, with models that this project was not made on.

A model that is served: digits in floats, the same as logits and without a signature for tf.Examples, and photographs as
JPEG files of any size with one sigmoid. A TFX pipeline: the photographs (the digits are in test_appended.py).
"""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.common import baseline_bundle
from components.common.model_spec import ModelSpec
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from tests.support import foreign_data, foreign_models
from tests.support.code_blocks import labels, named
from tests.support.foreign_data import Labelled
from tests.support.warm.starting import warm

from .conftest import as_written, model_monitor

pytestmark = pytest.mark.long

PAGE = "docs/your_own_model.md"
TRAINERS = Path(foreign_models.__file__).parent / "trainers"
PHOTO_EVAL_CONFIG = """
model_specs { signature_name: "serve_examples" label_key: "is_flower" prediction_key: "flower" }
slicing_specs {}
metrics_specs {
  metrics {
    class_name: "BinaryAccuracy"
    threshold { value_threshold { lower_bound { value: 0.8 } } }
  }
}
"""


@dataclass(frozen=True)
class Kind:
    """A model and its data: how it is trained and served, and what its owner would expect `init` to find.

    Attributes:
      train: (folder, data) -> saves a model there.
      serve: (model, logs, span, data) -> logs what the model answers.
      features: what the features of its Examples are called.
      file_type: of its images.
      data: training, held-out, clean and shifted examples.
      scores, kind: what the spec has to say of the output.

    """

    train: Callable[..., Path]
    serve: Callable[..., None]
    features: dict[str, str]
    file_type: str
    data: Callable[[], tuple[Labelled, Labelled, Labelled, Labelled]]
    scores: str
    kind: str


def _digits() -> tuple[Labelled, Labelled, Labelled, Labelled]:
    data = foreign_data.digits()
    window = data.part(1300, 1797)
    return data.part(0, 800), data.part(800, 1300), window, window.blurred(2)


def _photographs() -> tuple[Labelled, Labelled, Labelled, Labelled]:
    crops = [foreign_data.crops(count, seed) for seed, count in enumerate((300, 400, 300, 300))]
    return crops[0], crops[1], crops[2], crops[3].blurred(3)


def _logits(folder: Path, data: Labelled) -> Path:
    return foreign_models.digit_model(folder, data, logits=True, examples=False)


KINDS = {
    "digits": Kind(
        foreign_models.digit_model, foreign_models.serve_digits, foreign_models.DIGIT_FEATURES, "PNG", _digits,
        "dense_1", "probabilities",
    ),
    "logits": Kind(
        _logits, foreign_models.serve_digits, foreign_models.DIGIT_FEATURES, "PNG", _digits, "dense_1", "logits"
    ),
    "photographs": Kind(
        foreign_models.photo_model, foreign_models.serve_photos, foreign_models.PHOTO_FEATURES, "JPEG", _photographs,
        "flower", "sigmoid",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A folder with a served model, held-out examples and logs; `shell` runs a command of the page in it."""

    folder: Path
    kind: Kind

    def shell(self, name: str, *, code: int = 0) -> str:
        """Runs the page's block of this name, and returns what it printed. Lines are not torn in it."""
        done = as_written(self.folder, named(PAGE, name).text)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    @property
    def history(self) -> History:
        return History(open_store(self.folder / "runs" / "metadata.sqlite"), "")


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    kind = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    training, held_out, clean, _ = kind.data()
    model = kind.train(folder / "serving" / "1", training)
    path = folder / "held_out" / "part-0.tfrecord.gz"
    foreign_data.write_examples(path, held_out, kind.features, kind.file_type)
    kind.serve(model, folder / "logs", 1, clean)
    return Place(folder, kind)


@pytest.fixture(scope="module")
def adopted(place: Place) -> Place:
    """The same once the page's first two commands were run."""
    printed = place.shell("init")
    assert "The spec is written" in printed
    if place.kind is KINDS["digits"]:  # which the page shows
        assert labels(named(PAGE, "init output").text)
        assert labels(named(PAGE, "init output").text) - labels(printed) == set()
    spec = ModelSpec.load(place.folder / "monitor.yaml")
    assert (spec.outputs.scores, spec.outputs.kind) == (place.kind.scores, place.kind.kind)
    assert (spec.image.feature, spec.label) == (place.kind.features["image"], place.kind.features["label"])
    assert "The model has a baseline" in place.shell("adopt")
    assert baseline_bundle.read(str(place.folder / "serving" / "1")).manifest.spec.classes == spec.classes
    return place


def words(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


def test_a_clean_span_is_fine_and_a_shifted_one_is_not(adopted: Place):
    assert "Span 1 is fine" in adopted.shell("monitor")
    adopted.kind.serve(adopted.folder / "serving" / "1", adopted.folder / "logs", 2, adopted.kind.data()[3])
    told = words(adopted.shell("monitor", code=2))
    assert re.search("Span 2 is (changed|degraded|undecided): ", told)
    assert "he window differs from the baseline" in told
    assert "image_sharpness" in told
    if adopted.kind is KINDS["digits"]:
        shown = words(named(PAGE, "monitor output").text)
        assert shown.split(" image_")[0] in told
        assert "Estimated accuracy fell by " in shown
        assert "Estimated accuracy fell by " in told
        assert shown.endswith("is allowed: labels decide.")
        assert "is allowed: labels decide." in told
    assert "Span 1" not in told  # it was evaluated before
    reports = adopted.folder / "runs" / "artifacts" / "ValidationReport" / "report"
    pages = sorted(reports.glob("*/report.html"), key=lambda page: int(page.parent.name))
    assert len(pages) == 2
    for number, page in enumerate(pages, 1):
        text = page.read_text()
        assert f"Span {number} is " in text
        assert text.count('src="data:image/png;base64,') > 6  # images of the baseline and of the window
        assert "Could not be read" not in text


def test_delayed_labels_give_the_real_accuracy(adopted: Place):
    clean = adopted.kind.data()[2]
    with (adopted.folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "label"))
        rows.writerows((f"span1-{row // 50}/{row % 50}", label) for row, label in enumerate(clean.labels))
    told = words(adopted.shell("labels"))
    assert "Span 1 is fine" in told
    measured = adopted.history.judged()
    properties = {
        key: value for _, found in measured.made("ExampleAnomalies") for key, value in found.properties.items()
    }
    assert properties["measured_accuracy"] > 0.9


@pytest.mark.parametrize("place", ["digits", "logits"], indirect=True)
def test_a_client_that_forgets_the_models_range_is_named(adopted: Place):
    model, logs = adopted.folder / "serving" / "1", adopted.folder / "logs"
    foreign_models.serve_digits(model, logs, 3, adopted.kind.data()[2], scale=1)
    assert words(named(PAGE, "scale output").text).rstrip(".") in words(adopted.shell("monitor", code=2))


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page's pipeline reads: Examples, a trainer, an EvalConfig and a spec."""
    folder = tmp_path_factory.mktemp("stock")
    kind = KINDS["photographs"]
    training, held_out, _, _ = kind.data()
    for split, part in (("train", training), ("eval", held_out)):
        foreign_data.write_examples(folder / "data" / split / "part-0.gz", part, kind.features, kind.file_type)
    shutil.copy(TRAINERS / "photos_trainer.py", folder / "trainer.py")
    (folder / "eval_config.pbtxt").write_text(PHOTO_EVAL_CONFIG)
    record = {
        "image": {"feature": "jpeg", "format": "jpeg", "channels": 3, "input": "image_bytes"},
        "label": "is_flower",
        "id": "name",
        "classes": ["temple", "flower"],
        "outputs": {"scores": "flower", "kind": "sigmoid"},
        "signatures": {"examples": "serve_examples"},
    }
    (folder / "monitor.yaml").write_text(ModelSpec.from_record(record, "the test").to_yaml())
    return folder


def run_python(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Runs the page's blocks of these names, one after the other, in a process of its own."""
    return warm().call("python", "-c", "\n".join(named(PAGE, name).text for name in names), folder=folder)


def why(folder: Path, pipeline: str, *, code: int) -> str:
    """What the tool says of the newest run of a pipeline; its paths are relative to the folder."""
    given = ("--metadata", "metadata.sqlite", "--pipeline", pipeline, "--exit-code")
    done = model_monitor("why", *given, folder=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return words(done.stdout)


def test_a_stock_pipeline_pushes_and_what_it_pushed_is_monitored(stock: Path):
    done = run_python(stock, "pipeline", "push", "run")
    assert done.returncode == 0, done.stderr
    [version] = baseline_bundle.versions(str(stock / "serving"))
    clean = KINDS["photographs"].data()[2]
    foreign_models.serve_photos(Path(version), stock / "logs", 1, clean)
    done = run_python(stock, "pipeline", "monitoring")
    assert done.returncode == 0, done.stderr
    assert "Span 1 is fine" in why(stock, "monitoring", code=0)


def test_a_stock_pipeline_whose_model_is_broken_pushes_nothing(stock: Path):
    before = baseline_bundle.versions(str(stock / "serving"))
    trainer = (stock / "trainer.py").read_text()
    (stock / "trainer.py").write_text(trainer.replace("broken: bool = False", "broken: bool = True"))
    done = run_python(stock, "pipeline", "push", "run")
    assert done.returncode == 0, done.stderr
    assert baseline_bundle.versions(str(stock / "serving")) == before
    assert "Not pushed" in why(stock, "training", code=2)


def test_what_is_appended_is_at_most_15_lines():
    assert len(named(PAGE, "push").text.splitlines()) <= 15
