"""An artifact, and how its files are read: on this machine, below one folder only, or wherever TFX can read them."""

import contextlib
import io
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from ..bounded_files import MOST_BYTES, in_words, open_regular, read_bounded
from ..errors import MonitorError, require
from ..recent import Recent
from .gunzip import Readable
from .names import IS_NONE
from .streams import Bounded
from .tfrecord import Record as TFRecord
from .tfrecord import read_records

# An artifact's properties and custom properties together.
Properties = Mapping[str, int | float | str]
# What a record that is not what it should be makes Python say; of a MonitorError (a ValueError), the message is enough.
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError, RecursionError)
# SystemError and RuntimeWarning: protobuf 3.20 of a message that ends early, where warnings are errors.
# RecursionError: a text of messages deep inside each other.
_NO_MESSAGE = (DecodeError, SystemError, RuntimeWarning, UnicodeDecodeError, text_format.ParseError, RecursionError)
_MOST_REMEMBERED = 1 << 20  # bytes of a message in text
MOST_OF_A_RECORD = 16 << 20  # bytes: a drift report of ten thousand features has five million
AnyMessage = TypeVar("AnyMessage", bound=Message)
Record = TypeVar("Record")
_texts_read: Recent[bytes] = Recent(8)


@dataclass(frozen=True)
class Artifact:
    """An artifact of a run.

    Attributes:
      uri: its folder, where this process reads it.
      type: the name of its type.
      producer: the node that made it, "" where that is not known.
      id: in ML Metadata; 0 where it is not known.
      properties: its properties and custom properties.
      address: the URI by which everybody else knows it, where that is another: in a container, `uri` is a copy.

    """

    uri: str
    type: str = ""
    producer: str = ""
    id: int = 0
    properties: Properties = field(default_factory=dict)
    address: str = ""

    @property
    def known_as(self) -> str:
        """What records name it by: it means the same in every process."""
        return self.address or self.uri

    @property
    def places(self) -> tuple[str, ...]:
        """Every URI that names it: its address, and where this process reads it, for records of either name it."""
        return tuple(dict.fromkeys(uri for uri in (self.known_as, self.uri) if uri))

    def is_at(self, uri: str) -> bool:
        """Whether a URI names it.

        >>> model = Artifact("/minio/bucket/7", address="minio://bucket/7")
        >>> model.is_at("minio://bucket/7"), model.is_at("/minio/bucket/7"), model.is_at("/minio/bucket/8")
        (True, True, False)
        """
        return uri.rstrip("/") in {place.rstrip("/") for place in self.places}

    @property
    def span(self) -> int:
        """The number of its span, 0 where it has none. Raises `MonitorError` where it is no whole number."""
        value = self.properties.get("span") or 0
        require(not isinstance(value, str) and value % 1 == 0, "span", f"be a whole number in {self.known_as}", value)
        return int(value)

    @property
    def is_none(self) -> bool:
        """Whether an importer found nothing to bring in: the artifact stands for what is not there."""
        return bool(self.properties.get(IS_NONE))

    def path(self, *parts: str) -> str:
        """What lies in its folder under these names.

        >>> Artifact("/runs/7").path("Split-eval", "FeatureStats.pb")
        '/runs/7/Split-eval/FeatureStats.pb'
        """
        return posixpath.join(self.uri, *parts)


def _anything(_: str) -> None:
    """Every path may be read."""


def _local_sizes(place: str) -> dict[str, int]:
    """As `Files.count`, of this machine."""
    if not os.path.isdir(place):
        return {"": os.stat(place).st_size}
    paths = (Path(folder, name) for folder, _, names in os.walk(place, onerror=_raise) for name in names)
    found = {path.relative_to(place).as_posix(): path.stat().st_size for path in paths if path.is_file()}
    return dict(sorted(found.items()))


def _raise(error: OSError) -> None:
    raise error


