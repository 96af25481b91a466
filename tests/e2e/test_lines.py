"""Both lines of TFX come to the same, and what one has written is continued by the other: an upgrade, and the way back.

Both environments have to be there, as .ci/run makes them.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from components.common import baseline_bundle
from components.common.artifacts import evaluation
from components.common.artifacts.files import local_files
from model_monitor.reading import run_store
from tests.support.foreign_data import write_examples
from tests.support.grey_model import FEATURES, labelled, write_held_out, write_model
from tests.support.statistics_numbers import numbers_of_statistics

from .conftest import EPOCHS, REPOSITORY, SAMPLE, Outcome, cold_model_monitor, model_monitor, train

ENVIRONMENTS = (REPOSITORY / ".venv", REPOSITORY / "build" / "tfx-1.16", REPOSITORY / "build" / "tfx-1.21")
GIVEN = ("--saved-model", "models/7", "--examples", "held_out/*.tfrecord*")
READINGS = (
    ("inspect", "--json"),
    ("why", "span:1"),
    ("why", "span:2"),
    ("compare", "span:1", "span:2", "--json"),
    ("incidents", "--json"),
)
VERSION = r"<td>\d+\.\d+\.\d+</td>"  # a page says what has made it
LEARNT = 0.03  # how far the accuracy of what both lines have learnt may differ, of 2,000 held-out images
ROUNDED = {"rel": 1e-6, "abs": 1e-9}
BUCKET = 1e-4  # of quantiles, which are interpolated between float32 bounds

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
        done = cold_model_monitor(*arguments, python=python, folder=home)
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
    return pytest.skip(f"TFX {ours} is the only line here; .ci/run makes the environments of both")


@pytest.fixture(scope="module")
def elsewhere(other: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the other line makes of the training of `good`."""
    return train(tmp_path_factory.mktemp("other") / "runs", SAMPLE, EPOCHS, call=calls_of(other))


def calls_of(python: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`cold_model_monitor` of another interpreter."""
    return lambda *arguments: cold_model_monitor(*arguments, python=python)


def test_a_training_on_each_line_comes_to_the_same(good: Outcome, elsewhere: Outcome):
    assert (good.code, elsewhere.code) == (0, 0), elsewhere.output
    decisions = [json.loads(trained.reasons) for trained in (good, elsewhere)]
    assert decisions[0]["verdicts"] == decisions[1]["verdicts"]
    for split in ("Split-train", "Split-eval"):
        assert_same_statistics(good.run, elsewhere.run, "ImageStatisticsGen", split)
    ours, others = (evaluated(trained) for trained in (good, elsewhere))
    assert ours.keys() == others.keys()
    for part, metrics in ours.items():
        assert others[part]["example_count"] == metrics["example_count"]
    assert others[""]["accuracy"] == pytest.approx(ours[""]["accuracy"], abs=LEARNT)


def evaluated(trained: Outcome) -> dict[str, dict[str, float]]:
    """What TFMA has measured of the model, by slice."""
    uri = trained.run.node("Evaluator").output("evaluation").uri
    return {each.slice: each.metrics for each in evaluation.metrics(uri, local_files())}


def assert_same_statistics(one: run_store.Run, another: run_store.Run, node: str, split: str) -> None:
    """Counts exactly; means, deviations and the buckets of quantiles, which are worked out, up to rounding."""
    files = [Path(run.node(node).output("statistics").path(split, "FeatureStats.pb")) for run in (one, another)]
    ours, others = (numbers_of_statistics(path) for path in files)
    assert ours.keys() == others.keys()
    for feature, (examples, mean, deviation, *counts) in ours.items():
        assert others[feature][0] == examples
        counted = all(float(count).is_integer() for count in counts)
        assert list(others[feature][3:]) == (counts if counted else pytest.approx(counts, rel=BUCKET)), feature
        assert others[feature][1:3] == pytest.approx((mean, deviation), rel=1e-12), feature


def test_a_model_is_judged_alike_on_both_lines(good: Outcome, root: Path, other: Path, tmp_path: Path):
    """The model and its baseline are of the line that runs the tests; the other has taken them over."""
    logs = tmp_path / "logs"
    for shift in ((), ("--shift", "gaussian_blur", "--seed", "1")):
        replayed = ("replay", "--serving", str(root / "serving"), "--logs", str(logs), "--count", "500", *shift)
        assert model_monitor(*replayed).returncode == 0
    told = {}
    for name, call in (("ours", model_monitor), ("others", calls_of(other))):
        shutil.copytree(root, tmp_path / name)
        done = call("monitor", "--logs", str(logs), "--set", f"root={tmp_path / name}")
        assert done.returncode == 2, done.stdout + done.stderr
        store = run_store.open_store(tmp_path / name / "metadata.sqlite")
        told[name] = list(run_store.runs(store, "monitoring"))
    assert len(told["ours"]) == len(told["others"]) == 2
    for ours, others in zip(told["ours"], told["others"], strict=True):
        assert said(ours) == said(others)
        for node, name in (("SkewDriftValidator", "drift_report.json"), ("PerformanceEstimator", "performance.json")):
            assert_same_record(*(Path(run.node(node).output("anomalies").path(name)) for run in (ours, others)))
        assert_same_statistics(ours, others, "ImageStatisticsGen", "Split-serving")


def said(run: run_store.Run) -> Any:
    return run.node("ValidationReport").output("report").properties["verdict"]


def assert_same_record(one: Path, another: Path) -> None:
    """Decisions, counts and the p-values of tests exactly; what is worked out of them up to rounding."""
    ours, others = (dict(flat(json.loads(path.read_text()))) for path in (one, another))
    assert ours.keys() == others.keys()
    for name, value in ours.items():
        rounded = isinstance(value, float) and (name == ".p_value" or not name.endswith("p_value"))
        assert others[name] == (pytest.approx(value, **ROUNDED) if rounded else value), name


def flat(record: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a record, by its place in it; a measurement by what was measured, not by its rank."""
    if isinstance(record, dict):
        for key, value in record.items():
            yield from flat(value, f"{name}.{key}")
    elif isinstance(record, list):
        for number, value in enumerate(record):
            place = number if name != ".measurements" else (value["comparison"], value["feature"], value["test"])
            yield from flat(value, f"{name}[{place}]")
    else:
        yield name, record


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
        ours_and_others = {call(*reading) for call in (first, second)}
        assert len(ours_and_others) == 1
        assert "".join(ours_and_others).strip()
    for name, call in (("first", first), ("second", second)):
        call("report", "span:2", "--out", f"{name}.html")
    pages = [(tmp_path / name).read_text() for name in ("first.html", "second.html")]
    assert re.sub(VERSION, "", pages[0]) == re.sub(VERSION, "", pages[1])
    assert "Span 1 is fine" in first("monitor", "--logs", "logs", "--span", "1")  # in a store the second has written
