"""`model-monitor report` on a store that is made here, with records of ML Metadata's own."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.common.errors import MonitorError
from model_monitor.commands import report
from model_monitor.reading.history import History
from model_monitor.reading.report_sources import sources_of
from model_monitor.reading.run_store import open_store
from tests.support.example_runs import _anomalies

pytestmark = pytest.mark.prints

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis")


class Root:
    """A pipeline root whose runs are written as TFX's orchestrator does."""

    def __init__(self, folder: Path):
        self.folder = folder
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(folder / "metadata.sqlite")
        self.store = metadata_store.MetadataStore(config)

    def context(self, kind, name, parent=None):
        type_id = self.store.put_context_type(mlmd.ContextType(name=kind))
        found = self.store.get_context_by_type_and_name(kind, name)
        identity = found.id if found else self.store.put_contexts([mlmd.Context(type_id=type_id, name=name)])[0]
        if parent is not None and not found:
            self.store.put_parent_contexts([mlmd.ParentContext(child_id=identity, parent_id=parent)])
        return identity

    def run(self, pipeline, run_id, nodes):
        """`nodes`: name -> {output: (type, folder, properties)}."""
        owner = self.context("pipeline", pipeline)
        run = self.context("pipeline_run", run_id, owner)
        for name, outputs in nodes.items():
            type_id = self.store.put_execution_type(mlmd.ExecutionType(name=name))
            execution = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.COMPLETE)
            execution.custom_properties["class_names"].string_value = '["cat", "dog"]'
            made = [(self.artifact(*given), self.event(key)) for key, given in outputs.items()]
            node = self.context("node", f"{pipeline}.{name}", owner)
            contexts = [mlmd.Context(id=i, type_id=self.type_of(i)) for i in (owner, run, node)]
            for context in contexts:
                context.name = self.store.get_contexts_by_id([context.id])[0].name
            self.store.put_execution(execution, made, contexts, reuse_context_if_already_exist=True)

    def type_of(self, context):
        return self.store.get_contexts_by_id([context])[0].type_id

    def artifact(self, kind, folder, properties):
        made = mlmd.Artifact(type_id=self.store.put_artifact_type(mlmd.ArtifactType(name=kind)), uri=str(folder))
        for key, value in properties.items():
            setattr(made.custom_properties[key], "int_value" if isinstance(value, int) else "string_value", value)
        return made

    @staticmethod
    def event(key):
        event = mlmd.Event(type=mlmd.Event.OUTPUT)
        event.path.steps.add().key = key
        event.path.steps.add().index = 0
        return event


def anomalies(folder, **found):
    (folder / "Split-eval").mkdir(parents=True)
    message = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    for feature, short in found.items():
        info = message.anomaly_info[feature]
        info.severity, info.short_description = anomalies_pb2.AnomalyInfo.ERROR, short
    (folder / "Split-eval" / "SchemaDiff.pb").write_bytes(message.SerializeToString())
    return ("ExampleAnomalies", folder, {"split_names": '["eval"]'})


@pytest.fixture
def root(tmp_path):
    """Two runs of a stock pipeline: one with an anomaly and no push, then one that was pushed."""
    made = Root(tmp_path)
    for name, marker in (("no", "NOT_BLESSED"), ("yes", "BLESSED")):
        (tmp_path / name).mkdir()
        (tmp_path / name / marker).touch()
    made.run("taxi", "2026-01-01T00:00:00.1", {
        "ExampleValidator": {"anomalies": anomalies(tmp_path / "bad", trip_miles="Unexpected <b>type</b>")},
        "Evaluator": {"blessing": ("ModelBlessing", tmp_path / "no", {"blessed": 0})},
        "Pusher": {"pushed_model": ("PushedModel", tmp_path / "gone", {"pushed": 0})},
    })  # fmt: skip
    made.run("taxi", "2026-01-02T00:00:00.1", {
        "ExampleValidator": {"anomalies": anomalies(tmp_path / "good")},
        "Evaluator": {"blessing": ("ModelBlessing", tmp_path / "yes", {"blessed": 1})},
        "Pusher": {"pushed_model": ("PushedModel", tmp_path / "p", {"pushed": 1, "pushed_version": "3"})},
    })  # fmt: skip
    return made


def run(*arguments):
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    return report.run(parser.parse_args(list(arguments)))


def test_the_latest_run_s_page_is_made_under_the_root(root, capsys):
    before = (root.folder / "metadata.sqlite").read_bytes()
    assert run("--metadata", str(root.folder)) == 0
    text = (root.folder / "reports" / "2026-01-02T00:00:00.1.html").read_text()
    assert "Pushed as version 3: every check let it pass." in text
    assert "Pushed as version 3" in capsys.readouterr().out
    assert "No anomaly: 1 split evaluated." in text
    assert (root.folder / "metadata.sqlite").read_bytes() == before


def test_a_run_is_found_by_how_its_id_begins(root, tmp_path):
    out = tmp_path / "deep" / "page.html"
    assert run("2026-01-01", "--metadata", str(root.folder / "metadata.sqlite"), "--out", str(out)) == 0
    text = out.read_text()
    assert "Not pushed: the model is not blessed by Evaluator." in text
    assert "Unexpected &lt;b&gt;type&lt;/b&gt;" in text
    assert "ExampleValidator" in text
    assert "taxi" in text


@pytest.mark.parametrize(("wanted", "rule"), [("2026-01-0", "is the beginning of 2 runs"), ("1999", "There is no run")])
def test_a_run_that_is_not_one_run_is_an_error(root, wanted, rule):
    with pytest.raises(MonitorError, match=rule):
        run(wanted, "--metadata", str(root.folder))


def test_a_store_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(MonitorError, match="not there"):
        run("--metadata", str(tmp_path))


def test_a_page_that_cannot_be_written_is_an_error(root, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MonitorError, match=r"`--out` must be a file that can be written"):
        run("--metadata", str(root.folder), "--out", str(tmp_path / "file" / "page.html"))


def test_a_run_whose_artifacts_are_gone_has_a_page_that_says_so(root, tmp_path):
    for folder in ("bad", "no"):
        (root.folder / folder).rename(root.folder / f"lost-{folder}")
    out = tmp_path / "page.html"
    assert run("2026-01-01", "--metadata", str(root.folder), "--out", str(out)) == 0
    assert "Not pushed: the model is not blessed by Evaluator" in out.read_text()
    assert "Of the anomalies of ExampleValidator" in out.read_text()


def test_a_page_takes_nothing_heavy(root, tmp_path):
    code = f"""
import argparse, sys
from model_monitor.commands import report
parser = argparse.ArgumentParser()
report.add_arguments(parser)
report.run(parser.parse_args(["--metadata", {str(root.folder)!r}, "--out", {str(tmp_path / "page.html")!r}]))
print("heavy:", [m for m in {HEAVY} if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_class_names_are_those_that_a_node_was_told(root):
    history = History(open_store(root.folder / "metadata.sqlite"))
    found = history.run("2026-01-02")
    assert sources_of(found).class_names == ("cat", "dog")
    assert json.loads(found.node("Evaluator").parameters["class_names"]) == ["cat", "dog"]


def test_a_model_that_evaluator_blocked_has_the_threshold_on_its_page(stored, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert run("penguin-2", "--metadata", str(stored.metadata), "--out", str(out)) == 0
    assert "✗ Not pushed: binary_accuracy is 0.5, below 0.6." in capsys.readouterr().out
    assert "Not pushed: binary_accuracy is 0.5, below 0.6." in out.read_text()


@pytest.mark.parametrize("folder", ["", "SplitPair-train_eval"])
def test_anomalies_that_lie_in_no_folder_of_a_split_are_on_the_page(fresh, tmp_path, folder):
    """Those of Transform, and those of DistributionValidator."""
    place = tmp_path / "anomalies" / folder
    place.mkdir(parents=True)
    (place / "SchemaDiff.pb").write_bytes(_anomalies("body_mass_g"))
    properties = {"split_names": '["train_eval"]'} if folder else {}
    given = fresh.story.writer.artifact("ExampleAnomalies", tmp_path / "anomalies", **properties)
    fresh.story.writer.pipeline_run("data", "data-1").node("Validator", outputs={"anomalies": [given]})
    out = tmp_path / "page.html"
    assert run("data-1", "--metadata", str(fresh.metadata), "--out", str(out)) == 0
    assert "Column is completely missing" in out.read_text()
    assert "Could not be read" not in out.read_text()


def test_a_span_and_a_version_are_named_as_for_why(stored, tmp_path):
    out = tmp_path / "page.html"
    version = stored.history().verdict(stored.run("penguin-1")).version
    for name, words in (("span:2", "Span 2 is changed"), (version, f"Pushed as version {version}")):
        assert run(name, "--metadata", str(stored.metadata), "--out", str(out)) == 0
        assert words in out.read_text()
