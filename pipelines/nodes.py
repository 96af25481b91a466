"""Nodes that the pipelines have in common, so that all of them describe images and predictions in the same way."""

from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import range_config_pb2

from components import (
    HeldOutScorer,
    ImageStatisticsGen,
    PerformanceEstimator,
    ServingLogExampleGen,
    SkewDriftValidator,
    VerdictGuard,
)
from components.common import baseline_bundle
from components.common.model_spec import ModelSpec
from components.common.span_patterns import DEFAULT_PATTERN
from components.serving_log_example_gen.component import make_input

from .config import MonitorConfig, PipelineConfig
from .run_parameters import Number, Text

SERVING_SPLIT = "serving"
EVAL_SPLIT = baseline_bundle.EVAL_SPLIT
PERMUTATIONS = {"permutations", "seed"}  # settings of the permutation test
RATE = "false_alarm_rate"
CALIBRATION = {"window_size", RATE, *PERMUTATIONS}  # settings of ThresholdCalibrator


def pipeline_arguments(config: PipelineConfig) -> dict[str, Any]:
    """The arguments of TFX's `Pipeline` that a configuration decides: its name, root, store and Beam options."""
    return {
        "pipeline_name": config.name,
        "pipeline_root": str(config.artifacts_path),
        "enable_cache": config.cache,
        "metadata_connection_config": metadata.sqlite_metadata_connection_config(str(config.metadata_path)),
        "beam_pipeline_args": list(config.beam_options),
    }


def serving_log_example_gen(  # noqa: PLR0913 - whose logs, where, which of them
    spec: ModelSpec,
    logs: Text,
    settings: MonitorConfig,
    *,
    pattern: str = DEFAULT_PATTERN,
    span: int | RuntimeParameter | None = None,
    model_version: int = 0,
    baseline: types.BaseChannel | None = None,
) -> ServingLogExampleGen:
    """The images of one span of the serving logs, the newest span unless told otherwise."""
    return ServingLogExampleGen(
        input_base=logs,
        input_config=make_input(pattern),
        range_config=_range_of(span),
        spec=spec,
        model_version=model_version,
        baseline=baseline,
        one_example_per=settings.one_example_per,
        max_rows=settings.max_rows,
    )


def _range_of(span: int | RuntimeParameter | None) -> range_config_pb2.RangeConfig | RuntimeParameter | None:
    """One span. Of a runtime parameter the entry point of steps makes a range, see `kfp.spans`."""
    if span is None or isinstance(span, RuntimeParameter):
        return span
    one = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    return range_config_pb2.RangeConfig(static_range=one)


def scored_statistics(  # noqa: PLR0913 - what is scored by what, and where it is from
    spec: ModelSpec,
    examples: types.BaseChannel,
    model: types.BaseChannel,
    schema: types.BaseChannel | None = None,
    *,
    split: str = EVAL_SPLIT,
    logged: bool = False,
) -> tuple[BaseNode, BaseNode]:
    """The nodes that let `model` score a split, and that describe images and scores.

    Where `logged`, the examples are ServingLogExampleGen's rows: what they say that the model which was served answered
    is replaced by what this one does.
    """
    scorer = HeldOutScorer(examples, model, spec=spec, splits=[split], logged=logged)
    described = ImageStatisticsGen(scorer.outputs["examples"], schema, spec=spec.rows)
    if logged:
        return scorer.with_id("ServingScorer"), described.with_id("ServingStatisticsGen")
    return scorer, described.with_id("BaselineStatisticsGen")


def checks(  # noqa: PLR0913 - what is compared, and how
    spec: ModelSpec,
    settings: MonitorConfig,
    statistics: dict[str, types.BaseChannel],
    schema: types.BaseChannel,
    *,
    baseline_split: str = EVAL_SPLIT,
    previous: types.BaseChannel | None = None,
    labelled: types.BaseChannel | None = None,
    false_alarm_rate: Number | None = None,
    **labels: Any,
) -> tuple[BaseNode, BaseNode]:
    """The nodes that hold a window against a baseline: what changed, and what that does to the model's accuracy.

    Args:
      spec: of the model.
      settings: the false-alarm rate and the like.
      statistics: the channels `statistics` and `baseline_statistics`.
      schema: the one with comparators.
      baseline_split: the split of the baseline.
      previous: the statistics of the previous span.
      labelled: those of held-out examples with labels, which the accuracy is estimated from, where what changed is told
        by other examples; None: by these.
      false_alarm_rate: where it is not that of `settings`.
      labels: `examples` and `labels_file` of PerformanceEstimator, where there are labels.

    """
    compared = {**statistics, "baseline_split": baseline_split}
    rules = with_rate(settings.model_dump(include={"min_examples", "features", RATE, *PERMUTATIONS}), false_alarm_rate)
    validator = SkewDriftValidator(**compared, schema=schema, previous_statistics=previous, **rules)
    limits = settings.model_dump(include={"max_accuracy_drop", "seed"})
    known = compared if labelled is None else {**compared, "baseline_statistics": labelled}
    return validator, PerformanceEstimator(**known, spec=spec, **limits, **labels)


def with_rate(rules: dict[str, Any], false_alarm_rate: Number | None) -> dict[str, Any]:
    """The settings of a component with another rate of false alarms, unless that is None."""
    return rules if false_alarm_rate is None else {**rules, RATE: false_alarm_rate}


def guards(report: BaseNode, settings: MonitorConfig, fail_unless_fine: bool) -> list[BaseNode]:
    """What ends the run in failure where the settings fail on the report's verdict, if that is wanted."""
    return [VerdictGuard(report.outputs["report"], settings.fail_on)] if fail_unless_fine else []
