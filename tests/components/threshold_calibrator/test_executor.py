"""The calibrator on real statistics, and TFDV and ExampleValidator with the schema that it makes."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.example_validator import executor as example_validator
from tfx.types import standard_artifacts

from components.common.errors import MonitorError
from components.common.statistics.feature_sample import FeatureSample
from components.common.statistics.monitored_features import binned_features, rows_of
from components.common.two_sample.comparison import thresholds as two_sample_thresholds
from components.common.two_sample.false_alarms import p_value_threshold
from components.threshold_calibrator.executor import Executor

CURATED = Path(__file__).parents[3] / "schemas" / "cifar10" / "schema.pbtxt"
WINDOW = 500
DEFAULTS = {
    "window_size": WINDOW,
    "false_alarm_rate": 0.05,
    "split": "eval",
    "permutations": 1999,
    "seed": 0,
    "monitored": "[]",
    "unmonitored": "[]",
}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory, pool, write_statistics):
    return write_statistics(tmp_path_factory.mktemp("baseline"), {"eval": pool[:2000], "few": pool[:99]})


@pytest.fixture(scope="module")
def run_calibrator(tmp_path_factory, baseline):
    """Runs the executor: (changes to the curated schema's text, parameters) -> (artifact, schema)."""

    def run(text=None, statistics=baseline, **properties):
        folder = tmp_path_factory.mktemp("calibration")
        (folder / "curated").mkdir()
        (folder / "curated" / "schema.pbtxt").write_text(CURATED.read_text() if text is None else text)
        curated, output = standard_artifacts.Schema(), standard_artifacts.Schema()
        curated.uri, output.uri = str(folder / "curated"), str(folder / "calibrated")
        inputs = {"statistics": [statistics], "curated_schema": [curated]}
        Executor().Do(inputs, {"schema": [output]}, DEFAULTS | properties)
        return output, tfdv.load_schema_text(str(folder / "calibrated" / "schema.pbtxt"))

    return run


@pytest.fixture(scope="module")
def calibrate(run_calibrator, baseline):
    """As `run_calibrator`, which it runs once for the same arguments: several tests look at one run."""
    done = {}

    def run(text=None, statistics=baseline, **properties):
        key = (text, statistics.uri, *sorted(properties.items()))
        if key not in done:
            done[key], _ = run_calibrator(text, statistics, **properties)
        return done[key], tfdv.load_schema_text(f"{done[key].uri}/schema.pbtxt")

    return run


def thresholds(schema, comparison="skew"):
    found = {}
    for feature in schema.feature:
        comparator = getattr(feature, f"{comparison}_comparator")
        for kind in ("jensen_shannon_divergence", "infinity_norm"):
            if comparator.HasField(kind):
                found[feature.name] = getattr(comparator, kind).threshold
    return found


def statistics_of(artifact, split):
    return tfdv.load_stats_binary(f"{artifact.uri}/Split-{split}/FeatureStats.pb")


def test_every_monitored_feature_gets_both_comparators(calibrate):
    output, schema = calibrate()
    skew, drift = thresholds(schema), thresholds(schema, "drift")
    assert set(skew) == set(drift)
    assert {"image_brightness", "image_noise", "prediction_confidence", "prediction_class"} <= set(skew)
    assert not {"image", "id", "label", "image_corrupt", "prediction_corrupt"} & set(skew)
    by_name = {feature.name: feature for feature in schema.feature}
    assert by_name["prediction_class"].skew_comparator.HasField("infinity_norm")
    assert by_name["image_noise"].skew_comparator.HasField("jensen_shannon_divergence")
    # a window against 2,000 is less noisy than one against another of 500
    assert all(skew[name] < drift[name] for name in skew)
    assert set(output.get_string_custom_property("features").split(", ")) == set(skew)


def test_skew_is_calibrated_for_this_one_baseline(calibrate, baseline):
    """As SkewDriftValidator compares: the threshold takes the baseline's own sampling error into account."""
    _, schema = calibrate(monitored=json.dumps(["image_noise", "image_warmth"]), permutations=499)
    statistics = statistics_of(baseline, "eval")
    names = ["image_noise", "image_warmth"]
    known = binned_features(statistics.datasets[0])
    sample = FeatureSample.read(f"{baseline.uri}/Split-eval/FeatureSample.npz")
    rate = p_value_threshold(0.025, WINDOW, 2000)
    expected = two_sample_thresholds(
        [known[name] for name in names],
        rows_of(sample, names, classes=False),
        window_size=WINDOW, false_alarm_rate=rate, permutations=499,
    )  # fmt: skip
    assert rate < 0.025
    assert thresholds(schema) == pytest.approx({name: expected["jensen_shannon", name] for name in names})


def test_what_it_did_is_in_the_artifact_and_in_the_schema(calibrate):
    output, schema = calibrate(seed=3)
    assert output.get_int_custom_property("window_size") == WINDOW
    assert output.get_int_custom_property("baseline_examples") == 2000
    assert output.get_int_custom_property("seed") == 3
    assert output.get_float_custom_property("false_alarm_rate") == 0.05
    assert "prediction_confidence" in output.get_string_custom_property("added")
    (comment,) = schema.annotation.comment
    assert (
        comment == "Comparators calibrated for windows of 500 examples and 0.05 false alarms a window; "
        "1999 permutations, seed 3"
    )


def test_nothing_else_in_the_curated_schema_changes(calibrate):
    _, schema = calibrate()
    curated = text_format.Parse(CURATED.read_text(), schema_pb2.Schema())
    known = {feature.name for feature in curated.feature}
    left = schema_pb2.Schema()
    left.CopyFrom(schema)
    left.ClearField("annotation")
    del left.feature[:]
    for feature in schema.feature:
        if feature.name in known:
            for field in ("skew_comparator", "drift_comparator", "annotation"):
                feature.ClearField(field)
            left.feature.add().CopyFrom(feature)
    assert left == curated


def test_the_same_seed_gives_the_same_schema_in_seconds(calibrate, run_calibrator):
    started = time.process_time()
    first = run_calibrator()[1]
    assert time.process_time() - started < 60
    assert calibrate()[1] == first
    assert thresholds(calibrate(seed=1)[1]) != thresholds(first)


def test_calibrating_again_replaces_what_was_calibrated(calibrate):
    _, first = calibrate(monitored=json.dumps(["image_noise", "image_warmth"]))
    again, second = calibrate(text_format.MessageToString(first), window_size=100, unmonitored='["image_warmth"]')
    assert again.get_string_custom_property("kept") == ""
    assert "image_warmth" not in thresholds(second)
    assert thresholds(second)["image_noise"] > thresholds(first)["image_noise"]
    assert len(second.annotation.comment) == 1


def test_thresholds_grow_as_windows_shrink_and_rates_fall(calibrate):
    at = {size: thresholds(calibrate(window_size=size)[1])["image_noise"] for size in (50, 200, 800)}
    assert at[50] > 2 * at[200] > 4 * at[800] > 0
    assert thresholds(calibrate(false_alarm_rate=0.01)[1])["image_noise"] > thresholds(calibrate()[1])["image_noise"]


def by_hand(name, comparator):
    return f'feature {{ name: "{name}" type: FLOAT {comparator} }}\n'


def test_a_comparator_written_by_hand_stays(calibrate):
    text = by_hand("image_noise", "skew_comparator { jensen_shannon_divergence { threshold: 0.5 } }")
    output, schema = calibrate(text)
    assert thresholds(schema)["image_noise"] == 0.5
    assert thresholds(schema, "drift")["image_noise"] < 0.1
    assert output.get_string_custom_property("kept") == "image_noise (skew)"
    assert "calibrated_skew_comparator" not in schema.feature[0].annotation.tag


@pytest.mark.parametrize(
    ("name", "reason"),
    [("image", "the values are bytes"), ("image_noise", "infinity_norm compares categories")],
)
def test_a_comparator_that_would_compare_nothing_is_dropped(calibrate, name, reason):
    text = by_hand(name, "drift_comparator { infinity_norm { threshold: 0.01 } }")
    output, schema = calibrate(text)
    dropped = output.get_string_custom_property("dropped")
    assert dropped.startswith(f"{name} (drift): {reason}")
    assert schema.feature[0].drift_comparator.infinity_norm.threshold == 0


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"split": "train"}, r"`split of statistics` must be one of eval, few of .*\. Received: 'train'"),
        ({"split": "few"}, "`the baseline's sample` must hold at least 100 examples. Received: 99"),
        ({"monitored": '["image_nose"]'}, "did you mean 'image_noise'"),
    ],
)
def test_a_baseline_that_cannot_be_used_is_refused(calibrate, properties, message):
    with pytest.raises(MonitorError, match=message):
        calibrate(**properties)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "FeatureSample.npz").unlink(), "must have a FeatureSample.npz in"),
        (lambda path: (path / "FeatureSample.npz").write_bytes(b"PK"), "must be a complete feature sample"),
        (lambda path: (path / "FeatureStats.pb").unlink(), "FeatureStats.pb must be a readable file"),
        (
            lambda path: (path / "FeatureStats.pb").write_bytes(b"\xff\xff"),
            "must hold a message DatasetFeatureStatisticsList",
        ),
        (
            lambda path: (path / "FeatureStats.pb").write_bytes(b""),
            r"FeatureStats.pb must hold a message DatasetFeatureStatisticsList. Received: an empty file",
        ),
    ],
)
def test_damaged_files_are_named(calibrate, tmp_path, pool, write_statistics, damage, message):
    statistics = write_statistics(tmp_path / "damaged", {"eval": pool[:150]})
    damage(tmp_path / "damaged" / "Split-eval")
    with pytest.raises(MonitorError, match=message):
        calibrate(statistics=statistics)


