"""`PredictionLog` records put together field by field, so that a server writes them without importing TensorFlow.

`tensorflow_serving.apis` imports TensorFlow, which costs seconds and hundreds of megabytes that a server of another
framework does not want to spend on a log. The few messages needed (`PredictionLog`, its logs of Predict and Classify,
`TensorProto`, `Example`) have had the same field numbers since TensorFlow Serving 1.0. The tests parse every record
with the real classes.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..common import wire_format as wire
from ..common.errors import MonitorError, require
from .log_fields import CLIENT_ID, REQUEST_ID

# tensorflow/core/framework/types.proto
_STRING = 7
_DATA_TYPES = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "bfloat16": 14,
    "uint16": 17,
    "complex128": 18,
    "float16": 19,
    "uint32": 22,
    "uint64": 23,
}

Features: TypeAlias = Mapping[str, Sequence[bytes] | Sequence[float] | Sequence[int]]


@dataclass(frozen=True)
class ServedModel:
    """Which model answered: its name, version (None: unknown) and signature."""

    name: str
    version: int | None = None
    signature: str = "serving_default"

    def __post_init__(self) -> None:
        require(bool(self.name), "model.name", "not be empty", self.name)
        require(self.version is None or self.version >= 0, "model.version", "be 0 or more, or None", self.version)


def predict_log(
    model: ServedModel,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    request_id: str | Sequence[str] | None = None,
    client_id: str | Sequence[str] | None = None,
) -> bytes:
    """A serialised `PredictionLog` of one Predict request and its response, without metadata (see `metadata`).

    Args:
      model: who answered.
      inputs: arrays by name, or what NumPy makes arrays of; bytes and str become string tensors. Any shape.
      outputs: likewise.
      request_id: of the request, or of each of its rows; travels as the string tensor `log/request_id`.
      client_id: who sent it, likewise, as `log/client_id`.

    Raises:
      MonitorError: a tensor has a type that TensorFlow lacks, or an input is called `log/request_id` or
        `log/client_id`.

    """
    sent = {**inputs}
    for name, ids, argument in ((REQUEST_ID, request_id, "request_id"), (CLIENT_ID, client_id, "client_id")):
        require(name not in inputs, "inputs", f"leave {name} to `{argument}`", sorted(inputs))
        if ids is not None:
            sent[name] = _ids(ids)
    spec = _model_spec(model)
    request = wire.message(1, spec) + _tensors(2, sent)
    response = wire.message(2, spec) + _tensors(1, outputs)
    return wire.message(6, wire.message(1, request) + wire.message(2, response))


def predict_log_of_bytes(request: bytes, response: bytes, request_id: str | None, client_id: str | None) -> bytes:
    """A serialised `PredictionLog` of a `PredictRequest` and its `PredictResponse`, as they went over the wire.

    Neither is parsed: what is joined to a serialised message is merged into it, here the ids to the request's inputs.
    """
    ids = {name: _ids(id_) for name, id_ in ((REQUEST_ID, request_id), (CLIENT_ID, client_id)) if id_ is not None}
    return wire.message(6, wire.message(1, request + _tensors(2, ids)) + wire.message(2, response))


def classify_log(  # noqa: PLR0913 - who was asked what, who asked, and what the answer was
    model: ServedModel,
    examples: Sequence[Features],
    classifications: Sequence[Sequence[tuple[str, float]]],
    context: Features | None = None,
    *,
    request_id: str | None = None,
    client_id: str | None = None,
) -> bytes:
    """A serialised `PredictionLog` of one Classify request and its response, without metadata (see `metadata`).

    Args:
      model: who answered.
      examples: the values of each example's features, by name: all bytes, all floats or all integers of 64 bits.
      classifications: for each example, classes with their scores.
      context: the features that all examples share.
      request_id: of the request; travels as a feature of the context, `log/request_id`.
      client_id: who sent it, likewise, as `log/client_id`.

    """
    listed = b"".join(wire.message(1, example_bytes(each)) for each in examples) + wire.message(
        2, example_bytes(context or {})
    )
    request = wire.message(1, _model_spec(model)) + wire.message(2, wire.message(2, listed))
    rows = (b"".join(wire.message(1, _class(*each)) for each in row) for row in classifications)
    response = wire.message(1, b"".join(wire.message(1, row) for row in rows)) + wire.message(2, _model_spec(model))
    return classify_log_of_bytes(request, response, request_id, client_id)


def classify_log_of_bytes(request: bytes, response: bytes, request_id: str | None, client_id: str | None) -> bytes:
    """A serialised `PredictionLog` of a `ClassificationRequest` and its response, as they went over the wire.

    The request's examples must be a list with context: its other kind has no room for ids, and does without them here.
    """
    ids = {REQUEST_ID: request_id, CLIENT_ID: client_id}
    context = example_bytes({name: [id_.encode()] for name, id_ in ids.items() if id_ is not None})
    joined = request + wire.message(2, wire.message(2, wire.message(2, context)))
    return wire.message(2, wire.message(1, joined) + wire.message(2, response))


def metadata(model: ServedModel, timestamp: int) -> bytes:
    """A serialised `PredictionLog` of nothing but the model's name and the time, in seconds since the epoch.

    Two serialised messages, joined, are their merger, in which the later one's fields win.
    """
    return wire.message(1, wire.message(1, _model_spec(model)) + wire.number(4, timestamp))


def sampling_rate(rate: float) -> bytes:
    """A serialised `PredictionLog` of nothing but the rate, in (0, 1], at which such records were sampled."""
    return wire.message(1, wire.message(2, wire.key(1, wire.FIXED64) + struct.pack("<d", rate)))


@lru_cache(maxsize=16)
def _model_spec(model: ServedModel) -> bytes:
    version = b"" if model.version is None else wire.message(2, wire.number(1, model.version))
    return wire.message(1, model.name.encode()) + version + wire.message(3, model.signature.encode())


def _ids(ids: str | Sequence[str]) -> npt.NDArray[np.object_]:
    return np.array(ids if isinstance(ids, str) else list(ids), object)


def example_bytes(features: Features) -> bytes:
    """A serialised tf.Example: its one field holds a map of features, each with one kind of list."""
    entries = (wire.message(1, name.encode()) + wire.message(2, _feature(values)) for name, values in features.items())
    return wire.message(1, b"".join(wire.message(1, entry) for entry in entries))


def _feature(values: Sequence[bytes] | Sequence[float] | Sequence[int]) -> bytes:
    first = values[0] if values else b""
    if isinstance(first, bytes):
        return wire.message(1, b"".join(wire.message(1, _text("feature", value)) for value in values))
    if isinstance(first, float):
        return wire.message(2, wire.message(1, struct.pack(f"<{len(values)}f", *values)))
    return wire.message(3, wire.message(1, b"".join(wire.varint(int(value)) for value in values)))


def _class(label: str, score: float) -> bytes:
    return wire.message(1, label.encode()) + wire.key(2, wire.FIXED32) + struct.pack("<f", score)


def _tensors(field: int, tensors: Mapping[str, Any]) -> bytes:
    """A map field: an entry for each tensor, with the name as field 1 and the tensor as field 2."""
    return b"".join(
        wire.message(field, wire.message(1, name.encode()) + wire.message(2, _tensor(name, value)))
        for name, value in tensors.items()
    )


def _tensor(name: str, value: Any) -> bytes:
    array = _array(value)
    shape = b"".join(wire.message(2, wire.number(1, size)) for size in array.shape)
    if array.dtype == np.object_:
        return wire.number(1, _STRING) + wire.message(2, shape) + _strings(name, array)
    data_type = _DATA_TYPES.get(array.dtype.name)
    if data_type is None:
        raise MonitorError(f"`tensor {name}` must be of a type that TensorFlow has. Received: {array.dtype}")
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return wire.number(1, data_type) + wire.message(2, shape) + wire.message(4, array.tobytes())


def _array(value: Any) -> npt.NDArray[Any]:
    """`value` as an array; text and bytes as objects, for NumPy's own fixed-width strings lose zeros at the end."""
    array = np.asarray(value)
    if array.dtype.kind not in "SU":
        return array
    return array.astype(object) if isinstance(value, np.ndarray) else np.asarray(value, object)


def _strings(name: str, array: npt.NDArray[np.object_]) -> bytes:
    return b"".join(wire.message(8, _text(name, value)) for value in array.ravel())


def _text(name: str, value: Any) -> bytes:
    if not isinstance(value, str | bytes):
        raise MonitorError(f"`tensor {name}` must hold numbers, str or bytes. Received: {type(value).__name__}")
    return value.encode() if isinstance(value, str) else value
