"""The executor on the embedded CIFAR-10 sample, through Beam, and what reads its output."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.utils import display_util
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor as validator
from tfx.components.schema_gen import executor as schema_gen
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from components.common.artifacts.record_parts import Part
from components.common.errors import MonitorError
from components.common.image_spec import ImageSpec
from components.image_statistics_gen.executor import Executor
from components.image_statistics_gen.image_properties import compute, property_names
from components.image_statistics_gen.record_batches import read_batches
from pipelines.config import LOCAL_BEAM_ARGS
from tests.support.specs import image_spec

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "schemas" / "cifar10" / "schema.pbtxt"


def sample(name):
    """Images `uint8[N, 32, 32, 3]` and labels of a file of the embedded sample."""
    content = gzip.decompress((ROOT / "data" / "cifar10_sample" / f"{name}.bin.gz").read_bytes())
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), records[:, 0].tolist()


def example(image=None, label=None, number=None):
    feature = {}
    if image is not None:
        feature["image"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    if label is not None:
        feature["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    if number is not None:
        feature["id"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[f"test:{number}".encode()]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def examples_of(images, labels):
    return [example(i.tobytes(), k, n) for n, (i, k) in enumerate(zip(images, labels, strict=True))]


def write(folder, **splits):
    """An Examples artifact whose splits hold these records, in two gzipped files each, as ExampleGen writes them."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = json.dumps(list(splits))
    artifact.span = 7
    for split, records in splits.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        for shard in range(2):
            path = folder / f"Split-{split}" / f"data_tfrecord-{shard:05}-of-00002.gz"
            with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
                for record in records[shard::2]:
                    writer.write(record)
    return artifact


def schema_artifact(folder):
    folder.mkdir()
    (folder / "schema.pbtxt").write_bytes(SCHEMA.read_bytes())
    artifact = standard_artifacts.Schema()
    artifact.uri = str(folder)
    return artifact


ENCODED = ImageSpec(feature="image", format="encoded", channels=3)


def run(examples, folder, schema=None, **properties):
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    inputs = {"examples": [examples]} | ({"schema": [schema]} if schema else {})
    defaults = {"spec": image_spec().to_json(), "exclude_splits": "[]", "sample_size": 10_000}
    context = Executor.Context(beam_pipeline_args=list(LOCAL_BEAM_ARGS), tmp_dir=str(folder / "tmp"), unique_id="1")
    Executor(context).Do(inputs, {"statistics": [statistics]}, defaults | properties)
    return statistics


def load(statistics, split):
    return tfdv.load_stats_binary(os.path.join(statistics.uri, f"Split-{split}", "FeatureStats.pb"))


def by_name(statistics):
    (data,) = statistics.datasets
    return {feature.path.step[0]: feature for feature in data.features}


@pytest.fixture(scope="module")
def on_sample(tmp_path_factory):
    """The sample's statistics with the curated schema: (folder, schema artifact, statistics artifact)."""
    folder = tmp_path_factory.mktemp("sample")
    examples = write(
        folder / "examples", train=examples_of(*sample("data_batch_1")), eval=examples_of(*sample("test_batch"))
    )
    schema = schema_artifact(folder / "schema")
    return folder, schema, run(examples, folder, schema)


def test_every_feature_of_the_sample_is_described(on_sample):
    _, _, artifact = on_sample
    assert artifact.split_names == '["train", "eval"]'
    assert artifact.span == 7
    for split, count in (("train", 4000), ("eval", 2000)):
        statistics = load(artifact, split)
        features = by_name(statistics)
        assert statistics.datasets[0].num_examples == count
        assert len(statistics.datasets[0].features) == len(features)
        assert set(features) == {"image", "image_corrupt", "label", "id"} | {f"image_{n}" for n in property_names(3)}
        for name, feature in features.items():
            kind = getattr(feature, feature.WhichOneof("stats"))
            assert kind.common_stats.num_non_missing == count, name


def test_the_numbers_are_those_of_the_images(on_sample):
    _, _, artifact = on_sample
    features = by_name(load(artifact, "eval"))
    images, _ = sample("test_batch")
    for name, values in compute(images).items():
        if name not in property_names(3):
            continue
        numbers = features[f"image_{name}"].num_stats
        assert numbers.mean == pytest.approx(float(values.mean(dtype=np.float64)), abs=1e-7)
        assert numbers.std_dev == pytest.approx(float(values.std(dtype=np.float64)), abs=1e-7)
        assert (numbers.min, numbers.max) == (float(values.min()), float(values.max()))
        assert numbers.median == pytest.approx(float(np.median(values)), abs=0.01)


