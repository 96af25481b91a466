"""The statistics of an `ExampleStatistics` artifact, and the sample that lies beside them."""

import hashlib

from tensorflow_metadata.proto.v0 import statistics_pb2

from ..errors import MonitorError, require
from ..recent import Recent
from ..statistics import feature_sample
from ..statistics.feature_sample import FeatureSample
from .files import Artifact, Files, parse_message
from .names import LEGACY_STATISTICS_FILE, STATISTICS_FILE
from .splits import split_folders

# By the content: several nodes read those of one run, and the baseline's is read in every run.
_samples: Recent[FeatureSample] = Recent(4)


def read_datasets(folder: str, files: Files) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics in the folder of a split, a data set for each slice. Raises `MonitorError` when unreadable."""
    path = f"{folder}/{STATISTICS_FILE}"
    found = statistics_pb2.DatasetFeatureStatisticsList()
    present = files.listing(folder)
    if LEGACY_STATISTICS_FILE in present and STATISTICS_FILE not in present:
        path = f"{folder}/{LEGACY_STATISTICS_FILE}"
        return parse_message(found, next(files.records(path), b""), path)
    return files.message(path, found)


def read_statistics(folder: str, files: Files) -> statistics_pb2.DatasetFeatureStatistics:
    """The statistics in the folder of a split. Raises `MonitorError` when unreadable, or not of one data set."""
    datasets = read_datasets(folder, files).datasets
    require(len(datasets) == 1, f"{folder}/{STATISTICS_FILE}", "hold one data set", [each.name for each in datasets])
    return datasets[0]


def statistics_by_split(artifact: Artifact, files: Files) -> dict[str, statistics_pb2.DatasetFeatureStatistics]:
    """The statistics of every split. Raises `MonitorError` when one is unreadable."""
    return {split: read_statistics(folder, files) for split, folder in split_folders(artifact, files).items()}


def read_sample(folder: str, files: Files) -> FeatureSample:
    """The sample of single examples in the folder of a split, which is not to be changed.

    Raises:
      MonitorError: there is no whole one.

    """
    path = f"{folder}/{feature_sample.FILE_NAME}"
    if not files.holds(folder, feature_sample.FILE_NAME):
        raise MonitorError(f"{folder} must hold a {feature_sample.FILE_NAME}, as ImageStatisticsGen writes it")
    content = files.content(path)
    return _samples.get(hashlib.blake2b(content).digest(), lambda: FeatureSample.from_bytes(content, path))
