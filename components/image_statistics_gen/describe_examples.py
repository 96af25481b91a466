"""The Beam part: files of examples in, one set of statistics and one sample out."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.coders import example_coder
from tfx_bsl.statistics import merge_util

from ..common.artifacts.names import STATISTICS_FILE
from ..common.artifacts.record_parts import Given, Part
from ..common.beam import in_process
from ..common.beam.records import SpreadRecords
from ..common.errors import MonitorError
from ..common.statistics import feature_sample
from ..common.statistics.feature_sample import FeatureSample
from .record_batches import count_values, read_batches
from .statistics_generator import ImageStatisticsGenerator
from .tfdv_generators import default_generators

# The columns our generator reads, and those for TFDV's, if any: a batch without columns would count no rows.
_Columns: TypeAlias = tuple[pa.RecordBatch, pa.RecordBatch | None]

_SKETCH_COUNTERS = 1024  # TFDV's, for the most frequent values of a feature


@dataclass(frozen=True)
class Described:
    """The statistics of one data set, and the sample of its examples if one was wanted."""

    statistics: statistics_pb2.DatasetFeatureStatisticsList
    sample: FeatureSample | None


class DescribeExamples(beam.PTransform):
    """Paths of the files of one split -> one `Described`.

    Images, probabilities and embeddings go to the image generator alone and all other columns to TFDV's default
    generators: to those, image bytes are long strings that are all the same, at the price of a sketch of each, and the
    numbers of a vector are all one distribution. One combine step runs both; two of TFDV's `GenerateStatistics` and a
    join took two seconds a split for Beam to set up, whatever the data.

    Args:
      generator: what describes images and predictions.
      schema: what TFDV's generators are told, if there is one.

    Raises:
      MonitorError: a file is damaged, or there are examples and not one has the image feature.

    """

    def __init__(self, generator: ImageStatisticsGenerator, schema: schema_pb2.Schema | None) -> None:
        super().__init__()
        self._generator = generator
        self._schema = schema

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        return (
            paths
            | "Records" >> SpreadRecords()
            | "Read" >> beam.ParDo(_ReadBatches(self._generator))
            | "Combine" >> beam.CombineGlobally(_DescribeFn(self._generator, self._schema))
        )


def describe_here(
    paths: Iterable[str], generator: ImageStatisticsGenerator, schema: schema_pb2.Schema | None
) -> Described:
    """As `DescribeExamples` without a pipeline, and with each file as one part: for where all runs in one process."""
    batches = (columns for _, columns in in_process.stream(_ReadBatches(generator), map(Part, paths)))
    described: Described = in_process.combine(_DescribeFn(generator, schema), batches)
    return described


class CountValues(beam.PTransform):
    """Paths of files, in order -> one dictionary, what `count_values` says of their examples."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__()
        self._keys = list(keys)

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        return (
            paths
            | "Records" >> SpreadRecords()
            | "Count" >> beam.Map(_counted, self._keys)
            | "First" >> beam.CombineGlobally(_first)
            | "Values" >> beam.Map(lambda found, keys: {key: found.get(key, (0,))[-1] for key in keys}, self._keys)
        )


def write_described(described: Described, folder: str) -> None:
    """Writes what is known of a split. Done twice, it comes to the same."""
    _write_file(os.path.join(folder, STATISTICS_FILE), described.statistics.SerializeToString())
    if described.sample is not None:
        _write_file(os.path.join(folder, feature_sample.FILE_NAME), described.sample.to_bytes())


def _write_file(path: str, content: bytes) -> None:
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:  # makes the folder
        file.write(content)


def _counted(given: Given, keys: list[str]) -> dict[str, tuple[str, int, int]]:
    """Where each feature is that a part has, and how many values it has there."""
    counts = count_values([given], keys)
    return {key: (given.path, given.first, count) for key, count in counts.items() if count}


def _first(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What comes first in the files, of each feature."""
    first: dict[str, Any] = {}
    for each in found:
        for key, place in each.items():
            first[key] = min(place, first.get(key, place))
    return first


class _ReadBatches(beam.DoFn):
    """Part of a TFRecord file -> `_Columns` of each batch.

    Reading and decoding a batch at a time takes a third of the time of Beam's source, which handles single records.
    """

    def __init__(self, generator: ImageStatisticsGenerator) -> None:
        self._generator = generator

    def setup(self) -> None:
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()

    def process(self, given: Given) -> Iterator[_Columns]:
        for records in read_batches(given):
            yield self._split(self._decoder.DecodeBatch(records), len(records))

    def _split(self, batch: pa.RecordBatch, rows: int) -> _Columns:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        ours = {self._generator.image_key: pa.nulls(rows)}
        ours |= {name: column for name, column in columns.items() if name in self._generator.columns}
        others = {name: column for name, column in columns.items() if name not in self._generator.described}
        return _batch_of(ours), _batch_of(others) if others else None


class _DescribeFn(beam.CombineFn):
    """Runs TFDV generators over `_Columns`. An accumulator is a list: that of our generator, then those of TFDV's."""

    def __init__(self, generator: ImageStatisticsGenerator, schema: schema_pb2.Schema | None) -> None:
        self._image_key = generator.image_key
        self._generators = [generator, *default_generators(schema)]

    def setup(self) -> None:
        for generator in self._generators:
            generator.setup()

    def create_accumulator(self) -> list[Any]:
        return [generator.create_accumulator() for generator in self._generators]

    def add_input(self, accumulator: list[Any], columns: _Columns) -> list[Any]:
        our_columns, others = columns
        inputs = [our_columns] + [others] * (len(self._generators) - 1)
        return [
            found if batch is None else generator.add_input(found, batch)
            for generator, found, batch in zip(self._generators, accumulator, inputs, strict=True)
        ]

    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        columns = zip(*accumulators, strict=True)
        return [g.merge_accumulators(list(found)) for g, found in zip(self._generators, columns, strict=True)]

    def compact(self, accumulator: list[Any]) -> list[Any]:
        return [g.compact(found) for g, found in zip(self._generators, accumulator, strict=True)]

    def extract_output(self, accumulator: list[Any]) -> Described:
        ours, *others = [g.extract_output(found) for g, found in zip(self._generators, accumulator, strict=True)]
        merged = merge_util.merge_dataset_feature_statistics([ours, *others])
        (data,) = merged.datasets
        data.num_examples = ours.num_examples  # counts examples without any feature too
        exact = {feature.path.step[0]: feature for feature in ours.features}
        _check_names(self._image_key, exact, {feature.path.step[0] for other in others for feature in other.features})
        for feature in data.features:
            if feature.path.step[0] not in exact:
                _forget_noise(feature)
        return Described(merged, self._generators[0].extract_sample(accumulator[0]))


def _check_names(
    image_key: str, ours: Mapping[str, statistics_pb2.FeatureNameStatistics], others: Collection[str]
) -> None:
    if ours and not ours[image_key].bytes_stats.common_stats.num_non_missing:
        rule = f"`image.feature` must name a feature of the examples: {', '.join(sorted(others)) or 'they have none'}"
        raise MonitorError(f"{rule}. Received: {image_key!r}")
    taken = sorted(set(ours) & set(others))
    if taken:
        rule = "features of examples must have other names than what is computed of images and predictions"
        raise MonitorError(f"{rule}. Received: {', '.join(taken)}")


def _batch_of(columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


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
