"""Statistics of spans where the runs after them find them: of a mounted folder or of an object store.

    FOLDER/7/newest.json              which statistics of span 7 count, of which version's answers, and the verdict
    FOLDER/7/<a name>/Split-serving   these statistics

A record is written last and replaced as a whole, so that nobody finds statistics that are not all there, and a span
that is evaluated again never has half of either.
"""

import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .artifacts.names import SPLIT_PREFIX
from .durable_files import write_whole
from .errors import MonitorError, broken, require
from .object_store import places
from .object_store.address import is_address, parse
from .strict_text import TextError, parse_json
from .verdict_words import State

RECORD = "newest.json"
# Spans that are looked at for one to compare with: those before a new version are of another model's answers.
_MOST_LOOKED_AT = 200


@dataclass(frozen=True)
class Published:
    """The statistics of one span.

    Attributes:
      span: its number.
      name: of the folder beside the record that they are in.
      version: the folder of the pushed version whose answers they describe.
      states: the verdict on the span, in words of `State`.
      uri: of the artifact that they were copied from.

    """

    span: int
    name: str
    version: str
    states: tuple[str, ...]
    uri: str

    @property
    def fine(self) -> bool:
        """Whether every check of the span passed."""
        return self.states == (State.FINE.value,)

    @staticmethod
    def from_json(text: str, what: str) -> "Published":
        """Reads a record. Raises `MonitorError`, with `what` as its name, where it is none."""
        try:
            record = Published(**parse_json(text))
        except (TextError, TypeError) as error:
            raise MonitorError(f"{what} must be a record of published statistics. Received: {error}") from error
        texts = (record.name, record.version, record.uri)
        plain = type(record.span) is int and all(isinstance(each, str) for each in texts)
        require(plain and record.name == os.path.basename(record.name) != "", what, "be such a record", record)
        require(isinstance(record.states, list), what, "name the verdict's words", record.states)
        return Published(record.span, record.name, record.version, tuple(map(str, record.states)), record.uri)


def publish(folder: str, source: str, split: str, told: Published) -> str:
    """Publishes the statistics of one split, which take the place of those of the same span.

    Args:
      folder: of published statistics.
      source: the artifact's folder, on this machine.
      split: of it.
      told: what is said of them; `name` is chosen anew.

    Returns:
      The folder that they are in.

    Raises:
      MonitorError: the store cannot be reached, or refuses.
      OSError: from the file system.

    """
    of_span, name = places.below(folder.rstrip("/"), str(told.span)), uuid.uuid4().hex
    target = f"{of_span}/{name}"
    places.copy_out(f"{source}/{SPLIT_PREFIX}{split}", f"{target}/{SPLIT_PREFIX}{split}")
    _write(f"{of_span}/{RECORD}", json.dumps({**asdict(told), "name": name}))
    return target


def find(folder: str, span: int, version: str, *, fine: bool = False) -> tuple[str, Published] | None:
    """The newest earlier span whose statistics can be compared with: their folder, and what is said of them.

    Args:
      folder: of published statistics; it need not be there yet.
      span: the one that they are to be before.
      version: the folder of the pushed version whose answers they describe: another model's differ without anything
        having drifted.
      fine: whether the span has to have been fine, so that what broke does not become the measure of what comes after.

    Raises:
      MonitorError: the store cannot be reached, or a record is damaged.

    """
    for number in _before(folder, span):
        of_span = f"{folder.rstrip('/')}/{number}"
        told = at(of_span)
        if told and told.version.rstrip("/") == version.rstrip("/") and (told.fine or not fine):
            return f"{of_span}/{told.name}", told
    return None


def at(of_span: str) -> Published | None:
    """What is published in the folder of a span; None where nothing is, or not yet all of it."""
    path = f"{of_span.rstrip('/')}/{RECORD}"
    try:
        text = places.read(path).decode() if places.is_file(path) else ""
    except (OSError, UnicodeDecodeError) as error:
        raise broken(path, "be a record of published statistics", error) from error
    return Published.from_json(text, path) if text else None


def _before(folder: str, span: int) -> Iterator[int]:
    try:
        found = places.names(folder.rstrip("/"))
    except FileNotFoundError:
        return
    numbers = sorted((int(name) for name in found if name.isascii() and name.isdecimal()), reverse=True)
    yield from [number for number in numbers if number < span][:_MOST_LOOKED_AT]


def _write(path: str, text: str) -> None:
    if not is_address(path):
        write_whole(path, text)
        return
    address = parse(path)
    with tempfile.TemporaryDirectory(prefix="record-") as here:
        file = Path(here, RECORD)
        file.write_text(text, encoding="utf-8")
        places.bucket_of(address).upload(file, address.key)
