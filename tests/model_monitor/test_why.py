"""`model-monitor why`: the answer, since when, and the way back to the data."""

import json

import pytest

from model_monitor import cli
from model_monitor.acting.recorded import Act, Came, What, record
from model_monitor.incidents.contexts import Contexts
from model_monitor.reading.explanation import explain
from model_monitor.showing.words import data_files
from tests.support import printed
from tests.support.example_runs import _anomalies, _write

pytestmark = pytest.mark.prints


def why(stored, *arguments):
    return cli.main(["why", *arguments, "--metadata", str(stored.metadata)])


def told(stored, capsys, *arguments):
    """The output without its line breaks."""
    assert why(stored, *arguments) == 0
    return printed.words(capsys.readouterr().out)


def explained(stored, name):
    history = stored.history()
    return explain(history, history.subject(name))


def test_a_push(stored, capsys):
    found = stored.history().verdict(stored.run("penguin-1"))
    text = told(stored, capsys, "penguin-1")
    assert text.startswith(f"Pushed as version {found.version}: every check let it pass. Run ")
    assert "Watched 4 spans, 3 not fine; the newest of those: span 4 undecided, run " in text
    assert f"Open {found.destination}" in text


def test_a_push_that_is_gone_since_says_so(fresh, capsys):
    (fresh.story.root / "serving").rename(fresh.story.root / "elsewhere")
    assert "it is gone from the serving folder since." in told(fresh, capsys, "penguin-1")


def test_a_model_that_a_metric_blocked(stored, capsys):
    text = told(stored, capsys, "penguin-2")
    assert text.startswith("Not pushed: binary_accuracy is 0.5, below 0.6. Run ")
    assert "Check Evaluator Found ✗ binary_accuracy is 0.5, below 0.6 Since" in text  # the numbers once


def test_a_model_that_an_anomaly_blocked(stored, capsys):
    text = told(stored, capsys, "gated-2")
    assert text.startswith("Not pushed: culmen_depth_mm: Column is completely missing.")
    assert "Check anomalies (ExampleValidator, eval)" in text
    assert "reasons.json" in text


def test_what_no_gate_asks_about_is_told_besides(stored, capsys):
    text = told(stored, capsys, "penguin-4")
    assert "Besides ✗ ExampleValidator: body_mass_g in eval: Column is completely missing" in text
    assert "Check" not in text


def test_a_span_that_is_fine(stored, capsys):
    text = told(stored, capsys, "span:1")
    assert text.startswith("Span 1 is fine: it differs from the baseline no more than by chance, p = 0.4.")
    assert "Baseline version" in text
    assert "pushed by run" in text


def test_a_span_that_is_not_fine_shows_measured_against_allowed(stored, capsys):
    text = told(stored, capsys, "span:2")
    assert text.startswith("Span 2 is changed: the window differs from the baseline in image_noise. It is 0.9.")
    assert "✗ image_noise against the baseline, mean 0.5 -> 0.9: KS 0.8, allowed 0.1" in text
    assert "drift_report.json" in text.replace(" ", "")


def test_a_span_that_cannot_be_judged(stored, capsys):
    text = told(stored, capsys, "span:4")
    assert text.startswith("Span 4 is undecided: the window has 10 examples, fewer than the 30 that are needed.")


def test_without_a_name_it_is_the_newest_run_with_a_verdict(stored, capsys):
    assert told(stored, capsys).startswith("Span 4 ")


def test_since_when_counts_the_runs_in_a_row_that_have_the_finding(stored):
    since = explained(stored, "penguin-3").since
    assert (since.first.run_id, since.in_a_row, since.before.run_id) == ("penguin-2", 2, "penguin-1")


def test_since_when_of_a_span_goes_by_spans(stored, capsys):
    since = explained(stored, "span:3").since
    assert (since.first.run_id, since.in_a_row, since.before.run_id) == ("span-2", 2, "span-1")
    assert "Since span 2 (run" in told(stored, capsys, "span:3")


def test_a_finding_that_was_always_there_has_nothing_before_it(fresh):
    fresh.story.penguin("new-1", accuracy=0.1, pipeline="new")
    since = explained(fresh, "new-1").since
    assert (since.first.run_id, since.in_a_row, since.before) == ("new-1", 1, None)


def nodes_of(explanation):
    return [step.node.name for step in explanation.steps]


def test_the_way_back_from_a_push_goes_by_the_blessing_and_the_model_to_the_data(stored):
    found = explained(stored, "penguin-1")
    assert nodes_of(found) == ["Pusher", "Evaluator", "Trainer", "CsvExampleGen"]
    assert [step.artifact.type for step in found.steps] == ["PushedModel", "ModelBlessing", "Model", "Examples"]


def test_the_way_back_goes_by_the_check_that_said_no(stored):
    assert nodes_of(explained(stored, "gated-2")) == ["PushGate", "ExampleValidator", "StatisticsGen", "CsvExampleGen"]
    assert nodes_of(explained(stored, "gated-1")) == ["Pusher", "PushGate", "Trainer", "CsvExampleGen"]


def test_the_way_back_from_a_span_goes_to_its_logs_and_not_to_the_baseline(stored):
    found = explained(stored, "span:2")
    assert nodes_of(found) == ["SkewDriftValidator", "ImageStatisticsGen", "ServingLogExampleGen"]
    data, baseline = found.sources
    assert (data.is_data, data.span, data.place) == (True, 2, str(stored.story.root / "data"))
    assert (baseline.node.name, baseline.is_data) == ("BaselineImporter", False)


