"""One split of `ExampleStatistics` that ImageStatisticsGen wrote: the statistics, and the sample beside them."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from tensorflow_metadata.proto.v0 import statistics_pb2

from ..artifacts.files import Artifact, Files
from ..artifacts.names import STATISTICS_FILE
from ..artifacts.splits import split_folder
from ..artifacts.statistics import read_sample, read_statistics
from ..errors import require
from ..recent import Recent
from ..two_sample.comparison import MAX_ROWS, Feature
from .feature_sample import FILE_NAME, FeatureSample
from .monitored_features import binned_features, capped


@dataclass(frozen=True)
class DescribedSplit:
    """What is known of the examples of one split. It is shared by whoever reads the same files, and not changed.

    Attributes:
      data: Their `DatasetFeatureStatistics`.
      sample: Values of single examples, the same ones; as many as are compared at most.
      span: The artifact's span, None where it is not known.

    """

    data: statistics_pb2.DatasetFeatureStatistics
    sample: FeatureSample
    span: int | None

    @cached_property
    def binned(self) -> dict[str, Feature]:
        """The numeric features whose edges are frozen, by name. Raises `MonitorError` as `binned_features`."""
        return binned_features(self.data)


# By the content: a baseline is compared with in every window, and each window with the next.
_remembered: Recent[DescribedSplit] = Recent(4)


def read_split(artifact: Artifact, split: str, what: str, files: Files) -> DescribedSplit:
    """Reads a split of an `ExampleStatistics` artifact that ImageStatisticsGen wrote. `what` names it in messages.

    Raises:
      MonitorError: the split or one of its files is missing or damaged, or the files are of different examples.

    """
    folder = split_folder(artifact, split, files, f"split of {what}")
    present = files.listing(folder)
    rule = f"have a {FILE_NAME} in {folder}, as ImageStatisticsGen writes it"
    require(FILE_NAME in present, what, rule, None)
    span = artifact.span if "span" in artifact.properties else None
    contents = [files.content(f"{folder}/{name}") for name in (STATISTICS_FILE, FILE_NAME) if name in present]
    key = (span, *(hashlib.blake2b(content).digest() for content in contents))
    return _remembered.get(key, lambda: _read(folder, span, files))


def _read(folder: str, span: int | None, files: Files) -> DescribedSplit:
    data = read_statistics(folder, files)
    sample = read_sample(folder, files)
    rule = f"be of the {data.num_examples} examples of the statistics beside it"
    require(sample.population == data.num_examples, f"{folder}/{FILE_NAME}", rule, sample.population)
    return DescribedSplit(data, capped(sample, MAX_ROWS), span)
