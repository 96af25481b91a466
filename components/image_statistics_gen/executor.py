"""Moves Examples in and statistics out of `ImageStatisticsGen`."""

import itertools
import os
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from ..common.artifacts.schema import read_schema
from ..common.beam_here import is_small
from ..common.errors import MonitorError
from ..common.image_spec import ImageSpec
from ..common.model_spec import ModelSpec
from ..common.statistics import feature_sample
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of, tfx_files
from .describe_examples import Described, DescribeExamples, describe_here
from .record_batches import count_values
from .scores import numbers_of_scores
from .statistics_generator import ImageStatisticsGenerator

SPEC = "spec"
SAMPLE_SIZE = "sample_size"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Describes the images, the predictions and every other feature of each split, in one pass over the files.

    Input artifacts:
      examples: one `Examples` of tf.Examples in TFRecord files, gzipped (name ends in .gz) or not.
      schema: optionally one `Schema`; says for instance which integers are categories.

    Output artifacts:
      statistics: one `ExampleStatistics`; for each split `Split-<name>/FeatureStats.pb`, as StatisticsGen writes it,
        and unless `sample_size` is 0 `Split-<name>/FeatureSample.npz`, see `feature_sample`.

    Execution properties: `spec`, the JSON of a ModelSpec or an ImageSpec; `exclude_splits`, a JSON list;
    `sample_size`, a whole number.

    Raises:
      MonitorError: the examples are of another payload, no split is left, a file is damaged, there are examples and not
        one has the image feature, or a feature does not hold what the spec says.

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
        excluded = parse_json(exec_properties.get(standard_component_specs.EXCLUDE_SPLITS_KEY) or "[]")
        patterns = _split_patterns(examples, excluded)
        schema = _read_schema(input_dict.get(standard_component_specs.SCHEMA_KEY))
        statistics.split_names = artifact_utils.encode_split_names(list(patterns))
        statistics.span = examples.span
        spec = read_spec(exec_properties[SPEC])
        sampled = exec_properties[SAMPLE_SIZE] > 0
        splits = {
            split: (
                _generator(spec, exec_properties[SAMPLE_SIZE], pattern),
                artifact_utils.get_split_uri([statistics], split),
            )
            for split, pattern in patterns.items()
        }
        files = {split: sorted(fileio.glob(pattern)) for split, pattern in patterns.items()}
        if is_small(itertools.chain.from_iterable(files.values()), self._beam_pipeline_args):
            for split, (generator, folder) in splits.items():
                _write_here(folder, describe_here(files[split], generator, schema))
            return
        with self._make_beam_pipeline() as pipeline:
            for split, (generator, folder) in splits.items():
                described = (
                    pipeline
                    | f"Pattern[{split}]" >> beam.Create([patterns[split]])
                    | f"Describe[{split}]" >> DescribeExamples(generator, schema)
                )
                _ = described | f"Write[{split}]" >> _Write(folder, sample=sampled)


def _write_here(folder: str, described: Described) -> None:
    """As `_Write`, without a pipeline."""
    _write_file(os.path.join(folder, DEFAULT_FILE_NAME), described.statistics.SerializeToString())
    if described.sample is not None:
        _write_file(os.path.join(folder, feature_sample.FILE_NAME), described.sample.to_bytes())


class _Write(beam.PTransform):
    """Writes one `Described` to the folder of a split."""

    def __init__(self, folder: str, *, sample: bool) -> None:
        super().__init__()
        self._folder = folder
        self._sample = sample

    def expand(self, described: beam.PCollection) -> None:
        _ = (
            described
            | "Statistics" >> beam.Map(lambda each: each.statistics)
            | "WriteStatistics" >> tfdv.WriteStatisticsToBinaryFile(os.path.join(self._folder, DEFAULT_FILE_NAME))
        )
        if self._sample:
            path = os.path.join(self._folder, feature_sample.FILE_NAME)
            _ = described | "WriteSample" >> beam.Map(lambda each: _write_file(path, each.sample.to_bytes()))


def _write_file(path: str, content: bytes) -> None:
    fileio.makedirs(os.path.dirname(path))
    with fileio.open(path, "wb") as file:
        file.write(content)


def read_spec(text: str) -> ModelSpec | ImageSpec:
    """What `to_json` of either made. Raises `MonitorError`."""
    source = "the execution property `spec`"
    record = parse_json(text, source)
    kind = ModelSpec if "image" in record else ImageSpec
    return kind.from_record(record, source)


def _generator(spec: ModelSpec | ImageSpec, sample_size: int, pattern: str) -> ImageStatisticsGenerator:
    """What describes the examples of a split. How many numbers an embedding has is in the data."""
    size = 0
    if isinstance(spec, ModelSpec):
        scores, embedding = spec.outputs.scores, spec.outputs.embedding or ""
        counts = count_values(pattern, [name for name in (scores, embedding) if name])
        _check_scores(spec, counts[scores])
        size = counts.get(embedding, 0)
    return ImageStatisticsGenerator(spec, describe_image=True, embedding_size=size, sample_size=sample_size)


def _check_scores(spec: ModelSpec, count: int) -> None:
    """Refuses scores of which an example has another number than the spec; 0 where no example has any."""
    wanted = numbers_of_scores(spec)
    if count not in (0, *wanted):
        numbers = " or ".join(f"{number}" for number in wanted)
        what = f"`outputs.scores` must name a feature with {numbers} scores an example"
        why = f"{spec.num_classes} classes, kind {spec.outputs.kind}"
        raise MonitorError(f"{what} ({why}). Received: {spec.outputs.scores!r}, {count} values")


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
    return read_schema(artifact_of(artifact_utils.get_single_instance(artifacts)), tfx_files())