def test_the_image_bytes_are_not_counted_as_strings_and_ids_are_not_called_frequent(on_sample):
    _, _, artifact = on_sample
    features = by_name(load(artifact, "train"))
    assert features["image"].WhichOneof("stats") == "bytes_stats"
    assert features["image"].bytes_stats.max_num_bytes == 3072
    assert features["id"].string_stats.unique == pytest.approx(4000, rel=0.05)
    assert not features["id"].string_stats.top_values
    # The schema says that the label's numbers are classes.
    label = features["label"].string_stats
    assert {bucket.label: bucket.sample_count for bucket in label.rank_histogram.buckets} == {
        str(k): 400.0 for k in range(10)
    }


def test_the_curated_schema_finds_nothing_wrong_with_the_sample(on_sample, tmp_path):
    _, schema, statistics = on_sample
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(tmp_path)
    validator.Executor().Do(
        {"statistics": [statistics], "schema": [schema]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"}
    )
    for split in ("train", "eval"):
        found = anomalies_pb2.Anomalies()
        found.ParseFromString((tmp_path / f"Split-{split}" / "SchemaDiff.pb").read_bytes())
        assert not found.anomaly_info
        assert not found.HasField("dataset_anomaly_info")
        assert found.HasField("baseline")


def test_schema_gen_and_facets_read_the_output(on_sample, tmp_path):
    _, _, statistics = on_sample
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path)
    schema_gen.Executor().Do(
        {"statistics": [statistics]}, {"schema": [schema]}, {"infer_feature_shape": True, "exclude_splits": "[]"}
    )
    inferred = tfdv.load_schema_text(str(tmp_path / "schema.pbtxt"))
    assert {feature.name for feature in inferred.feature} == set(by_name(load(statistics, "train")))
    html = display_util.get_statistics_html(load(statistics, "train"), load(statistics, "eval"))
    assert "facets-overview" in html


def corrupted(images, labels):
    """Records with 30 images cut short and 20 examples without one."""
    records = examples_of(images, labels)
    for row in range(30):
        records[row] = example(images[row].tobytes()[:-1], labels[row], row)
    return records[:-20] + [example(None, label, n) for n, label in enumerate(labels[-20:])]


