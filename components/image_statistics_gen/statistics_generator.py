"""A generator of image statistics for TensorFlow Data Validation (TFDV), usable with plain TFDV:

    image = ImageSpec(feature="image", format="raw", channels=1, size=(28, 28))
    options = tfdv.StatsOptions(generators=[ImageStatisticsGenerator(image)])
    statistics = tfdv.generate_statistics_from_tfrecord("gs://bucket/train*", stats_options=options)

TFDV's `feature_allowlist` filters what a generator sees too: if it is used, it must name the features read here.
"""

from collections.abc import Iterable

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from ..common.image_spec import ImageSpec
from ..common.model_spec import ModelSpec
from ..common.statistics import usability
from ..common.statistics.feature_sample import FeatureSample
from . import example_columns
from .example_accumulator import Batch, DescriptionFormat, ExampleAccumulator
from .prediction_accumulator import PredictionAccumulator
from .prediction_edges import CLASS, corrupt_feature, prediction_features
from .property_edges import corrupt_feature as corrupt_image_feature
from .property_edges import image_features
from .statistics_messages import describe_bytes, describe_classes, describe_numbers
from .tfdv_generators import CombinerStatsGenerator


class ImageStatisticsGenerator(CombinerStatsGenerator):
    """Adds a numeric feature for each image property, and one that says whether the image could be read.

    Args:
      spec: How the images are stored; of a ModelSpec the predictions, labels and ids are read too.
      describe_image: Whether to describe the image feature itself as well (presence, length in bytes). For use where
        TFDV's default generators do not see it; otherwise they do, and the two descriptions would be merged into one.
      embedding_size: How many numbers the embedding has, at most 100; 0: it is not described.
      sample_size: How many examples to sample; 0: none. `extract_sample` hands them out, TFDV alone would drop them.

    Raises:
      MonitorError: an argument breaks a rule above; later, that a feature does not hold what it should.

    """

    def __init__(
        self,
        spec: ModelSpec | ImageSpec,
        *,
        describe_image: bool = False,
        embedding_size: int = 0,
        sample_size: int = 0,
    ) -> None:
        super().__init__("ImageStatisticsGenerator")
        self._format = DescriptionFormat.of(spec, embedding_size=embedding_size, sample_size=sample_size)
        self._describe_image = describe_image

    @property
    def described(self) -> frozenset[str]:
        """The features of the examples that are described here, so that nobody else need do it."""
        return self._format.described

    @property
    def columns(self) -> frozenset[str]:
        """The features of the examples that are read: beside those `described`, ids and labels for the sample."""
        return self._format.columns

    @property
    def image_key(self) -> str:
        """The feature that holds the image."""
        return self._format.image.feature

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
            result.features.append(describe_bytes(self.image_key, images.images, images.num_examples))
        corrupt = describe_numbers(corrupt_image_feature(), images.corrupt, images.num_examples)
        _add_text(corrupt, usability.REASONS, images.reasons.words)
        result.features.append(corrupt)
        for name, feature in image_features(self._format.image).items():
            result.features.append(describe_numbers(feature, images.properties[name], images.num_examples))
        result.features.extend(self._describe_predictions(accumulator))
        return result

    def extract_sample(self, accumulator: ExampleAccumulator) -> FeatureSample | None:
        """The sample of the examples; None if none was asked for."""
        return accumulator.extract_sample(self._format)

    def _describe_predictions(self, accumulator: ExampleAccumulator) -> Iterable[statistics_pb2.FeatureNameStatistics]:
        model, predictions, examples = self._format.model, accumulator.predictions, accumulator.images.num_examples
        if model is None or predictions is None:
            return
        yield _describe_corrupt(predictions, accumulator.unknown_labels, model, examples)
        yield describe_classes(CLASS, predictions.class_counts, examples)
        for name, feature in prediction_features(model.num_classes, self._format.embedding_size).items():
            yield describe_numbers(feature, predictions.numbers[name], examples)


def _describe_corrupt(
    predictions: PredictionAccumulator, unknown_labels: usability.Reasons, model: ModelSpec, examples: int
) -> statistics_pb2.FeatureNameStatistics:
    """Whether predictions are corrupt; and why, and what else must not be so of a baseline (see `usability`)."""
    described = describe_numbers(corrupt_feature(), predictions.corrupt, examples)
    _add_text(described, usability.REASONS, predictions.reasons.words)
    wrong_kind = predictions.scores.wrong_kind(model.outputs.kind) or predictions.scores.sorted_by_size()
    _add_text(described, usability.WRONG_KIND, wrong_kind)
    if unknown_labels.total:
        described.custom_stats.add(name=usability.UNKNOWN_LABELS, num=unknown_labels.total)
        _add_text(described, usability.UNKNOWN_LABEL, unknown_labels.words)
    return described


def _add_text(described: statistics_pb2.FeatureNameStatistics, name: str, text: str) -> None:
    if text:
        described.custom_stats.add(name=name, str=text)


def _read(batch: pa.RecordBatch, wanted: DescriptionFormat) -> Batch:
    model = wanted.model
    labels, unknown_labels = example_columns.class_numbers(batch, wanted.label_key, model)
    return Batch(
        images=example_columns.bytes_lists(batch, wanted.image.feature),
        scores=example_columns.score_rows(batch, model) if model else None,
        embedding=example_columns.number_rows(batch, wanted.embedding_key, wanted.embedding_size),
        ids=example_columns.names(batch, wanted.id_key),
        labels=labels,
        unknown_labels=unknown_labels,
    )
