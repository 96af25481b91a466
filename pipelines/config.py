"""The one typed configuration of both pipelines. Imports neither TFX nor TensorFlow."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TrainerConfig(_Section):
    """How the classifier is trained. Passed to `pipelines.trainer.run_fn` as JSON in `custom_config["trainer"]`."""

    model: Literal["small_cnn", "vgg16"] = "small_cnn"
    # VGG16 only: "imagenet" downloads Keras's weights, "none" starts from random ones, else a path to a .h5 file
    weights: str = "none"
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    learning_rate: Annotated[float, Field(gt=0)] = 6e-3
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    patience: Annotated[int, Field(ge=1)] = 5  # epochs without a better validation loss before training stops
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1  # of the training split, for early stopping
    augment: bool = True
    seed: Annotated[int, Field(ge=0)] = 0
