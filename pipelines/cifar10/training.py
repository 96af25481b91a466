"""The training pipeline of the worked example."""

import json
from pathlib import Path
from typing import Any

from tfx.components import Trainer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2

from components import Cifar10ExampleGen

from .. import run_parameters, training
from ..run_parameters import Text
from .config import CLASS_NAMES_KEY, DATASET_DEFAULTS, TRAINER_KEY, Cifar10Config


def create_pipeline(config: Cifar10Config, data_dir: Path, *, baseline_uri: str = "", run_key: str = "") -> Pipeline:
    """The pipeline for one configuration.

    Args:
      config: what the run was told.
      data_dir: folder of CIFAR-10 binary files, `data_batch_*` for training and `test_batch*` for evaluation.
      baseline_uri: folder of the pushed version the new model is compared with; empty before the first push.
      run_key: identifies the run's inputs in the baseline bundle it may publish (`TrainingConfig.run_key`).

    """
    return _pipeline(config, str(data_dir), baseline_uri, run_key=run_key)


def pipeline_for_kubeflow(config: Cifar10Config) -> Pipeline:
    """The same pipeline, in which the data, the baseline, the destination and the like are parameters of each run."""
    here = config.dataset in DATASET_DEFAULTS  # the name of what this machine has, and no place
    data = run_parameters.data("" if here else config.dataset)
    told = training.Told.later(config)
    fails = config.kubeflow.fail_unless_fine
    return _pipeline(config, data, run_parameters.baseline(config.baseline), told=told, fail_unless_fine=fails)


def _pipeline(config: Cifar10Config, data: Text, baseline_uri: Text, **arguments: Any) -> Pipeline:
    examples = Cifar10ExampleGen(input_base=data)
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
    given = {"example_gen": examples, "trainer": trainer, "baseline_uri": baseline_uri, **arguments}
    return training.create_pipeline(config, **given)
