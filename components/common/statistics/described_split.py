"""Reads one split of `ExampleStatistics`: the statistics, and the sample beside them."""

import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from ..errors import MonitorError, require
from ..two_sample.comparison import MAX_ROWS
from .feature_sample import FILE_NAME, FeatureSample
from .monitored_features import capped

STATISTICS_FILE = "FeatureStats.pb"  # StatisticsGen's


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


def read_split(artifact: types.Artifact, split: str, what: str) -> DescribedSplit:
    """Reads a split of an `ExampleStatistics` artifact that ImageStatisticsGen wrote. `what` names it in messages.

    Raises:
      MonitorError: the split or one of its files is missing or damaged, or the files are of different examples.

    """
    splits = artifact_utils.decode_split_names(artifact.split_names)
    require(split in splits, f"split of {what}", f"be one of {', '.join(splits)}", split)
    folder = artifact_utils.get_split_uri([artifact], split)
    data = _read_statistics(os.path.join(folder, STATISTICS_FILE))
    path = os.path.join(folder, FILE_NAME)
    rule = f"have a {FILE_NAME} in {folder}, as ImageStatisticsGen writes it"
    require(fileio.exists(path), what, rule, None)
    sample = FeatureSample.from_bytes(_content(path), path)
    rule = f"be of the {data.num_examples} examples of the statistics beside it"
    require(sample.population == data.num_examples, path, rule, sample.population)
    return DescribedSplit(data, capped(sample, MAX_ROWS), artifact.span)


def _read_statistics(path: str) -> statistics_pb2.DatasetFeatureStatistics:
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        statistics.ParseFromString(_content(path))
    except DecodeError as error:
        raise MonitorError(f"{path} must be statistics of TFDV. Received: {error}") from error
    found: Any = statistics.datasets
    require(len(found) == 1, path, "hold one data set", [each.name for each in found])
    return found[0]


def _content(path: str) -> bytes:
    try:
        with fileio.open(path, "rb") as file:
            content: bytes = file.read()
    except (OSError, tf.errors.OpError) as error:
        raise MonitorError(f"{path} must be a readable file. Received: {error}") from error
    return content
