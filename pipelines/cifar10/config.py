"""The settings of the worked example, and where its policy is. Imports neither TFX nor TensorFlow."""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import Field

from components.common.model_spec import ModelSpec
from components.common.settings import Section

from ..config import MODEL_SPEC_FILE, PIPELINE_NAME, TrainingConfig

# Beside the code in a checkout, and in what is installed from a wheel.
SCHEMA_DIR = str(resources.files("schemas") / "cifar10")

# Keys of the Trainer's `custom_config`, whose values are JSON: a TrainerConfig, and a list of names.
TRAINER_KEY = "trainer"
CLASS_NAMES_KEY = "class_names"


class TrainerConfig(Section):
    """How the classifier is trained. `run_fn` gets it as JSON in `custom_config[TRAINER_KEY]`."""

    model: Literal["tiny_cnn", "small_cnn", "vgg16"] = "small_cnn"
    # VGG16 only: "imagenet" downloads Keras's weights, "none" starts from random ones, else a path to a .h5 file
    weights: str = "none"
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    # at the top of the schedule; left out, the model's own (`DEFAULT_LEARNING_RATES` in classifier.py)
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    patience: Annotated[int, Field(ge=1)] = 5  # epochs without a better validation loss before training stops
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1  # of the training split, for early stopping
    augment: bool = True
    seed: Annotated[int, Field(ge=0)] = 0


# What differs where the data does: the sample is for a first look, so its model is one that trains in a minute.
DATASET_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "sample": {"trainer": {"model": "tiny_cnn", "epochs": 12, "batch_size": 64}},
    "full": {"eval_config": "eval_config_full.pbtxt", "trainer": {"epochs": 10}},
}


class Cifar10Config(TrainingConfig):
    """Everything that a training run of the worked example can be told."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "cifar10-training"
    schema_dir: str = SCHEMA_DIR
    dataset: str = "sample"  # "sample", "full", or a folder of CIFAR-10 binary files
    trainer: TrainerConfig = TrainerConfig()

    @classmethod
    def defaults_for(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return DATASET_DEFAULTS.get(str(given.get("dataset", "sample")), {})


def default_spec() -> ModelSpec:
    """What the classifier takes and answers unless a run is told otherwise."""
    return ModelSpec.load(f"{SCHEMA_DIR}/{MODEL_SPEC_FILE}")