def changed(images, labels):
    """Splits that each have one thing wrong, by name."""
    rng = np.random.default_rng(5)
    tenth = rng.permutation(len(images))[: len(images) // 10]
    with_colour = {}
    for name, value in (("black", 0), ("white", 255), ("grey", 128)):
        with_colour[name] = images.copy()
        with_colour[name][tenth] = value
    splits = {name: examples_of(found, labels) for name, found in with_colour.items()}
    splits["corrupt"] = corrupted(images, labels)
    splits["labels"] = examples_of(images, [12, *labels[1:]])
    splits["serving"] = [example(image.tobytes(), None, n) for n, image in enumerate(images)]
    splits["few"] = examples_of(images[:499], labels[:499])
    return splits


@pytest.fixture(scope="module")
def on_changed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("changed")
    images, labels = sample("test_batch")
    artifact = write(folder / "examples", **changed(images[:600], labels[:600]))
    return run(artifact, folder, schema_artifact(folder / "schema"))


def anomalies_of(statistics, environment=None):
    found = tfdv.validate_statistics(statistics, tfdv.load_schema_text(str(SCHEMA)), environment=environment)
    messages = {name: info.description for name, info in found.anomaly_info.items()}
    if found.dataset_anomaly_info.description:
        messages["the data set"] = found.dataset_anomaly_info.description
    return messages


@pytest.mark.parametrize(
    ("split", "feature", "message"),
    [
        ("black", "image_brightness", "Unexpectedly low values: 0<0.0197(upto six significant digits)"),
        ("black", "image_entropy", "Unexpectedly low values: 0<"),
        ("white", "image_brightness", "Unexpectedly high value: 1>0.9947(upto six significant digits)"),
        ("grey", "image_contrast", "Unexpectedly low values: "),
        ("corrupt", "image_corrupt", "Unexpectedly large value: 1."),
        ("corrupt", "image", "The feature was present in fewer examples than expected"),
        ("labels", "label", "12"),
        ("few", "the data set", "The dataset has 499 examples"),
    ],
)
def test_what_is_wrong_is_said(on_changed, split, feature, message):
    assert message in anomalies_of(load(on_changed, split))[feature]


def test_examples_without_label_pass_in_the_serving_environment_alone(on_changed):
    statistics = load(on_changed, "serving")
    assert anomalies_of(statistics, "SERVING") == {}
    assert set(anomalies_of(statistics, "TRAINING")) == set(anomalies_of(statistics)) == {"label"}


def test_the_black_tenth_is_shown_to_a_person(on_changed):
    anomalies = tfdv.validate_statistics(load(on_changed, "black"), tfdv.load_schema_text(str(SCHEMA)))
    table = display_util.get_anomalies_dataframe(anomalies)
    assert table.loc["'image_brightness'", "Anomaly short description"] == "Out-of-range values"


def test_examples_with_nothing_but_images_and_an_empty_split(tmp_path):
    images, _ = sample("test_batch")
    records = [example(image.tobytes()) for image in images[:20]]
    artifact = run(write(tmp_path / "examples", only=records, empty=[]), tmp_path)
    only = load(artifact, "only").datasets[0]
    assert only.num_examples == 20
    assert {f.path.step[0] for f in only.features} == {"image", "image_corrupt"} | {
        f"image_{name}" for name in property_names(3)
    }
    (empty,) = load(artifact, "empty").datasets
    assert (empty.num_examples, len(empty.features)) == (0, 0)


def test_encoded_images_and_excluded_splits(tmp_path):
    images, labels = sample("test_batch")
    files = [tf.io.encode_jpeg(image, quality=90).numpy() for image in images[:20]]
    files += [tf.io.encode_png(image).numpy() for image in np.repeat(images[:10], 2, axis=1)]
    records = [example(file, label, n) for n, (file, label) in enumerate(zip(files, labels, strict=False))]
    artifact = write(tmp_path / "examples", train=records, other=[])
    statistics = run(artifact, tmp_path, spec=ENCODED.to_json(), exclude_splits='["other"]')
    assert statistics.split_names == '["train"]'
    assert [path.name for path in Path(statistics.uri).iterdir()] == ["Split-train"]
    features = by_name(load(statistics, "train"))
    assert features["image_corrupt"].num_stats.max == 0
    assert (features["image_height"].num_stats.min, features["image_height"].num_stats.max) == (32, 64)


def test_a_wrong_image_key_is_an_error_that_names_the_features(tmp_path):
    artifact = write(tmp_path / "examples", train=[example(bytes(3072), 1, 1)])
    message = "`image.feature` must name a feature of the examples: id, image, label. Received: 'photo'"
    with pytest.raises(MonitorError, match=message):
        run(artifact, tmp_path, spec=image_spec(feature="photo").to_json())


def test_a_file_cut_short_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "cut"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(5):
            writer.write(example(bytes(3072), 1, number))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MonitorError, match=rf"{path} must be a whole TFRecord file. Received: "):
        list(read_batches(Part(str(path))))


def test_a_file_of_another_format_is_said_to_be_one(tmp_path):
    (tmp_path / "table").write_text("id,label\n1,cat\n2,dog\n")
    with pytest.raises(MonitorError, match=r"table must be a whole TFRecord file\. Received: .* looks like CSV\."):
        list(read_batches(Part(str(tmp_path / "table"))))


def test_large_records_come_in_smaller_batches(tmp_path):
    path = str(tmp_path / "large")
    with tf.io.TFRecordWriter(path) as writer:
        for _ in range(9):
            writer.write(bytes(5 << 20))
    assert [len(batch) for batch in read_batches(Part(path))] == [3, 3, 3]


def test_examples_of_another_payload_are_refused(tmp_path):
    artifact = write(tmp_path / "examples", train=[])
    examples_utils.set_payload_format(artifact, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
    with pytest.raises(MonitorError, match=r"must hold tf.Examples .* Received: FORMAT_PARQUET"):
        run(artifact, tmp_path)


def test_leaving_out_every_split_is_refused(tmp_path):
    with pytest.raises(
        MonitorError, match=r"`exclude_splits` must leave a split of \['train'\]. Received: \['train'\]"
    ):
        run(write(tmp_path / "examples", train=[]), tmp_path, exclude_splits='["train"]')
