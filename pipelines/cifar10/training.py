"""The training pipeline of the worked example."""

import json
from pathlib import Path

from tfx.components import Trainer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2

from components import Cifar10ExampleGen

from .. import training
from .config import CLASS_NAMES_KEY, TRAINER_KEY, Cifar10Config


def create_pipeline(config: Cifar10Config, data_dir: Path, *, baseline_uri: str = "", run_key: str = "") -> Pipeline:
    """The pipeline for one configuration.

    Args:
      config: what the run was told.
      data_dir: folder of CIFAR-10 binary files, `data_batch_*` for training and `test_batch*` for evaluation.
      baseline_uri: folder of the pushed version the new model is compared with; empty before the first push.
      run_key: identifies the run's inputs in the baseline bundle it may publish (`TrainingConfig.run_key`).

    """
    examples = Cifar10ExampleGen(input_base=str(data_dir))
    trainer = Trainer(
        run_fn="pipelines.cifar10.trainer.run_fn",
        examples=examples.outputs["examples"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            TRAINER_KEY: config.trainer.model_dump_json(),
            CLASS_NAMES_KEY: json.dumps(config.spec.classes),
        },
    )
    return training.create_pipeline(
        config, example_gen=examples, trainer=trainer, baseline_uri=baseline_uri, run_key=run_key
    )
