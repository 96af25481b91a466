"""The Beam part: files of examples in, one set of statistics out."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from apache_beam.io import fileio
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.coders import example_coder
from tfx_bsl.statistics import merge_util

from ..validation import MonitorError
from .statistics_generator import ImageStatisticsGenerator

# The image column of a batch, and all other columns if there are any: a batch without columns would count no rows.
_Columns: TypeAlias = tuple[pa.RecordBatch, pa.RecordBatch | None]

_MAX_BATCH = 1000  # examples: what TFDV gathers before it calls a generator
_MAX_BATCH_BYTES = 64 << 20
_SKETCH_COUNTERS = 1024  # TFDV's, for the most frequent values of a feature


class DescribeExamples(beam.PTransform):
    """File patterns of one split -> one `DatasetFeatureStatisticsList` of one data set.

    The image column goes to the image generator alone and all others to TFDV's default generators: to those, image
    bytes are long strings that are all the same, at the price of a sketch of each. One combine step runs both; two of
    TFDV's `GenerateStatistics` and a join took two seconds a split for Beam to set up, whatever the data.

    Raises:
      MonitorError: a file is damaged, or there are examples and not one has the image feature.

    """

    def __init__(self, image_key: str, generator: ImageStatisticsGenerator, schema: schema_pb2.Schema | None) -> None:
        super().__init__()
        self._image_key = image_key
        self._generator = generator
        self._schema = schema

    def expand(self, patterns: beam.PCollection) -> beam.PCollection:
        return (
            patterns
            | "Match" >> fileio.MatchAll()
            | "Path" >> beam.Map(lambda found: found.path)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadBatches(self._image_key))
            | "Combine" >> beam.CombineGlobally(_DescribeFn(self._image_key, self._generator, self._schema))
        )


class _ReadBatches(beam.DoFn):
    """Path of a TFRecord file -> `_Columns` of each batch.

    Reading and decoding a batch at a time takes a third of the time of Beam's source, which handles single records.
    """

    def __init__(self, image_key: str) -> None:
        self._image_key = image_key

    def setup(self) -> None:
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()

    def process(self, path: str) -> Iterator[_Columns]:
        for records in read_records(path):
            yield _split_columns(self._decoder.DecodeBatch(records), self._image_key, len(records))


class _DescribeFn(beam.CombineFn):
    """Runs TFDV generators over `_Columns`. An accumulator is a list: that of the images, then those of the others."""

    def __init__(self, image_key: str, generator: ImageStatisticsGenerator, schema: schema_pb2.Schema | None) -> None:
        self._image_key = image_key
        # In memory means sketches of frequent values: the exact way needs a sort of all values, which are as many as
        # the examples where a feature is an id.
        others = stats_impl.get_generators(tfdv.StatsOptions(schema=schema), in_memory=True)
        self._generators = [generator, *others]

    def setup(self) -> None:
        for generator in self._generators:
            generator.setup()

    def create_accumulator(self) -> list[Any]:
        return [generator.create_accumulator() for generator in self._generators]

    def add_input(self, accumulator: list[Any], columns: _Columns) -> list[Any]:
        images, others = columns
        inputs = [images] + [others] * (len(self._generators) - 1)
        return [
            found if batch is None else generator.add_input(found, batch)
            for generator, found, batch in zip(self._generators, accumulator, inputs, strict=True)
        ]

    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        columns = zip(*accumulators, strict=True)
        return [g.merge_accumulators(list(found)) for g, found in zip(self._generators, columns, strict=True)]

    def compact(self, accumulator: list[Any]) -> list[Any]:
        return [g.compact(found) for g, found in zip(self._generators, accumulator, strict=True)]

    def extract_output(self, accumulator: list[Any]) -> statistics_pb2.DatasetFeatureStatisticsList:
        images, *others = [g.extract_output(found) for g, found in zip(self._generators, accumulator, strict=True)]
        merged = merge_util.merge_dataset_feature_statistics([images, *others])
        (data,) = merged.datasets
        data.num_examples = images.num_examples  # counts examples without any feature too
        found = {feature.path.step[0]: feature for feature in data.features}
        if data.num_examples and not found[self._image_key].bytes_stats.common_stats.num_non_missing:
            known = sorted({feature.path.step[0] for other in others for feature in other.features})
            rule = f"`image_key` must name a feature of the examples: {', '.join(known) or 'they have none'}"
            raise MonitorError(f"{rule}. Received: {self._image_key!r}")
        for feature in data.features:
            _forget_noise(feature)
        return merged


def read_records(path: str) -> Iterator[list[bytes]]:
    """The records of a TFRecord file in batches: a thousand, or fewer if they are large.

    Raises:
      MonitorError: the file is damaged or cut short, or cannot be read.

    """
    try:
        dataset = tf.data.TFRecordDataset(path, compression_type="GZIP" if path.endswith(".gz") else "")
        largest = max((len(record) for record in dataset.take(10).as_numpy_iterator()), default=1)
        size = max(1, min(_MAX_BATCH, _MAX_BATCH_BYTES // max(1, largest)))
        for batch in dataset.batch(size).as_numpy_iterator():
            yield batch.tolist()
    except tf.errors.OpError as error:
        raise MonitorError(f"{path} must be a complete TFRecord file. Received: {error.message}") from error


def _split_columns(batch: pa.RecordBatch, image_key: str, rows: int) -> _Columns:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    images = pa.RecordBatch.from_arrays([columns.pop(image_key, pa.nulls(rows))], [image_key])
    return images, pa.RecordBatch.from_arrays(list(columns.values()), list(columns)) if columns else None


def _forget_noise(feature: statistics_pb2.FeatureNameStatistics) -> None:
    """Removes the "frequent" values of a feature that has too many different ones for the sketch to tell.

    With k counters a Misra-Gries sketch of n values is exact up to k different values; beyond, its frequencies are off
    by up to n / k, and of ids, which are all different, it would report a thousand, each many times.
    """
    strings = feature.string_stats
    if strings.unique <= _SKETCH_COUNTERS:
        return
    noise = 2 * strings.common_stats.tot_num_values / _SKETCH_COUNTERS
    top = [value for value in strings.top_values if value.frequency > noise]
    ranked = [bucket for bucket in strings.rank_histogram.buckets if bucket.sample_count > noise]
    del strings.top_values[:], strings.rank_histogram.buckets[:]
    strings.top_values.extend(top)
    strings.rank_histogram.buckets.extend(ranked)
