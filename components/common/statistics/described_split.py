"""One split of `ExampleStatistics` that ImageStatisticsGen wrote: the statistics, and the sample beside them."""

from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import statistics_pb2

from ..artifacts.files import Artifact, Files
from ..artifacts.splits import split_folder
from ..artifacts.statistics import read_sample, read_statistics
from ..errors import require
from ..two_sample.comparison import MAX_ROWS
from .feature_sample import FILE_NAME, FeatureSample
from .monitored_features import capped


@dataclass(frozen=True)
class DescribedSplit:
    """What is known of the examples of one split.

    Attributes:
      data: Their `DatasetFeatureStatistics`.
      sample: Values of single examples, the same ones; as many as are compared at most.
      span: The artifact's span, 0 where it has none.

    """

    data: statistics_pb2.DatasetFeatureStatistics
    sample: FeatureSample
    span: int


def read_split(artifact: Artifact, split: str, what: str, files: Files) -> DescribedSplit:
    """Reads a split of an `ExampleStatistics` artifact that ImageStatisticsGen wrote. `what` names it in messages.

    Raises:
      MonitorError: the split or one of its files is missing or damaged, or the files are of different examples.

    """
    folder = split_folder(artifact, split, files, f"split of {what}")
    data = read_statistics(folder, files)
    rule = f"have a {FILE_NAME} in {folder}, as ImageStatisticsGen writes it"
    require(files.holds(folder, FILE_NAME), what, rule, None)
    sample = read_sample(folder, files)
    rule = f"be of the {data.num_examples} examples of the statistics beside it"
    require(sample.population == data.num_examples, f"{folder}/{FILE_NAME}", rule, sample.population)
    return DescribedSplit(data, capped(sample, MAX_ROWS), int(artifact.properties.get("span", 0)))
