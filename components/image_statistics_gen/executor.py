"""Moves Examples in and statistics out of `ImageStatisticsGen`."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from apache_beam.io import fileio
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx import types
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils
from tfx_bsl.coders import example_coder
from tfx_bsl.statistics import merge_util

from ..validation import MonitorError
from .statistics_generator import ImageStatisticsGenerator

IMAGE_KEY = "image_key"
IMAGE_FORMAT = "image_format"
IMAGE_SHAPE = "image_shape"

_MAX_BATCH = 1000  # examples: what TFDV gathers before it calls a generator
_MAX_BATCH_BYTES = 64 << 20
_SKETCH_COUNTERS = 1024  # TFDV's, for the most frequent values of a feature
_OTHERS = "others"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Describes the images and every other feature of each split, in one pass over the files.

    Input artifacts:
      examples: one `Examples` of tf.Examples in TFRecord files, gzipped (name ends in .gz) or not.
      schema: optionally one `Schema`; says for instance which integers are categories.

    Output artifacts:
      statistics: one `ExampleStatistics`; for each split `Split-<name>/FeatureStats.pb`, as StatisticsGen writes it.

    Execution properties: `image_key`, `image_format`; `image_shape` and `exclude_splits` as JSON lists.

    Raises:
      MonitorError: the examples are of another payload, no split is left, a file is damaged, or there are examples and
        not one has the image feature.

    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
        statistics = artifact_utils.get_single_instance(output_dict[standard_component_specs.STATISTICS_KEY])
        excluded = json.loads(exec_properties.get(standard_component_specs.EXCLUDE_SPLITS_KEY) or "[]")
        patterns = _split_patterns(examples, excluded)
        schema = _read_schema(input_dict.get(standard_component_specs.SCHEMA_KEY))
        generator = ImageStatisticsGenerator(
            exec_properties[IMAGE_KEY],
            image_format=exec_properties[IMAGE_FORMAT],
            image_shape=json.loads(exec_properties[IMAGE_SHAPE]),
            describe_image=True,
        )
        statistics.split_names = artifact_utils.encode_split_names(list(patterns))
        statistics.span = examples.span
        with self._make_beam_pipeline() as pipeline:
            for split, pattern in patterns.items():
                path = os.path.join(artifact_utils.get_split_uri([statistics], split), DEFAULT_FILE_NAME)
                _ = (
                    pipeline
                    | f"Pattern[{split}]" >> beam.Create([pattern])
                    | f"Describe[{split}]" >> DescribeExamples(exec_properties[IMAGE_KEY], generator, schema)
                    | f"Write[{split}]" >> tfdv.WriteStatisticsToBinaryFile(path)
                )


class DescribeExamples(beam.PTransform):
    """File patterns of one split -> one `DatasetFeatureStatisticsList` of one data set.

    The image column goes to the image generator alone and all others to TFDV's default generators: to those, image
    bytes are long strings that are all the same, at the price of a sketch of each.
    """

    def __init__(self, image_key: str, generator: ImageStatisticsGenerator, schema: schema_pb2.Schema | None) -> None:
        super().__init__()
        self._image_key = image_key
        self._of_images = tfdv.StatsOptions(generators=[generator], add_default_generators=False)
        # Sketches: the exact way sorts every value, and ids are as many as the examples.
        self._of_others = tfdv.StatsOptions(schema=schema, use_sketch_based_topk_uniques=True)

    def expand(self, patterns: beam.PCollection) -> beam.PCollection:
        batches = (
            patterns
            | "Match" >> fileio.MatchAll()
            | "Path" >> beam.Map(lambda found: found.path)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadBatches(self._image_key)).with_outputs(_OTHERS, main="images")
        )
        images = batches.images | "Images" >> tfdv.GenerateStatistics(self._of_images)
        others = batches[_OTHERS] | "Others" >> tfdv.GenerateStatistics(self._of_others)
        return images | "Merge" >> beam.Map(_merge, beam.pvalue.AsList(others), self._image_key)


class _ReadBatches(beam.DoFn):
    """Path of a TFRecord file -> record batches of the image column and, tagged `_OTHERS`, of all other columns.

    Reading and decoding a batch at a time takes a third of the time of Beam's source, which handles single records.
    """

    def __init__(self, image_key: str) -> None:
        self._image_key = image_key

    def setup(self) -> None:
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()

    def process(self, path: str) -> Iterator[Any]:
        for records in read_records(path):
            batch = self._decoder.DecodeBatch(records)
            yield _image_column(batch, self._image_key, len(records))
            others = [name for name in batch.schema.names if name != self._image_key]
            if others:  # a batch without columns would count no rows
                columns = [batch.column(batch.schema.get_field_index(name)) for name in others]
                yield beam.pvalue.TaggedOutput(_OTHERS, pa.RecordBatch.from_arrays(columns, others))


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


def _image_column(batch: pa.RecordBatch, image_key: str, rows: int) -> pa.RecordBatch:
    index = batch.schema.get_field_index(image_key)
    column = batch.column(index) if index >= 0 else pa.nulls(rows)
    return pa.RecordBatch.from_arrays([column], [image_key])


def _merge(
    images: statistics_pb2.DatasetFeatureStatisticsList,
    others: Sequence[statistics_pb2.DatasetFeatureStatisticsList],
    image_key: str,
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """One data set of both; its number of examples is the images', which counts examples without a feature too."""
    merged = merge_util.merge_dataset_feature_statistics([*images.datasets, *(d for o in others for d in o.datasets)])
    merged.datasets[0].num_examples = images.datasets[0].num_examples
    found = {feature.path.step[0]: feature for feature in merged.datasets[0].features}
    if image_key in found and not found[image_key].bytes_stats.common_stats.num_non_missing:
        known = sorted(feature.path.step[0] for other in others for feature in other.datasets[0].features)
        raise MonitorError(
            f"`image_key` must name a feature of the examples: {', '.join(known)}. Received: {image_key!r}"
        )
    for feature in merged.datasets[0].features:
        _forget_noise(feature)
    return merged


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


def _split_patterns(examples: types.Artifact, excluded: Sequence[str]) -> dict[str, str]:
    """The file pattern of each split that is not excluded."""
    payload = examples_utils.get_payload_format(examples)
    if payload != example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE:
        name = example_gen_pb2.PayloadFormat.Name(payload)
        raise MonitorError(f"`examples` must hold tf.Examples (FORMAT_TF_EXAMPLE). Received: {name}")
    known = artifact_utils.decode_split_names(examples.split_names)
    splits = [split for split in known if split not in excluded]
    if not splits:
        raise MonitorError(f"`exclude_splits` must leave a split of {known}. Received: {list(excluded)}")
    return {split: examples_utils.get_split_file_patterns([examples], split)[0] for split in splits}


def _read_schema(artifacts: list[types.Artifact] | None) -> schema_pb2.Schema | None:
    if not artifacts:
        return None
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(artifacts)))
