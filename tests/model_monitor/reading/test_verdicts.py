"""What became of a run, and the findings of its checks."""

import json
import shutil
from pathlib import Path

import pytest

from components.common.verdict import Outcome
from model_monitor.reading.findings import findings
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.reading.verdicts import State, verdict
from tests.support.example_runs import FEATURES, Story, _anomalies


def says(stored, run_id):
    return stored.history().verdict(stored.run(run_id))


@pytest.mark.parametrize(
    ("run_id", "state", "reason"),
    [
        ("penguin-1", State.PUSHED, "every check let it pass"),
        ("penguin-2", State.NOT_PUSHED, "binary_accuracy is 0.5, below 0.6"),
        ("penguin-5", State.FAILED, "StatisticsGen failed"),
        ("gated-1", State.PUSHED, "every check let it pass"),
        ("gated-2", State.NOT_PUSHED,
         "culmen_depth_mm: Column is completely missing"),
        ("span-1", State.FINE, ""),
        ("span-2", State.CHANGED, "The window differs from the baseline in image_noise. It is 0.9"),
        ("span-4", State.UNDECIDED, "The window has 10 examples, fewer than the 30 that are needed"),
    ],
)  # fmt: skip
def test_a_run_has_a_state_and_a_reason(stored, run_id, state, reason):
    found = says(stored, run_id)
    assert found.state is state
    assert (found.outcome is Outcome.PASSED) is (state in (State.PUSHED, State.FINE))
    assert found.reason == reason if reason else True


def test_a_push_says_its_version_and_its_folder(stored):
    found = says(stored, "penguin-1")
    assert found.destination.endswith(f"/serving/{found.version}")


def test_a_stock_pusher_pushes_in_spite_of_anomalies_and_the_verdict_says_so(stored):
    found = says(stored, "penguin-4")
    assert found.state is State.PUSHED
    assert found.reason.endswith(
        "; but ExampleValidator, which the push does not depend on, says: "
        "body_mass_g in eval: Column is completely missing"
    )
    (finding,) = findings(stored.run("penguin-4"))
    assert (finding.blocking, finding.decided, finding.what) == (False, True, "SCHEMA_MISSING_COLUMN")


def test_a_span_has_a_number_a_p_value_and_an_accuracy(stored):
    found = says(stored, "span-3")
    assert (found.span, found.p_value, found.accuracy) == (3, 0.001, 0.4)
    assert "Estimated accuracy fell by 50 points" in found.reason
    assert says(stored, "span-4").p_value is None


def test_findings_say_what_was_measured_and_what_is_allowed(stored):
    (metric,) = findings(stored.run("penguin-2"))
    assert (metric.check, metric.what, metric.measured, metric.allowed) == ("Evaluator", "binary_accuracy", 0.5, 0.6)
    drift = findings(stored.run("span-2"))[0]
    assert (drift.check, drift.where, drift.measured, drift.allowed) == ("SkewDriftValidator", "image_noise", 0.8, 0.1)
    gate = findings(stored.run("gated-2"))[0]
    assert gate.check == "anomalies (ExampleValidator, eval)"
    assert gate.file.endswith("reasons.json")


def test_anomalies_that_a_gate_was_given_are_not_found_twice(stored):
    assert [found.node for found in findings(stored.run("gated-2"))] == ["PushGate"]


def test_a_run_that_goes_on_has_no_verdict_yet(fresh):
    run = fresh.story.writer.pipeline_run("penguin", "now")
    run.node("CsvExampleGen", state="RUNNING")
    found = says(fresh, "now")
    assert (found.state, found.outcome) == (State.RUNNING, Outcome.UNDECIDED)
    assert found.reason == "CsvExampleGen is running, or was stopped"


