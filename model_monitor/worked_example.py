"""All that the tool knows of the worked example, whose model `train` trains and whose data `data` fetches."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.cifar10 import dataset
from pipelines.cifar10 import images as images_of
from pipelines.cifar10.config import Cifar10Config as ExampleConfig
from pipelines.config import PipelineConfig, load_any

from .watch.settings import WatchConfig

__all__ = ["NAME", "PIPELINE", "ExampleConfig", "any_config", "dataset", "images_of"]

NAME = "CIFAR-10"
PIPELINE = "cifar10.training"  # the module in `pipelines`


def any_config(file: Path | None, settings: Iterable[str]) -> PipelineConfig:
    """A configuration of training the example or, where only that fits, of watching, to know where things are.

    Raises:
      MonitorError: as `pipelines.config.load`, about training.

    """
    return load_any((ExampleConfig, WatchConfig), file, settings)
