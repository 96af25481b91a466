"""Columns of Arrow record batches, as the decoder of tf.Examples gives them, to plain Python and NumPy.

A column is a list of values an example, null where the example has no such feature; a batch in which no example has it
lacks the column.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from ..common.errors import MonitorError
from .image_accumulator import ValueLists
from .prediction_features import NO_CLASS, Counts, Floats, table_of


def bytes_lists(batch: pa.RecordBatch, key: str) -> ValueLists:
    """The images of each row, None in rows without.

    Raises:
      MonitorError: the feature does not hold bytes.

    """
    column = _column(batch, key)
    if column is None:
        return [None] * batch.num_rows
    lists = _is_list(column.type)
    if lists and pa.types.is_null(column.type.value_type):
        return [None if found is None else [] for found in column.to_pylist()]
    if not lists or not _is_bytes(column.type.value_type):
        rule = "must hold images as bytes, one value an example"
        raise MonitorError(f"feature {key!r} {rule}. Received: {column.type}")
    return column.to_pylist()


def number_rows(batch: pa.RecordBatch, key: str, width: int) -> Floats:
    """The `width` numbers of each row, `float32[N, width]`; NaN in rows that have another number of them, or none.

    Raises:
      MonitorError: the feature does not hold numbers.

    """
    lengths, values = _numbers(batch, key)
    return table_of(lengths, values.astype(np.float32), width)


def class_numbers(batch: pa.RecordBatch, key: str) -> Counts:
    """The one whole number of each row, `int64[N]`; -1 in rows that have none, several, or a negative one.

    Raises:
      MonitorError: the feature does not hold whole numbers.

    """
    lengths, values = _numbers(batch, key)
    if len(values) and values.dtype.kind not in "iu":
        raise MonitorError(f"feature {key!r} must hold whole numbers, one an example. Received: {values.dtype}")
    single = lengths == 1
    found = np.full(len(lengths), NO_CLASS, np.int64)
    found[single] = values[(np.cumsum(lengths) - lengths)[single]]
    return np.maximum(found, NO_CLASS)


def names(batch: pa.RecordBatch, key: str) -> list[bytes]:
    """The one value of each row as bytes, a number in decimal; b"" in rows that have none or several."""
    column = _column(batch, key)
    if column is None:
        return [b""] * batch.num_rows
    found = (each[0] if each is not None and len(each) == 1 else b"" for each in column.to_pylist())
    return [value if isinstance(value, bytes) else str(value).encode() for value in found]


def number_of_values(batch: pa.RecordBatch, key: str) -> int:
    """How many values an example has: what most of those have that have any, the smaller of equals; 0 if none has."""
    column = _column(batch, key)
    if column is None or not _is_list(column.type):
        return 0
    lengths = np.asarray(column.value_lengths().fill_null(0))
    kinds, counts = np.unique(lengths[lengths > 0], return_counts=True)
    return int(kinds[counts.argmax()]) if len(kinds) else 0


def _numbers(batch: pa.RecordBatch, key: str) -> tuple[Counts, Any]:
    """How many values each row has, and all values one after the other."""
    column = _column(batch, key)
    if column is None or (_is_list(column.type) and pa.types.is_null(column.type.value_type)):
        return np.zeros(batch.num_rows, np.int64), np.zeros(0, np.float32)
    kind = column.type.value_type if _is_list(column.type) else column.type
    if not _is_list(column.type) or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise MonitorError(f"feature {key!r} must hold numbers. Received: {column.type}")
    lengths = np.asarray(column.value_lengths().fill_null(0)).astype(np.int64)
    return lengths, column.flatten().to_numpy(zero_copy_only=False)


def _column(batch: pa.RecordBatch, key: str) -> Any:
    index = batch.schema.get_field_index(key)
    return None if index < 0 or pa.types.is_null(batch.column(index).type) else batch.column(index)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
