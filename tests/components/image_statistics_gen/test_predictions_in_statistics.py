"""Prediction features in real TFDV: its comparators, its schemas, its display."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.utils import display_util
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.common.errors import MonitorError
from components.common.statistics.monitored_features import FINE_HISTOGRAM
from components.image_statistics_gen.prediction_features import compute, feature_names
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from tests.support.specs import model_spec

SHAPE = (4, 4, 1)
CLASSES, DIMENSIONS = 5, 3


def some_predictions(count, seed=0, favoured=0.0):
    """Probabilities [N, 5], of which `favoured` raises the first class, and embeddings [N, 3]."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (count, CLASSES))
    logits[:, 0] += favoured
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), rng.normal(size=(count, DIMENSIONS))


def batch_of(probabilities, embedding):
    count = len(probabilities)
    rng = np.random.default_rng(count)
    columns = {
        "image": pa.array([[rng.bytes(16)] for _ in range(count)], pa.large_list(pa.large_binary())),
        "probabilities": pa.array(list(probabilities), pa.large_list(pa.float32())),
        "embedding": pa.array(list(embedding), pa.large_list(pa.float32())),
        "id": pa.array([[f"r/{n}".encode()] for n in range(count)], pa.large_list(pa.large_binary())),
        "label": pa.array([[n % CLASSES] for n in range(count)], pa.large_list(pa.int64())),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def generator_of(dimensions=DIMENSIONS):
    spec = model_spec(SHAPE, CLASSES, embedding="embedding")
    return ImageStatisticsGenerator(spec, embedding_size=dimensions, sample_size=1000)


def accumulated(generator, *batches):
    accumulators = [generator.add_input(generator.create_accumulator(), batch) for batch in batches]
    return generator.compact(generator.merge_accumulators(accumulators))


def statistics_of(probabilities, embedding):
    generator = generator_of()
    data = generator.extract_output(accumulated(generator, batch_of(probabilities, embedding)))
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[data])


def by_name(statistics):
    return {feature.path.step[0]: feature for feature in statistics.datasets[0].features}


def test_every_prediction_feature_is_described():
    probabilities, embedding = some_predictions(200)
    features = by_name(statistics_of(probabilities, embedding))
    expected = compute(probabilities, embedding.astype(np.float32)).numbers
    assert {name for name in features if name.startswith("prediction_")} == {
        f"prediction_{name}" for name in ("class", "corrupt", *feature_names(CLASSES, DIMENSIONS))
    }
    for name, values in expected.items():
        feature = features[f"prediction_{name}"]
        assert feature.type == statistics_pb2.FeatureNameStatistics.FLOAT
        assert feature.num_stats.mean == pytest.approx(float(values.mean(dtype=np.float64)), abs=1e-7)
        (custom,) = feature.custom_stats
        assert custom.name == FINE_HISTOGRAM
        assert sum(bucket.sample_count for bucket in custom.histogram.buckets) == 200
    assert features["prediction_corrupt"].type == statistics_pb2.FeatureNameStatistics.INT
    assert features["prediction_corrupt"].num_stats.max == 0


def test_classes_are_counted_exactly_and_ranked():
    probabilities, embedding = some_predictions(500, favoured=2)
    feature = by_name(statistics_of(probabilities, embedding))["prediction_class"]
    counts = np.bincount(probabilities.argmax(axis=1), minlength=CLASSES)
    assert feature.type == statistics_pb2.FeatureNameStatistics.STRING
    strings = feature.string_stats
    assert {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets} == {
        str(k): counts[k] for k in range(CLASSES)
    }
    assert strings.top_values[0].value == "0"
    assert [value.frequency for value in strings.top_values] == sorted(counts.tolist(), reverse=True)
    assert [(b.low_rank, b.high_rank) for b in strings.rank_histogram.buckets] == [(k, k) for k in range(CLASSES)]
    assert (strings.unique, strings.common_stats.tot_num_values, strings.common_stats.num_non_missing) == (5, 500, 500)
    assert strings.avg_length == 1


def schema_of(text):
    return text_format.Parse(text, schema_pb2.Schema())


CATEGORICAL = """feature {
  name: "prediction_class" type: BYTES presence { min_fraction: 1.0 min_count: 1 } value_count { min: 1 max: 1 }
  %s
  skew_comparator { infinity_norm { threshold: %s } }
  drift_comparator { infinity_norm { threshold: %s } }
}"""
# A class is named by its number, so both fit: names that are listed, and numbers that are categories.
DOMAINS = ('string_domain { value: ["0", "1", "2", "3", "4"] }', "int_domain { min: 0 max: 4 is_categorical: true }")


