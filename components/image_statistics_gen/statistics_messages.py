"""Summaries of features -> the messages of TFDV's statistics."""

import numpy as np
from google.protobuf.descriptor import Descriptor
from tensorflow_metadata.proto.v0 import statistics_pb2

from ..common.statistics.monitored_features import FINE_HISTOGRAM
from .frozen_histogram import Accumulator, Buckets, FrozenFeature, Summary, summarise
from .image_accumulator import BytesAccumulator
from .prediction_features import Counts


def describe_bytes(name: str, counted: BytesAccumulator, examples: int) -> statistics_pb2.FeatureNameStatistics:
    """What TFDV says of a feature whose schema has an image domain: type BYTES, presence and lengths, no values."""
    described = statistics_pb2.FeatureNameStatistics(type=statistics_pb2.FeatureNameStatistics.BYTES)
    described.path.step.append(name)
    common = described.bytes_stats.common_stats
    _set_presence(common, counted.non_missing, examples)
    if counted.non_missing:
        common.min_num_values = int(counted.min_values)
        common.max_num_values = counted.max_values
        common.avg_num_values = counted.total_values / counted.non_missing
        common.tot_num_values = counted.total_values
    if counted.total_values:
        described.bytes_stats.avg_num_bytes = counted.total_bytes / counted.total_values
        described.bytes_stats.min_num_bytes = counted.min_bytes
        described.bytes_stats.max_num_bytes = described.bytes_stats.max_num_bytes_int = counted.max_bytes
    return described


def describe_numbers(
    feature: FrozenFeature, counted: Accumulator, examples: int
) -> statistics_pb2.FeatureNameStatistics:
    kinds = statistics_pb2.FeatureNameStatistics
    described = kinds(type=kinds.INT if feature.integer else kinds.FLOAT)
    described.path.step.append(feature.name)
    common = described.num_stats.common_stats
    _set_presence(common, counted.count, examples)
    summary = summarise(feature, counted)
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


def describe_classes(name: str, counts: Counts, examples: int) -> statistics_pb2.FeatureNameStatistics:
    """A categorical feature, values "0", "1" and so on, with the exact count of each class k that occurs, `counts[k]`.

    As strings, because of a categorical integer TFDV infers a schema that these very statistics then violate.
    """
    described = statistics_pb2.FeatureNameStatistics(type=statistics_pb2.FeatureNameStatistics.STRING)
    described.path.step.append(name)
    strings = described.string_stats
    total = int(counts.sum())
    _set_presence(strings.common_stats, total, examples)
    if not total:
        return described
    strings.common_stats.min_num_values = strings.common_stats.max_num_values = 1
    strings.common_stats.avg_num_values = 1.0
    strings.common_stats.tot_num_values = total
    ranked = sorted(((int(n), k) for k, n in enumerate(counts) if n), key=lambda each: (-each[0], each[1]))
    strings.unique = len(ranked)
    strings.avg_length = sum(count * len(str(number)) for count, number in ranked) / total
    for rank, (count, number) in enumerate(ranked):
        strings.top_values.add(value=str(number), frequency=count)
        strings.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=str(number), sample_count=count)
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


def _set_buckets(histogram: statistics_pb2.Histogram, kind: int, buckets: Buckets) -> None:
    """Adds the buckets as a file has them: one by one, those of fifty features take longer than all else."""
    histogram.type = kind
    encoded = np.zeros(len(buckets), _ENCODED)
    encoded["before"] = _BEFORE
    for (field, tag), values in zip(_FIELDS.items(), (buckets.lows, buckets.highs, buckets.counts), strict=True):
        encoded[f"{field} tag"], encoded[field] = tag, values
    histogram.MergeFromString(encoded.tobytes())


def _tag(message: Descriptor, field: str, wire_type: int) -> int:
    """What stands before a field in a file. Raises `ValueError` where that takes more than a byte."""
    tag = message.fields_by_name[field].number << 3 | wire_type
    if tag > 0x7F:
        raise ValueError(f"{message.name}.{field} must have a number below 16. Received: {tag >> 3}")
    return tag


_DOUBLE, _MESSAGE = 1, 2  # wire types
_BUCKET = statistics_pb2.Histogram.Bucket.DESCRIPTOR
_FIELDS = {name: _tag(_BUCKET, name, _DOUBLE) for name in ("low_value", "high_value", "sample_count")}
_BEFORE = (_tag(statistics_pb2.Histogram.DESCRIPTOR, "buckets", _MESSAGE), len(_FIELDS) * 9)  # its tag, and its length
_ENCODED = np.dtype([("before", "u1", 2), *((n, t) for f in _FIELDS for n, t in ((f"{f} tag", "u1"), (f, "<f8")))])
