"""TFMA's metrics and validation result, read without importing TFMA, which takes ten seconds and TensorFlow."""

import ast
import importlib.util
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import DecodeError, Message

from components.common.artifacts.tfrecord import read_records
from components.common.errors import MonitorError

from . import confinement

_PACKAGE = "tensorflow_model_analysis"
_PROTOS = ("config", "metrics_for_slice", "validation_result")  # each after those that it imports


@dataclass(frozen=True)
class SliceMetrics:
    """The metrics of one slice of the examples that are one finite number. `slice` is "" for all examples.

    `of` is the model's name where several were evaluated, with "difference" for a candidate less its baseline.
    """

    slice: str
    of: str
    metrics: dict[str, float]


def metrics(folder: Path) -> list[SliceMetrics]:
    """The metrics in an evaluation, the whole first.

    Raises:
      MonitorError: when there are none, or they are damaged.

    """
    found: list[SliceMetrics] = []
    for record in _messages(folder, "metrics", "MetricsForSlice"):
        where = _slice_name(record.slice_key)
        by_model: dict[str, dict[str, float]] = {}
        for each in record.metric_keys_and_values:
            value = _number(each.value)
            if value is not None:
                by_model.setdefault(_model_name(each.key), {})[_metric_name(each.key)] = value
        found += [SliceMetrics(where, of, values) for of, values in sorted(by_model.items())]
    return sorted(found, key=lambda each: (each.slice != "", each.slice, each.of))


def validation_result(folder: Path) -> Any | None:
    """TFMA's `ValidationResult` in an evaluation; None when its configuration has no thresholds.

    Raises:
      MonitorError: when it is damaged, or there is more than one.

    """
    found = list(_messages(folder, "validations", "ValidationResult", required=False))
    if len(found) > 1:
        raise MonitorError(f"{folder} must hold one validation result. Received: {len(found)}")
    return found[0] if found else None


def _messages(folder: Path, prefix: str, message: str, *, required: bool = True) -> Iterator[Any]:
    try:
        files = sorted(path for path in folder.iterdir() if path.name.startswith(prefix))
    except OSError as error:
        raise MonitorError(f"{folder} cannot be read: {error.strerror}") from error
    if not files and required:
        raise MonitorError(f"{folder} must hold TFMA's {prefix}. Received: no file {prefix}*")
    for path in files:
        confinement.check(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise MonitorError(f"{path} cannot be read: {error.strerror}") from error
        records = [each.data for each in read_records(io.BytesIO(content), strict=True, source=str(path))]
        if not records and len(files) == 1:  # of several, each may have its share or none
            raise MonitorError(f"{path} must hold TFMA's {prefix}. Received: a file without any")
        yield from (_parse(record, message, path) for record in records)


def _parse(record: bytes, name: str, path: Path) -> Message:
    message = message_class(name)()
    try:
        taken = message.MergeFromString(record)
    except (DecodeError, SystemError, RuntimeWarning) as error:
        raise MonitorError(f"{path} holds a record that is no {name}: {error}") from error
    if taken != len(record):  # how protobuf 3.20 tells of a message that ends early
        raise MonitorError(f"{path} holds a record that is no {name}: {taken} of its {len(record)} bytes are")
    return message


@cache
def message_class(name: str) -> Any:
    """One of TFMA's message types, by its name in `tensorflow_model_analysis`."""
    descriptor = _pool().FindMessageTypeByName(f"{_PACKAGE}.{name}")
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4 and later
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_pool()).GetPrototype(descriptor)


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    """TFMA's message types, in a pool of their own: they are still free to be registered by TFMA itself."""
    found = importlib.util.find_spec(_PACKAGE)  # of a package at the top, this runs nothing of it
    if found is None or not found.submodule_search_locations:
        raise MonitorError(f"Reading an evaluation needs {_PACKAGE}, which is not installed")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    for name in _PROTOS:
        pool.AddSerializedFile(_serialized_file(Path(found.submodule_search_locations[0], "proto", f"{name}_pb2.py")))
    return pool


def _serialized_file(module: Path) -> bytes:
    """The description of a `.proto` file that protoc wrote into a module, without running the module."""
    try:
        tree = ast.parse(module.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise MonitorError(f"{module} must be a module with TFMA's messages. Received: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("AddSerializedFile"):
            return bytes(ast.literal_eval(node.args[0]))
    raise MonitorError(f"{module} must hold the messages of a .proto file. Received: a module without any")


def _number(value: Any) -> float | None:
    kind = value.WhichOneof("type")
    if kind == "double_value":
        number = value.double_value.value
    elif kind == "bounded_value":
        number = value.bounded_value.value.value
    else:
        return None
    return float(number) if math.isfinite(number) else None


def _metric_name(key: Any) -> str:
    sub = key.sub_key
    parts = [f"{field} {getattr(sub, field).value}" for field in ("class_id", "k", "top_k") if sub.HasField(field)]
    return f"{key.name} ({', '.join(parts)})" if parts else str(key.name)


def _model_name(key: Any) -> str:
    parts = [*([key.model_name] if key.model_name else []), *(["difference"] if key.is_diff else [])]
    return " ".join(parts)


def _slice_name(key: Any) -> str:
    return " and ".join(f"{single.column} {_slice_value(single)}" for single in key.single_slice_keys)


def _slice_value(single: Any) -> str:
    kind = single.WhichOneof("kind")
    value = getattr(single, kind) if kind else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
