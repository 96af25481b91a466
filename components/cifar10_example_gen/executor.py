"""Executor of `Cifar10ExampleGen`."""

import os
import re
import traceback
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.components.example_gen import base_example_gen_executor, utils, write_split
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from ..common.beam.shards import WriteShards, shards_of
from ..common.errors import MonitorError
from . import cifar10_format

_GZIPPED = example_gen_pb2.FORMAT_TFRECORDS_GZIP


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Reads CIFAR-10 binary files and writes them as tf.Examples, not shuffled, into gzipped TFRecord files.

    Input: none; the files are external.

    Output `examples`: a standard `Examples` artifact. Each example has
      - `image`: bytes, 3,072 of them: 32 x 32 x 3, row-major, height, width, channel (red, green, blue), uint8;
      - `label`: int64, 0 to 9;
      - `id`: bytes, file name and record number (`cifar10_format.example_id`), which do not depend on the runner.

    Execution properties: `input_base`, `input_config`, `output_config` as for every file-based ExampleGen.

    Raises:
      MonitorError: a pattern matches no file, or a file is not in the format; nothing is skipped.

    """

    def GetInputSourceToExamplePTransform(self) -> type[beam.PTransform]:
        return ReadCifar10

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        try:
            self._write_splits(examples, exec_properties)
        except Exception as error:
            message = monitor_error_in("".join(traceback.format_exception_only(type(error), error)))
            if message is None:
                raise
            raise MonitorError(message) from error
        examples_utils.set_payload_format(examples, exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY])
        file_format = exec_properties.get(standard_component_specs.OUTPUT_FILE_FORMAT_KEY, _GZIPPED)
        examples_utils.set_file_format(examples, write_split.to_file_format_str(file_format))

    def _write_splits(self, examples: types.Artifact, exec_properties: dict[str, Any]) -> None:
        """As TFX's, in files of a bounded size."""
        told = {
            key: proto_utils.json_to_proto(exec_properties[key], kind)
            for key, kind in (
                (standard_component_specs.INPUT_CONFIG_KEY, example_gen_pb2.Input()),
                (standard_component_specs.OUTPUT_CONFIG_KEY, example_gen_pb2.Output()),
            )
        }
        names = utils.generate_output_split_names(*told.values())
        examples.split_names = artifact_utils.encode_split_names(names)
        with shards_of(examples.uri, names) as shards, self._make_beam_pipeline() as pipeline:
            for split, rows in self.GenerateExamplesByBeam(pipeline, exec_properties).items():
                _ = (
                    rows
                    | f"Serialise[{split}]" >> beam.Map(_serialise)
                    | f"Write[{split}]" >> WriteShards(shards[split])
                )


def monitor_error_in(text: str) -> str | None:
    """The message of the last `MonitorError` in a traceback's text.

    Beam puts the name of the step after the message and, on most runners, hands the whole traceback on as text.
    """
    found = re.findall(rf"^(?:[\w.]+\.)?{MonitorError.__name__}: (.+?)(?: \[while running .*)?$", text, re.MULTILINE)
    return found[-1] if found else None


@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(tf.train.Example)
class ReadCifar10(beam.PTransform):
    """The examples of all files that match one split's pattern."""

    def __init__(self, exec_properties: dict[str, Any], split_pattern: str) -> None:
        super().__init__()
        self._pattern = os.path.join(exec_properties[standard_component_specs.INPUT_BASE_KEY], split_pattern)

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        # sorted, so that the same file is named in an error whatever order the file system lists them in
        files = sorted(fileio.glob(self._pattern))
        if not files:
            raise MonitorError(f"The pattern of a split must match at least one file. Received: {self._pattern}")
        cifar10_format.check_distinct_names(files)
        parts = [part for file in files for part in cifar10_format.parts_of(file, _size(file))]
        return pipeline | "Parts" >> beam.Create(parts) | "Read" >> beam.ParDo(_ReadPart())


@beam.typehints.with_output_types(tf.train.Example)
class _ReadPart(beam.DoFn):
    def process(self, part: cifar10_format.Part) -> Iterator[tf.train.Example]:
        # Beam's own unpacking takes a truncated gzip file for a whole one
        with FileSystems.open(part.path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
            for chunk in cifar10_format.read_part(raw, part):
                for row, (label, image) in enumerate(zip(chunk.labels, chunk.images, strict=True)):
                    identity = cifar10_format.example_id(part.path, chunk.first + row)
                    yield _example(image.tobytes(), int(label), identity)


def _size(path: str) -> int:
    return int(FileSystems.match([path])[0].metadata_list[0].size_in_bytes)


@beam.typehints.with_output_types(bytes)
def _serialise(example: tf.train.Example) -> bytes:
    return bytes(example.SerializeToString())


def _example(image: bytes, label: int, identity: str) -> tf.train.Example:
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[identity.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))
