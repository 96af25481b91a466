"""The executor on examples with predictions, through Beam, and what reads its output."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor as validator
from tfx.components.schema_gen import executor as schema_gen
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import standard_artifacts

from components.common.artifacts import record_parts
from components.common.artifacts.record_parts import Part
from components.common.errors import MonitorError
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample
from components.image_statistics_gen import executor
from components.image_statistics_gen.executor import Executor
from components.image_statistics_gen.image_properties import compute, property_names
from components.image_statistics_gen.prediction_features import feature_names
from components.image_statistics_gen.record_batches import count_values
from pipelines.config import LOCAL_BEAM_ARGS
from tests.support.specs import image_spec, model_spec

CLASSES, DIMENSIONS = 10, 4
KEYS = {"spec": model_spec((8, 8, 3), CLASSES, embedding="embedding").to_json()}
RNG = np.random.default_rng(31)


def scored(count):
    """Images uint8[N, 8, 8, 3], probabilities [N, 10], embeddings [N, 4] and labels [N]."""
    images = RNG.integers(0, 256, (count, 8, 8, 3), np.uint8)
    powers = np.exp(RNG.normal(0, 3, (count, CLASSES)))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return images, probabilities, RNG.normal(size=(count, DIMENSIONS)).astype(np.float32), np.arange(count) % CLASSES


def records_of(images, probabilities, embedding, labels):
    records = []
    for number in range(len(images)):
        feature = {
            "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[images[number].tobytes()])),
            "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[f"request/{number}".encode()])),
            "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[labels[number]])),
        }
        for key, values in (("probabilities", probabilities[number]), ("embedding", embedding[number])):
            if values is not None:
                feature[key] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        records.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return records


def write(folder, records, shards=1, split="eval"):
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = json.dumps([split])
    (folder / f"Split-{split}").mkdir(parents=True)
    for shard in range(shards):
        path = folder / f"Split-{split}" / f"data_tfrecord-{shard:05}-of-{shards:05}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in records[shard::shards]:
                writer.write(record)
    return artifact


def run(examples, folder, **properties):
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    defaults = {"spec": image_spec((8, 8, 3)).to_json(), "exclude_splits": "[]", "sample_size": 10_000}
    context = Executor.Context(beam_pipeline_args=list(LOCAL_BEAM_ARGS), tmp_dir=str(folder / "tmp"), unique_id="1")
    Executor(context).Do({"examples": [examples]}, {"statistics": [statistics]}, defaults | properties)
    return statistics


def load(statistics):
    (data,) = tfdv.load_stats_binary(os.path.join(statistics.uri, "Split-eval", "FeatureStats.pb")).datasets
    return {feature.path.step[0]: feature for feature in data.features}


def sample_path(statistics):
    return os.path.join(statistics.uri, "Split-eval", FILE_NAME)


@pytest.fixture(scope="module")
def on_scored(tmp_path_factory):
    """(what was scored, records, statistics artifact)."""
    folder = tmp_path_factory.mktemp("scored")
    found = scored(300)
    records = records_of(*found)
    return found, records, run(write(folder / "examples", records), folder, **KEYS)


def test_predictions_are_described_here_and_not_by_tfdvs_generators(on_scored):
    _, _, artifact = on_scored
    features = load(artifact)
    assert set(features) == {"image", "image_corrupt", "label", "id", "prediction_class", "prediction_corrupt"} | {
        f"image_{name}" for name in property_names(3)
    } | {f"prediction_{name}" for name in feature_names(CLASSES, DIMENSIONS)}


def test_the_sample_is_of_the_examples(on_scored):
    (images, probabilities, embedding, labels), _, artifact = on_scored
    sample = FeatureSample.read(sample_path(artifact))
    rows = np.array([int(name.partition("/")[2]) for name in sample.ids])
    assert sorted(rows) == list(range(300))
    properties = compute(images)
    expected = [properties[name][rows] for name in property_names(3)]
    np.testing.assert_array_equal(sample.values[:, : len(expected)], np.column_stack(expected))
    np.testing.assert_array_equal(sample.probabilities, probabilities[rows])
    np.testing.assert_array_equal(sample.classes, probabilities[rows].argmax(axis=1))
    np.testing.assert_array_equal(sample.labels, labels[rows])
    column = sample.names.index("prediction_embedding_03")
    np.testing.assert_array_equal(sample.values[:, column], embedding[rows, 3])


def test_files_order_and_workers_make_no_difference(on_scored, tmp_path):
    _, records, artifact = on_scored
    small = run(write(tmp_path / "one" / "examples", records), tmp_path / "one", **KEYS, sample_size=40)
    shuffled = [records[row] for row in np.random.default_rng(2).permutation(len(records))]
    many = run(write(tmp_path / "many" / "examples", shuffled, shards=7), tmp_path / "many", **KEYS, sample_size=40)
    contents = []
    for each in (small, many):
        with open(sample_path(each), "rb") as file:
            contents.append(file.read())
    assert contents[0] == contents[1]
    sample = FeatureSample.from_bytes(contents[0])
    assert (len(sample.ids), sample.population) == (40, 300)
    assert sample.ids == FeatureSample.read(sample_path(artifact)).ids[:40]
    first, second = load(small), load(many)
    for name in ("prediction_class", "prediction_corrupt", "prediction_margin", "image_noise"):
        one, other = first[name], second[name]
        assert one.string_stats == other.string_stats
        assert [h.buckets for h in one.num_stats.histograms] == [h.buckets for h in other.num_stats.histograms]


def test_files_come_to_the_same_without_a_pipeline(on_scored, tmp_path, monkeypatch):
    _, records, small = on_scored
    monkeypatch.setattr(executor, "runs_alone", lambda _: False)
    large = run(write(tmp_path / "examples", records), tmp_path, **KEYS)
    for name in (FILE_NAME, "FeatureStats.pb"):
        one, other = (Path(each.uri, "Split-eval", name).read_bytes() for each in (small, large))
        assert one == other, name


@pytest.mark.parametrize("alone", [True, False])
def test_large_files_that_are_read_in_parts_come_to_the_same(on_scored, tmp_path, monkeypatch, alone):
    _, records, small = on_scored
    monkeypatch.setattr("components.common.beam.records.PART_BYTES", 9000)
    monkeypatch.setattr(record_parts, "PIECE_BYTES", 5000)
    monkeypatch.setattr(executor, "runs_alone", lambda _: alone)
    large = run(write(tmp_path / "examples", records), tmp_path, **KEYS)
    one, other = (FeatureSample.read(sample_path(each)).to_bytes() for each in (small, large))
    assert one == other
    for name, feature in load(small).items():
        assert load(large)[name].num_stats.mean == pytest.approx(feature.num_stats.mean, rel=1e-12), name
    assert os.listdir(large.uri) == ["Split-eval"]


def test_without_predictions_nothing_is_said_of_them_and_no_sample_is_written_where_none_is_wanted(on_scored, tmp_path):
    _, records, _ = on_scored
    artifact = run(write(tmp_path / "examples", records), tmp_path, sample_size=0)
    assert os.listdir(os.path.join(artifact.uri, "Split-eval")) == ["FeatureStats.pb"]
    features = load(artifact)
    assert not any(name.startswith("prediction_") for name in features)
    assert features["probabilities"].num_stats.common_stats.tot_num_values == 300 * CLASSES


def test_stock_readers_do_not_mind_the_sample(on_scored, tmp_path):
    _, _, artifact = on_scored
    assert sorted(os.listdir(os.path.join(artifact.uri, "Split-eval"))) == [FILE_NAME, "FeatureStats.pb"]
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path / "schema")
    schema_gen.Executor().Do(
        {"statistics": [artifact]}, {"schema": [schema]}, {"infer_feature_shape": True, "exclude_splits": "[]"}
    )
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(tmp_path / "anomalies")
    validator.Executor().Do(
        {"statistics": [artifact], "schema": [schema]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"}
    )
    found = anomalies_pb2.Anomalies()
    found.ParseFromString((tmp_path / "anomalies" / "Split-eval" / "SchemaDiff.pb").read_bytes())
    assert not found.anomaly_info
    view = stats_artifact_utils.load_statistics(artifact, "eval")
    assert view.proto().datasets[0].num_examples == 300


def test_an_empty_split_has_an_empty_sample(tmp_path):
    artifact = run(write(tmp_path / "examples", []), tmp_path, **KEYS)
    sample = FeatureSample.read(sample_path(artifact))
    assert (sample.population, sample.ids, sample.labels) == (0, (), None)
    assert load(artifact) == {}


def test_examples_that_were_not_scored_are_all_corrupt_predictions(on_scored, tmp_path):
    (images, _, _, labels), _, _ = on_scored
    nothing = [None] * len(images)
    artifact = run(write(tmp_path / "examples", records_of(images, nothing, nothing, labels)), tmp_path, **KEYS)
    features = load(artifact)
    assert features["prediction_corrupt"].num_stats.mean == 1
    assert "prediction_embedding_00" not in features
    assert FeatureSample.read(sample_path(artifact)).classes.tolist() == [-1] * 300


def test_the_size_of_embeddings_is_that_of_most_examples_of_the_first_batch_that_has_any(tmp_path, monkeypatch):
    images, probabilities, embedding, labels = scored(1300)
    rows = [None] * 1100 + list(probabilities[1100:])
    rows[1150] = rows[1150][:3]
    artifact = write(tmp_path / "examples", records_of(images, rows, embedding, labels))
    parts = [Part(str(path)) for path in Path(artifact.uri, "Split-eval").iterdir()]
    counts = count_values(parts, ["probabilities", "embedding", "nothing"])
    assert counts == {"probabilities": CLASSES, "embedding": DIMENSIONS, "nothing": 0}
    features = load(run(artifact, tmp_path, **KEYS))
    assert features["prediction_corrupt"].num_stats.mean == pytest.approx(1101 / 1300)
    # where there are workers, they count what the first batches do not tell
    monkeypatch.setattr(executor, "_BATCHES_HERE", 1)
    monkeypatch.setattr(executor, "runs_alone", lambda _: False)
    spread = run(artifact, tmp_path / "spread", **KEYS)
    assert load(spread)["prediction_embedding_03"].num_stats == features["prediction_embedding_03"].num_stats
    assert os.listdir(spread.uri) == ["Split-eval"]


def test_more_classes_than_a_sketch_counts_exactly_are_counted_exactly(tmp_path):
    images, _, embedding, labels = scored(3000)
    probabilities = np.zeros((3000, 1500), np.float32)
    probabilities[np.arange(3000), np.arange(3000) % 1500] = 1
    examples = write(tmp_path / "examples", records_of(images, probabilities, embedding, labels))
    artifact = run(examples, tmp_path, spec=model_spec((8, 8, 3), 1500).to_json())
    strings = load(artifact)["prediction_class"].string_stats
    assert strings.unique == 1500
    assert {bucket.sample_count for bucket in strings.rank_histogram.buckets} == {2}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"scores": "label"},
            r"`outputs.scores` must name a feature with 10 scores an example \(10 classes, kind probabilities\). "
            "Received: 'label', 1 values",
        ),
        ({"kind": "logits", "classes": 3}, "must name a feature with 3 scores an example .*Received: .*10 values"),
        ({"kind": "logits", "classes": 2}, "must name a feature with 2 or 1 scores an example .*Received: .*10 values"),
        ({"kind": "sigmoid", "classes": 2}, "must name a feature with 1 scores an example .*Received: .*10 values"),
        ({"embedding": "id"}, "feature 'id' must hold numbers"),
    ],
)
def test_outputs_that_name_another_kind_of_feature(on_scored, tmp_path, keys, message):
    _, records, _ = on_scored
    spec = model_spec((8, 8, 3), **({"classes": CLASSES} | keys))
    with pytest.raises(MonitorError, match=message):
        run(write(tmp_path / "examples", records[:20]), tmp_path, spec=spec.to_json())
