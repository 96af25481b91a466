"""Serialised tf.Examples of files, a batch at a time."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from tfx_bsl.coders import example_coder

from ..common.artifacts.record_parts import Given
from ..common.beam.records import data_of
from ..common.errors import MonitorError
from .example_columns import number_of_values

_MEASURED = 10  # examples, by which a batch is made as large as it may be
_MAX_BATCH = 1000  # examples: what TFDV gathers before it calls a generator
_MAX_BATCH_BYTES = 16 << 20  # of four times as many the memory is fresh each time, which takes as long as the images


def read_batches(given: Given) -> Iterator[list[bytes]]:
    """The examples of a part of a TFRecord file in batches: a thousand, or fewer if they are large.

    Raises:
      MonitorError: the file is damaged or cut short, or cannot be read.

    """
    try:
        records = _records(given)
        first = list(itertools.islice(records, _MEASURED))
        size = max(1, min(_MAX_BATCH, _MAX_BATCH_BYTES // max([1, *map(len, first)])))
        records = itertools.chain(first, records)
        while batch := list(itertools.islice(records, size)):
            yield batch
    except OSError as error:
        raise MonitorError(f"{given.path} must be a TFRecord file that can be read. Received: {error}") from error


def _records(given: Given) -> Iterator[bytes]:
    return data_of(given)


def count_values(parts: Iterable[Given], keys: Sequence[str], *, batches: int | None = None) -> dict[str, int]:
    """How many values each feature has in some examples, 0 if no example has the feature.

    It is what most examples have of the first batch in which any has the feature; mostly a thousand examples are read.

    Args:
      parts: what holds the examples.
      keys: the features.
      batches: the most batches that are read; None: any number.

    Raises:
      MonitorError: a file is damaged or cut short, or cannot be read.

    """
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    counts = dict.fromkeys(keys, 0)
    batch_by_batch = itertools.islice(itertools.chain.from_iterable(map(read_batches, parts)), batches)
    while not all(counts.values()) and (records := next(batch_by_batch, None)) is not None:
        batch = decoder.DecodeBatch(records)
        counts = {key: count or number_of_values(batch, key) for key, count in counts.items()}
    return counts