def shares_of(probabilities):
    return np.bincount(probabilities.argmax(axis=1), minlength=CLASSES) / len(probabilities)


def class_anomalies(reference, window, threshold, domain=DOMAINS[0]):
    """What TFDV says of the class: (types of its anomalies, measured skew, measured drift)."""
    schema = schema_of(CATEGORICAL % (domain, threshold, threshold))
    found = tfdv.validate_statistics(reference, schema, previous_statistics=window, serving_statistics=window)
    types = {reason.type for reason in found.anomaly_info["prediction_class"].reason}
    (info,) = [each for each in found.drift_skew_info if each.path.step[0] == "prediction_class"]
    return types, info.skew_measurements[0].value, info.drift_measurements[0].value


@pytest.mark.parametrize("domain", DOMAINS)
def test_tfdvs_own_comparators_measure_the_exact_l_infinity_of_the_classes(domain):
    reference, window = some_predictions(700, 1), some_predictions(300, 2, favoured=1.5)
    exact = np.abs(shares_of(reference[0]) - shares_of(window[0])).max()
    assert exact > 0.05
    statistics = statistics_of(*reference), statistics_of(*window)
    kinds = anomalies_pb2.AnomalyInfo
    types, skew, drift = class_anomalies(*statistics, exact - 1e-6, domain)
    assert types == {kinds.COMPARATOR_L_INFTY_HIGH}
    assert (skew, drift) == (pytest.approx(exact, abs=1e-12), pytest.approx(exact, abs=1e-12))
    types, skew, _ = class_anomalies(*statistics, exact + 1e-6, domain)
    assert types == set()
    assert skew == pytest.approx(exact, abs=1e-12)


def test_a_class_that_vanishes_is_measured():
    reference, window = some_predictions(600, 3), some_predictions(600, 4)
    kept = window[0].argmax(axis=1) != 2
    window = window[0][kept], window[1][kept]
    _, skew, _ = class_anomalies(statistics_of(*reference), statistics_of(*window), 1.0)
    assert skew == pytest.approx(np.abs(shares_of(reference[0]) - shares_of(window[0])).max(), abs=1e-12)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (DOMAINS[0].replace(', "4"', ""), "Examples contain values missing from the schema: 4 "),
        (DOMAINS[1].replace("max: 4", "max: 3"), "Unexpectedly large value: 4"),
    ],
)
def test_a_class_outside_the_schema_is_an_anomaly(domain, message):
    schema = schema_of(CATEGORICAL % (domain, 1, 1))
    found = tfdv.validate_statistics(statistics_of(*some_predictions(300)), schema)
    assert message in found.anomaly_info["prediction_class"].description


def test_tfdvs_comparator_measures_the_exact_divergence_of_the_buckets():
    first, second = statistics_of(*some_predictions(400, 5)), statistics_of(*some_predictions(300, 6, favoured=3))
    names = [f"prediction_{name}" for name in feature_names(CLASSES, DIMENSIONS)]
    schema = schema_pb2.Schema()
    for name in names:
        feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
        feature.skew_comparator.jensen_shannon_divergence.threshold = 1.0
    found = tfdv.validate_statistics(first, schema, serving_statistics=second)
    measured = {info.path.step[0]: info.skew_measurements[0].value for info in found.drift_skew_info}
    for name in names:
        shares = [frequencies(by_name(statistics)[name]) for statistics in (first, second)]
        assert measured[name] == pytest.approx(divergence(*shares), abs=1e-9), name
    assert measured["prediction_confidence"] > 0.01


def frequencies(feature):
    kind = statistics_pb2.Histogram.STANDARD
    (histogram,) = [each for each in feature.num_stats.histograms if each.type == kind]
    counts = np.array([bucket.sample_count for bucket in histogram.buckets])
    return counts / counts.sum()


def divergence(first, second):
    middle = (first + second) / 2
    return (
        sum((share[share > 0] * np.log2(share[share > 0] / middle[share > 0])).sum() for share in (first, second)) / 2
    )


