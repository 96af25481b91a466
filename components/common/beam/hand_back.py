"""What a pipeline comes to, brought back to the process that has made it: of that, Beam itself gives metrics only."""

import contextlib
import os
import pickle
import uuid
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from tfx.dsl.io import fileio

from .worker_files import write_whole

_WRITING = ".writing-"  # a hidden folder: readers of artifacts do not look into it


@contextlib.contextmanager
def scratch_folder(uri: str) -> Iterator[str]:
    """A hidden folder of an artifact for what workers write before it counts; it is gone behind the block.

    What an earlier run has left behind that was killed is removed first.
    """
    if fileio.exists(uri):
        for name in fileio.listdir(uri):
            if name.startswith(_WRITING):
                fileio.rmtree(os.path.join(uri, name))
    folder = os.path.join(uri, f"{_WRITING}{uuid.uuid4().hex}")
    fileio.makedirs(folder)
    try:
        yield folder
    finally:
        fileio.rmtree(folder)


class HandBack(beam.PTransform):
    """One value -> a file that the process that has made the pipeline takes, once that has ended.

    Example:
      with scratch_folder(uri) as scratch:
        counted = HandBack(scratch, "counted")
        with self._make_beam_pipeline() as pipeline:
          _ = pipeline | ... | beam.CombineGlobally(merged) | counted
        print(counted.take())

    Args:
      scratch: a folder of this run alone: the value is pickled.
      name: of the file.

    """

    def __init__(self, scratch: str, name: str) -> None:
        super().__init__(f"HandBack[{name}]")
        self._path = os.path.join(scratch, name)

    def expand(self, values: beam.PCollection) -> beam.PCollection:
        return values | "Write" >> beam.Map(write_whole, self._path)

    def take(self) -> Any:
        """The value. Raises an error of the file system's where the pipeline has written none."""
        with fileio.open(self._path, "rb") as file:
            return pickle.loads(file.read())  # noqa: S301 - a worker of this run has written it
