"""The training pipeline: import, describe, validate, train, evaluate, calibrate, gate, push. Wiring only.

The same function serves every runner; what differs between them is in the configuration and in the arguments.
"""

from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx import types
from tfx.components import Evaluator, ExampleValidator, Trainer
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2

from components import (
    AtomicPusher,
    BaselineImporter,
    Cifar10ExampleGen,
    ImageStatisticsGen,
    PerformanceEstimator,
    PushGate,
    SkewDriftValidator,
    ThresholdCalibrator,
    ValidationReport,
)

from . import nodes
from .cifar10.facts import CLASS_NAMES
from .config import TrainingConfig


def create_pipeline(config: TrainingConfig, data_dir: Path, *, baseline_uri: str = "", run_key: str = "") -> Pipeline:
    """The pipeline for one configuration.

    Args:
      config: what the run was told.
      data_dir: folder of CIFAR-10 binary files, `data_batch_*` for training and `test_batch*` for evaluation.
      baseline_uri: folder of the pushed version the new model is compared with; empty before the first push.
      run_key: identifies the run's inputs in the baseline bundle it may publish (`TrainingConfig.run_key`).

    """
    examples = Cifar10ExampleGen(input_base=str(data_dir))
    schema = ImportSchemaGen(schema_file=str(config.policy_file("schema.pbtxt")))
    statistics = ImageStatisticsGen(examples=examples.outputs["examples"], schema=schema.outputs["schema"])
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    trainer = _trainer(config, examples.outputs["examples"])
    model = trainer.outputs["model"]
    importers = [BaselineImporter(bundle_uri=baseline_uri)] if baseline_uri else []
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        example_splits=["eval"],
        model=model,
        baseline_model=importers[0].outputs["model"] if importers else None,
        eval_config=text_format.Parse(config.policy_file(config.eval_config).read_text(), tfma.EvalConfig()),
    )
    scored, baseline = nodes.scored_statistics(examples.outputs["examples"], model, schema.outputs["schema"])
    calibrator = ThresholdCalibrator(
        statistics=baseline.outputs["statistics"],
        schema=schema.outputs["schema"],
        **nodes.calibrator_settings(config),
    )
    watch, window = _serving_checks(config, model, baseline, calibrator)
    checks = [validator.outputs["anomalies"], *window.pop("anomalies", [])]
    gate = PushGate(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        anomalies=checks,
        policy=config.policy_file("push_policy.yaml").read_text(),
    )
    pusher = AtomicPusher(
        model=model,
        model_blessing=gate.outputs["blessing"],
        statistics=statistics.outputs["statistics"],
        baseline_statistics=baseline.outputs["statistics"],
        baseline_examples=examples.outputs["examples"],
        schema=calibrator.outputs["schema"],
        evaluation=evaluator.outputs["evaluation"],
        push_destination=_destination(config),
        run_key=run_key,
        judged_against=baseline_uri,
    )
    report = ValidationReport(
        anomalies=checks,
        baseline_statistics=baseline.outputs["statistics"],
        training_statistics=statistics.outputs["statistics"],
        baseline_examples=examples.outputs["examples"],
        blessing=gate.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        pushed_model=pusher.outputs["pushed_model"],
        class_names=CLASS_NAMES,
        **window,
    )
    path = [examples, schema, statistics, validator, trainer, evaluator, scored, baseline, calibrator]
    return nodes.pipeline(config, [*importers, *path, *watch, gate, pusher, report])


def _trainer(config: TrainingConfig, examples: types.BaseChannel) -> Trainer:
    return Trainer(
        run_fn="pipelines.cifar10.trainer.run_fn",
        examples=examples,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"trainer": config.trainer.model_dump_json()},
    )


def _destination(config: TrainingConfig) -> pusher_pb2.PushDestination:
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=str(config.serving_path))
    return pusher_pb2.PushDestination(filesystem=folder)


def _serving_checks(
    config: TrainingConfig, model: types.BaseChannel, baseline: BaseNode, calibrator: BaseNode
) -> tuple[list[BaseNode], dict[str, Any]]:
    """The nodes that hold the newest span of serving logs against the new model's baseline, and what they give.

    What the logs say the served model answered is not compared: the images are scored again by the new model, so that
    a difference is one of the data.
    """
    if not config.serving_logs:
        return [], {}
    logs = nodes.serving_log_example_gen(config)
    schema = calibrator.outputs["schema"]
    scored, statistics = nodes.scored_statistics(logs.outputs["examples"], model, schema, serving=True)
    compared = {
        "statistics": statistics.outputs["statistics"],
        "baseline_statistics": baseline.outputs["statistics"],
    }
    validator = SkewDriftValidator(**compared, schema=schema, **nodes.validator_settings(config))
    estimator = PerformanceEstimator(**compared, **nodes.estimator_settings(config))
    found = [logs, scored, statistics, validator, estimator]
    return found, {
        "anomalies": [node.outputs["anomalies"] for node in (logs, validator, estimator)],
        "statistics": statistics.outputs["statistics"],
        "examples": logs.outputs["examples"],
    }