def test_a_run_that_was_stopped_between_two_nodes_has_no_verdict_yet(fresh):
    """All that it has done is complete, and the anomalies are none: it is not fine for that."""
    run = fresh.story.writer.pipeline_run("penguin", "stopped")
    fresh.story._validated(run, [], [], set())
    assert says(fresh, "stopped").state is State.FINE
    nodes = [node.name for node in fresh.history().run("stopped").nodes.values()]
    run.note_nodes(json.dumps([*nodes, "Trainer", "Pusher"]))
    found = says(fresh, "stopped")
    assert (found.state, found.outcome) == (State.RUNNING, Outcome.UNDECIDED)
    assert found.reason == "Trainer is to come, or the run was stopped before it"
    run.note_nodes(json.dumps(nodes))
    assert says(fresh, "stopped").state is State.FINE
    for damaged in ("", "{", "3", "{}"):
        run.note_nodes(damaged)
        assert says(fresh, "stopped").outcome is Outcome.UNDECIDED


def test_a_node_that_failed_says_what_tfx_noted(fresh):
    run = fresh.story.writer.pipeline_run("penguin", "bad")
    said = json.dumps({"resultMessage": "Traceback\n  ...\nValueError: no data"})
    run.node("Trainer", state="FAILED", parameters={"__execution_result__": said})
    assert says(fresh, "bad").reason == "Trainer failed: ValueError: no data"


def test_a_node_that_was_tried_again_counts_by_its_last_try(fresh):
    run = fresh.story.writer.pipeline_run("penguin", "again")
    run.node("CsvExampleGen", state="FAILED")
    run.node("CsvExampleGen", state="COMPLETE")
    assert says(fresh, "again").state is State.NO_VERDICT


def test_a_push_that_nobody_checked(fresh):
    run = fresh.story.writer.pipeline_run("bare", "bare-1")
    pushed = fresh.story.writer.artifact("PushedModel", fresh.story.root, pushed=1, pushed_version="7")
    run.node("Pusher", outputs={"pushed_model": [pushed]})
    found = says(fresh, "bare-1")
    assert (found.state, found.outcome, found.reason) == (State.PUSHED, Outcome.UNDECIDED, "no check was asked")


@pytest.mark.parametrize(("blessed", "state"), [(1, State.BLESSED), (0, State.NOT_BLESSED), (None, State.NOT_BLESSED)])
@pytest.mark.parametrize("kind", ["ModelBlessing", "InfraBlessing"])
def test_a_pipeline_that_does_not_push(fresh, kind, blessed, state):
    run = fresh.story.writer.pipeline_run("judge", "judge-1")
    properties = {} if blessed is None else {"blessed": blessed}
    marker = ("INFRA_" if kind == "InfraBlessing" else "") + ("BLESSED" if blessed else "NOT_BLESSED")
    if blessed is not None:
        (Path(fresh.story.root) / marker).touch()
    run.node("Judge", outputs={"blessing": [fresh.story.writer.artifact(kind, fresh.story.root, **properties)]})
    assert says(fresh, "judge-1").state is state


@pytest.mark.parametrize(
    ("missing", "lost", "state"),
    [("", False, State.FINE), (FEATURES[0], False, State.INVALID), ("", True, State.UNDECIDED)],
)
def test_a_pipeline_that_only_looks_at_data(tmp_path, missing, lost, state):
    story = Story(tmp_path)
    run = story.writer.pipeline_run("data", "data-1")
    (artifact,) = story._validated(run, [], [], missing)
    if lost:
        shutil.rmtree(artifact.uri)
    assert verdict(History(open_store(story.metadata)).run("data-1")).state is state


def test_transform_s_anomalies_lie_in_no_split(tmp_path):
    story = Story(tmp_path)
    folder = tmp_path / "post_transform_anomalies"
    folder.mkdir()
    (folder / "SchemaDiff.pb").write_bytes(_anomalies(FEATURES[2]))
    run = story.writer.pipeline_run("data", "data-1")
    run.node("Transform", outputs={"post_transform_anomalies": [story.writer.artifact("ExampleAnomalies", folder)]})
    found = verdict(History(open_store(story.metadata)).run("data-1"))
    assert (found.state, found.reason) == (
        State.INVALID, "culmen_length_mm: Column is completely missing")  # fmt: skip


