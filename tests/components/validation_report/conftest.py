"""The artifacts of a monitored window and of a push, written by the components' own code."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tfx.types import standard_artifacts

from components.common.artifacts.files import Artifact
from components.common.artifacts.sources import NodeFacts, RunFacts, Sources
from components.common.records.decision import REASONS_JSON, Decision
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample
from components.common.verdict import Check, Effect, Finding
from components.performance_estimator.executor import Executor as Estimator
from components.skew_drift_validator.executor import Executor as Validator
from components.threshold_calibrator.executor import Executor as Calibrator
from tests.support.specs import model_spec

ROOT = Path(__file__).parents[3]
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "bird", "cat")
COUNTS = {"files": 2, "records": 40, "records_broken": 3, "dead_letters": 3, "images": 400, "rows": 397,
          "problems": {"no_image": {"records": 3, "images": 3}}}  # fmt: skip


def write_examples(folder, split, images):
    """The images as `Examples`, with the ids that their statistics have."""
    path = folder / f"Split-{split}"
    path.mkdir(parents=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(path / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        for number, image in enumerate(images):
            features = {"id": [f"image:{number}".encode()], "image": [image.tobytes()]}
            lists = {k: tf.train.Feature(bytes_list=tf.train.BytesList(value=v)) for k, v in features.items()}
            lists["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[-number]))
            lists["scores"] = tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 0.25]))
            writer.write(tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString())
    return Artifact(str(folder), "Examples", "ExampleGen", properties={"split_names": json.dumps([split])})


def write_evaluation(folder, accuracies, matrix):
    """Metrics and plots in TFMA's own messages and files."""
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "metrics-00000-of-00001.tfrecord")) as writer:
        for label, (accuracy, count) in accuracies.items():
            sliced = metrics_for_slice_pb2.MetricsForSlice()
            if label is not None:
                sliced.slice_key.single_slice_keys.add(column="label", int64_value=label)
            for name, value in (("accuracy", accuracy), ("example_count", count)):
                each = sliced.metric_keys_and_values.add()
                each.key.name = name
                each.value.double_value.value = value
            difference = sliced.metric_keys_and_values.add()
            difference.key.name, difference.key.is_diff = "accuracy", True
            difference.value.double_value.value = 0.99
            writer.write(sliced.SerializeToString())
    plots = metrics_for_slice_pb2.PlotsForSlice(slice_key={})
    found = plots.plot_keys_and_values.add().value.multi_class_confusion_matrix_at_thresholds.matrices.add()
    for actual, row in enumerate(matrix):
        for predicted, count in enumerate(row):
            found.entries.add(actual_class_id=actual, predicted_class_id=predicted, num_weighted_examples=count)
    with tf.io.TFRecordWriter(str(folder / "plots-00000-of-00001.tfrecord")) as writer:
        writer.write(plots.SerializeToString())
    return Artifact(str(folder), "ModelEvaluation", "Evaluator")


def _label(statistics, split):
    """Gives the sample labels, two thirds of which are what was predicted."""
    path = Path(statistics.uri) / f"Split-{split}" / FILE_NAME
    sample = FeatureSample.read(str(path))
    wrong = np.arange(len(sample.ids)) % 3 == 0
    labels = np.where(wrong, (sample.classes + 1) % 4, sample.classes)
    dataclasses.replace(sample, labels=labels).write(str(path))


def _given(artifact, producer):
    properties = {"split_names": artifact.split_names, "span": artifact.span}
    return Artifact(artifact.uri, artifact.type_name, producer, properties=properties)


def _schema(folder, baseline):
    curated, calibrated = standard_artifacts.Schema(), standard_artifacts.Schema()
    curated.uri, calibrated.uri = str(folder / "curated"), str(folder / "calibrated")
    (folder / "curated").mkdir()
    shutil.copy(ROOT / "schemas" / "cifar10" / "schema.pbtxt", folder / "curated")
    properties = {"window_size": 300, "false_alarm_rate": 0.05, "split": "eval", "permutations": 199, "seed": 0}
    inputs = {"statistics": [baseline], "curated_schema": [curated]}
    Calibrator().Do(inputs, {"schema": [calibrated]}, {**properties, "monitored": "[]", "unmonitored": "[]"})
    return calibrated