def test_a_sample_of_other_examples_is_refused(calibrate, tmp_path, pool, write_statistics):
    statistics = write_statistics(tmp_path / "mixed", {"eval": pool[:150], "other": pool[:160]})
    folder = tmp_path / "mixed"
    (folder / "Split-other" / "FeatureSample.npz").replace(folder / "Split-eval" / "FeatureSample.npz")
    with pytest.raises(MonitorError, match=r"must be of the 150 examples of the statistics beside it. Received: 160"):
        calibrate(statistics=statistics)


def test_images_alone_can_be_monitored(calibrate, tmp_path, pool, write_statistics):
    statistics = write_statistics(tmp_path / "images", {"eval": pool[:300]}, predicted=False)
    _, schema = calibrate(statistics=statistics)
    assert all(name.startswith("image_") for name in thresholds(schema))


def test_example_validator_passes_data_with_and_without_predictions(
    calibrate, baseline, tmp_path, pool, write_statistics
):
    output, _ = calibrate()
    training = write_statistics(tmp_path / "training", {"train": pool[2000:3000]}, predicted=False)
    for number, statistics in enumerate((training, baseline)):
        anomalies = standard_artifacts.ExampleAnomalies()
        anomalies.uri = str(tmp_path / f"anomalies{number}")
        inputs = {"statistics": [statistics], "schema": [output]}
        example_validator.Executor().Do(inputs, {"anomalies": [anomalies]}, {"exclude_splits": '["few"]'})
        split = "eval" if number else "train"
        found = anomalies_pb2.Anomalies()
        found.ParseFromString((tmp_path / f"anomalies{number}" / f"Split-{split}" / "SchemaDiff.pb").read_bytes())
        assert set(found.anomaly_info) <= {"label"}  # the fixture's images have no label


