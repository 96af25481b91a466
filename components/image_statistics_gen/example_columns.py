"""Columns of Arrow record batches, as the decoder of tf.Examples gives them, to plain Python and NumPy.

A column is a list of values an example, null where the example has no such feature; a batch in which no example has it
lacks the column.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.statistics.usability import Reasons
from .image_accumulator import ValueLists
from .prediction_features import NO_CLASS, Counts, Floats
from .scores import Scores, read_scores, table_of


def bytes_lists(batch: pa.RecordBatch, key: str) -> ValueLists:
    """The images of each row, None in rows without: where they lie in the column, for a copy of each takes its time.

    Raises:
      MonitorError: the feature does not hold bytes.

    """
    column = _column(batch, key)
    if column is None:
        return [None] * batch.num_rows
    lists = _is_list(column.type)
    if lists and pa.types.is_null(column.type.value_type):
        return [None if values is None else [] for values in column.to_pylist()]
    if not lists or not _is_bytes(column.type.value_type):
        rule = "must hold images as bytes, one value an example"
        raise MonitorError(f"feature {key!r} {rule}. Received: {column.type}")
    values = _views(column.flatten())
    if _has_one_each(column):
        return [[value] for value in values]
    remaining = iter(values)
    return [None if n is None else list(itertools.islice(remaining, n)) for n in column.value_lengths().to_pylist()]


def _rows(column: Any) -> Iterable[Sequence[Any] | None]:
    """The values of each row, None in rows without. Arrow makes an object of each row, which takes its time."""
    if not _is_list(column.type) or not _has_one_each(column):
        rows: list[Sequence[Any] | None] = column.to_pylist()
        return rows
    values = column.flatten()
    if _is_bytes(values.type):
        return ((bytes(view),) for view in _views(values))
    return ((value,) for value in values.to_numpy(zero_copy_only=False).tolist())


def _has_one_each(column: Any) -> bool:
    """Whether each row of a column of lists has exactly one value, and it is there."""
    if column.null_count or column.flatten().null_count:
        return False
    return bool((np.asarray(column.value_lengths()) == 1).all())


def _views(column: Any) -> list[memoryview]:
    """The bytes of each row of a column of bytes, none of them null."""
    wide = pa.types.is_large_binary(column.type)
    _, places, data = column.buffers()
    if not len(column) or data is None:
        return [memoryview(b"")] * len(column)
    offsets = np.frombuffer(places, np.int64 if wide else np.int32)[column.offset :][: len(column) + 1].tolist()
    view = memoryview(data).cast("B")  # Arrow says that its bytes are signed
    return [view[begin:end] for begin, end in itertools.pairwise(offsets)]


def number_rows(batch: pa.RecordBatch, key: str, width: int) -> Floats:
    """The `width` numbers of each row, `float32[N, width]`; NaN in rows that have another number of them, or none.

    Raises:
      MonitorError: the feature does not hold numbers.

    """
    lengths, values = _numbers(batch, key)
    return table_of(lengths, values.astype(np.float32), width)


def score_rows(batch: pa.RecordBatch, spec: ModelSpec) -> Scores:
    """The model's scores of each row, as probabilities.

    Raises:
      MonitorError: the feature does not hold numbers.

    """
    lengths, values = _numbers(batch, spec.outputs.scores)
    return read_scores(lengths, values, spec)


def class_numbers(batch: pa.RecordBatch, key: str, spec: ModelSpec | None) -> tuple[Counts, Reasons]:
    """The class that each row's one label means, `int64[N]`: its number or its name; -1 in rows without.

    The reasons count labels that are there and mean no class.

    Raises:
      MonitorError: the feature holds neither numbers nor names.

    """
    numbers, unknown = np.full(batch.num_rows, NO_CLASS, np.int64), Reasons()
    column = _column(batch, key)
    if spec is None or column is None or (_is_list(column.type) and not len(column.flatten())):
        return numbers, unknown
    kind = column.type.value_type if _is_list(column.type) else column.type
    if not _is_list(column.type) or not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_bytes(kind)):
        rule = "must hold the number or the name of a class, one an example"
        raise MonitorError(f"feature {key!r} {rule}. Received: {column.type}")
    labels, known = spec.labels, dict[int | float | bytes, int | None]()
    for row, values in enumerate(_rows(column)):
        if values is None or len(values) != 1:
            continue
        label = values[0]
        number = known[label] if label in known else known.setdefault(label, labels.number(label))
        if number is None:
            unknown.add("that mean no class", _shown(label))
        else:
            numbers[row] = number
    return numbers, unknown


def names(batch: pa.RecordBatch, key: str) -> list[bytes]:
    """The one value of each row as bytes, a number in decimal; b"" in rows that have none or several."""
    column = _column(batch, key)
    if column is None:
        return [b""] * batch.num_rows
    first = (each[0] if each is not None and len(each) == 1 else b"" for each in _rows(column))
    return [value if isinstance(value, bytes) else str(value).encode() for value in first]


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


def _shown(label: int | float | bytes) -> str:
    return repr(label.decode("utf-8", "backslashreplace")) if isinstance(label, bytes) else str(label)


def _column(batch: pa.RecordBatch, key: str) -> Any:
    index = batch.schema.get_field_index(key)
    return None if index < 0 or pa.types.is_null(batch.column(index).type) else batch.column(index)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
