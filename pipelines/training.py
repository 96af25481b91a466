"""The training pipeline: import, describe, validate, train, evaluate, calibrate, gate, push. Wiring only.

The same function serves every runner and every data set; what differs between them is in the configuration and in the
arguments.
"""

import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.components import Evaluator, ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from components import BaselineImporter, ImageStatisticsGen
from components.common.errors import MonitorError
from components.common.span_patterns import DEFAULT_PATTERN

from . import nodes
from .config import TrainingConfig
from .pushing import monitored_push


def create_pipeline(
    config: TrainingConfig, *, example_gen: BaseNode, trainer: BaseNode, baseline_uri: str = "", run_key: str = ""
) -> Pipeline:
    """The pipeline for one configuration.

    Args:
      config: what the run was told.
      example_gen: gives `examples` with the split `eval`, which is held out, and one that `trainer` trains on.
      trainer: gives `model`, trained on these examples.
      baseline_uri: folder of the pushed version the new model is compared with; empty before the first push.
      run_key: identifies the run's inputs in the baseline bundle it may publish (`TrainingConfig.run_key`).

    """
    spec = config.spec
    newest = config.serving_spans.spans[-1] if config.serving_logs else None
    examples, model = example_gen.outputs["examples"], trainer.outputs["model"]
    imported = ImportSchemaGen(schema_file=str(config.policy_file("schema.pbtxt")))
    schema = imported.outputs["schema"]
    statistics = ImageStatisticsGen(examples=examples, schema=schema, spec=spec.image)
    described = statistics.outputs["statistics"]
    validator = ExampleValidator(statistics=described, schema=schema)
    importers = [BaselineImporter(bundle_uri=baseline_uri)] if baseline_uri else []
    evaluator = Evaluator(
        examples=examples,
        example_splits=[nodes.EVAL_SPLIT],
        model=model,
        baseline_model=importers[0].outputs["model"] if importers else None,
        eval_config=_eval_config(config),
    )
    appended = monitored_push(
        spec,
        examples=examples,
        model=model,
        evaluator=evaluator,
        serving_dir=config.serving_path,
        schema=schema,
        statistics=described,
        anomalies=[validator.outputs["anomalies"]],
        policy=config.policy_text("push_policy.yaml"),
        serving_logs=str(config.serving_logs_path) if config.serving_logs else "",
        serving_logs_pattern=newest.pattern if newest else DEFAULT_PATTERN,
        serving_logs_span=newest.span if newest else None,
        baseline=baseline_uri,
        run_key=run_key,
        settings=config.monitor,
    )
    path = [example_gen, imported, statistics, validator, trainer, evaluator]
    return Pipeline(**nodes.pipeline_arguments(config), components=[*importers, *path, *appended])


def _eval_config(config: TrainingConfig) -> tfma.EvalConfig:
    try:
        return text_format.Parse(config.policy_text(config.eval_config), tfma.EvalConfig())
    except (text_format.ParseError, RecursionError) as error:
        path = config.policy_file(config.eval_config)
        raise MonitorError(f"{path} must hold an EvalConfig of TFMA's as text. Received: {error}") from error
