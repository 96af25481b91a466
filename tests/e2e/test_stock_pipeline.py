"""TFX's own penguin example, run as it is installed: the commands read its store like ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model_monitor import cli
from model_monitor.reading import run_store as inspect
from tests.support.printed import too_wide, words

pytestmark = pytest.mark.long
SCRIPT = Path(__file__).with_name("stock_penguin.py")
TYPES = ("ExampleAnomalies", "ExampleStatistics", "Examples", "Model", "ModelBlessing", "ModelEvaluation", "ModelRun",
         "Schema", "TransformCache", "TransformGraph")  # fmt: skip


@pytest.fixture(scope="session")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the store of two runs."""
    root = tmp_path_factory.mktemp("penguin")
    done = subprocess.run([sys.executable, str(SCRIPT), str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return root / "metadata" / "penguin_local"


@pytest.fixture
def call(metadata, capsys):
    """Calls the command line on the store; gives what it prints, which fits 100 columns, without its line breaks."""

    def run(*arguments: str) -> str:
        assert cli.main([*arguments, "--metadata", str(metadata)]) == 0
        text = capsys.readouterr().out
        if "--json" in arguments:
            return text
        assert too_wide(text) == []
        return words(text)

    return run


def runs(call):
    return json.loads(call("inspect", "--json"))["runs"]


def test_both_runs_have_a_verdict(call):
    blocked, pushed = runs(call)
    assert (pushed["verdict"]["state"], blocked["verdict"]["state"]) == ("pushed", "not_blessed")
    assert pushed["node_counts"] == {"complete": 8, "cached": 0, "failed": 0, "unfinished": 0}
    text = call("inspect")
    assert f"✓ pushed {pushed['verdict']['version']}" in text
    assert "✗ not blessed: sparse_categorical_accuracy is" in text


def test_why_a_model_was_pushed(call):
    _, pushed = runs(call)
    text = call("why", str(pushed["id"]))
    assert text.startswith(f"Pushed as version {pushed['verdict']['version']}: every check let it pass.")
    assert "data/labelled single_split: 1 file" in text
    for name in (pushed["verdict"]["version"], pushed["verdict"]["destination"]):
        assert call("why", name) == text
    record = json.loads(call("why", str(pushed["id"]), "--json"))
    assert [step["node"] for step in record["lineage"]] == [
        "Pusher", "Evaluator", "Trainer", "Transform", "CsvExampleGen"]  # fmt: skip


def test_why_a_model_was_not_pushed(call):
    blocked, pushed = runs(call)
    text = call("why")
    assert text.startswith("Not blessed: sparse_categorical_accuracy is ")
    assert "below 1.01" in text
    assert "Besides ✗ ExampleValidator: island in train: New column (column in data but not in schema)" in text
    assert f"the first with this finding; before it pushed {pushed['verdict']['version']}, run {pushed['id']}" in text
    assert "newer_data/labelled" in text
    assert f"what it was compared with, run {pushed['id']}: " in text
    record = json.loads(call("why", "latest", "--json"))
    assert record["run"]["id"] == blocked["id"]
    assert record["findings"][0]["allowed"] == pytest.approx(1.01)


@pytest.mark.parametrize("kind", TYPES)
def test_artifacts_of_every_type_open(call, kind):
    record = json.loads(call("inspect", "latest", "--type", kind, "--json"))
    assert record["opened"]
    for each in record["opened"]:
        assert each["problems"] == []
        assert each["tables"]
        assert f"{kind} {each['artifact']['id']}: " in call("inspect", f"artifact:{each['artifact']['id']}")
    assert call("inspect", "latest", "--type", kind)
    assert call("inspect", "--type", kind)


def test_no_type_of_the_runs_was_left_out(metadata):
    found = {artifact.type for run in inspect.runs(inspect.open_store(metadata / "metadata.db"))
             for node in run.nodes.values() for artifact in node.made}  # fmt: skip
    assert found == {*TYPES, "PushedModel"}


def test_transform_s_statistics_which_lie_in_no_split_are_read(call):
    text = call("inspect", "latest", "--node", "Transform", "--type", "ExampleStatistics")
    assert "all examples: 334 examples, numeric features" in text


def test_every_node_opens(call, metadata):
    for name in next(inspect.runs(inspect.open_store(metadata / "metadata.db"), newest_first=True)).nodes:
        assert name in call("inspect", "latest", "--node", name)
    assert "chosen" in call("inspect", "latest", "--node", "latest_blessed_model_resolver")


def test_the_report_says_why(call, tmp_path):
    out = tmp_path / "page.html"
    assert call("report", "--out", str(out)).startswith("✗ Not blessed: sparse_categorical_accuracy is")
    page = out.read_text()
    assert "New column (column in data but not in schema)" in page
    assert "Could not be read" not in page
    _, pushed = runs(call)
    assert "✓ Pushed as version" in call("report", str(pushed["id"]), "--out", str(out))


def test_a_mistyped_filter_says_what_there_is(metadata, capsys):
    assert cli.main(["inspect", "latest", "--type", "Schem", "--metadata", str(metadata)]) == 1
    assert "did you mean 'Schema'?" in capsys.readouterr().err


def test_two_runs_side_by_side(call, tmp_path):
    blocked, pushed = runs(call)
    pair = (str(pushed["id"]), str(blocked["id"]))
    text = call("compare", *pair)
    assert text.startswith(f"Run {pair[0]} was pushed, run {pair[1]} was not blessed.")
    for told in (
        "island in train: New column",
        "below 1.01",
        "sparse categorical accuracy",
        "other files: single_split",
    ):
        assert told in text
    record = json.loads(call("compare", *pair, "--json"))
    assert record["problems"] == [[], []]
    assert ["0.6", "1.01"] in [each["values"] for each in record["parameters"]]
    assert {each["of"] for each in record["counts"]} == {"train", "eval"}
    page = tmp_path / "page.html"
    call("compare", *pair, "--out", str(page))
    assert "island in eval: New column" in page.read_text()
