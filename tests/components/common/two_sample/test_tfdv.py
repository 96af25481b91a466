"""Jensen-Shannon and L-infinity are what TFDV's own comparators measure."""

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.common.two_sample.comparison import CLASS_FEATURE, JENSEN_SHANNON, L_INFINITY, Feature, Rows, compare

EDGES = tuple(np.linspace(0, 1, 61).tolist())
FEATURE = Feature("image_noise", EDGES, 5)


def statistics(rows):
    """What ImageStatisticsGen writes of a numeric feature with frozen edges and of the predicted class."""
    result = statistics_pb2.DatasetFeatureStatisticsList()
    data = result.datasets.add(num_examples=len(rows.values))
    values = rows.values[~np.isnan(rows.values)]
    number = data.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    number.path.step.append(FEATURE.name)
    _set_common(number.num_stats.common_stats, len(values), len(rows.values))
    histogram = number.num_stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    buckets = EDGES[:: FEATURE.bins_per_bucket]
    for low, high, count in zip(buckets, buckets[1:], np.histogram(np.clip(values, 0, 1), buckets)[0], strict=False):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
    label = data.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    label.path.step.append(CLASS_FEATURE)
    known, counts = np.unique(rows.classes[rows.classes >= 0], return_counts=True)
    _set_common(label.string_stats.common_stats, counts.sum(), len(rows.values))
    label.string_stats.unique = len(known)
    for rank, (name, count) in enumerate(zip(known, counts, strict=True)):
        label.string_stats.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=str(name), sample_count=count
        )
        label.string_stats.top_values.add(value=str(name), frequency=count)
    return result


def _set_common(common, present, examples):
    common.num_non_missing, common.num_missing = int(present), int(examples - present)
    common.min_num_values = common.max_num_values = 1
    common.tot_num_values = int(present)


def measured_by_tfdv(reference, window):
    schema = schema_pb2.Schema()
    number = schema.feature.add(name=FEATURE.name, type=schema_pb2.FLOAT)
    number.skew_comparator.jensen_shannon_divergence.threshold = 0.01
    label = schema.feature.add(name=CLASS_FEATURE, type=schema_pb2.BYTES)
    label.skew_comparator.infinity_norm.threshold = 0.01
    found = tfdv.validate_statistics(statistics(reference), schema, serving_statistics=statistics(window))
    kinds = anomalies_pb2.DriftSkewInfo.Measurement
    measurements = {info.path.step[0]: info.skew_measurements[0] for info in found.drift_skew_info}
    assert measurements[FEATURE.name].type == kinds.JENSEN_SHANNON_DIVERGENCE
    assert measurements[CLASS_FEATURE].type == kinds.L_INFTY
    return {name: measurement.value for name, measurement in measurements.items()}


@pytest.mark.parametrize(("reference", "window", "missing"), [(500, 100, 0), (40, 3, 0), (300, 300, 0.2), (9, 90, 0.5)])
def test_measured_values_are_tfdvs(reference, window, missing):
    rng = np.random.default_rng(reference)
    sides = []
    for count, share in ((reference, missing / 2), (window, missing)):
        values = rng.beta(2, 3 + 2 * share, size=(count, 1)).astype(np.float32)
        values[rng.random(count) < share] = np.nan
        values[0] = 1.0  # the last bucket takes in its upper edge
        sides.append(Rows(values, np.where(rng.random(count) < share, -1, rng.integers(0, 7, count))))
    theirs = measured_by_tfdv(*sides)
    ours = {(check.test, check.feature): check.measured for check in compare([FEATURE], *sides, permutations=9).checks}
    assert ours[JENSEN_SHANNON, FEATURE.name] == pytest.approx(theirs[FEATURE.name], abs=1e-9)
    assert ours[L_INFINITY, CLASS_FEATURE] == pytest.approx(theirs[CLASS_FEATURE], abs=1e-9)
