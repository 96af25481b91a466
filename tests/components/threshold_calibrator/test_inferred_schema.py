"""A schema for people who have written none: windows like the baseline are valid by it, broken images are not."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.types import standard_artifacts

from components import ThresholdCalibrator
from components.threshold_calibrator.executor import Executor
from components.threshold_calibrator.inferred_schema import bounds

SETTINGS = {
    "window_size": 500, "false_alarm_rate": 0.05, "split": "eval", "permutations": 1999, "seed": 0, "monitored": "[]",
    "unmonitored": "[]",
}  # fmt: skip


@pytest.fixture(scope="module")
def described(tmp_path_factory, pool, write_statistics):
    static = 255 * np.random.default_rng(0).integers(0, 2, (1, *pool.shape[1:]), np.uint8)
    splits = {
        "eval": pool[:400],
        "clean": pool[400:],
        "black": np.concatenate([pool[400:600], 0 * pool[:1]]),
        "static": np.concatenate([pool[400:600], static]),
    }
    return write_statistics(tmp_path_factory.mktemp("baseline"), splits)


@pytest.fixture(scope="module")
def schema(described, tmp_path_factory):
    """What the executor writes where it is given statistics alone."""
    output = standard_artifacts.Schema()
    output.uri = str(tmp_path_factory.mktemp("schema"))
    Executor().Do({"statistics": [described]}, {"schema": [output]}, SETTINGS)
    return tfdv.load_schema_text(str(Path(output.uri, "schema.pbtxt")))


def anomalies(described, split, schema):
    statistics = tfdv.load_stats_binary(f"{described.uri}/Split-{split}/FeatureStats.pb")
    plain = schema_pb2.Schema.FromString(schema.SerializeToString())
    for feature in plain.feature:
        feature.ClearField("skew_comparator")
        feature.ClearField("drift_comparator")
    return tfdv.validate_statistics(statistics, plain, environment="SERVING").anomaly_info


def feature_of(schema, name):
    return next(feature for feature in schema.feature if feature.name == name)


def test_a_window_like_the_baseline_is_valid_however_large(described, schema):
    assert dict(anomalies(described, "clean", schema)) == {}


def test_one_dark_image_makes_no_window_invalid(described, schema):
    """There may always be one; many are found by the comparison with the baseline."""
    assert dict(anomalies(described, "black", schema)) == {}


def test_an_image_that_is_no_photograph_is_out_of_bounds(described, schema):
    assert "image_noise" in anomalies(described, "static", schema)


def test_images_have_bounds_and_predictions_have_none(schema):
    brightness, confidence = feature_of(schema, "image_brightness"), feature_of(schema, "prediction_confidence")
    assert (brightness.float_domain.min, brightness.float_domain.max) == (0, 1)
    assert 0 < feature_of(schema, "image_noise").float_domain.max < 0.5
    assert not confidence.HasField("float_domain")
    for name in ("image_corrupt", "prediction_corrupt"):
        domain = feature_of(schema, name).int_domain
        assert (domain.min, domain.max, domain.HasField("max")) == (0, 0, True)
    assert brightness.lifecycle_stage == schema_pb2.VALIDATION_DERIVED


def test_there_are_comparators_as_in_a_curated_schema(schema):
    assert feature_of(schema, "image_brightness").HasField("skew_comparator")
    assert feature_of(schema, "prediction_class").skew_comparator.HasField("infinity_norm")


def test_a_class_or_a_name_that_the_baseline_has_not_shown_is_not_wrong(schema):
    assert not schema.string_domain
    assert not any(feature.HasField("domain") or feature.HasField("string_domain") for feature in schema.feature)


def test_the_environments_are_those_of_training_and_serving(schema):
    assert list(schema.default_environment) == ["TRAINING", "SERVING"]
    assert list(feature_of(schema, "request_id").in_environment) == ["SERVING"]


def test_labels_are_not_asked_for_in_serving():
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from components.threshold_calibrator import inferred_schema

    made = schema_pb2.Schema()
    made.feature.add(name="label")
    inferred_schema.complete(made, statistics_pb2.DatasetFeatureStatistics())
    assert list(feature_of(made, "label").not_in_environment) == ["SERVING"]


@pytest.mark.parametrize(
    ("low", "high", "first", "last", "expected"),
    [
        (0.2, 0.8, 0, 1, (0, 1)),
        (0.4, 0.5, 0, 1, (0.2, 0.7)),
        (0.41, 0.42, 0, 1, (0.31, 0.52)),
        (0, 0, 0, 1, (0, 1)),
        (0, 1, 0, 1, (0, 1)),
        (-0.1, 0.1, -1, 1, (-0.5, 0.5)),
        (48, 128, 1, 65_536, (1, 6681.5)),
    ],
)
def test_bounds_leave_a_wide_margin_within_what_is_possible(low, high, first, last, expected):
    assert bounds(low, high, first, last) == pytest.approx(expected)


def test_the_component_needs_no_schema():
    made = ThresholdCalibrator(types.Channel(type=standard_artifacts.ExampleStatistics))
    assert set(made.inputs) == {"statistics"}
    curated = types.Channel(type=standard_artifacts.Schema)
    assert set(ThresholdCalibrator(types.Channel(type=standard_artifacts.ExampleStatistics), curated).inputs) == {
        "statistics", "curated_schema",
    }  # fmt: skip
    assert json.loads(made.exec_properties["monitored"]) == []
