"""Artifacts and files as TFX has them, for executors."""

import errno
import io
import os
import re
from typing import Any, BinaryIO

import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from .artifacts.examples import only_files
from .artifacts.files import Artifact, Files
from .artifacts.properties import scalars
from .artifacts.record_files import is_remote
from .artifacts.writing import Writing
from .bounded_files import open_regular, read_bounded, too_large
from .errors import MonitorError, require_known
from .object_store import places
from .object_store.address import is_address, parse
from .step import MOST_READ

_ERRORS = (fileio.NotFoundError, tf.errors.OpError)


def tfx_files() -> Files:
    """Files wherever TFX can read them. TensorFlow's errors become what Python says of local files."""
    return Files(_read, _names, remote=True, most=MOST_READ, there=_there, open=_open)


def tfx_writing() -> Writing:
    """Files wherever TFX can write them."""
    return Writing(io_utils.write_bytes_file, _copy_tree)


def artifact_of(artifact: types.Artifact, producer: str = "") -> Artifact:
    """The record of an artifact that an executor was given. `producer` is the node that made it, where it is known."""
    proto = artifact.mlmd_artifact
    properties = scalars(proto.properties, proto.custom_properties)
    return Artifact(artifact.uri, artifact.type_name, producer, artifact.id, properties)


def splits_of(examples: types.Artifact) -> list[str]:
    """The splits of an `Examples`. Raises `MonitorError` unless it holds tf.Examples."""
    payload = examples_utils.get_payload_format(examples)
    if payload != example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE:
        name = example_gen_pb2.PayloadFormat.Name(payload)
        raise MonitorError(f"`examples` must hold tf.Examples (FORMAT_TF_EXAMPLE). Received: {name}")
    return list(artifact_utils.decode_split_names(examples.split_names))


def split_files(examples: types.Artifact, split: str) -> list[str]:
    """As `artifacts.examples.split_paths`, of TFX's artifact."""
    require_known(split, artifact_utils.decode_split_names(examples.split_names), "split")
    (pattern,) = examples_utils.get_split_file_patterns([examples], split)
    return [path for path in only_files(fileio.glob(pattern), split) if not (is_remote(path) and fileio.isdir(path))]


def _read(path: str, most: int) -> bytes:
    if not is_remote(path):
        return read_bounded(path, most)
    if _only_ours(path):
        return places.read(path, most)
    try:
        with fileio.open(path, "rb") as file:
            content: bytes = file.read(most + 1)
    except _ERRORS as error:
        raise _as_local(error, path) from error
    if len(content) > most:
        raise too_large(path, len(content), most)
    return content


def _open(path: str) -> BinaryIO:
    return io.BufferedReader(_Remote(path)) if is_remote(path) else open_regular(path)


class _Remote(io.RawIOBase):
    """A file that TFX opens, as Python has files, for `io.BufferedReader`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = fileio.open(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = self._file.read(len(buffer))
        except _ERRORS as error:
            raise _as_local(error, self._path) from error
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def _only_ours(path: str) -> bool:
    """Whether a path is in a store that TFX has no file system for, such as that of a pushed version."""
    return is_address(path) and parse(path).scheme != "gs"


def _there(path: str) -> bool:
    return places.is_there(path) if _only_ours(path) else bool(fileio.exists(path))


def _names(folder: str) -> list[str]:
    if _only_ours(folder):
        return places.names(folder)
    try:
        return list(fileio.listdir(folder))
    except _ERRORS as error:
        raise _as_local(error, folder) from error


def _as_local(error: Exception, path: str) -> OSError:
    """What Python would say of a local file. TFX's own error for a missing one says nothing at all."""
    if isinstance(error, fileio.NotFoundError | tf.errors.NotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return OSError(str(error))


def _copy_tree(source: str, target: str, leave_out: str) -> None:
    left = "^" + re.escape(os.path.join(source.rstrip("/"), leave_out)) + "(/|$)"
    try:
        io_utils.copy_dir(source, target, deny_regex_patterns=[left] if leave_out else [])
    except _ERRORS as error:
        raise _as_local(error, source) from error
