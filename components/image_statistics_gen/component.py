"""`ImageStatisticsGen`: StatisticsGen for examples with an image."""

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from ..common.errors import require
from ..common.image_spec import ImageSpec
from ..common.model_spec import ModelSpec
from . import executor


class ImageStatisticsGenSpec(component_spec.ComponentSpec):
    """What goes in and comes out. The names of StatisticsGen, so that one can stand in for the other."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads these as class attributes
        executor.SPEC: component_spec.ExecutionParameter(type=str),
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
    Facets. The image, whatever it is called, becomes the numeric features of `docs/image_properties.md`,
    `image_brightness` and so on, whose histograms have the same edges for every data set; `image_corrupt` is 1 for
    images that cannot be read or are of another size than the spec says.

        image = ImageSpec(feature="image", format="raw", channels=1, size=(28, 28))
        statistics_gen = ImageStatisticsGen(examples=example_gen.outputs["examples"], spec=image)

    Where examples hold a model's scores too, as those of HeldOutScorer and ServingLogExampleGen do, a ModelSpec adds
    the features of `docs/prediction_features.md`: `prediction_class`, `prediction_confidence` and so on. Beside the
    statistics lies a sample of the examples, all those features of each (`feature_sample`).

    Component `outputs` contains:
      - `statistics`: Channel of type `standard_artifacts.ExampleStatistics`, one for each split.
    """

    SPEC_CLASS = ImageStatisticsGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel | None = None,
        *,
        spec: ModelSpec | ImageSpec,
        sample_size: int = 10_000,
        exclude_splits: Sequence[str] | None = None,
    ) -> None:
        """Args:
          examples: Channel of `Examples` with tf.Examples. _required_
          schema: Channel of `Schema`, for TFDV's options: an integer it calls categorical is counted as a category.
          spec: What the examples hold. An ImageSpec: images; a ModelSpec: predictions, labels and ids too, by the names
            of its outputs. Of canonical rows, such as ServingLogExampleGen writes, `spec.rows`.
          sample_size: The number of examples sampled, all if there are no more; 0: no sample. Each takes some 300 bytes
            of memory, and 4 for each class beyond 32.
          exclude_splits: Splits to leave out. Default: none.

        Raises:
          MonitorError: an argument breaks a rule above.

        """
        require(isinstance(spec, ModelSpec | ImageSpec), executor.SPEC, "be a ModelSpec or an ImageSpec", spec)
        whole = isinstance(sample_size, int) and not isinstance(sample_size, bool) and sample_size >= 0
        require(whole, "sample_size", "be a whole number, 0 or more", sample_size)
        splits = list(exclude_splits or [])
        names = not isinstance(exclude_splits, str) and all(isinstance(name, str) for name in splits)
        require(names, "exclude_splits", "be a list of names", exclude_splits)
        arguments = ImageStatisticsGenSpec(
            examples=examples,
            schema=schema,
            spec=spec.to_json(),
            sample_size=sample_size,
            exclude_splits=json.dumps(splits),
            statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        )
        super().__init__(spec=arguments)
