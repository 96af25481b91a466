"""Reads what `PerformanceEstimator` works on: feature samples, logged examples, files of labels."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from ..common.artifacts.splits import split_folder
from ..common.artifacts.statistics import read_sample
from ..common.errors import MonitorError, require, require_known
from ..common.statistics.feature_sample import FILE_NAME, FeatureSample
from ..common.tfx_files import artifact_of, tfx_files
from .delayed_labels import ID, LABEL, LabelRow, LoggedExamples, read_csv

CLASS_ID, PROBABILITIES = "class_id", "probabilities"
_BATCH = 1_000
_GZIP_MAGIC = b"\x1f\x8b"
_KINDS = {"CSV": r"\.csv(\.gz)?$", "TFRecord": r"tfrecord"}  # by the file's name
_SPEC = {
    ID: tf.io.RaggedFeature(tf.string),
    CLASS_ID: tf.io.RaggedFeature(tf.int64),
    PROBABILITIES: tf.io.RaggedFeature(tf.float32),
}


def labels_kind(path: str) -> str:
    """Whether a labels file is "CSV" or "TFRecord", by its name.

    Raises:
      MonitorError: if the name says neither.

    """
    for kind, pattern in _KINDS.items():
        if re.search(pattern, os.path.basename(path)):
            return kind
    raise MonitorError(f"`labels_file` must be named *.csv, *.csv.gz or *tfrecord*. Received: {path!r}")


def labels_fingerprint(path: str) -> str:
    """SHA-256 of a labels file, "" where there is none yet: labels that were added since make another result."""
    if not fileio.exists(path):
        return ""
    with fileio.open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def sample(statistics: types.Artifact, split: str, what: str) -> FeatureSample | None:
    """The feature sample of one split; None for statistics without one.

    Raises:
      MonitorError: if there is no such split (the message says `what` names it), or the sample is damaged.

    """
    files = tfx_files()
    folder = split_folder(artifact_of(statistics), split, files, what)
    return read_sample(folder, files) if files.holds(folder, FILE_NAME) else None


def logged_examples(examples: types.Artifact, split: str) -> LoggedExamples:
    """Id and predicted class of every example of one split: `class_id`, or else the place of the largest probability.

    Raises:
      MonitorError: if there is no such split, the payload is another, or a file is damaged.

    """
    payload = examples_utils.get_payload_format(examples)
    if payload != example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE:
        name = example_gen_pb2.PayloadFormat.Name(payload)
        raise MonitorError(f"`examples` must hold tf.Examples (FORMAT_TF_EXAMPLE). Received: {name}")
    require_known(split, artifact_utils.decode_split_names(examples.split_names), "split")
    ids: list[str] = []
    classes: list[int] = []
    for path in sorted(fileio.glob(examples_utils.get_split_file_patterns([examples], split)[0])):
        for batch in _batches(path):
            ids += [_text(values[0]) if len(values) == 1 else "" for values in batch[ID].to_list()]
            given, scores = batch[CLASS_ID].to_list(), batch[PROBABILITIES].to_list()
            classes += [_predicted(*each) for each in zip(given, scores, strict=True)]
    return LoggedExamples(ids, classes)


def label_rows(path: str) -> Iterator[LabelRow]:
    """The rows of a labels file, CSV or TFRecord, gzipped or not.

    Raises:
      MonitorError: if the file is missing or damaged.

    """
    content = _content(path)
    if labels_kind(path) == "CSV":
        return read_csv(content, path)
    return _record_rows(path, "GZIP" if _is_gzip(path) else "")


def _batches(path: str) -> Iterator[dict[str, tf.RaggedTensor]]:
    try:
        records = tf.data.TFRecordDataset(path, compression_type="GZIP" if _is_gzip(path) else "")
        for batch in records.batch(_BATCH):
            yield tf.io.parse_example(batch, _SPEC)
    except tf.errors.OpError as error:
        raise MonitorError(f"{path} must be a whole TFRecord file of logged examples. Received: {error}") from error


def _predicted(given: list[int], scores: list[float]) -> int:
    if len(given) == 1:
        return given[0]
    return int(np.argmax(scores)) if scores and np.isfinite(scores).all() else -1


def _record_rows(path: str, compression: str) -> Iterator[LabelRow]:
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(path, compression_type=compression)):
            yield _record_row(record.numpy(), f"record {number}")
    except tf.errors.OpError as error:
        raise MonitorError(f"`{path}` must be a whole TFRecord file. Received: {error}") from error


def _record_row(record: bytes, where: str) -> LabelRow:
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return LabelRow(where, None, None)
    identity, label = features[ID].bytes_list.value, features[LABEL]
    labels = [*label.int64_list.value, *(_text(value) for value in label.bytes_list.value)]
    fits = len(identity) == 1 and len(labels) == 1
    return LabelRow(where, _text(identity[0]) if fits else None, labels[0] if fits else None)


def _content(path: str) -> bytes:
    require(fileio.exists(path), "labels_file", "be a file that is there", path)
    with fileio.open(path, "rb") as file:
        content: bytes = file.read()
    try:
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as error:
        raise MonitorError(f"`{path}` must be a whole gzip file. Received: {error}") from error


def _is_gzip(path: str) -> bool:
    with fileio.open(path, "rb") as file:
        return bool(file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC)


def _text(value: bytes) -> str:
    """Ids that are no UTF-8 stay different from each other."""
    return value.decode("utf-8", "backslashreplace")
