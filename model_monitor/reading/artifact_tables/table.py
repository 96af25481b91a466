"""A table that any output can be made of, and how files are read for one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from components.common.errors import MonitorError

from .. import confinement
from ..run_store import Artifact

WHOLE = "all examples"
_SPLIT, _PAIR = "Split-", "SplitPair-"  # the second is DistributionValidator's, of two splits
Cell = str | int | float | bool | None
Record = TypeVar("Record")
# What a record that is not what it should be makes Python say.
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True)
class Table:
    """Rows of cells under names; a cell of None is empty. `problem` stands for a table that could not be read."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    problem: str = ""

    def to_record(self) -> dict[str, Any]:
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True)
class Opened:
    """What was found in an artifact's files, and a sentence for each that could not be read."""

    artifact: Artifact
    tables: tuple[Table, ...]
    problems: tuple[str, ...]


def split_folders(artifact: Artifact) -> dict[str, Path]:
    """Where each split is: those that an artifact names, and those that it has a folder for without naming them.

    An artifact without splits, such as the statistics of Transform, is all in its own folder, as `WHOLE`.
    """
    try:
        named = json.loads(str(artifact.properties.get("split_names") or "[]"))
    except json.JSONDecodeError:
        named = []
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    folders = {name: artifact.path / f"{_SPLIT}{name}" for name in names}
    for prefix in (_SPLIT, _PAIR):
        for path in sorted(artifact.path.glob(f"{prefix}*")):
            folders[path.name.removeprefix(prefix)] = path
    return folders or {WHOLE: artifact.path}


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises `MonitorError` when it cannot or may not be read, or is empty."""
    confinement.check(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MonitorError(f"{path} cannot be read: {error.strerror}") from error
    if not content:
        raise MonitorError(f"{path} is empty")
    return content


def read_message(path: Path, message: Message) -> Any:
    """A binary or text message (`*.pbtxt`) in a file. Raises `MonitorError` when it cannot be read."""
    return parse_message(read_bytes(path), path, message)


def parse_message(content: bytes, path: Path, message: Message) -> Any:
    """A binary or text message (`*.pbtxt`) that a file holds. Raises `MonitorError` when it is none."""
    name = message.DESCRIPTOR.name
    try:
        if path.suffix == ".pbtxt":
            return text_format.Parse(content.decode(), message, allow_unknown_field=True)
        taken = message.MergeFromString(content)
    except (DecodeError, SystemError, RuntimeWarning, UnicodeDecodeError, text_format.ParseError) as error:
        raise MonitorError(f"{path} is no {name}: {error}") from error
    if taken != len(content):  # how protobuf 3.20 tells of a message that ends early
        raise MonitorError(f"{path} is no {name}: {taken} of its {len(content)} bytes are")
    return message


def read_record(path: Path, parse: Callable[[str], Record]) -> Record:
    """What `parse` makes of a text file. Raises `MonitorError` when it cannot be read."""
    try:
        return parse(read_bytes(path).decode())
    except MonitorError as error:
        raise MonitorError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    except DAMAGE as error:
        raise MonitorError(f"{path} is damaged: {type(error).__name__}: {error}") from error
