"""Values of JSON as tensors and back, as TensorFlow Serving reads and writes them.

Unlike settings and records, what comes here may hold NaN and infinities, which servers of TensorFlow read and write.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from components.common.errors import MonitorError
from components.served_model.tensors import STRING, TensorInfo

_SHOWN = 200  # characters of a value in a message
_B64 = "b64"
_UNKNOWN = TensorInfo(None, "")  # a tensor of which nobody says the type: that of its values
_INTS = {"uint8": "int32", "int8": "int32", "int16": "int32", "uint16": "int32"}  # which type such values must fit
_BITS = {np.dtype(ml_dtypes.bfloat16): np.dtype(np.float32), np.dtype(np.float16): np.dtype(np.float32)}


class BadRequestError(MonitorError):
    """A request that no server of TensorFlow takes. The message is the server's answer."""


def read_json(body: bytes) -> Mapping[str, Any]:
    """The object that a body holds.

    Raises:
      BadRequestError: it is no JSON, or no object.

    """
    if not body:
        raise BadRequestError("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        raise BadRequestError(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadRequestError(f"JSON Parse error: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise BadRequestError(f"JSON Value: {shown(document)} Is not object")
    return document


def tensor_of(value: Any, info: TensorInfo | None = None) -> npt.NDArray[Any]:
    """Nested lists as an array; strings, and bytes in base64, as an array of bytes objects.

    Args:
      value: a number, a string, `{"b64": ...}`, a boolean, or lists of these inside each other, as deep everywhere.
      info: its type, which the values must fit without loss; None: that of the values, int64 or float32 for numbers.

    Raises:
      BadRequestError: the lists are ragged, or a value is not of the type.

    """
    kind = (info or _UNKNOWN).dtype or _kind_of(value)
    if kind == STRING:
        return _strings(value)
    if kind in ("float16", "bfloat16", "complex64", "complex128"):
        raise BadRequestError(f"Conversion of JSON Value: {shown(value)} to type: {kind}")
    array = _plain(value)
    if array.size == 0:
        return array.astype(kind)
    wanted = np.dtype(kind)
    fits = {"f": "iuf", "i": "iu", "u": "iu", "b": "b"}[wanted.kind]
    if array.dtype.kind not in fits:
        raise BadRequestError(f"{_first(value, fits)} is not of expected type: {kind}")
    if wanted.kind in "iu":
        limits = np.iinfo(_INTS.get(kind, kind))
        if array.min() < limits.min or array.max() > limits.max:
            outside = int(array.min()) if array.min() < limits.min else int(array.max())
            raise BadRequestError(f"JSON Value: {outside} Type: Number is not of expected type: {kind}")
    return array.astype(wanted)


def value_of(array: npt.NDArray[Any], *, as_bytes: bool = False) -> Any:
    """An array as nested lists that JSON can hold; `as_bytes` writes strings as base64.

    Raises:
      BadRequestError: a type that JSON has no numbers for.

    """
    if array.dtype.kind in "OSU":
        return _each(array.tolist(), _to_b64 if as_bytes else _to_text)
    if array.dtype.kind == "c":
        raise BadRequestError(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    if array.dtype == np.float32:
        return _each_float(array)
    return array.astype(_BITS.get(array.dtype, array.dtype)).tolist()


def is_b64(value: Any) -> bool:
    """Whether a value is bytes in base64: `{"b64": "..."}` and nothing else."""
    return isinstance(value, Mapping) and set(value) == {_B64} and isinstance(value[_B64], str)


def bytes_of(value: Any) -> bytes:
    """The bytes that a string or `{"b64": ...}` means.

    Raises:
      BadRequestError: it is neither, or no base64.

    """
    if isinstance(value, str):
        return value.encode()
    if not is_b64(value):
        raise BadRequestError(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    text = value[_B64]
    text += "=" * (-len(text) % 4)
    padding = len(text) - len(text.rstrip("="))
    try:
        found = binascii.a2b_base64(text)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError("Unable to base64 decode") from error
    # What is no letter of base64 is passed over: the length tells. To look at the letters first takes as long again.
    if padding > 2 or len(found) != len(text) // 4 * 3 - padding:
        raise BadRequestError("Unable to base64 decode")
    return found


def shown(value: Any) -> str:
    """A value as messages show it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def type_of(value: Any) -> str:
    """What messages call the type of a value."""
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null", int: "Number", float: "Number"}
    return str(value) if isinstance(value, bool) else names[type(value)]


def _kind_of(value: Any) -> str:
    leaf = next(_leaves(value), 0)
    if isinstance(leaf, str) or is_b64(leaf):
        return STRING
    if isinstance(leaf, bool):
        return "bool"
    kinds = {"i": "int64", "u": "uint64", "f": "float32"}
    return kinds.get(_plain(value).dtype.kind, "float32")


def _plain(value: Any) -> npt.NDArray[Any]:
    try:
        return np.array(value)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"Encountered list at unexpected size or level: {error}") from error


def _strings(value: Any) -> npt.NDArray[np.object_]:
    shape = _shape(value)
    leaves = list(_leaves(value))
    for leaf in leaves:
        if not isinstance(leaf, str | dict):
            raise BadRequestError(f"JSON Value: {shown(leaf)} Type: {type_of(leaf)} is not of expected type: string")
    texts = np.empty(len(leaves), object)
    texts[:] = [bytes_of(leaf) for leaf in leaves]
    try:
        return texts.reshape(shape)
    except ValueError as error:
        raise BadRequestError(f"Encountered list at unexpected size, expected size: {list(shape)}") from error


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    return (len(value), *(_shape(value[0]) if value else ()))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _first(value: Any, fits: str) -> str:
    """The first value that makes an array no array of numbers of the kinds that fit."""
    for leaf in _leaves(value):
        kind = "b" if isinstance(leaf, bool) else {int: "i", float: "f"}.get(type(leaf), "")
        if not kind or kind not in fits:
            return f"JSON Value: {shown(leaf)} Type: {type_of(leaf)}"
    return f"JSON Value: {shown(value)} Type: {type_of(value)}"


def _each(value: Any, change: Any) -> Any:
    return [_each(part, change) for part in value] if isinstance(value, list) else change(value)


def _each_float(array: npt.NDArray[Any]) -> Any:
    """float32 as the shortest decimal that is that float32, not that float64: 0.1 and not 0.10000000149011612."""
    exact = array.astype(np.float64)
    short = np.round(exact, 7)
    return np.where(short.astype(np.float32) == array, short, exact).tolist()


def _to_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _to_b64(value: Any) -> dict[str, str]:
    data = value if isinstance(value, bytes) else str(value).encode()
    return {_B64: base64.b64encode(data).decode()}
