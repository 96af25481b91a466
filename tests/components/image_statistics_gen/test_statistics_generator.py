"""The generator in real TFDV: its options, its comparators, its merging, its display."""

import io
import math
import pickle

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from PIL import Image
from tensorflow_data_validation.utils import display_util
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.common.errors import MonitorError
from components.common.image_spec import ImageSpec
from components.common.statistics.monitored_features import FINE_HISTOGRAM
from components.image_statistics_gen.image_properties import property_names
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from tests.support.specs import image_spec

RNG = np.random.default_rng(11)
SHAPE = (8, 9, 3)


def some_images(count, brightest=256):
    return RNG.integers(0, brightest, (count, *SHAPE), np.uint8)


def batch_of(values, **columns):
    """A record batch as TFDV reads one: `values` are lists of bytes, or None."""
    arrays = {"image": pa.array(values, pa.large_list(pa.large_binary()))} | columns
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))


def describe(generator, *batches):
    accumulators = [generator.add_input(generator.create_accumulator(), batch) for batch in batches]
    return generator.extract_output(generator.merge_accumulators(accumulators))


def statistics_of(images):
    data = describe(ImageStatisticsGenerator(image_spec(SHAPE)), batch_of([[i.tobytes()] for i in images]))
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[data])


def by_name(dataset):
    return {feature.path.step[0]: feature for feature in dataset.features}


def histogram_of(feature, kind=statistics_pb2.Histogram.STANDARD):
    (found,) = [h for h in feature.num_stats.histograms if h.type == kind]
    return found


def test_every_property_and_corrupt_are_described():
    features = by_name(statistics_of(some_images(50)).datasets[0])
    assert set(features) == {"image_corrupt"} | {f"image_{name}" for name in property_names(3)}
    brightness = features["image_brightness"]
    assert brightness.type == statistics_pb2.FeatureNameStatistics.FLOAT
    assert features["image_corrupt"].type == statistics_pb2.FeatureNameStatistics.INT
    numbers = brightness.num_stats
    assert numbers.common_stats.num_non_missing == numbers.common_stats.tot_num_values == 50
    assert numbers.common_stats.num_missing == 0
    assert numbers.min <= numbers.median <= numbers.max
    assert numbers.min < numbers.mean < numbers.max
    for kind in (statistics_pb2.Histogram.STANDARD, statistics_pb2.Histogram.QUANTILES):
        assert sum(b.sample_count for b in histogram_of(brightness, kind).buckets) == pytest.approx(50)
    (custom,) = brightness.custom_stats
    assert custom.name == FINE_HISTOGRAM
    assert len(custom.histogram.buckets) == 10 * len(histogram_of(brightness).buckets)


def test_the_edges_do_not_depend_on_the_data():
    def edges(images):
        features = statistics_of(images).datasets[0].features
        return [[(b.low_value, b.high_value) for b in histogram_of(f).buckets] for f in features]

    assert edges(some_images(5)) == edges(some_images(300, brightest=20))


def exact_divergence(first, second):
    shares = [
        np.array([b.sample_count for b in h.buckets]) / sum(b.sample_count for b in h.buckets) for h in (first, second)
    ]
    middle = sum(shares) / 2
    return math.fsum(
        0.5 * share[i] * math.log2(share[i] / middle[i]) for share in shares for i in range(len(middle)) if share[i]
    )


def schema_with_comparators(names, threshold):
    schema = schema_pb2.Schema()
    for name in names:
        feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
        feature.skew_comparator.jensen_shannon_divergence.threshold = threshold
    return schema


def measured_divergences(first, second, schema):
    anomalies = tfdv.validate_statistics(first, schema, serving_statistics=second)
    return {
        info.path.step[0]: measurement.value
        for info in anomalies.drift_skew_info
        for measurement in info.skew_measurements
    }


@pytest.mark.parametrize("brightest", [256, 200, 3])
def test_tfdvs_own_comparator_measures_the_exact_divergence_of_the_bins(brightest):
    first, second = statistics_of(some_images(400)), statistics_of(some_images(150, brightest))
    features = [by_name(statistics.datasets[0]) for statistics in (first, second)]
    names = [f"image_{name}" for name in property_names(3)]
    found = measured_divergences(first, second, schema_with_comparators(names, 1.0))
    assert set(found) == set(names)
    for name in names:
        expected = exact_divergence(*(histogram_of(f[name]) for f in features))
        assert found[name] == pytest.approx(expected, abs=1e-9), name
    assert max(found.values()) > 0.01


def test_identical_data_has_no_divergence_at_all():
    images = some_images(100)
    names = [f"image_{name}" for name in property_names(3)]
    found = measured_divergences(statistics_of(images), statistics_of(images), schema_with_comparators(names, 1.0))
    assert max(found.values()) < 1e-12


def test_any_partition_gives_the_same_statistics():
    generator = ImageStatisticsGenerator(image_spec(SHAPE), describe_image=True)
    rows = [[image.tobytes()] for image in some_images(60)]
    rows[7], rows[20], rows[59] = None, [b"short"], [rows[1][0], rows[2][0]]
    whole = describe(generator, batch_of(rows))
    parts = describe(generator, *(batch_of(rows[a:b]) for a, b in [(30, 60), (0, 1), (1, 8), (8, 8), (8, 30)]))
    assert whole.features[0].path.step[0] == "image"
    for one, other in zip(whole.features[1:], parts.features[1:], strict=True):
        for field in ("mean", "std_dev"):
            value = getattr(one.num_stats, field)
            assert getattr(other.num_stats, field) == pytest.approx(value, abs=1e-12)
            setattr(other.num_stats, field, value)
    assert parts == whole


