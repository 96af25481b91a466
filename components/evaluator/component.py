"""Evaluator: TFX's own, but that a baseline which turns out to be none is left out when the pipeline runs."""

from tfx.components.evaluator import component as evaluator_component
from tfx.dsl.components.base import executor_spec

from . import executor


class Evaluator(evaluator_component.Evaluator):
    """TFX's Evaluator, whose `baseline_model` may be a BaselineImporter's that has found nothing pushed.

    A pipeline has one shape then, whatever was pushed before. Arguments and outputs are those of TFX's; without a
    baseline the thresholds of change are not asked for, as TFX has it.

    Example:
      baseline = BaselineImporter("newest", serving_dir="/serving", needed=False)
      evaluator = Evaluator(..., baseline_model=baseline.outputs["model"])

    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
