"""Moves samples, examples and labels into the estimate, and its outcome out."""

import os
from typing import Any

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, writer_utils

from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.records.performance import PERFORMANCE_JSON, STATES, LabelledAccuracy, Performance
from ..common.statistics.feature_sample import FeatureSample
from ..common.verdict import Check, Outcome
from . import readers
from .delayed_labels import join
from .measurement import measure

STATISTICS_KEY = standard_component_specs.STATISTICS_KEY
BASELINE_STATISTICS_KEY = "baseline_statistics"
EXAMPLES_KEY = standard_component_specs.EXAMPLES_KEY
ANOMALIES_KEY = standard_component_specs.ANOMALIES_KEY
LABELS_FILE_KEY = "labels_file"
LABELS_FINGERPRINT_KEY = "labels_fingerprint"
SPLIT_KEY = "split"
BASELINE_SPLIT_KEY = "baseline_split"
ESTIMATOR_KEY = "estimator"
MAX_ACCURACY_DROP_KEY = "max_accuracy_drop"
SPEC_KEY = "spec"
SEED_KEY = "seed"
STATE_PROPERTY = "state"
REASON_PROPERTY = "reason"
ESTIMATED_ACCURACY_PROPERTY = "estimated_accuracy"
MEASURED_ACCURACY_PROPERTY = "measured_accuracy"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Says how accurate the model is on a window, and whether that is too much worse than on the baseline.

    Inputs:
      statistics: `ExampleStatistics` of the window, with a feature sample (ImageStatisticsGen).
      baseline_statistics: `ExampleStatistics` of the held-out examples, with a feature sample that has labels.
      examples: `Examples` of the window, where there is a labels file: every id, and every predicted class.

    Outputs:
      anomalies: `ExampleAnomalies` with the window's split: no anomaly when the window is fine, else one on the
        dataset. `performance.json` at its root has the whole (`Performance`); the custom properties `state`, `reason`
        and, where there are any, `estimated_accuracy` and `measured_accuracy` the gist.

    Execution properties: `labels_file` ("" for none), `split`, `baseline_split`, `estimator`, `max_accuracy_drop`,
      `seed`, and `spec`, the JSON of the model's. `labels_fingerprint` is there for the cache alone.

    Raises:
      MonitorError: a split is not there, a file is damaged, the labels file is missing, or a sample has
        probabilities of another number of classes than the model.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(input_dict[STATISTICS_KEY])
        known = artifact_utils.get_single_instance(input_dict[BASELINE_STATISTICS_KEY])
        baseline = readers.sample(known, exec_properties[BASELINE_SPLIT_KEY], BASELINE_SPLIT_KEY)
        window = readers.sample(statistics, exec_properties[SPLIT_KEY], SPLIT_KEY)
        spec = ModelSpec.from_json(exec_properties[SPEC_KEY], f"the execution property `{SPEC_KEY}`")
        _check_classes(spec, baseline, window)
        labelled = None
        if exec_properties.get(LABELS_FILE_KEY):
            examples = artifact_utils.get_single_instance(input_dict[EXAMPLES_KEY])
            labelled = _labelled(examples, exec_properties, spec)
        performance = measure(
            baseline,
            window,
            labelled,
            estimator=exec_properties[ESTIMATOR_KEY],
            max_accuracy_drop=exec_properties[MAX_ACCURACY_DROP_KEY],
            seed=exec_properties[SEED_KEY],
            class_names=spec.classes,
            labels_from=spec.labels_from,
            unusable_labels=readers.unusable_labels(known, exec_properties[BASELINE_SPLIT_KEY], spec.labels.wanted),
        )
        logging.info("%s: %s", STATES[performance.check.outcome], performance.check.reason)
        anomalies = artifact_utils.get_single_instance(output_dict[ANOMALIES_KEY])
        anomalies.span = statistics.span
        _write(performance, anomalies, exec_properties[SPLIT_KEY])


def _labelled(examples: types.Artifact, properties: dict[str, Any], spec: ModelSpec) -> LabelledAccuracy:
    logged = readers.logged_examples(examples, properties[SPLIT_KEY])
    rows = readers.label_rows(properties[LABELS_FILE_KEY])
    return join(rows, logged, spec)


def _check_classes(spec: ModelSpec, *samples: FeatureSample | None) -> None:
    known = (sample.probabilities for sample in samples if sample is not None)
    widths = {probabilities.shape[1] for probabilities in known if probabilities is not None}
    if widths - {spec.num_classes}:
        rule = f"have probabilities of {spec.num_classes} classes, as the spec"
        raise MonitorError(f"the samples of both sides must {rule}. Received: {sorted(widths)}")


def _write(performance: Performance, anomalies: types.Artifact, split: str) -> None:
    anomalies.split_names = artifact_utils.encode_split_names([split])
    anomalies.set_string_custom_property(STATE_PROPERTY, STATES[performance.check.outcome])
    anomalies.set_string_custom_property(REASON_PROPERTY, performance.check.reason)
    if performance.estimate is not None:
        anomalies.set_float_custom_property(ESTIMATED_ACCURACY_PROPERTY, performance.estimate.value)
    if performance.labelled is not None and performance.labelled.overall is not None:
        anomalies.set_float_custom_property(MEASURED_ACCURACY_PROPERTY, performance.labelled.overall.value)
    io_utils.write_string_file(os.path.join(anomalies.uri, PERFORMANCE_JSON), performance.to_json())
    path = os.path.join(artifact_utils.get_split_uri([anomalies], split), DEFAULT_FILE_NAME)
    writer_utils.write_anomalies(path, to_anomalies(performance.check))


def to_anomalies(check: Check) -> anomalies_pb2.Anomalies:
    """The check as TFDV says it: about the dataset, always of severity ERROR.

    A pass still takes some bytes, so that it cannot be mistaken for a file that was never written.
    """
    made = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    if check.passed:
        return made
    title = "Accuracy fell" if check.outcome is Outcome.FAILED else "Accuracy unknown"
    info = made.dataset_anomaly_info
    info.severity = anomalies_pb2.AnomalyInfo.ERROR
    info.short_description, info.description = title, check.reason
    kind = anomalies_pb2.AnomalyInfo.Type.Value(check.findings[0].what)
    info.reason.add(type=kind, short_description=title, description=check.reason)
    return made