@pytest.fixture(scope="session")
def monitored(tmp_path_factory, pool, write_statistics, shifts):
    """The sources of a monitoring run on a blurred window, as the components wrote them."""
    folder = tmp_path_factory.mktemp("monitored")
    images = {"eval": pool[:900], "before": pool[900:1200], "window": shifts["blurred"](pool[1200:1500])}
    baseline = write_statistics(folder / "baseline", {"eval": images["eval"]})
    _label(baseline, "eval")
    previous = write_statistics(folder / "previous", {"serving": images["before"]}, span=6)
    window = write_statistics(folder / "window", {"serving": images["window"]}, span=7)
    drift, performance = standard_artifacts.ExampleAnomalies(), standard_artifacts.ExampleAnomalies()
    drift.uri, performance.uri = str(folder / "drift"), str(folder / "performance")
    compared = {"statistics": [window], "baseline_statistics": [baseline]}
    Validator().Do(
        {**compared, "previous_statistics": [previous], "schema": [_schema(folder, baseline)]},
        {"anomalies": [drift]},
        {"split": "serving", "baseline_split": "eval", "false_alarm_rate": 0.05, "min_examples": 30,
         "permutations": 199,
         "seed": 0, "environment": "SERVING", "has_baseline": 1, "has_previous": 1},
    )  # fmt: skip
    Estimator().Do(
        compared,
        {"anomalies": [performance]},
        {"split": "serving", "baseline_split": "eval", "estimator": "atc_with_transport", "max_accuracy_drop": 0.05,
         "spec": model_spec(classes=4).to_json(), "seed": 0, "labels_file": ""},
    )  # fmt: skip
    logs = _log_anomalies(folder / "logs")
    return Sources(
        statistics=_given(window, "ImageStatisticsGen"),
        baseline_statistics=_given(baseline, "BaselineImporter"),
        previous_statistics=_given(previous, "PreviousStatistics"),
        examples=write_examples(folder / "examples", "serving", images["window"]),
        baseline_examples=write_examples(folder / "held_out", "eval", images["eval"]),
        anomalies=(logs, _given(drift, "SkewDriftValidator"), _given(performance, "PerformanceEstimator")),
        class_names=("plane", "car", "bird", "cat"),
        run=RunFacts("monitoring", "run-7", "2026-01-02 03:04:05", {"tfx": "1.16.0"},
                     (NodeFacts("SkewDriftValidator", "COMPLETE", 1.5, {"seed": 0}),)),
    )  # fmt: skip


def _log_anomalies(folder):
    """No anomaly, and counts with dead letters."""
    (folder / "Split-serving").mkdir(parents=True)
    fine = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    (folder / "Split-serving" / "SchemaDiff.pb").write_bytes(fine.SerializeToString())
    (folder / "counts.json").write_text(json.dumps(COUNTS))
    return Artifact(str(folder), "ExampleAnomalies", "ServingLogExampleGen", properties={"split_names": '["serving"]'})


@pytest.fixture
def trained(tmp_path, monitored):
    """The sources of a training run that the gate blocked."""
    finding = Finding("accuracy", "label 3", Effect.FAIL, "accuracy of label 3 is 0.2, below 0.25", 0.2, 0.25)
    verdicts = (Check.of("evaluation", [finding], passed="fine"), Check.of("canary", [], passed="answered"))
    (tmp_path / "blessing").mkdir()
    (tmp_path / "blessing" / REASONS_JSON).write_text(Decision("/model", verdicts).to_json())
    matrix = [[90, 10, 0, 0], [5, 95, 0, 0], [0, 0, 70, 30], [0, 0, 80, 20]]
    accuracies = {None: (0.6875, 400), 0: (0.9, 100), 1: (0.95, 100), 2: (0.7, 100), 3: (0.2, 100)}
    return Sources(
        baseline_statistics=monitored.baseline_statistics,
        baseline_examples=monitored.baseline_examples,
        blessing=Artifact(str(tmp_path / "blessing"), "ModelBlessing", "PushGate"),
        evaluation=write_evaluation(tmp_path / "evaluation", accuracies, matrix),
        pushed_model=Artifact(str(tmp_path / "pushed"), "PushedModel", "AtomicPusher", properties={"pushed": 0}),
        class_names=HOSTILE,
        run=RunFacts("training", "run-1"),
    )


@pytest.fixture
def damaged(tmp_path, monitored):
    """The monitored run's artifacts in a copy of their own, to be damaged."""

    def copied(given):
        if given is None:
            return None
        shutil.copytree(given.uri, tmp_path / Path(given.uri).name)
        return dataclasses.replace(given, uri=str(tmp_path / Path(given.uri).name))

    names = ("statistics", "baseline_statistics", "previous_statistics", "examples", "baseline_examples")
    changes = {name: copied(getattr(monitored, name)) for name in names}
    return dataclasses.replace(monitored, **changes, anomalies=tuple(map(copied, monitored.anomalies)))


def cut(path: Path, keep: float = 0.5) -> None:
    """Cuts a file off."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


@pytest.fixture
def cut_off():
    return cut


@pytest.fixture
def write_images():
    return write_examples
