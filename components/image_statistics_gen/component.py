"""`ImageStatisticsGen`: StatisticsGen for examples with an image."""

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from ..validation import require
from . import executor
from .image_decoding import ImageFormat


class ImageStatisticsGenSpec(component_spec.ComponentSpec):
    """What goes in and comes out. The names of StatisticsGen, so that one can stand in for the other."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads these as class attributes
        executor.IMAGE_KEY: component_spec.ExecutionParameter(type=str),
        executor.IMAGE_FORMAT: component_spec.ExecutionParameter(type=str),
        executor.IMAGE_SHAPE: component_spec.ExecutionParameter(type=str),
        standard_component_specs.EXCLUDE_SPLITS_KEY: component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        standard_component_specs.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.SCHEMA_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Schema, optional=True
        ),
    }
    OUTPUTS = {  # noqa: RUF012
        standard_component_specs.STATISTICS_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ExampleStatistics
        ),
    }


class ImageStatisticsGen(base_beam_component.BaseBeamComponent):
    """Statistics of examples that hold an image: of what the image looks like and of every other feature.

    Takes StatisticsGen's place: its output is read by SchemaGen, ExampleValidator, `tfdv.visualize_statistics` and
    Facets. The image becomes the numeric features of `docs/image_properties.md`, `<image_key>_brightness` and so on,
    whose histograms have the same edges for every data set; `<image_key>_corrupt` is 1 for images that cannot be read.

        statistics_gen = ImageStatisticsGen(examples=example_gen.outputs["examples"], image_shape=(28, 28, 1))

    Component `outputs` contains:
      - `statistics`: Channel of type `standard_artifacts.ExampleStatistics`, one for each split.
    """

    SPEC_CLASS = ImageStatisticsGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(  # noqa: PLR0913 - two channels and what StatisticsGen takes, plus how the image is stored
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel | None = None,
        *,
        image_key: str = "image",
        image_format: str = "raw",
        image_shape: Sequence[int] = (32, 32, 3),
        exclude_splits: Sequence[str] | None = None,
    ) -> None:
        """Args:
          examples: Channel of `Examples` with tf.Examples. _required_
          schema: Channel of `Schema`, for TFDV's options: an integer it calls categorical is counted as a category.
          image_key: The feature that holds the image, one bytes value an example.
          image_format: "raw", `image_shape` uint8 values in row-major order, or "encoded": PNG or JPEG.
          image_shape: (height, width, channels), channels 1 or 3. Encoded images may have any size; they are converted
            to the number of channels.
          exclude_splits: Splits to leave out. Default: none.

        Raises:
          MonitorError: an argument breaks a rule above.

        """
        require(isinstance(image_key, str) and image_key != "", "image_key", "be a feature's name", image_key)
        checked = ImageFormat(image_format, image_shape)  # type: ignore[arg-type]  # which makes it a tuple of three
        splits = list(exclude_splits or [])
        names = not isinstance(exclude_splits, str) and all(isinstance(name, str) for name in splits)
        require(names, "exclude_splits", "be a list of names", exclude_splits)
        spec = ImageStatisticsGenSpec(
            examples=examples,
            schema=schema,
            image_key=image_key,
            image_format=checked.name,
            image_shape=json.dumps(checked.shape),
            exclude_splits=json.dumps(splits),
            statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        )
        super().__init__(spec=spec)
