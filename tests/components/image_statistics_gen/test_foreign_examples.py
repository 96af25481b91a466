"""The executor on the examples of two foreign models: real digits, real crops of photographs."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tfx.types import standard_artifacts

from components.common.class_scores import probabilities_of
from components.common.errors import MonitorError
from components.common.image_files import decode
from components.common.model_spec import ModelSpec
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample
from components.common.statistics.usability import require_usable
from components.image_statistics_gen.executor import Executor
from components.image_statistics_gen.image_properties import compute, property_names
from components.threshold_calibrator.executor import Executor as Calibrator
from pipelines.config import LOCAL_BEAM_ARGS
from tests.support.damaged_images import encoded
from tests.support.foreign_data import crops, digits, encode

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = {
    "image": {"feature": "image/encoded", "format": "png", "channels": 1, "size": [28, 28], "input": "input_image"},
    "label": "image/class/label",
    "id": "image/id",
    "classes": NAMES,
    "outputs": {"scores": "dense_1", "kind": "logits"},
}
PHOTOS = {
    "image": {"feature": "jpeg", "format": "jpeg", "channels": 3, "input": "image_bytes"},
    "label": "is_flower",
    "id": "name",
    "classes": ["temple", "flower"],
    "outputs": {"scores": "flower", "kind": "sigmoid"},
}
COUNT = 150
DRAWN = digits().part(0, COUNT)


def as_feature(values):
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def write(folder, columns):
    """Examples of one split, `eval`, of lists of values by feature."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = json.dumps(["eval"])
    (folder / "Split-eval").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "Split-eval" / "data.gz"), "GZIP") as writer:
        for row in zip(*columns.values(), strict=True):
            features = {name: as_feature(values) for name, values in zip(columns, row, strict=True)}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return artifact


@pytest.fixture
def describe(tmp_path):
    """(record of a spec, columns) -> (statistics artifact, statistics, sample)."""
    count = iter(range(9))

    def run(record, columns):
        folder = tmp_path / str(next(count))
        statistics = standard_artifacts.ExampleStatistics()
        statistics.uri = str(folder / "statistics")
        properties = {"spec": ModelSpec.from_record(record).to_json(), "sample_size": 10_000, "exclude_splits": "[]"}
        context = Executor.Context(beam_pipeline_args=list(LOCAL_BEAM_ARGS), tmp_dir=str(folder / "tmp"), unique_id="1")
        inputs = {"examples": [write(folder / "examples", columns)]}
        Executor(context).Do(inputs, {"statistics": [statistics]}, properties)
        path = os.path.join(statistics.uri, "Split-eval")
        (data,) = tfdv.load_stats_binary(os.path.join(path, "FeatureStats.pb")).datasets
        return statistics, data, FeatureSample.read(os.path.join(path, FILE_NAME))

    return run


def digit_columns(labels=int):
    data = DRAWN
    logits = np.random.default_rng(2).normal(0, 3, (COUNT, 10)).astype(np.float32)
    return {
        "image/encoded": [[encode(image)] for image in data.images],
        "image/class/label": [[labels(label)] for label in data.labels],
        "image/id": [[identity.encode()] for identity in data.ids],
        "dense_1": logits.tolist(),
    }


def photo_columns():
    data = crops(COUNT, seed=1)
    scores = np.random.default_rng(3).random(COUNT).astype(np.float32)
    return {
        "jpeg": [[encode(image, "JPEG")] for image in data.images],
        "is_flower": [[label] for label in data.labels],
        "name": [[identity.encode()] for identity in data.ids],
        "flower": [[float(score)] for score in scores],
    }


def by_name(data):
    return {feature.path.step[0]: feature for feature in data.features}


def test_grey_digits_and_logits(describe):
    columns = digit_columns()
    _, data, sample = describe(DIGITS, columns)
    features = by_name(data)
    properties = {f"image_{name}" for name in property_names(1)}
    assert properties <= set(features)
    assert not {"image_width", "image_red_mean", "image_encoded_brightness"} & set(features)
    assert features["image_corrupt"].num_stats.max == features["prediction_corrupt"].num_stats.max == 0
    for name in properties:
        numbers = features[name].num_stats
        assert numbers.common_stats.num_non_missing == COUNT, name
        assert numbers.min < numbers.max, f"{name} says nothing of digits"
    rows = [columns["image/id"].index([identity.encode()]) for identity in sample.ids]
    logits = np.array(columns["dense_1"], np.float32)[rows]
    np.testing.assert_array_equal(sample.probabilities, probabilities_of(logits, "logits", 10))
    np.testing.assert_array_equal(sample.classes, logits.argmax(axis=1))
    assert sample.labels.tolist() == [columns["image/class/label"][row][0] for row in rows]
    expected = compute(np.stack([DRAWN.images[row] for row in rows]))
    np.testing.assert_array_equal(sample.values[:, sample.names.index("image_noise")], expected["noise"])
    require_usable(data, "the baseline")