@dataclass(frozen=True)
class Files:
    """How files are read.

    Attributes:
      read: gives a file's content of at most a number of bytes, or raises `OSError`, or `MonitorError` for more.
      names: gives what is in a folder, or raises `OSError`.
      check: raises `MonitorError` for a path that must not be read.
      remote: whether it reads other places than this machine, those with a scheme such as gs://.
      most: bytes of a file that are read; of a record of text it is `MOST_OF_A_RECORD`.
      there: whether there is such a file or folder.
      count: gives the bytes of each file below a folder by its name there, or of a file itself under "", or raises
        `OSError`.
      local: whether it reads places of this machine.
      open: opens a file to be read piece by piece, or raises as `read` does; None: files are read whole.

    """

    read: Callable[[str, int], bytes]
    names: Callable[[str], list[str]]
    check: Callable[[str], None] = _anything
    remote: bool = False
    most: int = MOST_BYTES
    there: Callable[[str], bool] = os.path.exists
    count: Callable[[str], dict[str, int]] = _local_sizes
    local: bool = True
    open: Callable[[str], BinaryIO] | None = None

    def reaches(self, uri: str) -> bool:
        """Whether it can read such a place at all, if there is anything."""
        return self.remote if "://" in uri else self.local

    def gone(self, uri: str) -> bool:
        """Whether there is nothing at a place that it reaches; of any place, also one that must not be read."""
        return self.reaches(uri) and not self.there(uri)

    def sizes(self, place: str) -> dict[str, int]:
        """The bytes of each file below a folder, by its name there; of a file itself, under "".

        Raises:
          MonitorError: there is no such place, or it must not be read.

        """
        self.check(place)
        try:
            return self.count(place)
        except MonitorError:
            raise  # says all
        except (OSError, ValueError) as error:
            raise MonitorError(f"{place} must be readable. Received: {_why(error)}") from error

    def content(self, path: str, most: int | None = None) -> bytes:
        """Raises `MonitorError` when the file cannot or must not be read, or has more than `most` bytes."""
        self.check(path)
        try:
            return self.read(path, self.most if most is None else min(most, self.most))
        except MonitorError:
            raise  # says all
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            raise MonitorError(f"{path} must be a readable file. Received: {_why(error)}") from error

    def listing(self, folder: str) -> list[str]:
        """What is in a folder, sorted. Raises `MonitorError` when it cannot or must not be listed."""
        self.check(folder)
        try:
            return sorted(name.rstrip("/") for name in self.names(folder))
        except MonitorError:
            raise  # says all
        except (OSError, ValueError) as error:
            raise MonitorError(f"{folder} must be a readable folder. Received: {_why(error)}") from error

    def holds(self, folder: str, name: str) -> bool:
        """Whether a folder has a file or folder of this name. Raises `MonitorError` as `listing` does."""
        return name in self.listing(folder)

    def records(self, path: str) -> Iterator[bytes]:
        """The records of a TFRecord file, gzipped or not.

        Raises:
          MonitorError: at the first that is damaged, or when a gzipped file unpacks to more than is read.

        """
        records = read_records(io.BytesIO(self.content(path)), strict=True, source=path)
        return _within(records, path, self.most)

    def long_records(self, path: str, most: int | None = None) -> Iterator[bytes]:
        """As `records`, of a file of any length, piece by piece where that can be.

        Raises:
          MonitorError: as `records`; where there are more than `most` bytes, packed or unpacked, once they are read.

        """
        with self.stream(path, most) as file:
            yield from _within(read_records(file, strict=True, source=path), path, most)

    @contextlib.contextmanager
    def stream(self, path: str, most: int | None = None) -> Iterator[Readable]:
        """A file of any length, to be read piece by piece where that can be.

        Raises:
          MonitorError: the file cannot or must not be read; while it is read, that it has more than `most` bytes.

        """
        self.check(path)
        try:
            with self.open(path) if self.open is not None else io.BytesIO(self.content(path, most)) as file:
                yield file if most is None else Bounded(file, path, most)
        except MonitorError:
            raise
        except (OSError, ValueError) as error:
            raise MonitorError(f"{path} must be a readable file. Received: {_why(error)}") from error

    def message(self, path: str, message: AnyMessage, *, strict: bool = False) -> AnyMessage:
        """Fills a message from a file, binary or text (`*.pbtxt`). Raises `MonitorError` when it holds none.

        With `strict` also where it holds anything that this version does not know, or text that is none.
        """
        return parse_message(message, self.content(path), path, strict=strict)

    def record(self, path: str, parse: Callable[[str], Record]) -> Record:
        """What `parse` makes of a text file. Raises `MonitorError`, which names the file, when it cannot be read."""
        content = self.content(path, MOST_OF_A_RECORD)
        try:
            return parse(content.decode())
        except DAMAGE as error:
            if isinstance(error, MonitorError) and path in str(error):
                raise
            raise MonitorError(f"{path} is damaged: {said(error)}") from error


