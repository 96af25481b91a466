"""The training pipeline: import, describe, validate, train, evaluate, calibrate, gate, push. Wiring only.

The same function serves every runner and every data set; what differs between them is in the configuration and in the
arguments.
"""

from dataclasses import dataclass
from pathlib import Path

import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.components import ExampleValidator
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components import BaselineImporter, Evaluator, ImageStatisticsGen, SchemaImporter
from components.common.errors import MonitorError
from components.common.span_patterns import DEFAULT_PATTERN

from . import nodes, run_parameters
from .config import TrainingConfig
from .pushing import monitored_push
from .run_parameters import NONE, Text


@dataclass(frozen=True)
class Told:
    """What a run of a compiled pipeline can say anew; of a run on this machine, what the configuration says."""

    destination: str | Path | RuntimeParameter
    logs: str | Path | RuntimeParameter = ""
    span: int | RuntimeParameter | None = None
    pattern: str = DEFAULT_PATTERN
    false_alarm_rate: RuntimeParameter | None = None

    @staticmethod
    def by(config: TrainingConfig) -> "Told":
        """What a configuration says of places on this machine."""
        if not config.serving_logs:
            return Told(config.serving)
        newest = config.serving_spans.spans[-1]
        return Told(config.serving, config.serving_logs_path, newest.span, newest.pattern)

    @staticmethod
    def later(config: TrainingConfig) -> "Told":
        """Runtime parameters, with what the configuration says as their defaults."""
        destination = run_parameters.destination(config.serving_dir)
        rate = run_parameters.false_alarm_rate(config.monitor.false_alarm_rate)
        if not config.serving_logs:
            return Told(destination, false_alarm_rate=rate)
        logs = run_parameters.logs(config.serving_logs)
        return Told(destination, logs, run_parameters.span(), config.serving_logs_pattern, rate)


def create_pipeline(  # noqa: PLR0913 - what was told, the data, the trainer, and what is compared with what
    config: TrainingConfig,
    *,
    example_gen: BaseNode,
    trainer: BaseNode,
    baseline_uri: Text = "",
    run_key: str = "",
    told: Told | None = None,
    fail_unless_fine: bool = False,
) -> Pipeline:
    """The pipeline for one configuration, of one shape whatever was pushed before.

    Args:
      config: what the run was told.
      example_gen: gives `examples` with the split `eval`, which is held out, and one that `trainer` trains on.
      trainer: gives `model`, trained on these examples.
      baseline_uri: folder of the pushed version the new model is compared with; empty before the first push. A runtime
        parameter may also say `none`, or `newest` for the newest at the destination.
      run_key: identifies the run's inputs in the baseline bundle it may publish (`TrainingConfig.run_key`).
      told: where things are that each run can say anew; None: where the configuration says.
      fail_unless_fine: whether the run ends in failure, after its report was made, when the model is not pushed.

    """
    told, spec = told or Told.by(config), config.spec
    examples, model = example_gen.outputs["examples"], trainer.outputs["model"]
    imported = SchemaImporter(config.policy_text("schema.pbtxt"))
    schema = imported.outputs["schema"]
    statistics = ImageStatisticsGen(examples=examples, schema=schema, spec=spec.image)
    described = statistics.outputs["statistics"]
    validator = ExampleValidator(statistics=described, schema=schema)
    # Of a run on this machine the version was chosen before; elsewhere "newest" is what is there when the step runs.
    newest_in = told.destination if isinstance(told.destination, RuntimeParameter) else ""
    importer = BaselineImporter(baseline_uri or NONE, serving_dir=newest_in, needed=False)
    evaluator = Evaluator(
        examples=examples,
        example_splits=[nodes.EVAL_SPLIT],
        model=model,
        baseline_model=importer.outputs["model"],
        eval_config=_eval_config(config),
    )
    appended = monitored_push(
        spec,
        examples=examples,
        model=model,
        evaluator=evaluator,
        serving_dir=told.destination,
        schema=schema,
        statistics=described,
        anomalies=[validator.outputs["anomalies"]],
        policy=config.policy_text("push_policy.yaml"),
        serving_logs=told.logs,
        serving_logs_pattern=told.pattern,
        serving_logs_span=told.span,
        baseline=importer.outputs["model"],
        run_key=run_key,
        settings=config.monitor,
        false_alarm_rate=told.false_alarm_rate,
        fail_unless_fine=fail_unless_fine,
    )
    path = [example_gen, imported, statistics, validator, trainer, evaluator]
    return Pipeline(**nodes.pipeline_arguments(config), components=[importer, *path, *appended])


def _eval_config(config: TrainingConfig) -> tfma.EvalConfig:
    try:
        return text_format.Parse(config.policy_text(config.eval_config), tfma.EvalConfig())
    except (text_format.ParseError, RecursionError) as error:
        path = config.policy_file(config.eval_config)
        raise MonitorError(f"{path} must hold an EvalConfig of TFMA's as text. Received: {error}") from error
