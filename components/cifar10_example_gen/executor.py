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
from tfx.components.example_gen import base_example_gen_executor
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs

from ..common.errors import MonitorError
from . import cifar10_format


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Reads CIFAR-10 binary files and writes them as tf.Examples, shuffled, into gzipped TFRecord files.

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
        try:
            super().Do(input_dict, output_dict, exec_properties)
        except Exception as error:
            message = monitor_error_in("".join(traceback.format_exception_only(type(error), error)))
            if message is None:
                raise
            raise MonitorError(message) from error


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
        return pipeline | "Files" >> beam.Create(files) | "Read" >> beam.ParDo(_ReadFile())


@beam.typehints.with_input_types(str)
@beam.typehints.with_output_types(tf.train.Example)
class _ReadFile(beam.DoFn):
    def process(self, path: str) -> Iterator[tf.train.Example]:
        # Beam's own unpacking takes a truncated gzip file for a whole one
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
            for chunk in cifar10_format.read_file(raw, path):
                for row, (label, image) in enumerate(zip(chunk.labels, chunk.images, strict=True)):
                    yield _example(image.tobytes(), int(label), cifar10_format.example_id(path, chunk.first + row))


def _example(image: bytes, label: int, identity: str) -> tf.train.Example:
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[identity.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))
