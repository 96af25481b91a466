"""Bins out of statistics, rows out of samples, and which features are chosen."""

import dataclasses
import itertools

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.common.errors import MonitorError
from components.common.statistics.feature_sample import FeatureSample
from components.common.statistics.monitored_features import (
    DRIFT,
    FINE_HISTOGRAM,
    SKEW,
    binned_features,
    calibrated_names,
    calibrated_tag,
    capped,
    known_names,
    rows_of,
    select,
    set_threshold,
)

KNOWN = ["image_noise", "image_warmth", "prediction_class"]


def histogram(edges, into):
    for low, high in itertools.pairwise(edges):
        into.buckets.add(low_value=low, high_value=high, sample_count=1)


def data_of(bins, buckets, name="image_noise"):
    data = statistics_pb2.DatasetFeatureStatistics(num_examples=4)
    feature = data.features.add(type="FLOAT")
    feature.path.step.append(name)
    histogram(buckets, feature.num_stats.histograms.add(type="QUANTILES"))
    histogram(buckets, feature.num_stats.histograms.add(type="STANDARD"))
    histogram(bins, feature.custom_stats.add(name=FINE_HISTOGRAM).histogram)
    return data


def sample_of(values, names=("image_noise",), classes=None):
    values = np.asarray(values, np.float32).reshape(-1, len(names))
    probabilities = None if classes is None else np.full((len(values), 2), 0.5, np.float32)
    return FeatureSample(
        names=tuple(names),
        values=values,
        population=1000,
        ids=tuple(map(str, range(len(values)))),
        classes=None if classes is None else np.asarray(classes, np.int64),
        probabilities=probabilities,
    )


def test_bins_are_read_with_their_buckets():
    feature = binned_features(data_of([0.0, 0.1, 0.2, 0.3, 0.4], [0.0, 0.2, 0.4]))["image_noise"]
    assert feature.bin_edges == (0.0, 0.1, 0.2, 0.3, 0.4)
    assert feature.bins_per_bucket == 2


@pytest.mark.parametrize("buckets", [[0.0, 0.1, 0.4], [0.0, 0.1, 0.2, 0.4], [0.0, 0.2, 0.5]])
def test_buckets_that_are_not_whole_bins_are_refused(buckets):
    with pytest.raises(MonitorError, match="the statistics of image_noise"):
        binned_features(data_of([0.0, 0.1, 0.2, 0.3, 0.4], buckets))


def test_bins_with_a_gap_are_refused():
    data = data_of([0.0, 0.1, 0.2], [0.0, 0.2])
    data.features[0].custom_stats[0].histogram.buckets[0].high_value = 0.05
    with pytest.raises(MonitorError, match="have no gaps"):
        binned_features(data)


def test_a_feature_without_a_standard_histogram_is_refused():
    data = data_of([0.0, 0.1, 0.2], [0.0, 0.2])
    del data.features[0].num_stats.histograms[1]
    with pytest.raises(MonitorError, match="STANDARD histogram"):
        binned_features(data)


def test_known_are_features_with_bins_and_values_and_classes():
    data = data_of([0.0, 0.1, 0.2], [0.0, 0.2])
    names = ("image_noise", "image_corrupt")
    assert known_names(binned_features(data), sample_of([[0.1, 0], [np.nan, 0]], names)) == ["image_noise"]
    assert known_names(binned_features(data), sample_of([[np.nan, 0]], names)) == []
    assert known_names(binned_features(data), sample_of([0.1], classes=[1])) == ["image_noise", "prediction_class"]
    assert known_names(binned_features(data), sample_of([0.1], classes=[-1])) == ["image_noise"]


def test_rows_are_in_the_order_asked_for():
    sample = sample_of([[1, 2], [3, 4]], ("b", "a"), classes=[0, 1])
    rows = rows_of(sample, ["a", "b"], classes=True)
    assert rows.values.tolist() == [[2, 1], [4, 3]]
    assert rows.classes.tolist() == [0, 1]
    assert rows.population == 1000
    assert rows_of(sample, ["a"], classes=False).classes is None


def test_a_sample_is_cut_to_its_first_rows():
    sample = sample_of([[1], [2], [3]], ("a",), classes=[0, 1, 1])
    cut = capped(sample, 2)
    assert (cut.values.tolist(), cut.ids, cut.classes.tolist()) == ([[1], [2]], ("0", "1"), [0, 1])
    assert (cut.population, cut.labels) == (1000, None)
    assert capped(sample, 3) is sample
    looked = dataclasses.replace(sample, looks=np.arange(3, dtype=np.uint64))
    assert capped(looked, 2).looks.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("monitored", "unmonitored", "expected"),
    [
        ([], [], KNOWN),
        (["image_*"], [], KNOWN[:2]),
        ([], ["*_warmth"], ["image_noise", "prediction_class"]),
        (["image_noise", "prediction_*"], ["image_noise"], ["prediction_class"]),
    ],
)
def test_features_are_chosen_by_name_and_pattern(monitored, unmonitored, expected):
    assert select(KNOWN, monitored, unmonitored) == expected


@pytest.mark.parametrize(
    ("monitored", "unmonitored", "message"),
    [
        (["image_nose"], [], "`monitored` must match .*did you mean 'image_noise'"),
        ([], ["photo_*"], "`unmonitored` must match"),
        ([], ["*"], "`unmonitored` must leave a feature"),
    ],
)
def test_a_choice_that_matches_nothing_is_refused(monitored, unmonitored, message):
    with pytest.raises(MonitorError, match=message):
        select(KNOWN, monitored, unmonitored)


def test_comparators_are_those_that_tfdv_has_for_the_feature():
    schema = schema_pb2.Schema()
    numeric, classes = schema.feature.add(name="image_noise"), schema.feature.add(name="prediction_class")
    set_threshold(numeric, SKEW, 0.25)
    set_threshold(classes, DRIFT, 0.5)
    numeric.annotation.tag.append(calibrated_tag(SKEW))
    assert numeric.skew_comparator.jensen_shannon_divergence.threshold == 0.25
    assert not numeric.HasField("drift_comparator")
    assert classes.drift_comparator.infinity_norm.threshold == 0.5
    assert (calibrated_names(schema, SKEW), calibrated_names(schema, DRIFT)) == (["image_noise"], [])