def _within(records: Iterable[TFRecord], path: str, most: int | None) -> Iterator[bytes]:
    """Records of a file, unpacked. Raises `MonitorError` once they are more than `most` bytes."""
    size = 0
    for record in records:
        size += record.size
        if most is not None and size > most:
            raise MonitorError(f"{path} must unpack to at most {in_words(most)} to be read. Received: more")
        yield record.data


def local_files(most: int = MOST_BYTES) -> Files:
    """Files of this machine, of at most `most` bytes each."""
    return Files(read_bounded, os.listdir, most=most, open=open_regular)


def confined_files(root: str | Path, most: int = MOST_BYTES) -> Files:
    """As `local_files`, below `root` only: a page in a browser shows nothing from outside the pipeline root.

    ML Metadata says where artifacts are, and anybody who can write below the root can put a link there. So what counts
    is where a path ends up, with links and `..` resolved.
    """
    real = os.path.realpath(root)

    def check(path: str) -> None:
        if not _is_below_real(path, real):
            raise MonitorError(f"{path} is outside the pipeline root {real} and is not shown")

    return Files(read_bounded, os.listdir, check, most=most, open=open_regular)


def is_below(path: str | Path, root: str | Path) -> bool:
    """Whether a path is `root` or below it, once links and `..` are resolved. What is no path at all is not.

    >>> is_below("/srv/runs/1/report.html", "/srv/runs"), is_below("/srv/runs/../keys", "/srv/runs")
    (True, False)
    """
    return _is_below_real(path, os.path.realpath(root))


def _is_below_real(path: str | Path, real: str) -> bool:
    """As `is_below`, of a root that is resolved: a page asks this of hundreds of paths."""
    if "\0" in str(path):
        return False
    found = os.path.realpath(path)
    return found == real or found.startswith(os.path.join(real, ""))


def _from_text(kind: type[Message], content: bytes, strict: bool) -> bytes:
    """A message in text, serialised. The text of the same schema is read in every window, which takes long."""

    def parsed() -> bytes:
        found = text_format.Parse(content.decode(), kind(), allow_unknown_field=not strict)
        return bytes(found.SerializePartialToString())

    return parsed() if len(content) > _MOST_REMEMBERED else _texts_read.get((kind, content, strict), parsed)


def parse_message(message: AnyMessage, content: bytes, path: str, *, strict: bool = False) -> AnyMessage:
    """Fills a message of any type from what the file `path` holds, as text where it is named `*.pbtxt`.

    Args:
      message: to be filled.
      content: of the file.
      path: for the error.
      strict: whether fields and values that this version does not know are an error, and text that is no UTF-8. Many a
        message of one type is one of another too, all of its fields being unknown to that.

    Raises:
      MonitorError: the content is empty, or is not such a message from its first byte to its last.

    """
    name = message.DESCRIPTOR.name
    if not content:
        raise MonitorError(f"{path} must hold a message {name}. Received: an empty file")
    try:
        if path.endswith(".pbtxt"):
            message.MergeFromString(_from_text(type(message), content, strict))
            return message
        taken = message.MergeFromString(content)
    except _NO_MESSAGE as error:
        raise MonitorError(f"{path} must hold a message {name}. Received: {error}") from error
    if taken is not None and taken != len(content):  # how protobuf 3.20 tells of a message that ends early
        raise MonitorError(
            f"{path} must hold a message {name}. Received: only {taken} of its {len(content)} bytes are one"
        )
    if strict and _has_unknown(message):
        raise MonitorError(f"{path} must hold a message {name}. Received: one with fields or values that it has not")
    if strict and any(isinstance(text, bytes) for text in _texts(message)):  # as protobuf 3.20 gives it
        raise MonitorError(f"{path} must hold a message {name}. Received: one with text that is no UTF-8")
    return message


def _texts(message: Message) -> Iterator[str | bytes]:
    """Every text in a message and in those in it."""
    for kind, value in message.ListFields():
        if kind.type == kind.TYPE_STRING:
            yield from [value] if isinstance(value, str | bytes) else value
        elif kind.type == kind.TYPE_MESSAGE and kind.message_type.GetOptions().map_entry:
            yield from (key for key in value if isinstance(key, str | bytes))
            for each in value.values():
                yield from _texts(each) if isinstance(each, Message) else []
        elif kind.type == kind.TYPE_MESSAGE:
            for each in [value] if isinstance(value, Message) else value:
                yield from _texts(each)


def _has_unknown(message: Message) -> bool:
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return known.ByteSize() != message.ByteSize()


def said(error: Exception) -> str:
    """An error's message, with its type where the message alone says nothing."""
    return str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"


def _why(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error)
