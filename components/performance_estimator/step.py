"""Moves samples, examples and labels into the estimate, and its outcome out."""

from collections.abc import Callable

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2

from ..common.artifacts.files import Properties
from ..common.artifacts.names import ANOMALIES_FILE
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.object_store.files import files_for
from ..common.records.performance import PERFORMANCE_JSON, STATES, LabelledAccuracy, Performance
from ..common.statistics.feature_sample import FeatureSample
from ..common.step import Output, Step
from ..common.verdict import Check, Outcome
from . import readers
from .delayed_labels import join
from .measurement import measure

STATISTICS_KEY = "statistics"
BASELINE_STATISTICS_KEY = "baseline_statistics"
EXAMPLES_KEY = "examples"
ANOMALIES_KEY = "anomalies"
LABELS_FILE_KEY = "labels_file"
NO_LABELS = "none"
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

Join = Callable[[Step, ModelSpec], LabelledAccuracy]


def spreads(parameters: Properties) -> bool:
    """Whether Beam has something to share out: there is a labels file."""
    return str(parameters.get(LABELS_FILE_KEY, "")) not in ("", NO_LABELS)


def join_here(step: Step, spec: ModelSpec) -> LabelledAccuracy:
    """Labels and examples are read and joined by this process; raises as `run`."""
    logged = readers.logged_examples(step.input(EXAMPLES_KEY), step.parameter(SPLIT_KEY), step.files)
    labels = step.text(LABELS_FILE_KEY)
    return join(readers.label_rows(labels, files_for(labels, step.files)), logged, spec)


def run(step: Step, join_labels: Join = join_here) -> None:
    """Says how accurate the model is on a window, and whether that is too much worse than on the baseline.

    Inputs:
      statistics: `ExampleStatistics` of the window, with a feature sample (ImageStatisticsGen).
      baseline_statistics: `ExampleStatistics` of the held-out examples, with a feature sample that has labels.
      examples: `Examples` of the window, where there is a labels file: every id, and every predicted class.

    Outputs:
      anomalies: `ExampleAnomalies` with the window's split: no anomaly when the window is fine, else one on the
        dataset. `performance.json` at its root has the whole (`Performance`); the custom properties `state`, `reason`
        and, where there are any, `estimated_accuracy` and `measured_accuracy` the gist.

    Args:
      step: what is given.
      join_labels: how the examples of the window are given their labels.

    Execution properties: `labels_file` ("" or "none"), `split`, `baseline_split`, `estimator`, `max_accuracy_drop`,
      `seed`, and `spec`, the JSON of the model's. `labels_fingerprint` is there for the cache alone.

    Raises:
      MonitorError: a split is not there, a file is damaged, the labels file is missing, or a sample has
        probabilities of another number of classes than the model.

    """
    parameter, files = step.parameter, step.files
    statistics, known = step.input(STATISTICS_KEY), step.input(BASELINE_STATISTICS_KEY)
    baseline_split = parameter(BASELINE_SPLIT_KEY)
    baseline = readers.sample(known, baseline_split, files, BASELINE_SPLIT_KEY)
    window = readers.sample(statistics, parameter(SPLIT_KEY), files, SPLIT_KEY)
    spec = ModelSpec.from_json(parameter(SPEC_KEY), f"the execution property `{SPEC_KEY}`")
    _check_classes(spec, baseline, window)
    performance = measure(
        baseline,
        window,
        join_labels(step, spec) if spreads(step.parameters) else None,
        estimator=parameter(ESTIMATOR_KEY),
        max_accuracy_drop=parameter(MAX_ACCURACY_DROP_KEY),
        seed=parameter(SEED_KEY),
        class_names=spec.classes,
        labels_from=spec.labels_from,
        unusable_labels=readers.unusable_labels(known, baseline_split, files, spec.labels.wanted),
    )
    logging.info("%s: %s", STATES[performance.check.outcome], performance.check.reason)
    anomalies = step.output(ANOMALIES_KEY)
    anomalies.split_names, anomalies.span = [parameter(SPLIT_KEY)], statistics.span
    step.write_text(anomalies.path(PERFORMANCE_JSON), performance.to_json())
    found = to_anomalies(performance.check)
    step.write_message(anomalies.split_path(parameter(SPLIT_KEY), ANOMALIES_FILE), found)
    _describe(anomalies, performance)


def _check_classes(spec: ModelSpec, *samples: FeatureSample | None) -> None:
    known = (sample.probabilities for sample in samples if sample is not None)
    widths = {probabilities.shape[1] for probabilities in known if probabilities is not None}
    if widths - {spec.num_classes}:
        rule = f"have probabilities of {spec.num_classes} classes, as the spec"
        raise MonitorError(f"the samples of both sides must {rule}. Received: {sorted(widths)}")


def _describe(anomalies: Output, performance: Performance) -> None:
    properties = anomalies.properties
    properties[STATE_PROPERTY] = str(STATES[performance.check.outcome])
    properties[REASON_PROPERTY] = performance.check.reason
    if performance.estimate is not None:
        properties[ESTIMATED_ACCURACY_PROPERTY] = float(performance.estimate.value)
    if performance.labelled is not None and performance.labelled.overall is not None:
        properties[MEASURED_ACCURACY_PROPERTY] = float(performance.labelled.overall.value)


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
