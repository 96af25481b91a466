"""`ImageStatisticsGen`: StatisticsGen for examples with an image."""

import json
from collections.abc import Mapping, Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from ..common.errors import require
from . import executor
from .image_decoding import ImageFormat


class ImageStatisticsGenSpec(component_spec.ComponentSpec):
    """What goes in and comes out. The names of StatisticsGen, so that one can stand in for the other."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads these as class attributes
        executor.IMAGE_KEY: component_spec.ExecutionParameter(type=str),
        executor.IMAGE_FORMAT: component_spec.ExecutionParameter(type=str),
        executor.IMAGE_SHAPE: component_spec.ExecutionParameter(type=str),
        executor.PREDICTION_KEY: component_spec.ExecutionParameter(type=str),
        executor.EMBEDDING_KEY: component_spec.ExecutionParameter(type=str),
        executor.LABEL_KEY: component_spec.ExecutionParameter(type=str),
        executor.ID_KEY: component_spec.ExecutionParameter(type=str),
        executor.SAMPLE_SIZE: component_spec.ExecutionParameter(type=int),
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
    """Statistics of examples that hold an image: what it looks like, what a model said of it, every other feature.

    Takes StatisticsGen's place: its output is read by SchemaGen, ExampleValidator, `tfdv.visualize_statistics` and
    Facets. The image becomes the numeric features of `docs/image_properties.md`, `<image_key>_brightness` and so on,
    whose histograms have the same edges for every data set; `<image_key>_corrupt` is 1 for images that cannot be read.

        statistics_gen = ImageStatisticsGen(examples=example_gen.outputs["examples"], image_shape=(28, 28, 1))

    Where examples hold a model's probabilities too, such as those of BulkInferrer or of serving logs, `prediction_key`
    adds the features of `docs/prediction_features.md`: `prediction_class`, `prediction_confidence` and so on. Beside
    the statistics lies a sample of the examples, all those features of each (`feature_sample`).

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
        prediction_key: str = "",
        embedding_key: str = "",
        label_key: str = "",
        id_key: str = "id",
        sample_size: int = 10_000,
        exclude_splits: Sequence[str] | None = None,
    ) -> None:
        """Args:
          examples: Channel of `Examples` with tf.Examples. _required_
          schema: Channel of `Schema`, for TFDV's options: an integer it calls categorical is counted as a category.
          image_key: The feature that holds the image, one bytes value an example.
          image_format: "raw", `image_shape` uint8 values in row-major order, or "encoded": PNG or JPEG.
          image_shape: (height, width, channels), channels 1 or 3. Encoded images may have any size; they are converted
            to the number of channels.
          prediction_key: The feature with the probabilities of the classes, two or more; "": no predictions.
          embedding_key: The feature with an embedding of the image, a projection to at most 100 numbers; "": none.
          label_key: The feature with the true class, a whole number from 0, for the sample alone; "": none.
          id_key: The feature with the example's id, for the sample alone; "": none. Together with the image it decides
            which examples are sampled.
          sample_size: The number of examples sampled, all if there are no more; 0: no sample. Each takes some 300 bytes
            of memory, and 4 for each class beyond 32.
          exclude_splits: Splits to leave out. Default: none.

        Raises:
          MonitorError: an argument breaks a rule above.

        """
        require(isinstance(image_key, str) and image_key != "", "image_key", "be a feature's name", image_key)
        checked = ImageFormat(image_format, image_shape)  # type: ignore[arg-type]  # which makes it a tuple of three
        keys = {
            "prediction_key": prediction_key,
            "embedding_key": embedding_key,
            "label_key": label_key,
            "id_key": id_key,
        }
        _require_keys(image_key, keys)
        whole = isinstance(sample_size, int) and not isinstance(sample_size, bool) and sample_size >= 0
        require(whole, "sample_size", "be a whole number, 0 or more", sample_size)
        splits = list(exclude_splits or [])
        names = not isinstance(exclude_splits, str) and all(isinstance(name, str) for name in splits)
        require(names, "exclude_splits", "be a list of names", exclude_splits)
        spec = ImageStatisticsGenSpec(
            examples=examples,
            schema=schema,
            image_key=image_key,
            image_format=checked.name,
            image_shape=json.dumps(checked.shape),
            **keys,
            sample_size=sample_size,
            exclude_splits=json.dumps(splits),
            statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        )
        super().__init__(spec=spec)


def _require_keys(image_key: str, keys: Mapping[str, str]) -> None:
    for name, key in keys.items():
        require(isinstance(key, str), name, "be a feature's name, or empty", key)
    require(
        keys["prediction_key"] != "" or keys["embedding_key"] == "",
        "embedding_key",
        "be empty without `prediction_key`",
        keys["embedding_key"],
    )
    used = [image_key, *(key for key in keys.values() if key)]
    require(len(set(used)) == len(used), "image_key", "be the name of another feature than every other key", used)