@pytest.fixture(scope="module")
def windows(tmp_path_factory, pool, write_statistics, shifts):
    """Windows of the planned size, clean and changed."""
    folder = tmp_path_factory.mktemp("windows")
    clean = {f"clean{i}": pool[2000 + WINDOW * i : 2000 + WINDOW * (i + 1)] for i in range(8)}
    changed = {"blurred": shifts["blurred"](clean["clean0"]), "brightened": shifts["brightened"](clean["clean1"])}
    artifact = write_statistics(folder, clean | changed)
    return {name: statistics_of(artifact, name) for name in (*clean, *changed)}


def compared(baseline, schema, window, previous):
    """The features in which stock TFDV finds skew or drift, ours nowhere involved."""
    skew = tfdv.validate_statistics(statistics_of(baseline, "eval"), schema, serving_statistics=window)
    drift = tfdv.validate_statistics(window, schema, environment="SERVING", previous_statistics=previous)
    reasons = [
        (name, reason) for found in (skew, drift) for name, info in found.anomaly_info.items() for reason in info.reason
    ]
    kinds = anomalies_pb2.AnomalyInfo.Type
    return {name for name, reason in reasons if kinds.Name(reason.type).startswith("COMPARATOR_")}


def test_stock_tfdv_alarms_on_changed_windows_and_not_on_clean_ones(calibrate, baseline, windows):
    _, schema = calibrate(false_alarm_rate=0.01)
    for number in range(1, 8):
        assert compared(baseline, schema, windows[f"clean{number}"], windows["clean0"]) == set()
    assert "image_sharpness" in compared(baseline, schema, windows["blurred"], windows["clean0"])
    assert "image_brightness" in compared(baseline, schema, windows["brightened"], windows["clean0"])


def test_a_feature_that_never_varies_does_not_alarm_on_the_first_odd_example(
    calibrate, tmp_path, pool, write_statistics
):
    images = pool[:200].copy()
    images[:, :2] = images[:, -2:] = 0
    images[:, :, :2] = images[:, :, -2:] = 0  # black borders all around: no contrast in any of them
    _, schema = calibrate(statistics=write_statistics(tmp_path / "framed", {"eval": images}))
    found = thresholds(schema)
    assert found["image_border_contrast"] == max(np.delete(list(found.values()), list(found).index("prediction_class")))
