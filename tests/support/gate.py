"""Real artifacts for the gate: SavedModels, examples and Evaluator's own output. Imports TFX."""

import json
from pathlib import Path

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.components.evaluator import executor as evaluator
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from pipelines.config import LOCAL_BEAM_ARGS

CLASSES = 4
EVAL_CONFIG = """
model_specs { signature_name: "examples" label_key: "label" prediction_key: "probabilities" }
slicing_specs {}
slicing_specs { feature_keys: "label" }
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics {
    class_name: "SparseCategoricalAccuracy" config: '"name": "accuracy"'
    threshold {
      value_threshold { lower_bound { value: 0.5 } }
      change_threshold { absolute { value: -0.02 } direction: HIGHER_IS_BETTER }
    }
    per_slice_thresholds {
      slicing_specs { feature_keys: "label" }
      threshold { value_threshold { lower_bound { value: 0.35 } } }
    }
  }
}
"""


class Classifier(tf.Module):
    """Answers class `image[0, 0, 0]`, except for class `wrong`, of which it gets every fourth right."""

    def __init__(self, wrong: int | None = None, scale: float = 1.0, classes: int = CLASSES) -> None:
        super().__init__()
        self.wrong, self.scale, self.classes = wrong, tf.Variable(scale), classes

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 2, 1], tf.uint8, name="image")])
    def serve(self, image):
        return self._answer(tf.cast(image[:, 0, 0, 0], tf.int64), tf.cast(image[:, 1, 1, 0], tf.int64))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(self, examples):
        spec = {key: tf.io.FixedLenFeature([], tf.int64) for key in ("label", "number")}
        parsed = tf.io.parse_example(examples, spec)
        return self._answer(parsed["label"], parsed["number"])

    def _answer(self, label, number):
        label = label % self.classes
        if self.wrong is not None:
            spoilt = (label == self.wrong) & (number % 4 != 0)
            label = tf.where(spoilt, (label + 1) % self.classes, label)
        probabilities = self.scale * tf.one_hot(label, self.classes, on_value=0.7, off_value=0.3 / (self.classes - 1))
        return {"class_id": label, "probabilities": probabilities}


def save(module: tf.Module, uri: Path) -> standard_artifacts.Model:
    signatures = {"serving_default": module.serve}
    if hasattr(module, "examples"):
        signatures["examples"] = module.examples
    tf.saved_model.save(module, str(uri / "Format-Serving"), signatures=signatures)
    return artifact(standard_artifacts.Model, uri)


def artifact(kind, uri: Path, **properties):
    made = kind()
    made.uri = str(uri)
    for key, value in properties.items():
        setattr(made, key, value)
    return made


def write_examples(folder: Path) -> standard_artifacts.Examples:
    path = folder / "examples" / "Split-eval" / "data.tfrecord"
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(80):
            features = {"label": number // 20, "number": number}
            feature = {k: tf.train.Feature(int64_list=tf.train.Int64List(value=[v])) for k, v in features.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    made = artifact(standard_artifacts.Examples, path.parents[1])
    made.split_names = artifact_utils.encode_split_names(["eval"])
    return made


def run_evaluator(uri, models, examples, key):
    model, baseline = key
    config = text_format.Parse(EVAL_CONFIG, tfma.EvalConfig())
    inputs = {"examples": [examples], "model": [models[model]]}
    if baseline:
        inputs["baseline_model"] = [models[baseline]]
    evaluation = artifact(standard_artifacts.ModelEvaluation, uri / "evaluation")
    blessing = artifact(standard_artifacts.ModelBlessing, uri / "blessing")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=list(LOCAL_BEAM_ARGS), tmp_dir=str(uri / "tmp"), unique_id="1"
    )
    evaluator.Executor(context).Do(
        inputs,
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"eval_config": proto_utils.proto_to_json(config), "example_splits": json.dumps(["eval"])},
    )
    return evaluation, blessing
