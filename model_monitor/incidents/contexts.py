"""Contexts of our own types in ML Metadata, written by name: what is done again, or half done, does no harm."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.errors import MonitorError
from pipelines.kept_stores import kept_store

from ..reading.run_store import open_store, reading
from ..reading.stores import is_empty

Value = str | int | float
_FIELDS = {str: "string_value", int: "int_value", float: "double_value"}
_KINDS = {"string_value": mlmd.STRING, "int_value": mlmd.INT, "double_value": mlmd.DOUBLE}


def context(kind: str, name: str, properties: Mapping[str, Value]) -> mlmd.Context:
    """A context of a type of ours with these properties."""
    made = mlmd.Context(type=kind, name=name)
    for key, value in properties.items():
        setattr(made.properties[key], _FIELDS[type(value)], value)
    return made


def values(found: mlmd.Context) -> dict[str, Value]:
    """The properties of a context."""
    return {key: getattr(value, value.WhichOneof("value")) for key, value in found.properties.items()}


class Contexts:
    """A store to write contexts into: a SQLite file that is there already, or that is made where `make` says so.

    Raises:
      MonitorError: there is none, or it cannot be written; from every method too.

    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        new = make and is_empty(path)
        if new:
            _make_folder(path.parent)
        else:
            open_store(path)  # says what is wrong with it, soon
        modes = mlmd.SqliteMetadataSourceConfig
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = modes.READWRITE_OPENCREATE if new else modes.READWRITE
        self._path, self._config = path, config
        _ = self.store  # made where it has to be, now
        self._types: dict[str, tuple[frozenset[str], int]] = {}  # what is known of them: properties, id

    @property
    def store(self) -> metadata_store.MetadataStore:
        """A connection to it, as good as new. Raises `MonitorError` where there is none to be had."""
        return reading(lambda: kept_store(self._config), str(self._path), "written")

    def put(self, wanted: mlmd.Context) -> int:
        """Writes a context in place of the one of its type and name, if there is one. Returns its id."""
        return reading(lambda: self._put(wanted), done="written")

    def id_of(self, kind: str, name: str) -> int | None:
        """The id of the context of this type and name; None where there is none."""
        found = reading(lambda: self.store.get_context_by_type_and_name(kind, name))
        return int(found.id) if found else None

    def link(self, parent: int, children: Iterable[int]) -> None:
        """Makes contexts the children of another; those that are already stay so."""
        for child in children:
            relation = mlmd.ParentContext(parent_id=parent, child_id=child)
            reading(lambda relation=relation: self._link(relation), done="written")  # type: ignore[misc]

    def _link(self, relation: mlmd.ParentContext) -> None:
        with contextlib.suppress(errors.AlreadyExistsError):
            self.store.put_parent_contexts([relation])

    def _put(self, wanted: mlmd.Context) -> int:
        made = mlmd.Context()
        made.CopyFrom(wanted)
        made.ClearField("type")  # in requests it goes by its id
        made.type_id = self._type_id(wanted)
        there = self.store.get_context_by_type_and_name(wanted.type, wanted.name)
        if there is None:
            try:
                return int(self.store.put_contexts([made])[0])
            except errors.AlreadyExistsError:  # by somebody else, just now
                there = self.store.get_context_by_type_and_name(wanted.type, wanted.name)
        made.id = there.id
        self.store.put_contexts([made])
        return int(there.id)

    def _type_id(self, wanted: mlmd.Context) -> int:
        """Of its type, which is made, or gets properties that it does not have."""
        names = frozenset(wanted.properties)
        known, number = self._types.get(wanted.type, (frozenset[str](), 0))
        if not names <= known:
            kind = mlmd.ContextType(name=wanted.type)
            for name, value in wanted.properties.items():
                kind.properties[name] = _KINDS[value.WhichOneof("value")]
            number = int(self.store.put_context_type(kind, can_add_fields=True, can_omit_fields=True))
            self._types[wanted.type] = (known | names, number)
        return number


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"{folder} must be a folder that can be made. Received: {error.strerror}") from error
