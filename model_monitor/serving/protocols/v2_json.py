"""`infer` of the Open Inference Protocol (KServe V2) over REST as named tensors, and back, with binary tensors too.

A body is a JSON document; with the binary extension the header `Inference-Header-Content-Length` says how long that is,
and the tensors that say so have their values behind it, one after the other, in little endian.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from .calls import number_of
from .json_values import BadRequestError, bytes_of, read_json, shown, value_of

JSON_LENGTH = "Inference-Header-Content-Length"
_BINARY_SIZE, _BINARY = "binary_data_size", "binary_data"
_BYTES = "BYTES"
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


@dataclass(frozen=True)
class Request:
    """What a model is asked.

    Attributes:
      tensors: the inputs by name.
      id: of the request; "": it has none.
      outputs: those that are wanted, and whether as binary values; empty: all.
      binary: whether outputs are wanted as binary values where they do not say.

    """

    tensors: Tensors
    id: str = ""
    outputs: Mapping[str, bool] | None = None
    binary: bool = False


@dataclass(frozen=True)
class Response:
    """What a model answered: the outputs by name, and its version, None where the server does not say a number."""

    tensors: Tensors
    version: int | None = None


def read_request(body: bytes, json_length: str = "") -> Request:
    """A request. `json_length` is the header `Inference-Header-Content-Length`, "" where there is none.

    Raises:
      BadRequestError: it is none.

    """
    document, rest = _split(body, json_length)
    parameters = _section(document.get("parameters"), "parameters")
    binary = parameters.get("binary_data_output") is True
    wanted = {}
    for each in _list(document.get("outputs") or [], "outputs"):
        given = _section(each.get("parameters"), "parameters").get(_BINARY)
        wanted[_name(each)] = binary if given is None else given is True
    return Request(_tensors(document, "inputs", rest), str(document.get("id", "")), wanted, binary)


def read_response(body: bytes, json_length: str = "") -> Response:
    """An answer, likewise."""
    document, rest = _split(body, json_length)
    return Response(_tensors(document, "outputs", rest), number_of(str(document.get("model_version", ""))))


def response_of(outputs: Tensors, request: Request, model: str, version: int) -> tuple[bytes, int | None]:
    """The body of an answer and, where it has binary values, the length of its JSON document.

    Raises:
      BadRequestError: an output is wanted that the model has not.

    """
    wanted = dict(request.outputs or dict.fromkeys(outputs, request.binary))
    unknown = sorted(set(wanted) - set(outputs))
    if unknown:
        raise BadRequestError(f"the model has no output {unknown[0]!r}, only {sorted(outputs)}")
    described, parts = [], []
    for name, binary in wanted.items():
        array = outputs[name]
        record: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": _datatype(array)}
        if binary:
            part = _packed(array)
            parts.append(part)
            record["parameters"] = {_BINARY_SIZE: len(part)}
        else:
            record["data"] = value_of(array.reshape(-1))
        described.append(record)
    document = {"model_name": model, "model_version": str(version), "outputs": described}
    said = json.dumps(document | ({"id": request.id} if request.id else {})).encode()
    return said + b"".join(parts), len(said) if parts else None


def datatype_of(kind: str) -> str:
    """What the protocol calls a type of TensorFlow's."""
    return _BYTES if kind == "string" else _NAMES[np.dtype(getattr(ml_dtypes, kind, kind))]


def _split(body: bytes, json_length: str) -> tuple[Mapping[str, Any], bytes]:
    if not json_length:
        return read_json(body), b""
    length = number_of(json_length)
    if length is None or length > len(body):
        raise BadRequestError(
            f"{JSON_LENGTH} must be a length within the body's {len(body)} bytes, not {json_length!r}"
        )
    return read_json(body[:length]), body[length:]


def _tensors(document: Mapping[str, Any], key: str, rest: bytes) -> Tensors:
    tensors: Tensors = {}
    records = _list(document.get(key), key)
    place = 0
    for record in records:
        size = _section(record.get("parameters"), "parameters").get(_BINARY_SIZE)
        if size is None:
            tensors[_name(record)] = _of_json(record)
            continue
        if not isinstance(size, int) or not 0 <= size <= len(rest) - place:
            raise BadRequestError(f"{_BINARY_SIZE} must be within the {len(rest) - place} bytes left, not {size!r}")
        tensors[_name(record)] = _unpacked(record, rest[place : place + size])
        place += size
    if not tensors or place != len(rest):
        raise BadRequestError(f"{key!r} must name every tensor of the body, and leaves {len(rest) - place} bytes")
    return tensors


def _of_json(record: Mapping[str, Any]) -> npt.NDArray[Any]:
    kind, shape = _kind(record), _shape(record)
    leaves = _flat(record.get("data"))
    if kind == _BYTES:
        texts = np.empty(len(leaves), object)
        texts[:] = [bytes_of(leaf) for leaf in leaves]
        return _reshaped(texts, shape, record)
    try:
        plain = np.array(leaves)
        array = plain.astype(_TYPES[kind])
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRequestError(f"the data of {_name(record)!r} must be of {kind}: {error}") from error
    right = plain.size == 0 or plain.dtype.kind in ("b" if kind == "BOOL" else "iuf" if "F" in kind else "iu")
    exact = "F" in kind or kind == "BOOL" or plain.size == 0 or (right and bool((array == plain).all()))
    if not right or not exact:
        raise BadRequestError(f"the data of {_name(record)!r} must be of {kind}, and are {shown(leaves[:5])} ...")
    return _reshaped(array, shape, record)


def _unpacked(record: Mapping[str, Any], data: bytes) -> npt.NDArray[Any]:
    kind, shape = _kind(record), _shape(record)
    if kind == _BYTES:
        values = list(_texts(data))
        texts = np.empty(len(values), object)
        texts[:] = values
        return _reshaped(texts, shape, record)
    numbers = np.dtype(_TYPES[kind])
    if len(data) != numbers.itemsize * math.prod(shape):
        raise BadRequestError(
            f"{_name(record)!r} must have values for {list(shape)}, and has {len(data)} bytes of {kind}"
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


def _packed(array: npt.NDArray[Any]) -> bytes:
    if array.dtype.kind in "OSU":
        texts = [each if isinstance(each, bytes) else str(each).encode() for each in array.reshape(-1).tolist()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()


def _datatype(array: npt.NDArray[Any]) -> str:
    if array.dtype.kind in "OSU":
        return _BYTES
    if array.dtype not in _NAMES:
        raise BadRequestError(f"there is no datatype for {array.dtype.name}")
    return _NAMES[array.dtype]


def _reshaped(values: npt.NDArray[Any], shape: tuple[int, ...], record: Mapping[str, Any]) -> npt.NDArray[Any]:
    if len(values) != math.prod(shape):
        raise BadRequestError(f"{_name(record)!r} must have values for {list(shape)}, and has {len(values)}")
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
    if kind != _BYTES and kind not in _TYPES:
        raise BadRequestError(f"datatype must be one of {', '.join((*_TYPES, _BYTES))}, and is {kind!r}")
    return str(kind)


def _shape(record: Mapping[str, Any]) -> tuple[int, ...]:
    shape = record.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequestError(f"shape must be a list of sizes, and is {shown(shape)}")
    return tuple(shape)


def _name(record: Any) -> str:
    name = record.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequestError("a tensor must have a name")
    return name


def _list(value: Any, key: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadRequestError(f"{key!r} must be a list of tensors")
    return value


def _section(value: Any, key: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise BadRequestError(f"{key!r} must be an object")
    return value or {}
