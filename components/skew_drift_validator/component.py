"""`SkewDriftValidator`: window, baseline, previous span and schema -> anomalies."""

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
from .executor import Executor
from .window_check import Settings

DEFAULT_RATE = 0.01


class SkewDriftValidatorSpec(ComponentSpec):
    """Statistics and a schema in, anomalies out."""

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.SPLIT: ExecutionParameter(type=str),
        step.BASELINE_SPLIT: ExecutionParameter(type=str),
        step.FALSE_ALARM_RATE: ExecutionParameter(type=float),
        step.MIN_EXAMPLES: ExecutionParameter(type=int),
        step.PERMUTATIONS: ExecutionParameter(type=int),
        step.SEED: ExecutionParameter(type=int),
        step.ENVIRONMENT: ExecutionParameter(type=str),
        step.FEATURES: ExecutionParameter(type=str),
        step.HAS_BASELINE: ExecutionParameter(type=int),
        step.HAS_PREVIOUS: ExecutionParameter(type=int),
    }
    INPUTS = {  # noqa: RUF012
        step.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.BASELINE_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        step.PREVIOUS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {  # noqa: RUF012
        step.ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies)
    }


class SkewDriftValidator(base_component.BaseComponent):
    """Says whether a window of serving data differs from the baseline (skew) or from the previous span (drift).

    The thresholds are computed for this window's size, so that a window from the baseline's own distribution raises
    any alarm, all features and tests together, at the false-alarm rate. docs/skew_and_drift.md tells how to read it.

    Example:
      validator = SkewDriftValidator(
          serving_statistics.outputs["statistics"],
          baseline.outputs["baseline_statistics"],
          baseline.outputs["schema"],
          previous_statistics=previous.outputs["statistics"],
      )

    Component `outputs` contains:
      - `anomalies`: Channel of type `standard_artifacts.ExampleAnomalies`, with `drift_report.json` in the artifact.

    Args:
      statistics: channel of the window's `ExampleStatistics`, made by ImageStatisticsGen.
      baseline_statistics: channel of the baseline's, or None, which makes the window's state `no_baseline`.
      schema: channel of the `Schema` that ThresholdCalibrator made: which features are monitored, and what is valid.
      previous_statistics: channel of the previous span's `ExampleStatistics`. Without it only a warning says that
        there was no check for drift, as where a StatisticsImporter says that there are none; connected but empty it is
        an error.
      split: the split of the window and of the previous span.
      baseline_split: the split of the baseline.
      false_alarm_rate: in (0, 0.5]; skew and drift, where both are checked, have half of it each.
      min_examples: windows with fewer examples, 2 or more, are not judged.
      permutations: how many times the rows of both sides are permuted; at least 2 / `false_alarm_rate`.
      seed: of the permutations.
      environment: the schema's environment that the window is held against; "" for none. Of a schema without
        environments, as SchemaGen makes it, what only training data have, such as the label, is not asked.
      features: patterns such as "image_*" of the features that are compared, of those that ThresholdCalibrator gave
        thresholds; empty: all of them. The schema is held against the whole window in any case.

    Raises:
      MonitorError: if an argument breaks a rule above.

    """

    SPEC_CLASS = SkewDriftValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(  # noqa: PLR0913 - four channels, where to look in them, and how to judge
        self,
        statistics: types.BaseChannel,
        baseline_statistics: types.BaseChannel | None,
        schema: types.BaseChannel,
        previous_statistics: types.BaseChannel | None = None,
        *,
        split: str = "serving",
        baseline_split: str = "eval",
        false_alarm_rate: float | RuntimeParameter = DEFAULT_RATE,
        min_examples: int = 30,
        permutations: int = 1999,
        seed: int = 0,
        environment: str = "SERVING",
        features: Sequence[str] = (),
    ) -> None:
        for what, name in ((step.SPLIT, split), (step.BASELINE_SPLIT, baseline_split)):
            require(isinstance(name, str) and name != "", what, "be a split's name", name)
        require(isinstance(environment, str), step.ENVIRONMENT, "be an environment's name", environment)
        patterns = not isinstance(features, str) and all(isinstance(each, str) and each != "" for each in features)
        require(patterns, step.FEATURES, "be patterns of features, such as image_*", features)
        known_rate = known_value(false_alarm_rate, DEFAULT_RATE)
        settings = Settings(known_rate, min_examples, permutations, seed)
        spec = SkewDriftValidatorSpec(
            **{
                step.STATISTICS_KEY: statistics,
                step.BASELINE_KEY: baseline_statistics,
                step.PREVIOUS_KEY: previous_statistics,
                step.SCHEMA_KEY: schema,
                step.SPLIT: split,
                step.BASELINE_SPLIT: baseline_split,
                step.FALSE_ALARM_RATE: (false_alarm_rate if is_said_later(false_alarm_rate) else float(known_rate)),
                step.MIN_EXAMPLES: settings.min_examples,
                step.PERMUTATIONS: settings.permutations,
                step.SEED: settings.seed,
                step.ENVIRONMENT: environment,
                step.FEATURES: json.dumps(list(features)),
                step.HAS_BASELINE: int(baseline_statistics is not None),
                step.HAS_PREVIOUS: int(previous_statistics is not None),
                step.ANOMALIES_KEY: types.Channel(type=standard_artifacts.ExampleAnomalies),
            }
        )
        super().__init__(spec=spec)
