"""`model-monitor compare` on stories with real files, and the differences that it is made of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.artifacts.tfma_messages import message_class
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from components.common.proportion import Proportion
from components.common.records.decision import REASONS_JSON
from model_monitor import cli
from model_monitor.comparing.comparison import Pair, compare, difference, paired, same_content
from model_monitor.comparing.run_figures import ESTIMATED, HELD_OUT, figures_of, flat
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from tests.support.example_runs import Story
from tests.support.printed import words

pytestmark = pytest.mark.prints

REPOSITORY = Path(__file__).resolve().parents[3]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis")


def tell(root):
    made = Story(root)
    made.span("calm", 1)
    made.span("noisy", 2, changed=("image_noise", "image_contrast"))
    made.penguin("good", accuracy=0.9)
    made.penguin("bad", accuracy=0.5, missing="body_mass_g")
    return made


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """For whoever only looks."""
    return tell(tmp_path_factory.mktemp("story"))


@pytest.fixture
def own(story, tmp_path):
    """A copy, for whoever adds to it, or breaks it."""
    return story.copied(tmp_path / "story")


def comparison(story, first, second):
    history = History(open_store(story.metadata))
    return compare(history, history.subject(first), history.subject(second))


def run(story, capsys, *arguments):
    code = cli.main(["compare", *arguments, "--metadata", str(story.metadata)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


# The sentences, which are all that many will read.


def test_two_spans_differ_in_verdict_accuracy_and_features(story):
    states, accuracy, moved = comparison(story, "span:1", "span:2").sentences
    assert states == "Span 1 is fine, span 2 is degraded."
    assert accuracy.startswith("Estimated accuracy is 50.0 points lower in span 2 (")
    assert accuracy.endswith("): more than chance explains.")
    assert moved == "Beyond the threshold: 2 features in span 2 only (image_noise, image_contrast)."


def test_two_trainings_differ_in_verdict_and_accuracy(story):
    states, accuracy = comparison(story, "good", "bad").sentences
    assert states.endswith("was not pushed.")
    assert " was pushed, run " in states
    assert "on held-out examples is 40.0 points lower" in accuracy


@pytest.mark.parametrize(("changed", "sentence"), [((), "and so is span 3."), (("image_noise",), "span 3 is changed.")])
def test_runs_that_ended_alike_are_said_to_have(own, changed, sentence):
    own.span("third", 3, changed=changed)
    assert comparison(own, "span:1", "span:3").sentences[0].endswith(sentence)


def test_what_moved_in_both_is_told_apart_from_what_moved_in_one(own):
    own.span("third", 3, changed=("image_noise", "image_hue"))
    found = comparison(own, "span:2", "span:3")
    assert found.moved_in() == (["image_noise"], ["image_contrast"], ["image_hue"])
    assert "and so is" in found.sentences[0]
    assert [each.feature for each in found.moved[:3]] == ["image_noise", "image_contrast", "image_hue"]
    assert found.moved[1].measured.second is None  # the third span has no such feature


# What the sentences rest on.


def test_parameters_that_differ_are_those_of_nodes_that_both_have(story):
    found = comparison(story, "span:1", "span:2")
    assert found.parameters == {("ServingLogExampleGen", "span"): Pair("1", "2")}


def test_what_follows_from_another_parameter_is_not_told_besides_it(tmp_path):
    made = Story(tmp_path / "root")
    for number in (1, 2):
        run = made.writer.pipeline_run("p", f"run-{number}")
        pattern = json.dumps({"splits": [{"name": "serving", "pattern": f"{number}/*"}]})
        run.node("Gen", parameters={"span": number, "input_config": pattern, "custom_config": f'{{"x": {number}}}'})
        run.node("Named", parameters={"labels_file": f"{number}.csv", "labels_fingerprint": f"{number}"})
        run.node("Changed", parameters={"labels_file": "one.csv", "labels_fingerprint": f"{number}"})
    named = list(comparison(made, "run-1", "run-2").parameters)
    assert named == [
        ("Gen", "custom_config.x"),
        ("Gen", "span"),
        ("Named", "labels_file"),
        ("Changed", "labels_fingerprint"),
    ]


def test_accuracy_of_the_held_out_examples_is_by_slice_with_intervals(story):
    rows = {(each.known, each.slice): each for each in comparison(story, "good", "bad").accuracies}
    assert list(rows) == [(HELD_OUT, ""), (HELD_OUT, "species Adelie"), (HELD_OUT, "species Gentoo")]
    first, second = rows[HELD_OUT, ""].values.both
    assert (first.value, second.value, first.total) == (0.9, 0.5, 100)
    assert first.low < 0.9 < first.high
    assert rows[HELD_OUT, ""].difference.beyond_chance


def test_an_accuracy_without_a_count_has_no_interval_and_is_a_metric(own):
    for path in own.root.glob("artifacts/Evaluator/evaluation/*/metrics*"):
        sliced = message_class("MetricsForSlice")()
        pair = sliced.metric_keys_and_values.add()
        pair.key.name, pair.value.double_value.value = "binary_accuracy", 0.75
        path.write_bytes(frame(sliced.SerializeToString()))
    found = comparison(own, "good", "bad")
    assert found.accuracies == []
    assert found.metrics == {"binary_accuracy": Pair(0.75, 0.75)}


def test_statistics_without_splits_are_not_counted_again(tmp_path):
    made = Story(tmp_path / "root")
    for number in (1, 2):
        run = made.writer.pipeline_run("p", f"run-{number}")
        folder = tmp_path / f"statistics-{number}"
        folder.mkdir()
        found = statistics_pb2.DatasetFeatureStatisticsList()
        found.datasets.add(num_examples=7)
        (folder / "FeatureStats.pb").write_bytes(found.SerializeToString())
        examples = [made.writer.artifact("Examples", tmp_path)]
        run.node("Gen", outputs={"examples": examples})
        run.node("Transform", inputs={"examples": examples},
                 outputs={"pre_transform_stats": [made.writer.artifact("ExampleStatistics", folder)]})  # fmt: skip
    assert comparison(made, "run-1", "run-2").counts == {}


def test_a_baseline_that_both_share_has_no_difference(story):
    rows = comparison(story, "span:1", "span:2").accuracies
    assert [(each.known, each.difference is None) for each in rows] == [(ESTIMATED, False), ("baseline", True)]


def test_checks_and_findings_stand_side_by_side(story):
    found = comparison(story, "good", "bad")
    assert [gate.outcome.value for gate in found.checks["Evaluator"].both] == ["passed", "failed"]
    told = [pair.second.message for pair in found.findings if pair.first is None]
    assert any("body_mass_g" in message for message in told)
    assert any("binary_accuracy" in message for message in told)


def test_artifacts_with_the_same_content_are_the_same(story):
    outputs = comparison(story, "good", "bad").outputs
    assert [each.same for each in outputs["SchemaGen"]] == [True]  # two artifacts, one content
    assert [each.same for each in outputs["StatisticsGen"]] == [False]
    assert {each.key: each.same for each in outputs["Evaluator"]} == {"evaluation": False, "blessing": False}


def test_different_pipelines_compare_what_they_share_and_say_what_they_do_not(story, capsys):
    found = comparison(story, "good", "span:1")
    assert not found.same_pipeline
    assert found.common_nodes == []
    code, out, _ = run(story, capsys, "good", "span:1")
    assert code == 0
    assert "The pipelines differ; only what both have is compared. Nodes of both: none" in words(out)
    assert "Nodes of run" in out
    assert "SkewDriftValidator" in out


# What cannot be read.


@pytest.mark.parametrize(
    ("pattern", "content", "said"),
    [
        ("SkewDriftValidator/anomalies/*/drift_report.json", b"{", "drift_report.json"),
        ("PerformanceEstimator/anomalies/*/performance.json", b"{}", "performance.json"),
        ("ImageStatisticsGen/statistics/*/Split-serving/FeatureStats.pb", b"\x0a\xff", "FeatureStats.pb"),
        ("ImageStatisticsGen/statistics/*/Split-serving/FeatureStats.pb", None, "FeatureStats.pb"),
        ("ServingLogExampleGen/examples/*/Split-serving/*", None, ""),
    ],
)
def test_a_damaged_or_missing_file_is_a_line(own, capsys, pattern, content, said):
    for path in own.root.glob(f"artifacts/{pattern}"):
        path.unlink() if content is None else path.write_bytes(content)
    code, out, err = run(own, capsys, "span:1", "span:2")
    assert (code, err) == (0, "")
    assert "Span 1" in out
    assert said in out
    assert out.count("✗ span 1:") >= bool(said)


def test_an_evaluation_that_is_gone_is_a_line_and_the_rest_stays(own, capsys):
    for path in own.root.glob("artifacts/Evaluator/evaluation/*/metrics*"):
        path.unlink()
    code, out, _ = run(own, capsys, "good", "bad")
    assert code == 0
    assert "must hold TFMA's metrics" in words(out)
    assert "Checks" in out


def test_a_run_that_failed_is_compared_as_far_as_it_came(own, capsys):
    own.penguin("broken", failed="StatisticsGen")
    code, out, _ = run(own, capsys, "good", "broken")
    assert code == 0
    assert " failed." in out
    assert "StatisticsGen did not finish, its state is failed" in words(out)


# The page.


def histograms(story, first, second):
    """Gives the two spans statistics of a feature that has bins."""
    paths = sorted(story.root.glob("artifacts/ImageStatisticsGen/statistics/*/Split-serving/FeatureStats.pb"))
    for path, counts in zip(sorted(paths, key=lambda path: int(path.parts[-3])), (first, second), strict=True):
        found = statistics_pb2.DatasetFeatureStatisticsList()
        feature = found.datasets.add(num_examples=sum(counts)).features.add()
        feature.path.step.append("image_noise")
        histogram = feature.num_stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
        for number, count in enumerate(counts):
            histogram.buckets.add(low_value=number, high_value=number + 1, sample_count=count)
        path.write_bytes(found.SerializeToString())


def page_of(story, capsys, tmp_path, first, second):
    out = tmp_path / "deep" / "page.html"
    code, shown, err = run(story, capsys, first, second, "--out", str(out))
    assert (code, err) == (0, "")
    assert shown.endswith(f"\n  {out}\n")
    return out.read_text()


def test_the_page_shows_both_windows_over_each_other(own, capsys, tmp_path):
    histograms(own, (60, 40), (10, 90))
    text = page_of(own, capsys, tmp_path, "span:1", "span:2")
    assert "<h1>Span 1 is fine, span 2 is degraded.</h1>" in text
    assert text.count("<svg") == 2  # the feature, and the accuracy
    assert "0 to 1: span 1 60.0%, span 2 10.0%" in text
    assert "span 2: 0.800, above the 0.100 allowed, p = 0.001" in text
    assert "://" not in text.replace("http://www.w3.org", "")


def test_the_page_of_two_trainings_has_the_accuracy_of_each_slice(story, capsys, tmp_path):
    text = page_of(story, capsys, tmp_path, "good", "bad")
    assert text.count("<svg") == 2
    assert "More than chance explains: species Adelie, species Gentoo" in text
    assert "binary_accuracy is 0.5, below 0.6" in text


def test_the_page_of_what_cannot_be_read_says_so(own, capsys, tmp_path):
    for path in own.root.glob("artifacts/ImageStatisticsGen/statistics/*/Split-serving/FeatureStats.pb"):
        path.write_bytes(b"\x0a\xff")
    text = page_of(own, capsys, tmp_path, "span:1", "span:2")
    assert "Could not be read" in text
    assert "image_noise" in text  # in the table


def test_hostile_names_are_text_on_the_page(tmp_path, capsys):
    made = Story(tmp_path / "root")
    for number, value in ((1, "<script>"), (2, "</table>")):
        run_ = made.writer.pipeline_run("<b>p</b>", f"run-{number}")
        run_.node("<i>Gen", parameters={"name": value})
    text = page_of(made, capsys, tmp_path, "run-1", "run-2")
    assert not [each for each in ("<b>p", "<i>Gen", "</table>\n</td>") if each in text]
    assert "&lt;script&gt;" in text


def test_a_page_that_cannot_be_written_or_is_not_asked_for_is_an_error(story, capsys, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = run(story, capsys, "span:1", "span:2", "--out", str(tmp_path / "file" / "page.html"))
    assert code == 1
    assert "`--out` must be a file that can be written" in words(err)
    code, _, err = run(story, capsys, "span:1", "span:2", "--open")
    assert code == 1
    assert "`--open` must come with --out FILE" in words(err)


# The command.


def test_the_output_fits_100_columns_without_colour(story, capsys):
    for pair in (("span:1", "span:2"), ("good", "bad"), ("good", "span:2")):
        code, out, _ = run(story, capsys, *pair)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 100
        assert "\x1b" not in out


@pytest.mark.parametrize("columns", ["100", "80", "60"])
def test_no_figure_is_cut_off_where_names_are_long_or_the_terminal_is_narrow(own, capsys, monkeypatch, columns):
    for path in own.root.glob("artifacts/Evaluator/evaluation/*/metrics*"):
        sliced = message_class("MetricsForSlice")()
        sliced.slice_key.single_slice_keys.add(column="occupation", bytes_value=b"Protective-services-of-the-state")
        for name, value in (("binary_accuracy", 0.5), ("example_count", 100.0)):
            pair = sliced.metric_keys_and_values.add()
            pair.key.name, pair.value.double_value.value = name, value
        path.write_bytes(frame(sliced.SerializeToString()))
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("model_monitor.terminal.WIDTH", int(columns))
    _, out, _ = run(own, capsys, "good", "bad")
    assert max(map(len, out.splitlines())) <= int(columns)
    part = words(out[out.index("with") : out.index("Durations")])
    for figure in ("0.500", "(0.404", "+0.000", "(-0.136", "+0.136)", "0.596)"):
        assert figure in part
    assert "state" in part


def test_what_moved_is_ranked_and_cut_at_the_limit(story, capsys):
    _, out, _ = run(story, capsys, "span:1", "span:2", "--limit", "3")
    moved = out[out.index("What moved") :]
    assert "2 of 62 features beyond the threshold in either" in moved
    assert moved.index("image_noise") < moved.index("image_contrast") < moved.index("image_property_0")
    assert "0.800  > 0.100" in moved
    assert "59 more features; `--limit 0` shows all" in moved
    _, out, _ = run(story, capsys, "span:1", "span:2", "--limit", "0")
    assert "image_property_59" in out


def test_the_record_for_scripts(story, capsys):
    code, out, _ = run(story, capsys, "span:1", "span:2", "--json")
    assert code == 0
    record = json.loads(out)
    assert record["format_version"] == 2
    assert [each["verdict"]["span"] for each in record["runs"]] == [1, 2]
    assert record["features"][0]["feature"] == "image_noise"
    first, second = record["features"][0]["measured"]
    assert first is None
    assert (second["measured"], second["threshold"], second["exceeded"]) == (0.8, 0.1, True)
    assert record["counts"] == [{"of": "serving", "name": "examples", "values": [100, 100]}]
    assert record["accuracy"][0]["difference"]["beyond_chance"]
    assert record["same_input"] == {"ServingLogExampleGen": False}
    assert record["nodes"][0]["name"] == "BaselineImporter"
    assert record["p_values"][0] == {"name": "everything together", "values": [0.4, 0.001]}


def test_the_record_of_stock_runs_has_checks_and_findings(story, capsys):
    record = json.loads(run(story, capsys, "good", "bad", "--json")[1])
    assert record["features"] == []
    assert record["checks"][0]["decided"][1]["outcome"] == "failed"
    assert {each[1]["what"] for each in record["findings"]} >= {"binary_accuracy"}


def test_one_run_cannot_be_compared_with_itself(story, capsys):
    code, _, err = run(story, capsys, "latest", "bad")
    assert code == 1
    assert "`RUN RUN` must be two runs" in words(err)


@pytest.mark.parametrize("arguments", [("span:1", "span:9"), ("godo", "bad"), ("good", "bad", "--limit", "-1")])
def test_what_is_not_there_is_an_error_that_says_so(story, capsys, arguments):
    code, out, err = run(story, capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error:")


def test_nothing_is_written_and_nothing_heavy_imported(story):
    before = {path: path.read_bytes() for path in story.root.rglob("*") if path.is_file()}
    code = f"""
import sys
from model_monitor import cli
assert cli.main(["compare", "span:1", "span:2", "--metadata", {str(story.metadata)!r}]) == 0
print("heavy:", [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert {path: path.read_bytes() for path in story.root.rglob("*") if path.is_file()} == before


# The parts.


def test_the_reasons_of_a_gate_that_cannot_be_read_are_no_pass(own, capsys):
    for path in own.root.glob("artifacts/Evaluator/blessing/*"):
        (path / REASONS_JSON).write_bytes(b"{")
    found = comparison(own, "good", "bad")
    assert [check.outcome.value for check in found.checks["Evaluator"].both] == ["undecided", "failed"]
    assert run(own, capsys, "good", "bad")[0] == 0


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("plain", {"a": "plain"}),
        ('["x", "y"]', {"a": '["x", "y"]'}),
        ("{", {"a": "{"}),
        ('{"b": [{"c": 1}, {"c": null}]}', {"a.b.0.c": "1", "a.b.1.c": "null"}),
        (3, {"a": "3"}),
        ("{}", {"a": "{}"}),
    ],
)
def test_a_parameter_in_parts(value, parts):
    assert dict(flat("a", value)) == parts


def test_the_interval_of_a_difference_is_within_reason():
    sure, unsure = Proportion(0.5, 0.49, 0.51, 10_000), Proportion(0.5, 0.2, 0.8, 10)
    assert not difference(sure, unsure).beyond_chance
    wide, narrow = difference(sure, unsure), difference(sure, sure)
    assert wide.low < narrow.low < 0 < narrow.high < wide.high
    less, more = (
        difference(sure, Proportion(0.4, 0.39, 0.41, 10_000)),
        difference(Proportion(0.4, 0.39, 0.41, 10_000), sure),
    )
    assert (less.low, less.high) == pytest.approx((-more.high, -more.low))


def test_pairs_keep_the_order_of_the_first():
    assert list(paired({"b": 1, "a": 2}, {"c": 3, "a": 4})) == ["b", "a", "c"]
    assert paired({"b": 1}, {"c": 3})["b"] == Pair(1, None)


def test_content_that_is_gone_is_neither_the_same_nor_other(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_text("same")
    assert same_content(one, other) is True
    (other / "deep" / "file").write_text("else")
    assert same_content(one, other) is False
    (other / "more").touch()
    assert same_content(one, other) is False
    assert same_content(one, tmp_path / "gone") is None
    assert same_content(one, Path("gs://bucket/one")) is None


def test_figures_name_what_could_not_be_read(own):
    for path in own.root.glob("artifacts/*/*/*/drift_report.json"):
        path.write_text("[]")
    history = History(open_store(own.metadata))
    found = figures_of(history, history.subject("span:2"))
    assert found.drift is None
    assert [problem for problem in found.problems if "drift_report.json" in problem]
    assert len(found.problems) == len(set(found.problems))


def test_an_unknown_run_is_an_error_of_ours(story):
    with pytest.raises(MonitorError, match="did you mean 'good'"):
        comparison(story, "goood", "bad")
