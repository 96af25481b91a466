"""Nothing counts as unchanged but what is, wholly and provably; whole runs are tested end to end."""

import os
import shutil
from dataclasses import replace

import pytest
from rich.console import Console

from components.common import baseline_bundle
from components.common.records.span_history import SpanHistory
from model_monitor.launching import monitoring, unchanged
from model_monitor.launching.evaluated import Evaluation
from model_monitor.reading.run_store import open_store, runs
from pipelines.progress import Progress
from tests.support.bundles import write_bundle
from tests.support.example_runs import Story
from tests.support.model_specs import digits_spec


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A model that is served, a span of logs, labels, the statistics of an earlier span, and a run on the span."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs" / "3").mkdir(parents=True)
    (tmp_path / "logs" / "3" / "part-0").write_bytes(b"log")
    (tmp_path / "labels.csv").write_text("id,label\n")
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "FeatureStats.pb").write_bytes(b"statistics")
    write_bundle(tmp_path / "serving" / "1", digits_spec())
    story = Story(tmp_path / "runs")
    story.span("r3", 3, bundle=str(tmp_path / "serving" / "1"))
    (examples,) = story.writer.store.get_artifacts_by_type("Examples")
    examples.custom_properties["rows"].int_value = 400
    story.writer.store.put_artifacts([examples])
    return tmp_path


def run_there():
    (run,) = runs(open_store("runs/metadata.sqlite"), "monitoring")
    return run


def configured(*settings, **given):
    return monitoring.configuration(None, settings, {"serving_logs": "logs", "serving_dir": "serving", **given})


def inputs(*settings, history=SpanHistory(), previous="before", **given):  # noqa: B008 - frozen
    config = configured(*settings, **given)
    (logs,) = monitoring.spans_to_judge(config, 3).chosen
    files = monitoring.evaluations(config).stamps(logs.files)
    arguments = {"span": 3, "previous_uri": previous, "history": history}
    return unchanged.inputs_of(config, logs, files, monitoring.served(config), arguments)


BUNDLE = f"serving/1/{baseline_bundle.BUNDLE}"
FILES = {
    "a file of logs": "logs/3/part-0",
    "another file of logs": "logs/3/part-1",
    "a file beside them": "logs/3/_SUCCESS",
    "the labels": "labels.csv",
    "the schema": f"{BUNDLE}/schema/schema.pbtxt",
    "a file more": f"{BUNDLE}/reference",
    "the statistics before": "before/FeatureStats.pb",
}


def test_the_same_is_the_same(home):
    assert inputs(labels="labels.csv") == inputs(labels="labels.csv") != ""
    assert inputs("monitor.fail_on=[invalid]") == inputs()  # what a verdict does is no part of the run


@pytest.mark.parametrize("what", FILES)
def test_whatever_changes_is_told(home, what):
    before = inputs(labels="labels.csv")
    (home / FILES[what]).write_text("id,label\n1,2\n")
    assert inputs(labels="labels.csv") not in (before, "")


@pytest.mark.parametrize(
    "other",
    [
        lambda: inputs("monitor.seed=1"),
        lambda: inputs("monitor.drift_against=previous"),
        lambda: inputs(labels="labels.csv"),
        lambda: inputs(previous=""),
        lambda: inputs(history=SpanHistory(not_fine=(2,))),
    ],
)
def test_other_settings_and_another_past_are_another_run(other):
    assert other() not in (inputs(), "")


def test_code_of_another_version_is_another_run(home, monkeypatch):
    before = inputs()
    for place in ("copy", "edited"):  # what a process runs it looks at once
        copy = home / place / "pipelines"
        shutil.copytree(unchanged.pipelines.__path__[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
        if place == "edited":
            (copy / "monitoring.py").write_text("# edited")
        monkeypatch.setattr(unchanged.pipelines, "__path__", [str(copy)])
        assert (inputs() == before) == (place == "copy")


@pytest.mark.parametrize("what", ["no cache", "a store", "gone", "no file"])
def test_what_cannot_be_told_is_never_unchanged(home, what):
    if what == "no cache":
        assert inputs("cache=false") == ""
    elif what == "a store":
        assert inputs(previous="s3://bucket/statistics") == ""
    elif what == "gone":
        assert inputs(previous="gone") == ""
    else:
        (home / "logs" / "3" / "part-0").unlink()
        os.mkfifo(home / "logs" / "3" / "part-0")
        assert not unchanged.run_of(configured(), evaluation(""), "")


def evaluation(made_of: str) -> Evaluation:
    run = run_there()
    return Evaluation(3, "/serving/1", run.id, run.run_id, "fine", 10, 0.5, "/nowhere", inputs=made_of)


def test_the_last_run_is_taken_where_all_of_it_is_there(home):
    last = evaluation("digest")
    assert unchanged.run_of(configured(), last, "digest").run_id == "r3"
    assert unchanged.run_of(configured(), last, "other") is None
    assert unchanged.run_of(configured(), evaluation(""), "") is None
    assert unchanged.run_of(configured(), None, "digest") is None
    assert unchanged.run_of(configured(), replace(last, run_id="r4"), "digest") is None
    assert unchanged.run_of(configured(), replace(last, run=last.run + 1), "digest") is None
    shutil.rmtree(run_there().node("ImageStatisticsGen").output("statistics").uri)
    assert unchanged.run_of(configured(), last, "digest") is None


def test_without_its_store_there_is_no_last_run(home):
    last = evaluation("digest")
    (home / "runs" / "metadata.sqlite").rename(home / "elsewhere")
    assert unchanged.run_of(configured(), last, "digest") is None
    (home / "runs" / "metadata.sqlite").write_bytes(b"no database")
    assert unchanged.run_of(configured(), last, "digest") is None


def test_a_span_of_which_nothing_has_changed_has_the_verdict_of_its_last_run(home, monkeypatch, capsys):
    """The pipeline is run once; what would run it again is not there any more."""
    started = []

    def launch(config, module, arguments, progress):
        started.append(arguments)
        return run_there()

    monkeypatch.setattr(monitoring, "launch", launch)
    config = configured()
    progress = Progress(Console())
    (logs,) = monitoring.spans_to_judge(config, 3).chosen
    first = monitoring.judge(config, logs, progress)
    monitoring.judge(config, logs, progress)  # nobody was told
    assert len(started) == 2
    monitoring.deliver(config, first)
    again = monitoring.judge(config, logs, progress)
    assert len(started) == 2
    assert (again.verdict.state, again.evaluation) == (first.verdict.state, first.evaluation)
    assert f"nothing has changed since run {first.run.id}" in capsys.readouterr().out
    (home / "logs" / "3" / "part-0").write_bytes(b"lag")
    monitoring.judge(config, logs, progress)
    assert len(started) == 3