def test_logs_that_are_wrong_come_first_and_still_say_where_they_are(fresh, capsys):
    """Pixels of the wrong scale explain why every feature has changed."""
    run = fresh.story.writer.pipeline_run("monitoring", "span-9")
    artifact = fresh.story._artifact
    wrong = artifact("ServingLogExampleGen", "anomalies", "ExampleAnomalies", ("serving",), span=9)
    _write(wrong, "Split-serving/SchemaDiff.pb", _anomalies("image"))
    examples = artifact("ServingLogExampleGen", "examples", "Examples", ("serving",), span=9, rows=1000)
    run.node("ServingLogExampleGen", outputs={"anomalies": [wrong], "examples": [examples]},
             parameters={"input_base": "/logs"})  # fmt: skip
    drift = artifact("SkewDriftValidator", "anomalies", "ExampleAnomalies", ("serving",), span=9, outcome="failed",
                     state="changed", sentence="The window differs.", p_value=0.001)  # fmt: skip
    run.node("SkewDriftValidator", inputs={"examples": [examples]}, outputs={"anomalies": [drift]})
    text = told(fresh, capsys, "span:9")
    assert text.startswith("Span 9 is invalid: image: Column is completely missing. The window differs.")
    assert "Check ServingLogExampleGen, SkewDriftValidator" in text
    assert "Data /logs span 9, 1,000 examples" in text


def test_data_of_an_earlier_run_is_said_to_be_what_it_was_compared_with(fresh, capsys):
    old = fresh.run("penguin-1")
    run = fresh.story.writer.pipeline_run("penguin", "penguin-6")
    examples = fresh.story._examples(run)
    model = [fresh.story._artifact("Trainer", "model", "Model")]
    run.node("Trainer", inputs={"examples": examples}, outputs={"model": model})
    blessing = [fresh.story._artifact("Evaluator", "blessing", "ModelBlessing", blessed=1)]
    (baseline,) = fresh.story.writer.store.get_artifacts_by_id([old.node("Trainer").output("model").id])
    run.node("Evaluator", inputs={"baseline_model": [baseline], "model": model}, outputs={"blessing": blessing})
    text = told(fresh, capsys, "penguin-6")
    assert f"what it was compared with, run {old.id}: " in text
    assert "Lineage Evaluator (" in text
    assert nodes_of(explained(fresh, "penguin-6")) == ["Evaluator", "Trainer", "CsvExampleGen"]


def test_the_record_for_scripts(stored, capsys):
    assert why(stored, "penguin-3", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == {"format_version", "sentence", "run", "findings", "since", "lineage", "sources", "artifact",
                           "open", "baseline", "watched", "acts"}  # fmt: skip
    assert record["run"]["verdict"]["state"] == "not_pushed"
    assert record["findings"][0] | {"artifact": 0, "file": ""} == {
        "check": "Evaluator", "what": "binary_accuracy", "where": "", "message": "binary_accuracy is 0.4, below 0.6",
        "measured": 0.4, "allowed": 0.6, "decided": True, "blocking": True, "node": "Evaluator", "artifact": 0,
        "file": ""}  # fmt: skip
    assert record["since"]["in_a_row"] == 2
    assert [step["node"] for step in record["lineage"]] == ["Evaluator", "Trainer", "CsvExampleGen"]
    assert record["sources"][0]["node"] == "CsvExampleGen"
    assert record["open"].endswith(record["artifact"]["uri"])


def test_a_name_of_nothing_is_an_error_in_one_line(stored, capsys):
    assert why(stored, "penguin-9") == 1
    assert capsys.readouterr().err.startswith("error: There is no run 'penguin-9' (did you mean 'penguin-")


@pytest.mark.parametrize(
    ("fingerprint", "words"),
    [("split:a,num_files:1,total_bytes:1200,xor_checksum:1,sum_checksum:1", "a: 1 file, 1,200 bytes"), ("else", "")],
)
def test_a_fingerprint_in_words(fingerprint, words):
    assert data_files(fingerprint) == words


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("penguin-1", 0),  # pushed
        ("penguin-2", 2),  # a metric blocked it
        ("gated-2", 2),
        ("penguin-5", 1),  # a node failed: no verdict
        ("span:1", 0),
        ("span:2", 2),
        ("span:4", 2),  # cannot be judged, which is no pass
    ],
)
def test_the_exit_code_is_the_verdict_where_it_is_asked_for(stored, subject, expected, capsys):
    assert why(stored, subject, "--exit-code") == expected
    assert why(stored, subject) == 0


def test_the_exit_code_goes_with_json(stored, capsys):
    assert why(stored, "span:2", "--json", "--exit-code") == 2
    assert json.loads(capsys.readouterr().out)


def test_a_version_that_goes_back_to_what_nobody_pushed_is_told_by_the_act_that_made_it(fresh, capsys):
    run = fresh.run("penguin-1")
    details = {"version": "/models/987654321", "of": "/models/7", "windows": "4-5", "run": str(run.id)}
    act = Act(What.REBASELINED, "m 4-5", Came.DONE, "a new camera", "ann", 1_800_000_000.0, details=details)
    record(Contexts(fresh.metadata, make=True), act)
    text = told(fresh, capsys, "987654321")
    assert f"Run {run.id} of " in text
    assert "Windows 4-5 made the reference of version 7, which is version 987654321 now, by ann" in text
    assert why(fresh, "123456789") == 1  # no act, no run