def test_labels_may_be_names(describe):
    _, _, by_number = describe(DIGITS, digit_columns())
    _, _, by_word = describe(DIGITS, digit_columns(lambda label: NAMES[label].encode()))
    _, _, by_digit = describe(DIGITS, digit_columns(lambda label: str(label).encode()))
    assert by_number.labels.tolist() == by_word.labels.tolist() == by_digit.labels.tolist()
    assert by_number.to_bytes() == by_word.to_bytes()


@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_files_are_decoded_as_tensorflow_decodes_them_accurately(subsampling):
    image = np.random.default_rng(0).integers(0, 256, (21, 43, 3), np.uint8)
    file = encoded(image, "JPEG", quality=85, subsampling=subsampling)
    for channels in (1, 3):
        by_tensorflow = tf.io.decode_jpeg(file, channels, dct_method="INTEGER_ACCURATE")
        np.testing.assert_array_equal(decode(file, channels), by_tensorflow)


def test_photographs_of_any_size_and_one_sigmoid(describe):
    columns = photo_columns()
    _, data, sample = describe(PHOTOS, columns)
    features = by_name(data)
    assert {f"image_{name}" for name in property_names(3, sizes_vary=True)} <= set(features)
    images = crops(COUNT, seed=1).images
    width = features["image_width"].num_stats
    assert (width.min, width.max) == (min(i.shape[1] for i in images), max(i.shape[1] for i in images))
    assert features["image_corrupt"].num_stats.max == 0
    assert {name for name in features if name.startswith("prediction_probability")} == {
        "prediction_probability_00",
        "prediction_probability_01",
    }
    rows = [columns["name"].index([identity.encode()]) for identity in sample.ids]
    scores = np.array(columns["flower"], np.float32)[rows, 0]
    np.testing.assert_allclose(sample.probabilities, np.stack([1 - scores, scores], axis=1), rtol=1e-6)
    np.testing.assert_array_equal(sample.classes, (scores > 0.5).astype(int))
    shape = images[rows[0]].shape
    ratio = sample.values[0, sample.names.index("image_aspect_ratio")]
    assert ratio == pytest.approx(shape[1] / shape[0])


def calibrate(statistics, folder):
    curated, calibrated = standard_artifacts.Schema(), standard_artifacts.Schema()
    curated.uri, calibrated.uri = str(folder / "curated"), str(folder / "calibrated")
    os.makedirs(curated.uri)
    with open(os.path.join(curated.uri, "schema.pbtxt"), "w", encoding="utf-8") as file:
        file.write("# a schema of nothing\n")
    properties = {"window_size": 100, "false_alarm_rate": 0.05, "split": "eval", "permutations": 199, "seed": 0}
    inputs = {"statistics": [statistics], "curated_schema": [curated]}
    Calibrator().Do(inputs, {"schema": [calibrated]}, {**properties, "monitored": "[]", "unmonitored": "[]"})


def of_other_size(columns):
    files = [encode(np.zeros((20, 30, 1), np.uint8))] * 9 + [b"no image"]
    return columns | {"image/encoded": [[file] for file in files] + columns["image/encoded"][10:]}


def starting_at_one(columns):
    return columns | {"image/class/label": [[label[0] + 1] for label in columns["image/class/label"]]}


@pytest.mark.parametrize(
    ("record", "changed", "message"),
    [
        (
            DIGITS | {"outputs": {"scores": "dense_1", "kind": "probabilities"}},
            dict,
            r"150 of 150 predictions cannot be used: 150 that are no probabilities; these look like logits "
            r"\(150 of 150 rows have scores outside 0..1\); say `kind: logits`",
        ),
        (
            DIGITS,
            lambda columns: (
                columns | {"dense_1": probabilities_of(np.array(columns["dense_1"]), "logits", 10).tolist()}
            ),
            "150 of 150 predictions cannot be used: these are probabilities already .*say `kind: probabilities`",
        ),
        (
            DIGITS,
            of_other_size,
            "10 of 150 images cannot be used: 9 of another size than 28 x 28, such as 20 x 30; 1 no whole PNG or JPEG",
        ),
        (DIGITS, starting_at_one, r"\d\d of 150 labels cannot be used: \d\d that mean no class, such as 10"),
    ],
)
def test_a_baseline_that_cannot_be_used_makes_no_schema(describe, tmp_path, record, changed, message):
    statistics, _, _ = describe(record, changed(digit_columns()))
    with pytest.raises(MonitorError, match=f"the baseline .split eval of `statistics`. must hold .*{message}"):
        calibrate(statistics, tmp_path)


def test_a_feature_with_the_name_of_one_that_is_computed_is_refused(describe):
    columns = digit_columns() | {"image_brightness": [[0.5]] * COUNT}
    with pytest.raises(MonitorError, match=r"other names than what is computed .*Received: image_brightness"):
        describe(DIGITS, columns)


def test_a_good_baseline_makes_a_schema(describe, tmp_path):
    statistics, _, _ = describe(PHOTOS, photo_columns())
    calibrate(statistics, tmp_path)
    assert isinstance(tfdv.load_schema_text(str(tmp_path / "calibrated" / "schema.pbtxt")).feature[0].name, str)
