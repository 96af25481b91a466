"""Reads what `PerformanceEstimator` works on: feature samples, logged examples, files of labels."""

import hashlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..common.artifacts.examples import split_paths
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.names import STATISTICS_FILE
from ..common.artifacts.splits import split_folder
from ..common.artifacts.statistics import read_sample, read_statistics
from ..common.artifacts.streams import Unpacked
from ..common.artifacts.tf_example import Values, parse_example
from ..common.class_scores import disagreeing
from ..common.errors import MonitorError, require
from ..common.model_spec import CLASS_ID, PROBABILITIES
from ..common.statistics.feature_sample import FILE_NAME, FeatureSample
from ..common.statistics.usability import LABELS, unusable
from .delayed_labels import ID, LABEL, LabelRow, LoggedExamples, read_csv

MOST_LABEL_BYTES = 1 << 28  # of a labels file, packed and unpacked: ten million rows or so
_BLOCK = 1 << 20  # bytes
_BATCH = 1_000
_READ = (ID, CLASS_ID, PROBABILITIES)
_KINDS = {"CSV": r"\.csv(\.gz)?$", "TFRecord": r"tfrecord"}  # by the file's name


def labels_kind(path: str) -> str:
    """Whether a labels file is "CSV" or "TFRecord", by its name.

    Raises:
      MonitorError: if the name says neither.

    """
    for kind, pattern in _KINDS.items():
        if re.search(pattern, os.path.basename(path)):
            return kind
    raise MonitorError(f"`labels_file` must be named *.csv, *.csv.gz or *tfrecord*. Received: {path!r}")


def labels_fingerprint(path: str, files: Files) -> str:
    """SHA-256 of a labels file, "" where there is none yet: labels that were added since make another result."""
    if not files.there(path):
        return ""
    digest = hashlib.sha256()
    with files.stream(path, MOST_LABEL_BYTES) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sample(statistics: Artifact, split: str, files: Files, what: str) -> FeatureSample | None:
    """The feature sample of one split; None for statistics without one.

    Raises:
      MonitorError: if there is no such split (the message says `what` names it), or the sample is damaged.

    """
    folder = split_folder(statistics, split, files, what)
    return read_sample(folder, files) if files.holds(folder, FILE_NAME) else None


def unusable_labels(statistics: Artifact, split: str, files: Files, wanted: str) -> str:
    """What is said of the labels of one split, where more than 1 % of them mean no class; "" otherwise.

    Args:
      statistics: of the baseline.
      split: its split.
      files: how they are read.
      wanted: what a label must be, in words.

    Raises:
      MonitorError: the statistics are damaged.

    """
    folder = split_folder(statistics, split, files)
    if not files.holds(folder, STATISTICS_FILE):
        return ""
    kinds = unusable(read_statistics(folder, files))
    told = (f"{each}; a label must be {wanted}" for each in kinds if each.what == LABELS and each.too_many)
    return next(told, "")


def logged_examples(examples: Artifact, split: str, files: Files) -> Iterator[LoggedExamples]:
    """Id and predicted class of every example of one split: `class_id`, or else the place of the largest probability.

    Returns:
      Batches, in the order of the files.

    Raises:
      MonitorError: if there is no such split, the payload is another, or a file is damaged.

    """
    for path in split_paths(examples, split, files):
        yield from logged_in(files.long_records(path), path)


def logged_in(records: Iterator[bytes], path: str, first: int = 0) -> Iterator[LoggedExamples]:
    """As `logged_examples`, of records of one file that follow each other.

    Args:
      records: tf.Examples.
      path: of the file.
      first: the number of the first in the file, from 0.

    """
    while batch := [parse_example(record, _READ) for record in itertools.islice(records, _BATCH)]:
        classes = np.array([_only_number(features.get(CLASS_ID, [])) for features in batch])
        differ = _fill_classes(classes, [features.get(PROBABILITIES, []) for features in batch])
        ids = [_only_text(features.get(ID, [])) for features in batch]
        yield LoggedExamples(ids, classes.tolist(), differ, os.path.basename(path), first)
        first += len(batch)


def label_rows(path: str, files: Files) -> Iterator[LabelRow]:
    """The rows of a labels file, CSV or TFRecord, gzipped or not, as they are read.

    Raises:
      MonitorError: if the file is missing or damaged, or has, or unpacks to, more than `MOST_LABEL_BYTES`.

    """
    require(files.there(path), "labels_file", "be a file that is there", path)
    if labels_kind(path) == "CSV":
        with files.stream(path, MOST_LABEL_BYTES) as file:
            yield from read_csv(Unpacked(file, path, MOST_LABEL_BYTES), path)
    else:
        for number, record in enumerate(files.long_records(path, MOST_LABEL_BYTES)):
            yield _record_row(record, f"record {number}")


def _fill_classes(classes: npt.NDArray[np.int64], scores: Sequence[Values]) -> int:
    """Puts the class of the largest probability where there is none, -1; counts where there is another one."""
    differ = 0
    widths = np.array([len(each) for each in scores])
    for width in np.unique(widths[widths > 0]):
        rows = np.flatnonzero(widths == width)
        table = np.array([scores[row] for row in rows.tolist()], np.float32)
        told = classes[rows] >= 0
        differ += int(np.count_nonzero(disagreeing(table, classes[rows]) & told))
        best = ~told & np.isfinite(table).all(axis=1)
        classes[rows[best]] = table[best].argmax(axis=1)
    return differ


def _record_row(record: bytes, where: str) -> LabelRow:
    try:
        features = parse_example(record, (ID, LABEL))
    except MonitorError:
        return LabelRow(where, None, None)
    identity, labels = features.get(ID, []), features.get(LABEL, [])
    if len(identity) != 1 or len(labels) != 1 or not isinstance(identity[0], bytes):
        return LabelRow(where, None, None)
    label = labels[0]
    return LabelRow(where, _text(identity[0]), _text(label) if isinstance(label, bytes) else label)


def _only_number(values: Values) -> int:
    return values[0] if len(values) == 1 and isinstance(values[0], int) else -1


def _only_text(values: Values) -> str:
    return _text(values[0]) if len(values) == 1 and isinstance(values[0], bytes) else ""


def _text(value: bytes) -> str:
    """Ids that are no UTF-8 stay different from each other."""
    return value.decode("utf-8", "backslashreplace")