def test_corrupt_predictions_are_counted_and_in_no_other_feature():
    probabilities, embedding = some_predictions(10)
    rows = [
        None,
        [],
        [0.5, 0.5],
        probabilities[3] * np.nan,
        -probabilities[4],
        probabilities[5] / 2,
        *probabilities[6:],
    ]
    generator = generator_of()
    found = accumulated(generator, batch_of(rows, [[1.0], None, *embedding[2:]]))
    features = {feature.path.step[0]: feature for feature in generator.extract_output(found).features}
    assert features["prediction_corrupt"].num_stats.mean == pytest.approx(0.6)
    for name, present in (("confidence", 4), ("probability_04", 4), ("embedding_00", 8)):
        common = features[f"prediction_{name}"].num_stats.common_stats
        assert (common.num_non_missing, common.num_missing) == (present, 10 - present)
    common = features["prediction_class"].string_stats.common_stats
    assert (common.num_non_missing, common.num_missing) == (4, 6)
    sample = generator.extract_sample(found)
    by_id = dict(zip(sample.ids, range(10), strict=True))
    assert [sample.classes[by_id[f"r/{n}"]] == -1 for n in range(10)] == [True] * 6 + [False] * 4
    assert np.isnan(sample.probabilities[by_id["r/3"]]).all()


def test_predictions_that_no_example_has_are_all_corrupt():
    generator = generator_of(dimensions=0)
    found = accumulated(generator, batch_of([None] * 4, [None] * 4))
    features = {feature.path.step[0]: feature for feature in generator.extract_output(found).features}
    assert features["prediction_corrupt"].num_stats.mean == 1
    assert features["prediction_class"].string_stats.common_stats.num_missing == 4
    assert features["prediction_confidence"].num_stats.common_stats.num_missing == 4
    sample = generator.extract_sample(found)
    assert sample.classes.tolist() == [-1] * 4
    assert np.isnan(sample.probabilities).all()
    assert sample.probabilities.shape == (4, CLASSES)


def test_the_sample_holds_what_was_measured_in_the_documented_order():
    probabilities, embedding = some_predictions(50)
    generator = generator_of()
    sample = generator.extract_sample(accumulated(generator, batch_of(probabilities, embedding)))
    names = [f"prediction_{name}" for name in feature_names(CLASSES, DIMENSIONS)]
    assert sample.names[sample.names.index("image_corrupt") :] == ("image_corrupt", *names, "prediction_corrupt")
    assert sample.population == 50
    rows = np.array([int(name[2:]) for name in sample.ids])
    expected = compute(probabilities, embedding.astype(np.float32))
    for name, values in expected.numbers.items():
        column = sample.values[:, sample.names.index(f"prediction_{name}")]
        np.testing.assert_array_equal(column, values[rows])
    np.testing.assert_array_equal(sample.probabilities, probabilities[rows])
    np.testing.assert_array_equal(sample.classes, expected.classes[rows])
    np.testing.assert_array_equal(sample.labels, rows % CLASSES)


def test_any_partition_gives_the_same_counts_and_the_same_sample():
    batch = batch_of(*some_predictions(90))
    generator = pickle.loads(pickle.dumps(generator_of()))  # noqa: S301
    whole = accumulated(generator, batch)
    parts = accumulated(generator, *(batch.slice(a, b - a) for a, b in ((40, 90), (0, 1), (1, 40))))
    assert generator.extract_sample(parts).to_bytes() == generator.extract_sample(whole).to_bytes()
    for one, other in zip(*(generator.extract_output(each).features for each in (whole, parts)), strict=True):
        assert [h.buckets for h in one.num_stats.histograms] == [h.buckets for h in other.num_stats.histograms]
        assert one.string_stats == other.string_stats


def test_schema_inference_and_facets_read_the_statistics():
    statistics = statistics_of(*some_predictions(200))
    schema = tfdv.infer_schema(statistics)
    assert tfdv.get_feature(schema, "prediction_class").type == schema_pb2.BYTES
    assert tfdv.get_feature(schema, "prediction_class").HasField("int_domain")  # as the classes are numbers
    assert not tfdv.validate_statistics(statistics, schema).anomaly_info
    assert "facets-overview" in display_util.get_statistics_html(statistics)


def test_an_embedding_that_is_no_projection_is_refused():
    message = r"`outputs.embedding` must name an output of at most 100 numbers, .*'embedding', 2048 values"
    with pytest.raises(MonitorError, match=message):
        generator_of(dimensions=2048)
