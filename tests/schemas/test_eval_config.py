"""The evaluation policy, as the stock Evaluator applies it to models whose answers are known in advance."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.components.evaluator import executor as evaluator
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from pipelines.config import LOCAL_BEAM_ARGS

SCHEMAS = Path(__file__).parents[2] / "schemas" / "cifar10"
FILES = ("eval_config.pbtxt", "eval_config_full.pbtxt")
PER_CLASS = 20


def eval_config(name="eval_config.pbtxt"):
    return text_format.Parse((SCHEMAS / name).read_text(), tfma.EvalConfig())


def answers(right_of_20, confidence):
    """Probabilities [200, 10] that are right on so many of each class's 20 examples. Wrong ones name the next class."""
    rows = np.full((10 * PER_CLASS, 10), (1 - confidence) / 9, np.float32)
    for label in range(10):
        for i in range(PER_CLASS):
            rows[label * PER_CLASS + i, label if i < right_of_20[label] else (label + 1) % 10] = confidence
    return rows


# what each model answers: how many of 20 are right in each class, and how sure it says it is
MODELS = {
    "good": answers([13] * 10, 0.65),
    "better": answers([15] * 10, 0.75),
    "chance": answers([2] * 10, 0.15),
    "blind to cats": answers([15, 15, 15, 3, 15, 15, 15, 15, 15, 15], 0.70),
    "boastful": answers([13] * 10, 0.99),
    "lost its cats": answers([13, 13, 13, 7, 13, 13, 13, 13, 13, 13], 0.62),
}


class KnownAnswers(tf.Module):
    """A model whose answer to an example is what the example itself says."""

    def __init__(self, feature):
        super().__init__()
        self._feature = feature

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(self, examples):
        parsed = tf.io.parse_example(examples, {self._feature: tf.io.FixedLenFeature([10], tf.float32)})
        return {"probabilities": parsed[self._feature]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluation")
    for name in MODELS:
        module = KnownAnswers(name)
        target = str(path / name / "Format-Serving")
        tf.saved_model.save(module, target, signatures={"examples": module.examples})
    (path / "examples" / "Split-eval").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path / "examples" / "Split-eval" / "data-00000-of-00001.gz"), "GZIP") as writer:
        for i in range(10 * PER_CLASS):
            example = tf.train.Example()
            example.features.feature["label"].int64_list.value.append(i // PER_CLASS)
            for name, rows in MODELS.items():
                example.features.feature[name].float_list.value.extend(rows[i])
            writer.write(example.SerializeToString())
    return path


def artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made


def evaluate(folder, out, model, baseline=None, config=None):
    """The files of the blessing, the failures as {(metric, slice's label or None, is a change)}, missing slices."""
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(["eval"])
    evaluation = artifact(standard_artifacts.ModelEvaluation, out / "evaluation")
    blessing = artifact(standard_artifacts.ModelBlessing, out / "blessing")
    inputs = {"examples": [examples], "model": [artifact(standard_artifacts.Model, folder / model)]}
    if baseline:
        inputs["baseline_model"] = [artifact(standard_artifacts.Model, folder / baseline)]
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=list(LOCAL_BEAM_ARGS),
        tmp_dir=str(out / "tmp"),
        unique_id="1",
    )
    properties = {"eval_config": proto_utils.proto_to_json(config or eval_config()), "example_splits": '["eval"]'}
    evaluator.Executor(context).Do(inputs, {"evaluation": [evaluation], "blessing": [blessing]}, properties)
    result = tfma.load_validation_result(evaluation.uri)
    failures = {
        (failure.metric_key.name, slice_label(validated.slice_key), failure.metric_key.is_diff)
        for validated in result.metric_validations_per_slice
        for failure in validated.failures
    }
    return {path.name for path in (out / "blessing").iterdir()}, failures, result.missing_slices


def slice_label(slice_key):
    return slice_key.single_slice_keys[0].int64_value if slice_key.single_slice_keys else None


CASES = [
    ("good", None, set()),
    ("good", "good", set()),
    ("good", "better", {("accuracy", None, True)}),
    (
        "chance",
        None,
        {("accuracy", None, False), ("log_loss", None, False)} | {("accuracy", label, False) for label in range(10)},
    ),
    ("blind to cats", None, {("accuracy", 3, False)}),
    ("boastful", None, {("expected_calibration_error", None, False), ("log_loss", None, False)}),
    ("lost its cats", "good", {("worst_class_accuracy", None, True)}),
]


@pytest.mark.parametrize(("model", "baseline", "expected_failures"), CASES)
def test_verdicts(folder, tmp_path, model, baseline, expected_failures):
    files, failures, missing = evaluate(folder, tmp_path, model, baseline)
    assert failures == expected_failures
    assert files == ({"NOT_BLESSED"} if expected_failures else {"BLESSED"})
    assert not missing


def test_a_class_that_is_not_in_the_data_fails(folder, tmp_path):
    config = eval_config()
    accuracy = next(m for m in config.metrics_specs[0].metrics if "accuracy" in m.config)
    accuracy.per_slice_thresholds[1].slicing_specs.add().feature_values["label"] = "10"
    files, failures, missing = evaluate(folder, tmp_path, "good", config=config)
    assert files == {"NOT_BLESSED"}
    assert not failures
    assert [dict(spec.feature_values) for spec in missing] == [{"label": "10"}]


def test_the_two_files_differ_in_their_bounds_only():
    sample, full = (text_format.MessageToString(eval_config(name)).splitlines() for name in FILES)
    differing = [(a, b) for a, b in zip(sample, full, strict=True) if a != b]
    assert differing
    assert all(line.strip().startswith("value: ") for pair in differing for line in pair)


def bounds(config):
    for metric in config.metrics_specs[0].metrics:
        for sliced in metric.per_slice_thresholds:
            threshold = sliced.threshold
            for side, value in (
                ("lower", threshold.value_threshold.lower_bound),
                ("upper", threshold.value_threshold.upper_bound),
                ("change", threshold.change_threshold.absolute),
            ):
                if value.value:
                    yield (metric.class_name, len(sliced.slicing_specs), side), value.value


def test_the_full_set_is_held_to_tighter_bounds():
    sample, full = (dict(bounds(eval_config(name))) for name in FILES)
    assert sample.keys() == full.keys()
    for (name, slices, side), value in full.items():
        looser = sample[name, slices, side]
        assert (value < looser) if side == "upper" else (value > looser), (name, side)


@pytest.mark.parametrize("name", FILES)
def test_no_threshold_holds_for_every_slice_by_accident(name):
    """`threshold` would hold for each class as well, where the bound of the whole is too strict."""
    assert not any(metric.HasField("threshold") for metric in eval_config(name).metrics_specs[0].metrics)