def test_generator_and_accumulator_survive_pickling():
    generator = pickle.loads(pickle.dumps(ImageStatisticsGenerator(image_spec(SHAPE))))  # noqa: S301
    batch = batch_of([[image.tobytes()] for image in some_images(5)])
    accumulator = generator.add_input(generator.create_accumulator(), batch)
    again = pickle.loads(pickle.dumps(accumulator))  # noqa: S301
    assert generator.extract_output(again) == generator.extract_output(accumulator)
    assert len(pickle.dumps(accumulator)) < 100_000


def test_corrupt_and_missing_images_are_counted_and_in_no_property():
    rows = [[image.tobytes()] for image in some_images(6)]
    rows += [None, [], [b"short"], [rows[0][0], rows[1][0]]]
    generator = ImageStatisticsGenerator(image_spec(SHAPE), describe_image=True)
    data = describe(generator, batch_of(rows))
    features = by_name(data)
    assert data.num_examples == 10
    corrupt = features["image_corrupt"].num_stats
    assert (corrupt.common_stats.num_non_missing, corrupt.num_zeros, corrupt.max) == (10, 6, 1)
    assert corrupt.mean == pytest.approx(0.4)
    presence = features["image_brightness"].num_stats.common_stats
    assert (presence.num_non_missing, presence.num_missing) == (6, 4)
    described = features["image"].bytes_stats
    assert (described.common_stats.num_non_missing, described.common_stats.num_missing) == (9, 1)
    assert (described.common_stats.min_num_values, described.common_stats.max_num_values) == (0, 2)
    assert (described.min_num_bytes, described.max_num_bytes) == (5, 8 * 9 * 3)


@pytest.mark.parametrize(
    "batch",
    [
        batch_of([None, None]),
        batch_of([[], []]),
        batch_of([[b"x"], [b""]]),
        pa.RecordBatch.from_arrays([pa.nulls(2)], ["image"]),
        pa.RecordBatch.from_arrays([pa.array([[], None], pa.large_list(pa.null()))], ["image"]),
        pa.RecordBatch.from_arrays([pa.array([[1], [2]])], ["label"]),
    ],
)
def test_batches_without_any_good_image(batch):
    features = by_name(describe(ImageStatisticsGenerator(image_spec(SHAPE)), batch))
    assert features["image_corrupt"].num_stats.mean == 1
    common = features["image_brightness"].num_stats.common_stats
    assert (common.num_non_missing, common.num_missing) == (0, 2)
    assert not features["image_brightness"].num_stats.histograms


def test_no_example_has_no_feature():
    generator = ImageStatisticsGenerator(image_spec())
    assert generator.extract_output(generator.create_accumulator()) == statistics_pb2.DatasetFeatureStatistics()


def test_images_stored_as_numbers_are_a_clear_error():
    batch = pa.RecordBatch.from_arrays([pa.array([[0.5, 0.25]])], ["image"])
    with pytest.raises(MonitorError, match=r"'image' must hold images as bytes, one value an example. Received: list"):
        describe(ImageStatisticsGenerator(image_spec()), batch)


def test_encoded_images_of_several_sizes_are_described_with_their_sizes():
    def png(height, width):
        file = io.BytesIO()
        Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8)).save(file, "PNG")
        return [file.getvalue()]

    spec = ImageSpec(feature="photo/main", format="encoded", channels=3)
    generator = ImageStatisticsGenerator(spec)
    rows = [png(8, 16), png(20, 10), png(8, 16), [b"broken"]]
    batch = pa.RecordBatch.from_arrays([pa.array(rows, pa.list_(pa.binary()))], ["photo/main"])
    features = by_name(describe(generator, batch))
    assert features["image_corrupt"].num_stats.mean == 0.25
    assert (features["image_width"].num_stats.min, features["image_width"].num_stats.max) == (10, 16)
    assert features["image_aspect_ratio"].num_stats.mean == pytest.approx((2 + 0.5 + 2) / 3)
    assert features["image_brightness"].num_stats.common_stats.num_non_missing == 3


def test_a_plain_tfdv_user_gets_both_kinds_of_statistics(tmp_path):
    import tensorflow as tf

    path = str(tmp_path / "examples.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for row, image in enumerate(some_images(40)):
            image_feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))
            label = tf.train.Feature(int64_list=tf.train.Int64List(value=[row % 4]))
            features = tf.train.Features(feature={"image": image_feature, "label": label})
            writer.write(tf.train.Example(features=features).SerializeToString())
    options = tfdv.StatsOptions(generators=[ImageStatisticsGenerator(image_spec(SHAPE))])
    statistics = tfdv.generate_statistics_from_tfrecord(path, stats_options=options)
    (data,) = statistics.datasets
    assert data.num_examples == 40
    features = by_name(data)
    assert len(features) == len(data.features) == 2 + 1 + len(property_names(3))
    assert features["label"].num_stats.max == 3
    assert features["image_noise"].num_stats.common_stats.num_non_missing == 40


def test_schema_inference_and_facets_read_the_statistics():
    statistics = statistics_of(some_images(100))
    schema = tfdv.infer_schema(statistics)
    assert {f.name for f in schema.feature} == {f.path.step[0] for f in statistics.datasets[0].features}
    assert tfdv.get_feature(schema, "image_brightness").type == schema_pb2.FLOAT
    assert not tfdv.validate_statistics(statistics, schema).anomaly_info
    assert "facets-overview" in display_util.get_statistics_html(statistics)
