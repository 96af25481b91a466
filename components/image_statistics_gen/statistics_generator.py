"""A generator of image statistics for TensorFlow Data Validation (TFDV), usable with plain TFDV:

    options = tfdv.StatsOptions(generators=[ImageStatisticsGenerator("image", image_shape=(32, 32, 3))])
    statistics = tfdv.generate_statistics_from_tfrecord("gs://bucket/train*", stats_options=options)

TFDV's `feature_allowlist` filters what a generator sees too: if it is used, it must name the features looked at here.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
from tensorflow_data_validation.statistics.generators import stats_generator
from tensorflow_metadata.proto.v0 import statistics_pb2

from ..common.errors import require
from ..common.statistics.feature_sample import FeatureSample
from . import example_columns
from .example_accumulator import Batch, DescriptionFormat, ExampleAccumulator, PredictionFormat, SampleFormat
from .image_decoding import ImageFormat
from .prediction_edges import CLASS, corrupt_feature, prediction_features
from .property_edges import corrupt_feature as corrupt_image_feature
from .property_edges import image_features
from .statistics_messages import FINE_HISTOGRAM, describe_bytes, describe_classes, describe_numbers

__all__ = ["FINE_HISTOGRAM", "ImageStatisticsGenerator"]

_MIN_CLASSES = 2  # the width of a table of probabilities where no example has any


class ImageStatisticsGenerator(stats_generator.CombinerStatsGenerator):
    """Adds a numeric feature for each image property, and one that says whether the image could be read.

    Args:
      image_key: The feature that holds the images, one bytes value an example.
      image_format: "raw" (`image_shape` uint8 values, row-major height, width, channel) or "encoded" (PNG, JPEG).
      image_shape: (height, width, channels); of encoded images only the number of channels, 1 or 3, counts.
      describe_image: Whether to describe the image feature itself as well (presence, length in bytes). For use where
        TFDV's default generators do not see it; otherwise they do, and the two descriptions would be merged into one.
      predictions: The probabilities to describe as well, and the embedding; None for none.
      sample: What to sample; None for no sample. `extract_sample` hands it out, TFDV alone would drop it.

    Raises:
      MonitorError: an argument breaks a rule above; later, that a feature does not hold what it should.

    """

    def __init__(  # noqa: PLR0913 - how the image is stored, and two things that are off by default
        self,
        image_key: str = "image",
        *,
        image_format: str = "raw",
        image_shape: Sequence[int] = (32, 32, 3),
        describe_image: bool = False,
        predictions: PredictionFormat | None = None,
        sample: SampleFormat | None = None,
    ) -> None:
        super().__init__("ImageStatisticsGenerator")
        require(isinstance(image_key, str) and image_key != "", "image_key", "be a feature's name", image_key)
        checked = ImageFormat(image_format, image_shape)  # type: ignore[arg-type]  # which makes it a tuple of three
        self._format = DescriptionFormat(image_key, checked, predictions, sample)
        self._describe_image = describe_image

    @property
    def described(self) -> frozenset[str]:
        """The features of the examples that are described here, so that nobody else need do it."""
        wanted = self._format.predictions
        return frozenset([self._format.image_key, *((wanted.key, wanted.embedding_key) if wanted else ())]) - {""}

    @property
    def columns(self) -> frozenset[str]:
        """The features of the examples that are looked at: beside those `described`, ids and labels for the sample."""
        wanted = self._format.sample
        return self.described | (frozenset([wanted.id_key, wanted.label_key]) - {""} if wanted else frozenset())

    def create_accumulator(self) -> ExampleAccumulator:
        return ExampleAccumulator(self._format)

    def add_input(self, accumulator: ExampleAccumulator, input_record_batch: pa.RecordBatch) -> ExampleAccumulator:
        accumulator.add(_read(input_record_batch, self._format), self._format.image)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[ExampleAccumulator]) -> ExampleAccumulator:
        remaining = iter(accumulators)
        merged = next(remaining)
        for accumulator in remaining:
            merged.merge(accumulator)
        return merged

    def compact(self, accumulator: ExampleAccumulator) -> ExampleAccumulator:
        accumulator.compact()
        return accumulator

    def extract_output(self, accumulator: ExampleAccumulator) -> statistics_pb2.DatasetFeatureStatistics:
        """The statistics; without any feature when there was no example at all, as TFDV's own."""
        images = accumulator.images
        result = statistics_pb2.DatasetFeatureStatistics(num_examples=images.num_examples)
        if not images.num_examples:
            return result
        if self._describe_image:
            result.features.append(describe_bytes(self._format.image_key, images.images, images.num_examples))
        corrupt = corrupt_image_feature(self._format.image_key)
        result.features.append(describe_numbers(corrupt, images.corrupt, images.num_examples))
        for name, feature in image_features(self._format.image_key, self._format.image).items():
            result.features.append(describe_numbers(feature, images.properties[name], images.num_examples))
        result.features.extend(self._describe_predictions(accumulator))
        return result

    def extract_sample(self, accumulator: ExampleAccumulator) -> FeatureSample | None:
        """The sample of the examples; None if none was asked for."""
        return accumulator.extract_sample(self._format)

    def _describe_predictions(self, accumulator: ExampleAccumulator) -> Iterable[statistics_pb2.FeatureNameStatistics]:
        wanted, found, examples = self._format.predictions, accumulator.predictions, accumulator.images.num_examples
        if wanted is None or found is None:
            return
        yield describe_numbers(corrupt_feature(), found.corrupt, examples)
        yield describe_classes(CLASS, found.class_counts, examples)
        for name, feature in prediction_features(wanted.classes, wanted.embedding_size).items():
            yield describe_numbers(feature, found.numbers[name], examples)


def _read(batch: pa.RecordBatch, wanted: DescriptionFormat) -> Batch:
    predictions = wanted.predictions or PredictionFormat("", 0)
    sample = wanted.sample or SampleFormat(0)
    return Batch(
        images=example_columns.bytes_lists(batch, wanted.image_key),
        probabilities=example_columns.number_rows(batch, predictions.key, max(_MIN_CLASSES, predictions.classes)),
        embedding=example_columns.number_rows(batch, predictions.embedding_key, predictions.embedding_size),
        ids=example_columns.names(batch, sample.id_key),
        labels=example_columns.class_numbers(batch, sample.label_key),
    )
