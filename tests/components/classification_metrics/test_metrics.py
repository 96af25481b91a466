"""The metrics inside a real TFMA run: named in an EvalConfig, through Beam, sliced, weighted, beside a baseline."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import text_format

from components.classification_metrics.metrics import ExpectedCalibrationError
from components.common.errors import MonitorError

CLASSES = 3
CONFIG = """
model_specs { label_key: "label" prediction_key: "answer" example_weight_key: "weight" }
slicing_specs {}
slicing_specs { feature_keys: "site" }
metrics_specs {
  metrics { class_name: "WorstClassAccuracy" module: "components.classification_metrics.metrics" }
  metrics {
    class_name: "ExpectedCalibrationError"
    module: "components.classification_metrics.metrics"
    config: '"bins": 5'
  }
  metrics {
    class_name: "ExpectedCalibrationError"
    module: "components.classification_metrics.metrics"
    config: '"bins": 1, "name": "one_bin"'
  }
}
"""


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    count = 200
    labels = rng.integers(0, CLASSES, count)
    logits = rng.normal(0, 1.5, (count, CLASSES)) + 1.2 * np.eye(CLASSES)[labels]
    answers = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    return {
        "label": labels,
        "answer": answers,
        "weight": rng.choice([0.5, 1.0, 2.0], count).astype(np.float32),
        "site": rng.integers(0, 2, count),
    }


def write_examples(table, path):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i in range(len(table["label"])):
            example = tf.train.Example()
            for name in ("label", "site"):
                example.features.feature[name].int64_list.value.append(int(table[name][i]))
            example.features.feature["answer"].float_list.value.extend(table["answer"][i])
            example.features.feature["weight"].float_list.value.append(table["weight"][i])
            writer.write(example.SerializeToString())


@pytest.fixture(scope="module")
def sliced_metrics(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfma")
    write_examples(table, folder / "examples")
    result = tfma.run_model_analysis(
        eval_config=text_format.Parse(CONFIG, tfma.EvalConfig()),
        data_location=str(folder / "examples"),
        output_path=str(folder / "out"),
    )
    return {key: metrics[""][""] for key, metrics in result.slicing_metrics}


def worst_accuracy(table, rows):
    right = table["answer"].argmax(axis=1) == table["label"]
    return min(
        np.average(right[rows & (table["label"] == c)], weights=table["weight"][rows & (table["label"] == c)])
        for c in range(CLASSES)
    )


def calibration_error(table, rows, bins):
    confidence, weight = table["answer"].max(axis=1), table["weight"]
    right = table["answer"].argmax(axis=1) == table["label"]
    bin_of = np.ceil(confidence * bins)
    gaps = [
        weight[inside].sum() * abs(np.average(confidence[inside] - right[inside], weights=weight[inside]))
        for b in range(1, bins + 1)
        if (inside := rows & (bin_of == b)).any()
    ]
    return sum(gaps) / weight[rows].sum()


@pytest.mark.parametrize("site", [None, 0, 1])
def test_values_of_every_slice(table, sliced_metrics, site):
    rows = np.ones(len(table["site"]), bool) if site is None else table["site"] == site
    metrics = sliced_metrics[() if site is None else (("site", site),)]
    assert metrics["worst_class_accuracy"]["doubleValue"] == pytest.approx(worst_accuracy(table, rows), abs=1e-6)
    for name, bins in (("expected_calibration_error", 5), ("one_bin", 1)):
        assert metrics[name]["doubleValue"] == pytest.approx(calibration_error(table, rows, bins), abs=1e-6)


def test_one_hot_labels_mean_the_same(table, sliced_metrics):
    frame = {"label": table["label"], "answer": table["answer"], "weight": table["weight"]}
    key = tfma.metrics.MetricKey(name="error", example_weighted=True)
    computation = ExpectedCalibrationError(bins=5, name="error").computations(example_weighted=True)[0]
    accumulator = computation.combiner.create_accumulator()
    for label, answer, weight in zip(*frame.values(), strict=True):
        inputs = tfma.metrics.StandardMetricInputs(
            labels=np.eye(CLASSES)[label], predictions=answer, example_weights=np.array([weight])
        )
        accumulator = computation.combiner.add_input(accumulator, inputs)
    expected = sliced_metrics[()]["expected_calibration_error"]["doubleValue"]
    assert computation.combiner.extract_output(accumulator) == {key: pytest.approx(expected, abs=1e-6)}


def test_a_bad_parameter_is_refused_when_the_metric_is_made():
    with pytest.raises(MonitorError, match=r"`bins` must be 1 or more. Received: 0"):
        ExpectedCalibrationError(bins=0)
