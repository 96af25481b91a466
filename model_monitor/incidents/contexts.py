"""Contexts of our own types in ML Metadata, written by name: what is done again, or half done, does no harm."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from ..reading.run_store import open_store, reading

Value = str | int | float


def open_to_write(path: Path) -> metadata_store.MetadataStore:
    """The ML Metadata store in a SQLite file that is there already. Raises `MonitorError` unless it can be written."""
    open_store(path)  # says what is wrong with it, soon
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE
    return reading(lambda: metadata_store.MetadataStore(config), str(path), "written")


def put(store: metadata_store.MetadataStore, context: mlmd.Context) -> int:
    """Writes a context in place of the one of its type and name, if there is one. Returns its id."""
    return reading(lambda: _put(store, context), done="written")


def link(store: metadata_store.MetadataStore, parent: int, children: Iterable[int]) -> None:
    """Makes contexts the children of another; those that are already stay so."""
    for child in children:
        relation = mlmd.ParentContext(parent_id=parent, child_id=child)
        reading(lambda relation=relation: _link(store, relation), done="written")  # type: ignore[misc]


def context(kind: str, name: str, values: Mapping[str, Value]) -> mlmd.Context:
    """A context of a type of ours with these properties."""
    made = mlmd.Context(type=kind, name=name)
    for key, value in values.items():
        setattr(made.properties[key], _FIELDS[type(value)], value)
    return made


def values(found: mlmd.Context) -> dict[str, Value]:
    """The properties of a context."""
    return {key: getattr(value, value.WhichOneof("value")) for key, value in found.properties.items()}


_FIELDS = {str: "string_value", int: "int_value", float: "double_value"}
_KINDS = {"string_value": mlmd.STRING, "int_value": mlmd.INT, "double_value": mlmd.DOUBLE}


def _link(store: metadata_store.MetadataStore, relation: mlmd.ParentContext) -> None:
    with contextlib.suppress(errors.AlreadyExistsError):
        store.put_parent_contexts([relation])


def _put(store: metadata_store.MetadataStore, context: mlmd.Context) -> int:
    kind = mlmd.ContextType(name=context.type)
    for name, value in context.properties.items():
        kind.properties[name] = _KINDS[value.WhichOneof("value")]
    made = mlmd.Context()
    made.CopyFrom(context)
    made.ClearField("type")  # in requests it goes by its id
    made.type_id = store.put_context_type(kind, can_add_fields=True, can_omit_fields=True)
    there = store.get_context_by_type_and_name(context.type, context.name)
    if there is None:
        try:
            return int(store.put_contexts([made])[0])
        except errors.AlreadyExistsError:  # by somebody else, just now
            there = store.get_context_by_type_and_name(context.type, context.name)
    made.id = there.id
    store.put_contexts([made])
    return int(there.id)
