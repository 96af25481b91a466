"""Files of serialised tf.Examples, read a batch at a time."""

import itertools
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tfx_bsl.coders import example_coder

from ..common.artifacts.tfrecord import other_format
from ..common.errors import MonitorError
from .example_columns import number_of_values

_MEASURED = 10  # examples, by which a batch is made as large as it may be
_MAX_BATCH = 1000  # examples: what TFDV gathers before it calls a generator
_MAX_BATCH_BYTES = 64 << 20


def read_records(path: str) -> Iterator[list[bytes]]:
    """The records of a TFRecord file in batches: a thousand, or fewer if they are large.

    Raises:
      MonitorError: the file is damaged or cut short, or cannot be read.

    """
    try:
        # a dataset of tf.data takes twenty times as long to make as these records take to be read
        packed = tf.io.TFRecordOptions(compression_type="GZIP" if path.endswith(".gz") else "")
        records = tf.compat.v1.io.tf_record_iterator(path, packed)
        first = list(itertools.islice(records, _MEASURED))
        size = max(1, min(_MAX_BATCH, _MAX_BATCH_BYTES // max([1, *map(len, first)])))
        records = itertools.chain(first, records)
        while batch := list(itertools.islice(records, size)):
            yield batch
    except tf.errors.DataLossError as error:
        with tf.io.gfile.GFile(path, "rb") as file:
            what = other_format(file) or error.message
        raise MonitorError(f"{path} must be a complete TFRecord file. Received: {what}") from error
    except tf.errors.OpError as error:
        raise MonitorError(f"{path} must be a complete TFRecord file. Received: {error.message}") from error


def count_values(pattern: str, keys: Sequence[str]) -> dict[str, int]:
    """How many values each feature has in the examples of the files that match, 0 if no example has the feature.

    It is what most examples have of the first batch in which any has the feature; mostly a thousand examples are read.

    Raises:
      MonitorError: a file is damaged or cut short, or cannot be read.

    """
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    counts = dict.fromkeys(keys, 0)
    for path in sorted(tf.io.gfile.glob(pattern)):
        for records in read_records(path):
            if all(counts.values()):
                return counts
            batch = decoder.DecodeBatch(records)
            counts = {key: count or number_of_values(batch, key) for key, count in counts.items()}
    return counts
