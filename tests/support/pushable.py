"""A tiny model with everything that a push wants beside it. Imports TFX."""

import json
from pathlib import Path

import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

REASONS = json.dumps({"blessed": True})


class Doubler(tf.Module):
    """Has a variable, an asset and a warm-up file, so that every folder of a SavedModel is there."""

    def __init__(self, factor: float, names: str) -> None:
        super().__init__()
        self.factor = tf.Variable(factor)
        self.names = tf.saved_model.Asset(names)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        return {"y": self.factor * x, "names": tf.io.read_file(self.names)}


def artifact(kind, uri: Path):
    made = kind()
    made.uri = str(uri)
    return made


def save_model(folder: Path):
    names = folder / "names.txt"
    names.write_text("cat\ndog\n")
    module = Doubler(2.0, str(names))
    saved = folder / "uri" / "Format-Serving"
    tf.saved_model.save(module, str(saved), signatures={"serving_default": module.serve})
    (saved / "assets.extra").mkdir()
    (saved / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"warm")
    return artifact(standard_artifacts.Model, folder / "uri")


def write_inputs(tmp_path: Path, model):
    """Inputs of AtomicPusher: a blessed model, statistics of two splits and of the baseline, schema and evaluation."""
    for path, content in {
        "statistics/Split-train/FeatureStats.pb": b"train",
        "statistics/Split-eval/FeatureStats.pb": b"eval",
        "baseline_statistics/Split-eval/FeatureStats.pb": b"scored",
        "baseline_statistics/Split-eval/FeatureSample.npz": b"rows",
        "schema/schema.pbtxt": b"# schema",
        "evaluation/metrics-00000-of-00001.tfrecord": b"metrics",
        "blessing/BLESSED": b"",
        "blessing/reasons.json": REASONS.encode(),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")
    blessing.set_int_custom_property("blessed", 1)
    blessing.set_string_custom_property("current_model", model.uri)
    statistics = artifact(standard_artifacts.ExampleStatistics, tmp_path / "statistics")
    statistics.split_names = artifact_utils.encode_split_names(["train", "eval"])
    baseline = artifact(standard_artifacts.ExampleStatistics, tmp_path / "baseline_statistics")
    baseline.split_names = artifact_utils.encode_split_names(["eval"])
    return {
        "model": [model],
        "model_blessing": [blessing],
        "statistics": [statistics],
        "baseline_statistics": [baseline],
        "schema": [artifact(standard_artifacts.Schema, tmp_path / "schema")],
        "evaluation": [artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")],
    }
