"""The tensors of the Open Inference Protocol (KServe V2): their types, and their values in lists and in binary.

A tensor is described by a record with its `name`, `datatype` and `shape`, as the protocol's JSON has them. Binary
values are in little endian, as rows come; each value of BYTES has its length before it, in four bytes.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from .json_values import BadRequestError, bytes_of, shown

BYTES = "BYTES"
_TYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BF16": ml_dtypes.bfloat16,
}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_LENGTH = struct.Struct("<I")
Tensors = dict[str, npt.NDArray[Any]]


def datatype_of(kind: str) -> str:
    """What the protocol calls a type of TensorFlow's."""
    return BYTES if kind == "string" else _NAMES[np.dtype(getattr(ml_dtypes, kind, kind))]


def of_json(record: Mapping[str, Any]) -> npt.NDArray[Any]:
    """The tensor whose values are in its record, as `data`. Raises `BadRequestError` when it is none."""
    leaves = _flat(record.get("data"))
    return of_values(record, [bytes_of(leaf) for leaf in leaves] if _kind(record) == BYTES else leaves)


def of_values(record: Mapping[str, Any], values: Sequence[Any]) -> npt.NDArray[Any]:
    """The tensor of values in the order of its rows: numbers, or bytes. Raises `BadRequestError` when it is none."""
    kind, shape = _kind(record), _shape(record)
    if kind == BYTES:
        texts = np.empty(len(values), object)
        texts[:] = values
        return _reshaped(texts, shape, record)
    try:
        plain = np.array(values)
        array = plain.astype(_TYPES[kind])
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRequestError(f"the data of {name_of(record)!r} must be of {kind}: {error}") from error
    right = plain.size == 0 or plain.dtype.kind in ("b" if kind == "BOOL" else "iuf" if "F" in kind else "iu")
    exact = "F" in kind or kind == "BOOL" or plain.size == 0 or (right and bool((array == plain).all()))
    if not right or not exact:
        raise BadRequestError(
            f"the data of {name_of(record)!r} must be of {kind}, and are {shown(list(values[:5]))} ..."
        )
    return _reshaped(array, shape, record)


def unpacked(record: Mapping[str, Any], data: bytes) -> npt.NDArray[Any]:
    """The tensor of binary values. Raises `BadRequestError` when it is none."""
    kind, shape = _kind(record), _shape(record)
    if kind == BYTES:
        values = list(_texts(data))
        texts = np.empty(len(values), object)
        texts[:] = values
        return _reshaped(texts, shape, record)
    numbers = np.dtype(_TYPES[kind])
    if len(data) != numbers.itemsize * math.prod(shape):
        raise BadRequestError(
            f"{name_of(record)!r} must have values for {list(shape)}, and has {len(data)} bytes of {kind}"
        )
    return np.frombuffer(data, numbers).reshape(shape)


def _texts(data: bytes) -> Sequence[bytes]:
    texts, place = [], 0
    while place < len(data):
        if place + _LENGTH.size > len(data):
            raise BadRequestError("a BYTES tensor ends within the length of a value")
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        if place + length > len(data):
            raise BadRequestError("a BYTES tensor ends within a value")
        texts.append(data[place : place + length])
        place += length
    return texts


def packed(array: npt.NDArray[Any]) -> bytes:
    """An array's values in binary."""
    if array.dtype.kind in "OSU":
        texts = [each if isinstance(each, bytes) else str(each).encode() for each in array.reshape(-1).tolist()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()


def name_of_type(array: npt.NDArray[Any]) -> str:
    """The datatype of an array. Raises `BadRequestError` where the protocol has none for it."""
    if array.dtype.kind in "OSU":
        return BYTES
    if array.dtype not in _NAMES:
        raise BadRequestError(f"there is no datatype for {array.dtype.name}")
    return _NAMES[array.dtype]


def _reshaped(values: npt.NDArray[Any], shape: tuple[int, ...], record: Mapping[str, Any]) -> npt.NDArray[Any]:
    if len(values) != math.prod(shape):
        raise BadRequestError(f"{name_of(record)!r} must have values for {list(shape)}, and has {len(values)}")
    return values.reshape(shape)


def _flat(value: Any) -> list[Any]:
    """Data come flat or, which the protocol allows too, nested."""
    if not isinstance(value, list):
        raise BadRequestError("a tensor must have `data`, a list")
    flat = value
    while flat and isinstance(flat[0], list):
        if not all(isinstance(part, list) for part in flat):
            raise BadRequestError("`data` must be nested as deep everywhere")
        flat = [leaf for part in flat for leaf in part]
    return flat


def _kind(record: Mapping[str, Any]) -> str:
    kind = record.get("datatype")
    if kind != BYTES and kind not in _TYPES:
        raise BadRequestError(f"datatype must be one of {', '.join((*_TYPES, BYTES))}, and is {kind!r}")
    return str(kind)


def _shape(record: Mapping[str, Any]) -> tuple[int, ...]:
    shape = record.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequestError(f"shape must be a list of sizes, and is {shown(shape)}")
    return tuple(shape)


def name_of(record: Any) -> str:
    """The name of a tensor. Raises `BadRequestError` when it has none."""
    name = record.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequestError("a tensor must have a name")
    return name
