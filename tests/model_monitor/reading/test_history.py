"""The names of runs."""

import pytest
from ml_metadata.metadata_store import MetadataStore

from components.common.errors import MonitorError
from model_monitor.reading.history import baseline_of
from tests.support.example_runs import MONITORING


def test_runs_are_the_newest_first(stored):
    names = [run.run_id for run in stored.history().runs]
    assert names[:2] == ["span-4", "span-3"]
    assert names[-1] == "penguin-1"
    assert len(names) == 11


def test_the_runs_of_one_pipeline(stored):
    assert {run.pipeline for run in stored.history(MONITORING).runs} == {MONITORING}


def test_a_pipeline_that_never_ran_is_an_error_with_those_that_did(stored):
    with pytest.raises(MonitorError, match=r"`--pipeline` must be one of gated, monitoring, penguin.*'penguin'\?"):
        stored.history("pengui")


def test_a_run_by_each_of_its_names(stored):
    history = stored.history()
    wanted = next(run for run in history.runs if run.run_id == "gated-2")
    for name in ("gated-2", str(wanted.id)):
        assert history.run(name).id == wanted.id
    assert history.run("latest").run_id == "span-4"
    assert history.run("penguin-5").run_id == "penguin-5"


def test_a_run_by_how_its_id_begins(fresh):
    fresh.story.penguin("2026-02-03T04:05:06")
    assert fresh.run("2026-02-03").run_id == "2026-02-03T04:05:06"


def test_a_run_id_with_its_pipeline_s_name_before_it(fresh):
    fresh.story.penguin("penguin.2026-02-03")
    assert fresh.run("2026-02-03").run_id == "penguin.2026-02-03"


def test_an_ambiguous_beginning_lists_runs_with_their_ids(stored):
    with pytest.raises(
        MonitorError, match=r"'penguin-' is the beginning of 5 runs, \d+ \(penguin-5\), .* \.\.\.; name"
    ):
        stored.history().run("penguin-")
    with pytest.raises(MonitorError, match=r"2 runs, \d+ \(gated-2\), \d+ \(gated-1\); name one by its id"):
        stored.history().run("gated-")


def test_a_name_of_no_run_comes_with_the_nearest_that_is_one(stored):
    with pytest.raises(MonitorError, match=r"There is no run 'gated-3' \(did you mean 'gated-\d'\?\)"):
        stored.history().run("gated-3")


def test_an_empty_store_has_no_latest_run(tmp_path):
    from model_monitor.reading.history import History
    from model_monitor.reading.run_store import open_store
    from tests.support.example_runs import Story

    history = History(open_store(Story(tmp_path / "empty").metadata))
    with pytest.raises(MonitorError, match="There is no run in the store yet"):
        history.run("latest")
    with pytest.raises(MonitorError, match="There is no run in the store yet"):
        history.subject("")


def test_a_subject_is_a_run_a_span_a_version_a_folder_or_a_model(stored):
    history = stored.history()
    pushed = next(run for run in history.runs if run.run_id == "penguin-1")
    verdict = history.verdict(pushed)
    model = pushed.node("Trainer").output("model")
    for name in ("penguin-1", verdict.version, verdict.destination, model.uri):
        assert history.subject(name).run_id == "penguin-1", name
    assert history.subject("span:3").run_id == "span-3"
    assert history.subject("latest").run_id == "span-4"


def test_a_span_that_was_not_looked_at_is_an_error_with_those_that_were(stored):
    with pytest.raises(MonitorError, match=r"No run has evaluated span '9'. Evaluated spans: 1, 2, 3, 4"):
        stored.history().subject("span:9")


def test_a_span_that_was_looked_at_again_is_its_last_run(fresh):
    fresh.story.span("again", 2)
    assert fresh.history().subject("span:2").run_id == "again"


def test_the_whole_name_of_a_run_is_that_run_also_where_a_version_has_it(fresh):
    version = fresh.history().verdict(fresh.run("penguin-1")).version
    fresh.story.penguin(version, accuracy=0.5)
    assert fresh.history().subject(version).run_id == version


def test_without_a_name_it_is_the_newest_run_with_a_verdict(fresh):
    run = fresh.story.writer.pipeline_run("penguin", "unfinished")
    run.node("CsvExampleGen", state="RUNNING")
    assert fresh.history().runs[0].run_id == "unfinished"
    assert fresh.history().subject("").run_id == "span-4"


def test_runs_before_a_span_go_by_the_span(fresh):
    fresh.story.span("late", 1)
    history = fresh.history()
    assert [run.run_id for run in history.before(history.run("span-3"))] == ["span-2", "span-1"]


def test_runs_before_a_run_have_a_verdict_and_are_of_its_pipeline(stored):
    history = stored.history()
    assert [run.run_id for run in history.before(history.run("penguin-5"))] == [f"penguin-{n}" for n in (4, 3, 2, 1)]


def test_who_pushed_a_version_and_which_spans_were_compared_with_it(stored):
    history = stored.history()
    baseline = baseline_of(history.run("span-2"))
    assert history.pushed_by(baseline).run_id == "penguin-1"
    assert [run.run_id for run in history.watched(baseline)] == ["span-1", "span-2", "span-3", "span-4"]
    assert history.pushed_by("/nowhere") is None


def test_an_artifact_by_its_id(stored):
    history = stored.history()
    wanted = history.run("gated-1").node("PushGate").output("blessing")
    run, node, key, artifact = history.artifact(str(wanted.id))
    assert (run.run_id, node.name, key, artifact) == ("gated-1", "PushGate", "blessing", wanted)
    for none in ("99999", "0" + str(wanted.id), "9" * 5000, "-1", "x", "\u0661"):
        with pytest.raises(MonitorError, match=f"There is no artifact '{none}'"):
            history.artifact(none)


def test_for_an_artifact_no_other_run_is_read(stored, monkeypatch):
    history = stored.history()
    wanted = history.run("gated-1")
    number = str(wanted.node("PushGate").output("blessing").id)
    asked, ask = [], MetadataStore.get_executions_by_context
    monkeypatch.setattr(
        MetadataStore, "get_executions_by_context", lambda store, number: asked.append(number) or ask(store, number)
    )
    stored.history().artifact(number)
    assert asked == [wanted.id]