def test_a_distribution_validator_without_a_baseline_has_decided_nothing(tmp_path):
    story = Story(tmp_path)
    run = story.writer.pipeline_run("data", "data-1")
    given = story.writer.artifact("ExampleAnomalies", tmp_path, blessed='{"train": 2}')
    run.node("DistributionValidator", outputs={"anomalies": [given]})
    found = verdict(History(open_store(story.metadata)).run("data-1"))
    assert (found.state, found.reason) == (State.UNDECIDED, "there was no baseline to compare with")


def test_a_distribution_validator_s_pairs_of_splits(tmp_path):
    story = Story(tmp_path)
    folder = tmp_path / "SplitPair-train_eval"
    folder.mkdir()
    (folder / "SchemaDiff.pb").write_bytes(_anomalies(FEATURES[2]))
    run = story.writer.pipeline_run("data", "data-1")
    given = story.writer.artifact(
        "ExampleAnomalies", tmp_path, blessed='{"train_eval": 0}', split_names='["train_eval"]'
    )
    run.node("DistributionValidator", outputs={"anomalies": [given]})
    found = verdict(History(open_store(story.metadata)).run("data-1"))
    assert found.reason == "culmen_length_mm: Column is completely missing"


def damaged(stored, run_id, node, key, name, content=b"\xff\xff"):
    path = Path(stored.run(run_id).node(node).output(key).path(name))
    assert path.exists()
    path.write_bytes(content)


def test_reasons_that_are_damaged_are_a_finding_and_not_a_pass(fresh):
    damaged(fresh, "gated-2", "PushGate", "blessing", "reasons.json")
    (finding,) = findings(fresh.run("gated-2"))
    assert (finding.what, finding.decided) == ("input", False)
    assert says(fresh, "gated-2").state is State.NOT_PUSHED


def test_an_evaluation_that_is_damaged_is_a_finding(fresh):
    damaged(fresh, "penguin-2", "Evaluator", "evaluation", "validations.tfrecord")
    (finding,) = findings(fresh.run("penguin-2"))
    assert (finding.what, finding.decided) == ("input", False)


def test_an_evaluation_that_is_gone_leaves_the_blessing_to_say_no(fresh):
    shutil.rmtree(fresh.run("penguin-2").node("Evaluator").output("evaluation").uri)
    found = says(fresh, "penguin-2")
    assert found.state is State.NOT_PUSHED
    assert "must be a readable folder" in found.reason


def test_a_drift_report_that_is_damaged_is_a_finding(fresh):
    damaged(fresh, "span-2", "SkewDriftValidator", "anomalies", "drift_report.json", b"{}")
    assert findings(fresh.run("span-2"))[0].what == "input"
    assert says(fresh, "span-2").state is State.CHANGED  # ML Metadata still says so


def test_anomalies_of_a_span_s_logs_that_cannot_be_read_leave_it_undecided(fresh):
    run = fresh.story.writer.pipeline_run("monitoring", "span-9")
    story = Story(fresh.story.root / "other")
    window = story._artifact("SkewDriftValidator", "anomalies", "ExampleAnomalies", ("serving",), span=9)
    artifact = fresh.story.writer.artifact
    drift = artifact("ExampleAnomalies", window.uri, span=9, outcome="passed", sentence="No difference", p_value=0.5)
    logs = artifact("ExampleAnomalies", f"{window.uri}-gone", split_names='["serving"]')
    run.node("ServingLogExampleGen", outputs={"anomalies": [logs]})
    run.node("SkewDriftValidator", outputs={"anomalies": [drift]})
    found = says(fresh, "span-9")
    assert found.state is State.UNDECIDED
    assert "must be a readable folder" in found.reason
