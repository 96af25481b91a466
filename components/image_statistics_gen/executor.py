"""Moves Examples in and statistics out of `ImageStatisticsGen`."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import apache_beam as beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.types import artifact_utils, standard_component_specs

from ..common.artifacts.record_parts import Part
from ..common.artifacts.schema import read_schema
from ..common.beam.executor import BeamExecutor
from ..common.beam.hand_back import HandBack, scratch_folder
from ..common.beam.in_process import runs_alone
from ..common.errors import MonitorError
from ..common.image_spec import ImageSpec
from ..common.model_spec import ModelSpec
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of, split_files, splits_of, tfx_files
from .describe_examples import CountValues, DescribeExamples, describe_here, write_described
from .record_batches import count_values
from .scores import numbers_of_scores
from .statistics_generator import ImageStatisticsGenerator

SPEC = "spec"
SAMPLE_SIZE = "sample_size"
_BATCHES_HERE = 3  # that are looked at before Beam is asked to look at all
_Counts: TypeAlias = dict[str, int]


class Executor(BeamExecutor):
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
        files = _files_of_splits(examples, excluded)
        schema = _read_schema(input_dict.get(standard_component_specs.SCHEMA_KEY))
        statistics.split_names = artifact_utils.encode_split_names(list(files))
        statistics.span = examples.span
        spec = read_spec(exec_properties[SPEC])
        counts = self._count_values(files, _vectors(spec), statistics.uri)
        splits = {
            split: (
                _generator(spec, exec_properties[SAMPLE_SIZE], counts[split]),
                artifact_utils.get_split_uri([statistics], split),
            )
            for split in files
        }
        if runs_alone(self._beam_pipeline_args):
            for split, (generator, folder) in splits.items():
                write_described(describe_here(files[split], generator, schema), folder)
            return
        with self._make_beam_pipeline() as pipeline:
            for split, (generator, folder) in splits.items():
                _ = (
                    pipeline
                    | f"Files[{split}]" >> beam.Create(files[split])
                    | f"Describe[{split}]" >> DescribeExamples(generator, schema)
                    | f"Write[{split}]" >> beam.Map(write_described, folder)
                )

    def _count_values(self, files: Mapping[str, Sequence[str]], keys: Sequence[str], uri: str) -> dict[str, _Counts]:
        """How many values each feature has in the examples of each split, see `count_values`.

        The first batches say it of most data. Where they do not, because there are no predictions at all for instance,
        all files are looked at, and that is shared out where there is anybody to share it with.
        """
        alone = runs_alone(self._beam_pipeline_args)
        batches = None if alone else _BATCHES_HERE
        counts = {split: count_values(map(Part, paths), keys, batches=batches) for split, paths in files.items()}
        left = [split for split, found in counts.items() if not alone and not all(found.values())]
        if not left:
            return counts
        with scratch_folder(uri) as scratch:
            found = {split: HandBack(scratch, f"values-{split}") for split in left}
            with self._make_beam_pipeline() as pipeline:
                for split, counted in found.items():
                    _ = (
                        pipeline
                        | f"Files[{split}]" >> beam.Create(files[split])
                        | f"Count[{split}]" >> CountValues(keys)
                        | counted
                    )
            return counts | {split: counted.take() for split, counted in found.items()}


def read_spec(text: str) -> ModelSpec | ImageSpec:
    """What `to_json` of either made. Raises `MonitorError`."""
    source = "the execution property `spec`"
    record = parse_json(text, source)
    kind = ModelSpec if "image" in record else ImageSpec
    return kind.from_record(record, source)


def _vectors(spec: ModelSpec | ImageSpec) -> list[str]:
    """The features of which it takes the data to say how many numbers they have."""
    outputs = spec.outputs if isinstance(spec, ModelSpec) else None
    return [name for name in (outputs.scores, outputs.embedding) if name] if outputs else []


def _generator(spec: ModelSpec | ImageSpec, sample_size: int, counts: Mapping[str, int]) -> ImageStatisticsGenerator:
    """What describes the examples of a split, in which features have so many values."""
    size = 0
    if isinstance(spec, ModelSpec):
        _check_scores(spec, counts.get(spec.outputs.scores, 0))
        size = counts.get(spec.outputs.embedding or "", 0)
    return ImageStatisticsGenerator(spec, describe_image=True, embedding_size=size, sample_size=sample_size)


def _check_scores(spec: ModelSpec, count: int) -> None:
    """Refuses scores of which an example has another number than the spec; 0 where no example has any."""
    wanted = numbers_of_scores(spec)
    if count not in (0, *wanted):
        numbers = " or ".join(f"{number}" for number in wanted)
        what = f"`outputs.scores` must name a feature with {numbers} scores an example"
        why = f"{spec.num_classes} classes, kind {spec.outputs.kind}"
        raise MonitorError(f"{what} ({why}). Received: {spec.outputs.scores!r}, {count} values")


def _files_of_splits(examples: types.Artifact, excluded: Sequence[str]) -> dict[str, list[str]]:
    """The files of each split that is not excluded."""
    known = splits_of(examples)
    splits = [split for split in known if split not in excluded]
    if not splits:
        raise MonitorError(f"`exclude_splits` must leave a split of {known}. Received: {list(excluded)}")
    return {split: split_files(examples, split) for split in splits}


def _read_schema(artifacts: list[types.Artifact] | None) -> schema_pb2.Schema | None:
    if not artifacts:
        return None
    return read_schema(artifact_of(artifact_utils.get_single_instance(artifacts)), tfx_files())
