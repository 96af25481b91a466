"""A generator of image statistics for TensorFlow Data Validation (TFDV), usable with plain TFDV:

    options = tfdv.StatsOptions(generators=[ImageStatisticsGenerator("image", image_shape=(32, 32, 3))])
    statistics = tfdv.generate_statistics_from_tfrecord("gs://bucket/train*", stats_options=options)

TFDV's `feature_allowlist` filters what a generator sees too: if it is used, it must name the image feature.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
from tensorflow_data_validation.statistics.generators import stats_generator
from tensorflow_metadata.proto.v0 import statistics_pb2

from ..validation import MonitorError, require
from .frozen_histogram import Accumulator, Bucket, FrozenFeature, Summary, summarise
from .image_accumulator import BytesAccumulator, ImageAccumulator, ValueLists
from .image_decoding import ImageFormat
from .property_edges import corrupt_feature, image_features

# The name of the custom statistic that holds the fine histogram: every bin, where STANDARD has buckets of ten bins.
FINE_HISTOGRAM = "frozen_histogram"


class ImageStatisticsGenerator(stats_generator.CombinerStatsGenerator):
    """Adds a numeric feature for each image property, and one that says whether the image could be read.

    Args:
      image_key: The feature that holds the images, one bytes value an example.
      image_format: "raw" (`image_shape` uint8 values, row-major height, width, channel) or "encoded" (PNG, JPEG).
      image_shape: (height, width, channels); of encoded images only the number of channels, 1 or 3, counts.
      describe_image: Whether to describe the image feature itself as well (presence, length in bytes). For use where
        TFDV's default generators do not see it; otherwise they do, and the two descriptions would be merged into one.

    Raises:
      MonitorError: an argument breaks a rule above; later, that the image feature is not of type bytes.

    """

    def __init__(
        self,
        image_key: str = "image",
        *,
        image_format: str = "raw",
        image_shape: Sequence[int] = (32, 32, 3),
        describe_image: bool = False,
    ) -> None:
        super().__init__("ImageStatisticsGenerator")
        require(isinstance(image_key, str) and image_key != "", "image_key", "be a feature's name", image_key)
        self._image_key = image_key
        self._format = ImageFormat(image_format, image_shape)  # type: ignore[arg-type]  # which makes it a tuple of three
        self._features = image_features(image_key, self._format)
        self._corrupt = corrupt_feature(image_key)
        self._describe_image = describe_image

    def create_accumulator(self) -> ImageAccumulator:
        return ImageAccumulator(self._features, self._corrupt)

    def add_input(self, accumulator: ImageAccumulator, input_record_batch: pa.RecordBatch) -> ImageAccumulator:
        accumulator.add(_value_lists(input_record_batch, self._image_key), self._format)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[ImageAccumulator]) -> ImageAccumulator:
        remaining = iter(accumulators)
        merged = next(remaining)
        for accumulator in remaining:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: ImageAccumulator) -> statistics_pb2.DatasetFeatureStatistics:
        """The statistics; without any feature when there was no example at all, as TFDV's own."""
        examples = accumulator.num_examples
        result = statistics_pb2.DatasetFeatureStatistics(num_examples=examples)
        if not examples:
            return result
        if self._describe_image:
            result.features.append(_describe_bytes(self._image_key, accumulator.images, examples))
        result.features.append(_describe_numbers(self._corrupt, accumulator.corrupt, examples))
        for name, feature in self._features.items():
            result.features.append(_describe_numbers(feature, accumulator.properties[name], examples))
        return result


def _value_lists(batch: pa.RecordBatch, key: str) -> ValueLists:
    """The values of the feature in each row, None in rows without; a batch without the column has none at all."""
    index = batch.schema.get_field_index(key)
    if index < 0 or pa.types.is_null(batch.column(index).type):
        return [None] * batch.num_rows
    kind = batch.column(index).type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if lists and pa.types.is_null(kind.value_type):
        return [None if found is None else [] for found in batch.column(index).to_pylist()]
    if not lists or not (pa.types.is_binary(kind.value_type) or pa.types.is_large_binary(kind.value_type)):
        raise MonitorError(f"feature {key!r} must hold images as bytes, one value an example. Received: {kind}")
    return batch.column(index).to_pylist()


def _describe_bytes(name: str, found: BytesAccumulator, examples: int) -> statistics_pb2.FeatureNameStatistics:
    """What TFDV says of a feature whose schema has an image domain: type BYTES, presence and lengths, no values."""
    described = statistics_pb2.FeatureNameStatistics(type=statistics_pb2.FeatureNameStatistics.BYTES)
    described.path.step.append(name)
    common = described.bytes_stats.common_stats
    _set_presence(common, found.non_missing, examples)
    if found.non_missing:
        common.min_num_values = int(found.min_values)
        common.max_num_values = found.max_values
        common.avg_num_values = found.total_values / found.non_missing
        common.tot_num_values = found.total_values
    if found.total_values:
        described.bytes_stats.avg_num_bytes = found.total_bytes / found.total_values
        described.bytes_stats.min_num_bytes = found.min_bytes
        described.bytes_stats.max_num_bytes = described.bytes_stats.max_num_bytes_int = found.max_bytes
    return described


def _describe_numbers(
    feature: FrozenFeature, found: Accumulator, examples: int
) -> statistics_pb2.FeatureNameStatistics:
    kinds = statistics_pb2.FeatureNameStatistics
    described = kinds(type=kinds.INT if feature.integer else kinds.FLOAT)
    described.path.step.append(feature.name)
    common = described.num_stats.common_stats
    _set_presence(common, found.count, examples)
    summary = summarise(feature, found)
    if summary is None:
        return described
    common.min_num_values = common.max_num_values = 1
    common.avg_num_values = 1.0
    common.tot_num_values = summary.count
    _set_numbers(described.num_stats, summary)
    if feature.bins_per_bucket > 1:
        fine = described.custom_stats.add(name=FINE_HISTOGRAM).histogram
        _set_buckets(fine, statistics_pb2.Histogram.STANDARD, summary.bins)
    return described


def _set_presence(common: statistics_pb2.CommonStatistics, non_missing: int, examples: int) -> None:
    common.num_non_missing = non_missing
    common.num_missing = examples - non_missing


def _set_numbers(numbers: statistics_pb2.NumericStatistics, summary: Summary) -> None:
    numbers.mean = summary.mean
    numbers.std_dev = summary.std_dev
    numbers.min = summary.minimum
    numbers.max = summary.maximum
    numbers.median = summary.median
    numbers.num_zeros = summary.zeros
    _set_buckets(numbers.histograms.add(), statistics_pb2.Histogram.STANDARD, summary.buckets)
    _set_buckets(numbers.histograms.add(), statistics_pb2.Histogram.QUANTILES, summary.quantiles)


def _set_buckets(histogram: statistics_pb2.Histogram, kind: int, buckets: Iterable[Bucket]) -> None:
    histogram.type = kind
    for bucket in buckets:
        histogram.buckets.add(low_value=bucket.low, high_value=bucket.high, sample_count=bucket.count)
