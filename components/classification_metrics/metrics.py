"""The metrics as TFMA takes them. In an EvalConfig:

    metrics { class_name: "WorstClassAccuracy" module: "components.classification_metrics.metrics" }
    metrics { class_name: "ExpectedCalibrationError" module: "components.classification_metrics.metrics"
              config: '"bins": 15' }

They work on any classifier with one label an example, as a number or one-hot, whose predictions are probabilities;
with example weights, on every slice, and for a baseline model. Why TFMA's own will not do: its `Calibration` compares
the sums of labels and of predictions, which for several classes are equal whatever the model says; none of them looks
for the worst class.
"""

import functools
from collections.abc import Callable, Iterable
from typing import TypeAlias

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.metric_util import merge_per_key_computations

from .tallies import CalibrationTally, ClassAccuracyTally

Tally: TypeAlias = ClassAccuracyTally | CalibrationTally


class WorstClassAccuracy(tfma.metrics.Metric):
    """The accuracy on the class on which it is lowest, 0..1. Classes that do not occur in the slice do not count."""

    def __init__(self, name: str = "worst_class_accuracy") -> None:
        super().__init__(merge_per_key_computations(_worst_class_accuracy), name=name)


class ExpectedCalibrationError(tfma.metrics.Metric):
    """How far confidence is from accuracy, 0 (never) to 1; see `CalibrationTally`.

    Args:
      bins: how many intervals the confidences are sorted into. More bins see more, and need more examples: with n
        examples, chance alone gives about sqrt(bins / n) / 3.
      name: of the metric.

    """

    def __init__(self, bins: int = 15, name: str = "expected_calibration_error") -> None:
        CalibrationTally(bins)  # refuses bins here, not on a worker
        super().__init__(merge_per_key_computations(_expected_calibration_error), bins=bins, name=name)


def _worst_class_accuracy(
    name: str,
    eval_config: tfma.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[tfma.metrics.MetricComputation]:
    key = tfma.metrics.MetricKey(
        name=name, model_name=model_name, output_name=output_name, example_weighted=example_weighted
    )
    return _computations(ClassAccuracyTally, key, eval_config)


def _expected_calibration_error(  # noqa: PLR0913, PLR0917 - TFMA hands over exactly what is named here
    name: str,
    bins: int,
    eval_config: tfma.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[tfma.metrics.MetricComputation]:
    key = tfma.metrics.MetricKey(
        name=name, model_name=model_name, output_name=output_name, example_weighted=example_weighted
    )
    return _computations(functools.partial(CalibrationTally, bins), key, eval_config)


def _computations(
    new_tally: Callable[[], Tally], key: tfma.metrics.MetricKey, eval_config: tfma.EvalConfig | None
) -> list[tfma.metrics.MetricComputation]:
    combiner = _TallyCombiner(new_tally, key, eval_config)
    return [tfma.metrics.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]


class _TallyCombiner(beam.CombineFn):
    """Fills one kind of tally from TFMA's inputs."""

    def __init__(
        self, new_tally: Callable[[], Tally], key: tfma.metrics.MetricKey, eval_config: tfma.EvalConfig | None
    ) -> None:
        self._new_tally = new_tally
        self._key = key
        self._eval_config = eval_config

    def create_accumulator(self) -> Tally:
        return self._new_tally()

    def add_input(self, accumulator: Tally, element: tfma.metrics.StandardMetricInputs) -> Tally:
        for label, prediction, weight in tfma.metrics.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            example_weighted=self._key.example_weighted,
            flatten=False,
            require_single_example_weight=True,
        ):
            class_id = int(label.argmax()) if label.size > 1 else int(label.item())
            accumulator.add(class_id, prediction, float(weight.item()))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        merged = self._new_tally()
        for accumulator in accumulators:
            merged.merge(accumulator)  # type: ignore[arg-type]  # one combiner has one kind of tally
        return merged

    def extract_output(self, accumulator: Tally) -> dict[tfma.metrics.MetricKey, float]:
        return {self._key: accumulator.result()}
