"""`ThresholdCalibrator`: baseline and, where there is one, curated schema -> schema with comparators."""

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from ..common.runtime_values import is_said_later, known_value
from . import step
from .calibration import Settings, as_tuple
from .executor import Executor

DEFAULT_RATE = 0.01


class ThresholdCalibratorSpec(ComponentSpec):
    """Statistics in, a schema out. The curated schema is added for the pipeline that has one.

    An input that is there is never optional: TFX starts an optional one's component without it when it holds nothing.
    """

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.WINDOW_SIZE: ExecutionParameter(type=int),
        step.FALSE_ALARM_RATE: ExecutionParameter(type=float),
        step.SPLIT: ExecutionParameter(type=str),
        step.PERMUTATIONS: ExecutionParameter(type=int),
        step.SEED: ExecutionParameter(type=int),
        step.MONITORED: ExecutionParameter(type=str),
        step.UNMONITORED: ExecutionParameter(type=str),
    }
    INPUTS = {step.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics)}  # noqa: RUF012
    OUTPUTS = {step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema)}  # noqa: RUF012


class _WithSchemaSpec(ThresholdCalibratorSpec):
    INPUTS = {  # noqa: RUF012
        **ThresholdCalibratorSpec.INPUTS,
        step.CURATED_SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }


class ThresholdCalibrator(base_component.BaseComponent):
    """Computes the thresholds that a window of serving data is held against, and writes them into the schema.

    Every monitored feature gets a `skew_comparator` and a `drift_comparator`, `jensen_shannon_divergence` for numbers
    and `infinity_norm` for the predicted class, so that TFDV can check the schema anywhere. A comparator that the
    curated schema has already stays as it is.

    Example:
      calibrator = ThresholdCalibrator(
          baseline_statistics.outputs["statistics"], schema_importer.outputs["schema"], window_size=2000
      )

    Component `outputs` contains:
      - `schema`: Channel of type `standard_artifacts.Schema`.

    Args:
      statistics: channel of the baseline's `ExampleStatistics`, made by ImageStatisticsGen from held-out examples that
        the model has scored.
      schema: channel of the curated `Schema`. None: one is inferred from the baseline, with bounds for the images'
        properties, none for strings, and the environments TRAINING and SERVING, in which there is no label.
      window_size: how many examples a window is planned to have, 2 or more.
      false_alarm_rate: in (0, 0.5]: the chance that a window from the baseline's own distribution raises any alarm, all
        features, skew and drift together.
      split: the split of `statistics` that is the baseline.
      permutations: how many times the baseline is split at random; at least 2 / `false_alarm_rate`.
      seed: of these splits.
      monitored: names, or patterns with `*`, `?`, `[...]`, of the features to monitor. Default: all that can be.
      unmonitored: names or patterns of features to leave out of these.

    Raises:
      MonitorError: if an argument breaks a rule above.

    """

    SPEC_CLASS = ThresholdCalibratorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(  # noqa: PLR0913 - two channels, the promise (size, rate), how it is computed, and for which features
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel | None = None,
        *,
        window_size: int = 1000,
        false_alarm_rate: float | RuntimeParameter = DEFAULT_RATE,
        split: str = "eval",
        permutations: int = 1999,
        seed: int = 0,
        monitored: Sequence[str] = (),
        unmonitored: Sequence[str] = (),
    ) -> None:
        require(isinstance(split, str) and split != "", step.SPLIT, "be a split's name", split)
        settings = Settings(
            window_size=window_size,
            false_alarm_rate=known_value(false_alarm_rate, DEFAULT_RATE),
            permutations=permutations,
            seed=seed,
            monitored=as_tuple(monitored, step.MONITORED),
            unmonitored=as_tuple(unmonitored, step.UNMONITORED),
        )
        curated = {} if schema is None else {step.CURATED_SCHEMA_KEY: schema}
        spec = (_WithSchemaSpec if curated else ThresholdCalibratorSpec)(
            **{
                **curated,
                step.STATISTICS_KEY: statistics,
                step.WINDOW_SIZE: settings.window_size,
                step.FALSE_ALARM_RATE: (
                    false_alarm_rate if is_said_later(false_alarm_rate) else float(settings.false_alarm_rate)
                ),
                step.SPLIT: split,
                step.PERMUTATIONS: settings.permutations,
                step.SEED: settings.seed,
                step.MONITORED: json.dumps(settings.monitored),
                step.UNMONITORED: json.dumps(settings.unmonitored),
                step.SCHEMA_KEY: types.Channel(type=standard_artifacts.Schema),
            }
        )
        super().__init__(spec=spec)
