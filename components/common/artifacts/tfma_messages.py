"""TFMA's messages in its files, read without importing TFMA, which takes ten seconds and TensorFlow."""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, wrappers_pb2

from .. import message_classes
from ..errors import MonitorError
from .files import Files, parse_message

_PACKAGE = "tensorflow_model_analysis"
_PROTOS = ("config", "metrics_for_slice", "validation_result")  # each after those that it imports


def read_messages(folder: str, prefix: str, name: str, files: Files, *, required: bool = True) -> list[Any] | None:
    """The messages in those TFRecord files of a folder that are named `prefix`*; None where there is no such file.

    Raises:
      MonitorError: the folder or a file cannot be read, holds something else than messages `name`, or, if `required`,
        there are files and all of them are empty.

    """
    paths = [f"{folder}/{each}" for each in files.listing(folder) if each.startswith(prefix)]
    if not paths:
        return None
    read = [_message(record, name, path) for path in paths for record in files.records(path)]
    if required and not read:
        raise MonitorError(f"{', '.join(paths)} must hold TFMA's {prefix}. Received: no record")
    return read


def _message(record: bytes, name: str, path: str) -> Any:
    message = message_class(name)()
    return parse_message(message, record, f"a record of {path}") if record else message


@cache
def message_class(name: str) -> Any:
    """One of TFMA's message types, by its name in `tensorflow_model_analysis`."""
    return message_classes.message_class(_pool(), f"{_PACKAGE}.{name}")


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
