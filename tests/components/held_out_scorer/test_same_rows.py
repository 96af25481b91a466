"""Held-out examples and logs of the same images and the same model are the same rows, and are described the same."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.common.canonical_rows import LOGGED
from components.image_statistics_gen.executor import Executor as Describer
from components.serving_log_example_gen.executor import Executor as LogReader
from components.serving_log_example_gen.read_options import ReadOptions
from tests.support import foreign_models
from tests.support.foreign_data import encode
from tests.support.model_specs import digits_spec

from .conftest import digit_examples, rows_of
from .test_executor import PHOTOS

DIGITS = digits_spec(signatures={"examples": "serve_examples"})


@pytest.fixture
def read_logs(tmp_path):
    """Runs ServingLogExampleGen's executor over one span: spec -> its `Examples`."""

    def run(spec):
        examples, anomalies = standard_artifacts.Examples(), standard_artifacts.ExampleAnomalies()
        examples.uri, anomalies.uri = str(tmp_path / "read"), str(tmp_path / "anomalies")
        config = example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="serving", pattern="1/*")])
        properties = {
            "input_base": str(tmp_path / "logs"),
            "input_config": proto_utils.proto_to_json(config),
            "span": 1,
            **ReadOptions(spec=spec).to_properties(),
        }
        LogReader().Do({}, {"examples": [examples], "anomalies": [anomalies]}, properties)
        return examples

    return run


def described(examples, split, spec, folder):
    """The names of the features that ImageStatisticsGen describes."""
    output = standard_artifacts.ExampleStatistics()
    output.uri = str(folder)
    properties = {"spec": spec.rows.to_json(), "sample_size": 100}
    Describer().Do({"examples": [examples]}, {"statistics": [output]}, properties)
    data = tfdv.load_stats_binary(str(folder / f"Split-{split}" / "FeatureStats.pb")).datasets[0]
    return {feature.path.step[0] for feature in data.features}


def by_image(rows):
    """Rows by what is seen: logs give ids of their own."""
    return {tuple(np.ravel(tf.io.decode_image(row["image"][0]).numpy()).tolist()): row for row in rows.values()}


def check_same(scored, logged, files_are_kept):
    held_out, served = by_image(rows_of(scored)), by_image(rows_of(logged, "serving"))
    assert set(held_out) == set(served)
    for pixels, row in held_out.items():
        other = served[pixels]
        assert set(row) - {"label"} == set(other) - set(LOGGED)
        assert row["class_id"] == other["class_id"]
        for name in ("probabilities", "confidence", "entropy", "margin"):
            np.testing.assert_allclose(row[name], other[name], atol=1e-5)
        assert not files_are_kept or row["image"] == other["image"]


def test_floats_of_digits(score, read_logs, digits, trainer_s, tmp_path):
    model = trainer_s()
    scored = score(digit_examples(digits), model, DIGITS)
    foreign_models.serve_digits(model / "Format-Serving", tmp_path / "logs", 1, digits)
    logged = read_logs(DIGITS)
    check_same(scored, logged, files_are_kept=False)
    names = described(scored, "eval", DIGITS, tmp_path / "a"), described(logged, "serving", DIGITS, tmp_path / "b")
    assert names[0] - {"label"} == names[1] - set(LOGGED)
    assert {"image_brightness", "image_corrupt", "prediction_confidence", "prediction_class"} <= names[0]


def test_jpeg_files_and_one_sigmoid(score, read_logs, crops, photo_model, tmp_path):
    spec = digits_spec(**PHOTOS)
    examples = [
        {"jpeg": encode(image, "JPEG"), "is_flower": label, "name": name.encode()}
        for image, label, name in zip(crops.images, crops.labels, crops.ids, strict=True)
    ]
    scored = score(examples, photo_model, spec)
    foreign_models.serve_photos(photo_model / "Format-Serving", tmp_path / "logs", 1, crops)
    logged = read_logs(spec)
    check_same(scored, logged, files_are_kept=True)
    names = described(scored, "eval", spec, tmp_path / "a"), described(logged, "serving", spec, tmp_path / "b")
    assert names[0] - {"label"} == names[1] - set(LOGGED)
    assert {"image_width", "image_aspect_ratio", "prediction_confidence"} <= names[0]
    assert json.loads(scored.split_names) == ["eval"]
