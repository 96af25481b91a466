"""The training pipeline: import, describe, validate, train, evaluate, gate, push. Wiring only.

The same function serves every runner; what differs between them is in the configuration and in the arguments.
"""

from pathlib import Path

import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.components import Evaluator, ExampleValidator, Trainer
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2

from components import AtomicPusher, BaselineImporter, Cifar10ExampleGen, ImageStatisticsGen, PushGate

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
    trainer = Trainer(
        run_fn="pipelines.trainer.run_fn",
        examples=examples.outputs["examples"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"trainer": config.trainer.model_dump_json()},
    )
    baseline = BaselineImporter(bundle_uri=baseline_uri) if baseline_uri else None
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        example_splits=["eval"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"] if baseline else None,
        eval_config=text_format.Parse(config.policy_file(config.eval_config).read_text(), tfma.EvalConfig()),
    )
    gate = PushGate(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        anomalies=[validator.outputs["anomalies"]],
        policy=config.policy_file("push_policy.yaml").read_text(),
    )
    pusher = AtomicPusher(
        model=trainer.outputs["model"],
        model_blessing=gate.outputs["blessing"],
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        evaluation=evaluator.outputs["evaluation"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(config.serving_path))
        ),
        run_key=run_key,
        judged_against=baseline_uri,
    )
    nodes: list[BaseNode] = [examples, schema, statistics, validator, trainer, evaluator, gate, pusher]
    if baseline:
        nodes.insert(0, baseline)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(config.root_path / "artifacts"),
        components=nodes,
        enable_cache=config.cache,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(config.metadata_path)),
        beam_pipeline_args=list(config.beam_args),
    )
