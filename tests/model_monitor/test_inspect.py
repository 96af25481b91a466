"""`model-monitor inspect`: runs, one run, nodes, and what is in artifacts."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.common.artifacts.files import Artifact, local_files
from model_monitor import cli
from model_monitor.reading.artifact_tables import open_artifact
from tests.support.example_runs import FEATURES
from tests.support.printed import words

pytestmark = pytest.mark.prints


def inspect(stored, *arguments):
    return cli.main(["inspect", *arguments, "--metadata", str(stored.metadata)])


def told(stored, capsys, *arguments):
    assert inspect(stored, *arguments) == 0
    return capsys.readouterr().out


def record(stored, capsys, *arguments):
    return json.loads(told(stored, capsys, *arguments, "--json"))


def opened(stored, run_id, node, key):
    return open_artifact(stored.run(run_id).node(node).output(key), local_files())


def table(found, title):
    return next(each for each in found.tables if each.title.startswith(title))


def test_runs_are_listed_the_newest_first_with_their_verdicts(stored, capsys):
    lines = told(stored, capsys).splitlines()
    assert lines[0].split() == ["id", "started", "pipeline", "took", "nodes", "verdict"]
    assert [line.split()[3] for line in lines[1:4]] == ["monitoring"] * 3
    text = words(" ".join(lines))
    for verdict in ("? span 4 undecided", "✗ span 3 degraded, p = 0.001", "✓ span 1 fine, p = 0.4", "✓ pushed 17000",
                    "✗ StatisticsGen failed", "✗ not pushed: binary_accuracy is 0.5, below 0.6"):  # fmt: skip
        assert verdict in text


def test_the_list_can_be_cut_and_says_so(stored, capsys):
    text = told(stored, capsys, "--limit", "2")
    assert "9 more; `--limit 0` lists all" in text
    assert "span 2" not in text
    assert "penguin" in told(stored, capsys, "--limit", "0")


def test_runs_of_one_pipeline(stored, capsys):
    assert "penguin" not in told(stored, capsys, "--pipeline", "monitoring")


def test_one_run_shows_nodes_states_durations_and_artifacts(stored, capsys):
    text = told(stored, capsys, "penguin-2")
    assert re.search(r"^Evaluator +complete +0\.\ds +Evaluator *$", text, re.MULTILINE)
    assert re.search(r"^\d+ +Evaluator +ModelBlessing +Evaluator/blessing/\d+ *$", text, re.MULTILINE)
    assert "✗ not pushed: binary_accuracy is 0.5, below 0.6" in text
    assert "failed" in told(stored, capsys, "penguin-5")


def test_a_cache_hit_and_a_node_that_goes_on_are_counted(fresh, capsys):
    run = fresh.story.writer.pipeline_run("penguin", "cached")
    run.node("CsvExampleGen", state="CACHED")
    run.node("StatisticsGen", state="RUNNING")
    assert "2, 1 cached, 1 unfinished" in told(fresh, capsys)
    assert re.search(r"CsvExampleGen +cached", told(fresh, capsys, "cached"))


def test_an_artifact_that_is_gone_is_marked(fresh, capsys):
    shutil.rmtree(fresh.run("penguin-1").node("SchemaGen").output("schema").uri)
    assert re.search(r"Schema +gone: SchemaGen/schema/\d+ *$", told(fresh, capsys, "penguin-1"), re.MULTILINE)
    assert "\nis gone\n" in told(fresh, capsys, "penguin-1", "--type", "Schema")


def test_a_node_shows_what_it_was_told_what_it_took_and_what_it_gave(stored, capsys):
    text = told(stored, capsys, "penguin-1", "--node", "StatisticsGen")
    assert re.search(r"^examples +\d+ +Examples", text, re.MULTILINE)
    assert "train: 100 examples, numeric features" in text
    assert re.search(r"^input_base ", told(stored, capsys, "penguin-1", "--node", "CsvExampleGen"), re.MULTILINE)


def test_what_a_resolver_chose_is_shown_and_is_not_its_own(fresh, capsys):
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    model = fresh.run("penguin-1").node("Trainer").output("model")
    run = fresh.story.writer.pipeline_run("penguin", "resolved")
    run.node("Resolver")
    execution = fresh.run("resolved").node("Resolver").id
    event = mlmd.Event(execution_id=execution, artifact_id=model.id, type=mlmd.Event.INTERNAL_OUTPUT)
    event.path.steps.add().key = "model"
    fresh.story.writer.store.put_events([event])
    node = fresh.run("resolved").node("Resolver")
    assert (node.chosen, node.outputs) == ({"model": [replace(model, producer="")]}, {})
    text = told(fresh, capsys, "resolved", "--node", "Resolver")
    assert re.search(rf"^chosen +artifact.*\nmodel +{model.id} +Model", text, re.MULTILINE)


def test_artifacts_of_a_type_of_all_runs(stored, capsys):
    text = told(stored, capsys, "--type", "ModelBlessing", "--limit", "3")
    assert "3 more" in text
    assert text.count("ModelBlessing") == 3


def test_one_artifact_by_its_id(stored, capsys):
    number = stored.run("gated-2").node("PushGate").output("blessing").id
    text = told(stored, capsys, f"artifact:{number}")
    assert text.startswith(f"ModelBlessing {number}: blessing of PushGate, run ")
    assert "NOT_BLESSED" in text


def test_statistics(stored):
    found = opened(stored, "penguin-4", "StatisticsGen", "statistics")
    numeric = table(found, "eval: 100 examples, numeric")
    assert numeric.columns == ("feature", "type", "missing", "mean", "std dev", "min", "median", "max")
    assert numeric.rows[0] == ("body_mass_g", "float", 100, 0.5, 0.25, 0, 0.5, 1)
    assert table(found, "train: 100 examples, other").rows == (("species", "string", 0, 3, 0.0, "Adelie", 44),)


def test_anomalies(stored):
    found = opened(stored, "penguin-4", "ExampleValidator", "anomalies")
    assert [each.title for each in found.tables] == ["train: no anomalies", "eval: 1 anomaly"]
    assert found.tables[1].rows == (
        ("body_mass_g", "ERROR", "SCHEMA_MISSING_COLUMN", "Column is completely missing"),
    )  # fmt: skip


def test_a_schema(stored):
    (found,) = opened(stored, "penguin-1", "SchemaGen", "schema").tables
    assert found.rows[0] == ("body_mass_g", "float", "required", "0 ..", "", "JS 0.1")
    assert found.rows[-1] == ("species", "bytes", "at least 1", "3: Adelie, Chinstrap, Gentoo", "", "")


def test_blessings_and_the_gate_s_reasons(stored):
    (plain,) = opened(stored, "penguin-2", "Evaluator", "blessing").tables
    assert ("blessed", 0) in plain.rows
    assert ("file", "NOT_BLESSED") in plain.rows
    found = opened(stored, "gated-2", "PushGate", "blessing")
    assert table(found, "Checks").rows[0][:3] == ("anomalies", "ExampleValidator, eval", "failed")
    assert table(found, "Findings").rows[0][:4] == ("anomalies", "SCHEMA_MISSING_COLUMN", FEATURES[1], "fail")


def test_an_evaluation(stored):
    found = opened(stored, "penguin-2", "Evaluator", "evaluation")
    assert table(found, "Thresholds: not met").rows[0][:4] == ("binary_accuracy", "", 0.5, 0.6)
    assert table(found, "Metrics").rows[0] == ("(all)", 0.5, 100.0)
    assert table(found, "Metrics").rows[1][0] == "species Adelie"
    assert opened(stored, "penguin-1", "Evaluator", "evaluation").tables[0].title == "Thresholds: all met"


def test_drift_and_performance(stored):
    drift = opened(stored, "span-2", "SkewDriftValidator", "anomalies")
    assert ("state", "changed") in table(drift, "Skew and drift").rows
    assert table(drift, "Tests").rows[0] == ("image_noise", "KS", "baseline", 0.8, 0.1, 0.001, 0.5, 0.9, True)
    accuracy = opened(stored, "span-3", "PerformanceEstimator", "anomalies")
    assert table(accuracy, "Accuracy with").rows[1] == ("estimate (atc_confidence)", 0.4, pytest.approx(0.35),
                                                        pytest.approx(0.45), 800)  # fmt: skip


def test_examples_a_model_and_hyperparameters(stored):
    examples = opened(stored, "span-2", "ServingLogExampleGen", "examples")
    assert table(examples, "Splits").rows == (("serving", 1, 8),)
    assert ("span", "2") in table(examples, "Noted").rows
    assert opened(stored, "penguin-1", "Trainer", "model").tables[0].rows == (("Format-Serving", 1, 5),)
    chosen = opened(stored, "penguin-1", "Tuner", "best_hyperparameters")
    assert chosen.tables[0].rows == (("learning_rate", 0.01), ("num_layers", 2))


def test_a_type_without_a_table_of_its_own_lists_its_files_and_what_is_noted(stored):
    found = opened(stored, "penguin-1", "Pusher", "pushed_model")
    assert [each.title for each in found.tables] == ["Files", "Noted by the component"]
    assert ("pushed", "1") in found.tables[1].rows


DAMAGED = [
    ("penguin-1", "StatisticsGen", "statistics", "Split-eval/FeatureStats.pb", 2),
    ("penguin-1", "ExampleValidator", "anomalies", "Split-eval/SchemaDiff.pb", 1),
    ("penguin-1", "SchemaGen", "schema", "schema.pbtxt", 0),
    ("penguin-1", "Evaluator", "evaluation", "validations.tfrecord", 1),
    ("penguin-1", "Evaluator", "evaluation", "metrics-00000-of-00001.tfrecord", 1),
    ("penguin-1", "Tuner", "best_hyperparameters", "best_hyperparameters.txt", 0),
    ("gated-2", "PushGate", "blessing", "reasons.json", 1),
    ("span-2", "SkewDriftValidator", "anomalies", "drift_report.json", 1),
    ("span-2", "PerformanceEstimator", "anomalies", "performance.json", 1),
]


@pytest.mark.parametrize(("run_id", "node", "key", "name", "tables"), DAMAGED)
@pytest.mark.parametrize("content", [b"\xff\x00 no such file", b""])
def test_a_damaged_file_is_a_line_beside_what_can_be_read(fresh, capsys, run_id, node, key, name, tables, content):
    artifact = fresh.run(run_id).node(node).output(key)
    Path(artifact.path(name)).write_bytes(content)
    found = open_artifact(artifact, local_files())
    assert (len(found.tables), len(found.problems)) == (tables, 1)
    assert name.rpartition("/")[2] in found.problems[0]
    text = told(fresh, capsys, f"artifact:{artifact.id}")
    assert "✗ " in text
    assert cli.main(["why", run_id, "--metadata", str(fresh.metadata)]) == 0


@pytest.mark.parametrize(("run_id", "node", "key", "name", "tables"), DAMAGED)
def test_a_missing_file_is_no_error(fresh, run_id, node, key, name, tables):
    artifact = fresh.run(run_id).node(node).output(key)
    Path(artifact.path(name)).unlink()
    open_artifact(artifact, local_files())
    assert inspect(fresh, run_id) == 0
    assert inspect(fresh, f"artifact:{artifact.id}") == 0
    assert cli.main(["why", run_id, "--metadata", str(fresh.metadata)]) == 0


@pytest.mark.parametrize("named", ["null", "", "[]"])
def test_without_names_of_splits_the_folders_count(tmp_path, named):
    (tmp_path / "Split-eval").mkdir()
    found = open_artifact(Artifact(str(tmp_path), "Examples", properties={"split_names": named}), local_files())
    assert table(found, "Splits").rows == (("eval", 0, 0),)


@pytest.mark.parametrize("named", ["5", "[5]", "not JSON", '{"a": 1}'])
def test_names_of_splits_that_are_none_are_a_problem(tmp_path, named):
    (tmp_path / "Split-eval").mkdir()
    found = open_artifact(Artifact(str(tmp_path), "Examples", properties={"split_names": named}), local_files())
    assert found.problems == (f"`split_names` must be a JSON list of names in {tmp_path}. Received: {named!r}",)


def test_a_property_that_is_a_structure_is_json(fresh):
    # as SQLite keeps it, and as TFX writes the sample rates of statistics
    wrapped = "mlmd-struct::CioKCV9fdmFsdWVfXxIdGht7ImV2YWwiOiAxLjAsICJ0cmFpbiI6IDEuMH0="
    given = fresh.story.writer.artifact("Thing", fresh.story.root, rates=wrapped)
    fresh.story.writer.pipeline_run("things", "thing-1").node("Maker", outputs={"thing": [given]})
    found = fresh.run("thing-1").node("Maker").output("thing").properties["rates"]
    assert found == '{"eval": 1.0, "train": 1.0}'


def test_an_artifact_elsewhere_and_one_without_a_place(tmp_path):
    assert open_artifact(Artifact("gs://bucket/model", "Model"), local_files()).problems == (
        "gs://bucket/model is not on this machine",
    )
    assert open_artifact(Artifact("", "Model"), local_files()).problems == ("an artifact without a URI is gone",)


def test_a_folder_that_cannot_be_listed_is_a_line(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", refuse)
    (problem,) = open_artifact(Artifact(str(tmp_path), "Model"), local_files()).problems
    assert "Permission denied" in problem


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["latest", "--node", "SkewDriftValidato"], "did you mean 'SkewDriftValidator'?"),
        (["latest", "--type", "Model"], "`--type` must be one of "),
        (["--type", "ModelBlessin"], "did you mean 'ModelBlessing'?"),
        (["--node", "Evaluatr"], "did you mean 'Evaluator'?"),
        (["penguin-1", "--node", "Trainer", "--type", "Schema"], "Trainer gives no artifact of type Schema"),
        (["artifact:99999"], "There is no artifact '99999'"),
        (["artifact:x"], "There is no artifact 'x'"),
        (["--limit", "-1"], "`--limit` must be 0 or more. Received: -1"),
        (["nothing"], "There is no run 'nothing'"),
        (["--pipeline", "nothing"], "`--pipeline` must be one of gated, monitoring, penguin. Received: 'nothing'"),
    ],
)
def test_a_filter_that_leaves_nothing_says_what_there_is(stored, capsys, arguments, message):
    assert inspect(stored, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


RUN = {"id", "run_id", "pipeline", "started", "seconds", "node_counts", "verdict"}
VERDICT = {"state", "outcome", "good", "sentence", "reason", "version", "destination", "span", "p_value", "accuracy",
           "fine_again_after", "seen_before"}  # fmt: skip
NODE = {"name", "component", "state", "cached", "seconds", "parameters", "inputs", "outputs", "chosen"}
ARTIFACT = {"id", "type", "uri", "properties"}


def test_the_record_of_all_runs(stored, capsys):
    found = record(stored, capsys, "--limit", "2")
    assert set(found) == {"format_version", "runs", "total"}
    assert (found["format_version"], found["total"], len(found["runs"])) == (2, 11, 2)
    assert set(found["runs"][0]) == RUN
    assert set(found["runs"][0]["verdict"]) == VERDICT
    assert found["runs"][0]["node_counts"] == {"complete": 5, "cached": 0, "failed": 0, "unfinished": 0}


def test_the_record_of_one_run(stored, capsys):
    found = record(stored, capsys, "penguin-2")
    assert set(found) == {"format_version", "run", "nodes"}
    assert set(found["run"]) == RUN
    assert {frozenset(node) for node in found["nodes"]} == {frozenset(NODE)}
    evaluator = next(node for node in found["nodes"] if node["name"] == "Evaluator")
    assert set(evaluator["outputs"]["blessing"][0]) == ARTIFACT
    assert evaluator["outputs"]["blessing"][0]["properties"]["blessed"] == 0


def test_the_record_of_artifacts_and_of_opened_ones(stored, capsys):
    found = record(stored, capsys, "--type", "Schema", "--limit", "1")
    assert set(found["artifacts"][0]) == ARTIFACT | {"run", "node", "output"}
    found = record(stored, capsys, "penguin-2", "--type", "ModelEvaluation")
    assert found["node"] is None
    assert set(found["opened"][0]) == {"artifact", "tables", "problems"}
    assert found["opened"][0]["tables"][0]["title"] == "Thresholds: not met"
    assert set(record(stored, capsys, "penguin-2", "--node", "Trainer")["node"]) == NODE


def test_numbers_that_json_does_not_have_are_null(fresh, capsys):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    artifact = fresh.run("penguin-1").node("StatisticsGen").output("statistics")
    path = Path(artifact.path("Split-eval", "FeatureStats.pb"))
    message = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    message.datasets[0].features[0].num_stats.mean = float("nan")
    path.write_bytes(message.SerializeToString())
    found = record(fresh, capsys, "penguin-1", "--type", "ExampleStatistics")
    rows = next(each for each in found["opened"][0]["tables"] if each["title"].startswith("eval"))["rows"]
    assert rows[0][3] is None


def test_an_empty_store_has_no_runs(tmp_path, capsys):
    from tests.support.example_runs import Story

    metadata = Story(tmp_path).metadata
    assert cli.main(["inspect", "--metadata", str(metadata)]) == 0
    assert capsys.readouterr().out == "There is no run in the store yet.\n"
    assert cli.main(["inspect", "--json", "--metadata", str(metadata)]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []
