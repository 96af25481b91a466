"""The validator on real statistics of real images, with TFDV's own comparators."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.utils import anomalies_util, display_util
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import standard_artifacts

from components.common.errors import MonitorError
from components.common.records.decision import Decision
from components.common.records.drift_report import DriftReport, State
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample
from components.common.two_sample.false_alarms import p_value_threshold, together
from components.common.two_sample.near_duplicates import NearDuplicates
from components.common.verdict import Outcome
from components.push_gate.executor import Executor as GateExecutor
from components.skew_drift_validator.executor import Executor
from components.threshold_calibrator.executor import Executor as Calibrator
from tests.support.sample_images import CLASSES, scores

ROOT = Path(__file__).parents[3]
CURATED = ROOT / "schemas" / "cifar10" / "schema.pbtxt"
KINDS = anomalies_pb2.AnomalyInfo.Type
SEVERITIES = anomalies_pb2.AnomalyInfo.Severity
DEFAULTS = {
    "split": "serving",
    "baseline_split": "eval",
    "false_alarm_rate": 0.01,
    "min_examples": 30,
    "permutations": 999,
    "seed": 0,
    "environment": "SERVING",
}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory, pool, write_statistics):
    return write_statistics(tmp_path_factory.mktemp("baseline"), {"eval": pool[:2000], "few": pool[:99]})


@pytest.fixture(scope="module")
def schema(tmp_path_factory, baseline):
    folder = tmp_path_factory.mktemp("schema")
    (folder / "curated").mkdir()
    shutil.copy(CURATED, folder / "curated")
    curated, calibrated = standard_artifacts.Schema(), standard_artifacts.Schema()
    curated.uri, calibrated.uri = str(folder / "curated"), str(folder / "calibrated")
    properties = {"window_size": 400, "false_alarm_rate": 0.01, "split": "eval", "permutations": 999, "seed": 0}
    Calibrator().Do(
        {"statistics": [baseline], "curated_schema": [curated]},
        {"schema": [calibrated]},
        {**properties, "monitored": "[]", "unmonitored": "[]"},
    )
    return calibrated


@pytest.fixture(scope="module")
def windows(tmp_path_factory, pool, write_statistics, shifts):
    """Statistics of one window each, by name; every one of images that no other has, and not in the baseline."""
    folder = tmp_path_factory.mktemp("windows")
    images = {name: pool[2000 + 400 * i : 2400 + 400 * i] for i, name in enumerate(("clean", "before", "a", "b", "c"))}
    corrupt = images["c"].copy()
    noise = np.random.default_rng(8).integers(-4, 5, images["clean"].shape)
    made = {
        "clean": images["clean"],
        "before": images["before"],
        "blurred": np.concatenate([shifts["blurred"](images["a"][:200]), images["a"][200:]]),
        "brightened": shifts["brightened"](images["b"]),
        "black": np.concatenate([corrupt[:-4], 0 * corrupt[-4:]]),
        "bursts": np.clip(np.repeat(images["clean"][:100].astype(int), 4, axis=0) + noise, 0, 255).astype(np.uint8),
        "tiny": pool[4000:4029],
        "empty": pool[:0],
    }
    return {
        name: write_statistics(folder / name, {"serving": found}, span=number)
        for number, (name, found) in enumerate(made.items())
    }


@pytest.fixture(scope="module")
def run_validator(tmp_path_factory, baseline, schema):
    """Runs the executor; returns the output artifact, the report and the anomalies, all read back from files."""

    def run(window, *, against=baseline, previous=None, by=schema, **properties):
        output = standard_artifacts.ExampleAnomalies()
        output.uri = str(tmp_path_factory.mktemp("anomalies"))
        given = {"baseline_statistics": against, "previous_statistics": previous}
        inputs = {"statistics": [window], "schema": [by]} | {key: [each] for key, each in given.items() if each}
        connected = {"has_baseline": int(against is not None), "has_previous": int(previous is not None)}
        Executor().Do(inputs, {"anomalies": [output]}, DEFAULTS | connected | properties)
        report = DriftReport.from_json((Path(output.uri) / "drift_report.json").read_text())
        path = str(Path(output.uri) / f"Split-{(DEFAULTS | properties)['split']}" / "SchemaDiff.pb")
        anomalies = anomalies_util.load_anomalies_binary(path)
        assert anomalies.HasField("anomaly_name_format")  # else readers take them for cut short
        return output, report, anomalies

    return run


@pytest.fixture(scope="module")
def judge(run_validator):
    """As `run_validator`, which it runs once for the same artifacts and properties: many tests look at one run."""
    done = {}

    def run(window, **given):
        artifacts = {key: each and each.uri for key, each in given.items() if key in ("against", "previous", "by")}
        key = (window.uri, *sorted((given | artifacts).items()))
        if key not in done:
            done[key] = run_validator(window, **given)
        return done[key]

    return run


def kinds(info):
    return {KINDS.Name(reason.type) for reason in info.reason}


def test_a_clean_window_is_fine(judge, windows):
    output, report, anomalies = judge(windows["clean"], previous=windows["before"])
    assert (report.state, report.outcome) == (State.FINE, Outcome.PASSED)
    assert not anomalies.anomaly_info
    assert not anomalies.HasField("dataset_anomaly_info")
    assert anomalies.HasField("baseline")
    assert report.skew_p_threshold == p_value_threshold(0.005, 400, 2000) < report.drift_p_threshold == 0.005
    both = [(report.skew_p_value, report.skew_p_threshold), (report.drift_p_value, report.drift_p_threshold)]
    assert 0.01 < report.p_value == pytest.approx(together(both)[0])
    assert report.p_threshold == output.get_float_custom_property("p_threshold") == pytest.approx(together(both)[1])
    assert (report.window.examples, report.baseline.examples, report.previous.examples) == (400, 2000, 400)
    assert report.previous.span == 1
    assert output.get_string_custom_property("state") == "fine"
    assert output.get_int_custom_property("alarm") == 0
    assert output.get_int_custom_property("window_size") == 400
    assert output.get_float_custom_property("p_value") == report.p_value
    assert (output.split_names, output.span) == ('["serving"]', 0)


def test_bursts_of_near_duplicates_are_named_and_what_to_set(judge, windows):
    """A hundred images, four frames of each: nothing has changed, and the alarm is raised all the same."""
    _, report, anomalies = judge(windows["bursts"])
    assert report.state is State.CHANGED
    assert report.sentence.startswith("100.0% of 400 images have a near-duplicate in the window, ")
    assert "Set one_example_per: client, or image, request or a time" in report.sentence
    assert any("near-duplicate" in problem for problem in report.problems)
    assert "near-duplicate" in anomalies.dataset_anomaly_info.description


def test_sorted_scores_of_few_classes_are_named_and_make_the_window_invalid(run_validator, windows, tmp_path):
    window = standard_artifacts.ExampleStatistics()
    window.split_names = windows["clean"].split_names
    window.uri = str(shutil.copytree(windows["clean"].uri, tmp_path / "sorted"))
    path = f"{window.uri}/Split-serving/{FILE_NAME}"
    sample = FeatureSample.from_bytes(Path(path).read_bytes())
    replace(sample, probabilities=-np.sort(-sample.probabilities)).write(path)
    _, report, anomalies = run_validator(window)
    assert (report.state, report.outcome) == (State.INVALID, Outcome.FAILED)
    assert report.invalid[0].startswith(
        "Scores are sorted: in all of 400 rows they fall from the first to the last, and in"
    )
    assert "Scores are sorted" in anomalies.dataset_anomaly_info.description


def test_near_duplicates_alone_are_no_alarm(run_validator, windows, monkeypatch):
    """The warning leaves the window fine, where the comparison finds nothing."""
    monkeypatch.setattr(NearDuplicates, "more_frequent", True)
    _, report, anomalies = run_validator(windows["clean"], previous=windows["before"])
    assert (report.state, report.outcome) == (State.FINE, Outcome.PASSED)
    assert "near-duplicate" in report.problems[0]
    assert anomalies.dataset_anomaly_info.severity == SEVERITIES.Value("WARNING")


@pytest.mark.parametrize(
    ("window", "on_top"),
    [
        ("blurred", {"image_sharpness", "image_noise", "image_gradient", "image_edge_density"}),
        ("brightened", {"image_brightness", "image_dark_fraction", "image_red_mean", "image_green_mean"}),
    ],
)
def test_a_changed_window_is_flagged_with_the_right_features_on_top(judge, windows, window, on_top):
    output, report, anomalies = judge(windows[window], previous=windows["before"])
    assert (report.state, report.outcome) == (State.CHANGED, Outcome.FAILED)
    assert set(report.features[:3]) <= on_top
    assert report.sentence.startswith(
        f"The window differs from the baseline and the previous span in {report.features[0]}"
    )
    assert report.p_value <= 0.01
    assert output.get_int_custom_property("alarm") == 1
    first = anomalies.anomaly_info[report.features[0]]
    assert {"COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH", "CUSTOM_VALIDATION"} <= kinds(first)
    assert (first.short_description, first.severity) == ("Multiple errors", SEVERITIES.Value("ERROR"))
    for pair in ("training and serving", "current and previous", "baseline and window", "previous span and window"):
        assert pair in first.description
    assert set(anomalies.anomaly_info) == set(report.changed_features)
    assert kinds(anomalies.dataset_anomaly_info) == {"CUSTOM_VALIDATION"}
    assert "The window as a whole differs from the baseline" in anomalies.dataset_anomaly_info.description
    assert "p = 0.001, alarm at 0.005" in anomalies.dataset_anomaly_info.description


def test_the_report_says_what_moved_and_by_how_much(judge, windows):
    _, report, _ = judge(windows["brightened"])
    (found,) = [m for m in report.measurements if (m.feature, m.test) == ("image_brightness", "jensen_shannon")]
    assert found.window_mean > found.reference_mean + 0.1
    assert found.exceeded
    assert found.excess > 0
    assert found.measured > found.threshold > 0
    assert [m.rank for m in report.measurements] == sorted(m.rank for m in report.measurements)


def test_tfdv_measures_what_was_calibrated(judge, windows):
    _, report, anomalies = judge(windows["blurred"], previous=windows["before"])
    theirs = {
        (comparison, ".".join(info.path.step)): measured.value
        for info in anomalies.drift_skew_info
        for comparison, found in (("skew", info.skew_measurements), ("drift", info.drift_measurements))
        for measured in found
    }
    ours = {
        (m.comparison, m.feature): m.measured for m in report.measurements if m.test in ("jensen_shannon", "l_infinity")
    }
    assert theirs == pytest.approx(ours, abs=1e-9)
    assert len(ours) > 50


def test_the_comparators_alarm_exactly_where_the_report_does(judge, windows):
    _, report, anomalies = judge(windows["blurred"], previous=windows["before"])
    by_tfdv = {name for name, info in anomalies.anomaly_info.items() if any(k.startswith("COMP") for k in kinds(info))}
    tests = ("jensen_shannon", "l_infinity")
    assert by_tfdv == {m.feature for m in report.measurements if m.exceeded and m.test in tests}


def test_anomalies_are_shown_to_a_person(judge, windows):
    _, report, anomalies = judge(windows["blurred"])
    tfdv.display_anomalies(anomalies)
    table = display_util.get_anomalies_dataframe(anomalies)
    assert set(table.index) == {"[dataset anomaly]", *(f"'{name}'" for name in report.changed_features)}
    said = table.loc[f"'{report.features[0]}'", "Anomaly long description"]
    assert "The Kolmogorov-Smirnov distance between baseline and window is " in said


def test_the_same_seed_gives_the_same_result(judge, run_validator, windows):
    first, again = judge(windows["clean"])[1:], run_validator(windows["clean"])[1:]
    assert first[0] == again[0]
    assert first[1].SerializeToString(deterministic=True) == again[1].SerializeToString(deterministic=True)
    assert judge(windows["clean"], seed=1)[1].p_value != first[0].p_value


def test_thresholds_are_those_for_the_windows_size(judge, pool, tmp_path, write_statistics):
    limits = {}
    for size in (60, 240, 960):
        window = write_statistics(tmp_path / f"w{size}", {"serving": pool[3000 : 3000 + size]})
        _, report, _ = judge(window)
        limits[size] = next(m for m in report.measurements if (m.feature, m.test) == ("image_noise", "jensen_shannon"))
    assert limits[60].threshold > 2 * limits[240].threshold > 4 * limits[960].threshold


def test_no_previous_span_is_a_warning_where_the_pipeline_has_none(judge, windows):
    _, report, anomalies = judge(windows["clean"])
    assert (report.state, report.outcome) == (State.NO_PREVIOUS_SPAN, Outcome.PASSED)
    info = anomalies.dataset_anomaly_info
    assert (info.short_description, info.severity) == ("No previous span", SEVERITIES.Value("WARNING"))
    assert kinds(info) == {"COMPARATOR_CONTROL_DATA_MISSING"}
    assert "no statistics of one are connected" in info.description


def test_a_previous_span_that_is_connected_and_empty_is_an_error(judge, windows):
    _, report, anomalies = judge(windows["clean"], has_previous=1)
    assert (report.state, report.outcome) == (State.NO_PREVIOUS_SPAN, Outcome.UNDECIDED)
    assert anomalies.dataset_anomaly_info.severity == SEVERITIES.Value("ERROR")
    assert "connected but hold nothing" in anomalies.dataset_anomaly_info.description


@pytest.mark.parametrize(("connected", "words"), [(0, "no statistics of one are"), (1, "connected but hold nothing")])
def test_no_baseline_is_an_error_and_drift_is_checked_all_the_same(judge, windows, connected, words):
    _, report, anomalies = judge(windows["clean"], against=None, previous=windows["before"], has_baseline=connected)
    assert (report.state, report.outcome) == (State.NO_BASELINE, Outcome.UNDECIDED)
    info = anomalies.dataset_anomaly_info
    assert (info.short_description, info.severity) == ("No baseline", SEVERITIES.Value("ERROR"))
    assert words in info.description
    assert report.p_value == report.drift_p_value
    assert report.skew_p_value is None
    assert {m.comparison for m in report.measurements} == {"drift"}


def test_drift_alone_is_found(judge, windows):
    _, report, anomalies = judge(windows["blurred"], against=None, previous=windows["before"])
    assert report.state is State.CHANGED
    assert report.sentence.startswith("The window differs from the previous span in ")
    assert "No baseline" in {reason.short_description for reason in anomalies.dataset_anomaly_info.reason}


@pytest.mark.parametrize(
    ("window", "kind", "words"),
    [
        ("tiny", "COMPARATOR_LOW_NUM_EXAMPLES", "The window has 29 examples, 30 are needed"),
        ("empty", "NO_DATA_IN_SPAN", "The window has no examples"),
    ],
)
def test_too_few_examples_are_not_judged(judge, windows, window, kind, words):
    output, report, anomalies = judge(windows[window], previous=windows["before"])
    assert (report.state, report.outcome) == (State.TOO_FEW_EXAMPLES, Outcome.UNDECIDED)
    assert kinds(anomalies.dataset_anomaly_info) == {kind}
    assert report.sentence == words
    assert (report.p_value, report.measurements) == (None, ())
    assert output.get_float_custom_property("p_value") == -1


def test_a_small_baseline_and_a_small_previous_span_are_named(judge, windows):
    _, report, anomalies = judge(windows["clean"], previous=windows["tiny"], baseline_split="few")
    assert (report.state, report.outcome) == (State.BASELINE_TOO_SMALL, Outcome.UNDECIDED)
    told = anomalies.dataset_anomaly_info
    # the warning is told beside the error, and is no error
    assert [reason.short_description for reason in told.reason] == ["Baseline too small"]
    assert "The previous span has 29 examples, 30 are needed." in told.description
    assert len(report.problems) == 2
    assert report.measurements == ()


def test_a_window_against_the_schema_is_invalid(judge, windows):
    _, report, anomalies = judge(windows["black"], previous=windows["before"])
    assert (report.state, report.outcome) == (State.INVALID, Outcome.FAILED)
    assert "FLOAT_TYPE_SMALL_FLOAT" in kinds(anomalies.anomaly_info["image_brightness"])
    assert report.sentence.startswith("Feature image_")
    assert not report.alarm


def test_a_window_without_predictions_is_invalid(judge, windows, pool, tmp_path, write_statistics):
    window = write_statistics(tmp_path / "unpredicted", {"serving": pool[4000:4400]}, predicted=False)
    _, report, anomalies = judge(window, previous=windows["before"])
    assert report.state is State.INVALID
    info = anomalies.anomaly_info["prediction_class"]
    assert kinds(info) == {"STATS_NOT_AVAILABLE"}
    assert "Not compared with the baseline: the window has no values of it." in info.description
    # The other way round it is no fault of the window's.
    _, report, anomalies = judge(windows["clean"], previous=window)
    assert report.state is State.FINE
    assert anomalies.anomaly_info["prediction_class"].severity == SEVERITIES.Value("WARNING")


def test_an_image_that_cannot_be_read_is_said_and_the_rest_is_compared(
    judge, pool, tmp_path, write_statistics, windows
):
    images = [*pool[4000:4399], pool[4399, :20]]  # one alone: more would be a change of their own
    window = write_statistics(tmp_path / "cut", {"serving": images}, predicted=False)
    _, report, anomalies = judge(window, previous=windows["before"])
    assert report.state is State.INVALID
    assert kinds(anomalies.anomaly_info["image_corrupt"]) == {"INT_TYPE_BIG_INT"}
    assert "image_noise" in {m.feature for m in report.measurements}


def test_a_column_that_the_schema_lacks_is_a_warning(judge, windows, tmp_path):
    shutil.copytree(windows["clean"].uri, tmp_path / "column")
    path = tmp_path / "column" / "Split-serving" / "FeatureStats.pb"
    statistics = tfdv.load_stats_binary(str(path))
    extra = statistics.datasets[0].features.add()
    extra.CopyFrom(statistics.datasets[0].features[-2])
    extra.path.step[0] = "user_agent"
    path.write_bytes(statistics.SerializeToString())
    window = standard_artifacts.ExampleStatistics()
    window.uri, window.split_names = str(tmp_path / "column"), '["serving"]'
    _, report, anomalies = judge(window, previous=windows["before"])
    assert report.state is State.FINE
    assert anomalies.anomaly_info["user_agent"].severity == SEVERITIES.Value("WARNING")


def test_a_sample_of_a_part_is_what_tfdv_compares(judge, pool, tmp_path, write_statistics, windows):
    parts = {
        name: write_statistics(tmp_path / name, {split: images}, sample_size=300)
        for name, split, images in (("w", "serving", pool[4000:4800]), ("b", "eval", pool[:2000]))
    }
    _, report, anomalies = judge(parts["w"], against=parts["b"], previous=windows["before"])
    assert report.state is State.FINE
    assert (report.window.examples, report.window.sampled) == (800, 300)
    assert len(anomalies.drift_skew_info) > 25


def edited(schema, tmp_path, edit):
    found = tfdv.load_schema_text(f"{schema.uri}/schema.pbtxt")
    edit({feature.name: feature for feature in found.feature})
    (tmp_path / "edited").mkdir()
    tfdv.write_schema_text(found, str(tmp_path / "edited" / "schema.pbtxt"))
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path / "edited")
    return artifact


def test_a_comparator_written_by_hand_is_obeyed(judge, schema, windows, tmp_path):
    def edit(features):
        noise = features["image_noise"]
        noise.skew_comparator.jensen_shannon_divergence.threshold = 1e-6
        noise.annotation.tag.remove("calibrated_skew_comparator")

    _, report, anomalies = judge(windows["clean"], previous=windows["before"], by=edited(schema, tmp_path, edit))
    assert report.state is State.CHANGED
    assert not report.alarm
    assert kinds(anomalies.anomaly_info["image_noise"]) == {"COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"}
    assert "image_noise" not in {m.feature for m in report.measurements if m.comparison == "skew"}


def test_a_comparator_written_by_hand_that_compares_nothing_is_said(judge, schema, windows, tmp_path):
    def edit(features):
        features["label"].drift_comparator.infinity_norm.threshold = 0.1

    _, report, anomalies = judge(windows["clean"], previous=windows["before"], by=edited(schema, tmp_path, edit))
    assert report.state is State.INVALID
    assert "drift_comparator, written by hand, compared nothing" in anomalies.anomaly_info["label"].description


def test_a_schema_that_was_not_calibrated_is_refused(judge, windows, tmp_path):
    curated = standard_artifacts.Schema()
    (tmp_path / "only").mkdir()
    shutil.copy(CURATED, tmp_path / "only")
    curated.uri = str(tmp_path / "only")
    with pytest.raises(MonitorError, match="`schema` must have comparators that ThresholdCalibrator computed"):
        judge(windows["clean"], by=curated)


def without_environments(schema, folder):
    """The schema as SchemaGen would have made it of labelled training examples."""
    text = (Path(schema.uri) / "schema.pbtxt").read_text()
    lines = [line for line in text.splitlines() if "_environment" not in line]
    made = standard_artifacts.Schema()
    made.uri = str(folder)
    folder.mkdir()
    (folder / "schema.pbtxt").write_text("\n".join(lines))
    assert "SERVING" not in "".join(lines)
    return made


def test_a_schema_without_environments_does_not_ask_for_the_label(judge, windows, schema, tmp_path):
    _, report, anomalies = judge(windows["clean"], by=without_environments(schema, tmp_path / "plain"))
    assert report.outcome is Outcome.PASSED
    assert not anomalies.anomaly_info


def test_a_schema_without_environments_asks_for_everything_that_is_computed(judge, windows, schema, tmp_path):
    _, report, anomalies = judge(windows["black"], by=without_environments(schema, tmp_path / "plain"))
    assert report.outcome is Outcome.FAILED
    assert "image_brightness" in anomalies.anomaly_info


def test_an_environment_that_the_schema_lacks_is_refused(judge, windows):
    with pytest.raises(MonitorError, match=r"`environment` must be one of the schema's.*Received: 'PRODUCTION'"):
        judge(windows["clean"], environment="PRODUCTION")


def test_statistics_and_sample_of_different_examples_are_refused(judge, windows, tmp_path):
    shutil.copytree(windows["clean"].uri, tmp_path / "mixed")
    shutil.copy(
        Path(windows["before"].uri) / "Split-serving" / "FeatureSample.npz", tmp_path / "mixed" / "Split-serving"
    )
    window = standard_artifacts.ExampleStatistics()
    window.uri, window.split_names = str(tmp_path / "mixed"), '["serving"]'
    with pytest.raises(MonitorError, match=r"TFDV must measure for .* must be of the same examples"):
        judge(window)


@pytest.mark.parametrize("side", ["window", "baseline"])
def test_a_missing_sample_is_an_error(judge, windows, baseline, tmp_path, side):
    source, split = (windows["clean"], "serving") if side == "window" else (baseline, "eval")
    shutil.copytree(source.uri, tmp_path / "bare")
    (tmp_path / "bare" / f"Split-{split}" / "FeatureSample.npz").unlink()
    bare = standard_artifacts.ExampleStatistics()
    bare.uri, bare.split_names = str(tmp_path / "bare"), f'["{split}"]'
    with pytest.raises(MonitorError, match=r"must have a FeatureSample\.npz"):
        judge(**({"window": bare} if side == "window" else {"window": windows["clean"], "against": bare}))


@pytest.mark.parametrize(
    ("window", "previous", "expected"),
    [
        ("clean", True, Outcome.PASSED),
        ("clean", False, Outcome.PASSED),
        ("blurred", True, Outcome.FAILED),
        ("black", True, Outcome.FAILED),
        ("tiny", True, Outcome.UNDECIDED),
        ("empty", True, Outcome.UNDECIDED),
    ],
)
def test_the_gate_decides_as_it_should(judge, windows, tmp_path, window, previous, expected):
    output, report, _ = judge(windows[window], previous=windows["before"] if previous else None)
    decision = gate(output, tmp_path)
    (verdict,) = [each for each in decision.checks if each.name == "anomalies"]
    assert verdict.outcome is expected, verdict
    assert verdict.outcome.value == report.outcome.value
    if not previous:
        assert "not compared with a previous span" in verdict.reason


def gate(anomalies, tmp_path):
    """PushGate's decision on these anomalies, with the project's policy about data."""
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    model.uri, blessing.uri = str(tmp_path / "model"), str(tmp_path / "blessing")
    policy = "evaluation: {required: false}\ncanary: {run: false}\nanomalies: {types: {SCHEMA_NEW_COLUMN: warn}}"
    GateExecutor().Do({"model": [model], "anomalies_0": [anomalies]}, {"blessing": [blessing]}, {"policy": policy})
    return Decision.from_json((tmp_path / "blessing" / "reasons.json").read_text())


@pytest.mark.parametrize(
    ("column", "broken", "what"),
    [
        ("image", [b"xx"], "200 of 400 images cannot be used: 200 that are not 3,072 bytes, such as 2"),
        ("probabilities", [0.0] * CLASSES, "200 of 400 predictions cannot be used: 200 that are no probabilities"),
    ],
)
def test_a_half_that_is_broken_is_named_before_what_follows_from_it(
    judge, tmp_path, pool, write_statistics, column, broken, what
):
    images = pool[2000:2400]
    good = [[image.tobytes()] for image in images] if column == "image" else scores(images).tolist()
    values = [broken if number % 2 else each for number, each in enumerate(good)]
    window = write_statistics(tmp_path / "half", {"serving": images}, **{column: values})
    _, report, anomalies = judge(window)
    assert (report.state, report.outcome) == (State.CHANGED, Outcome.FAILED)
    assert report.sentence.startswith(f"{what}, 0 of 2,000 in the baseline. The window")
    assert "no single feature" not in report.sentence
    assert what in anomalies.dataset_anomaly_info.description
