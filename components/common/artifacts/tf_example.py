"""`tf.train.Example` messages read without TensorFlow: protobuf's own parser, told the few fields of an Example."""

from collections.abc import Collection
from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError

from ..errors import MonitorError
from ..message_classes import message_class

Values: TypeAlias = list[bytes] | list[float] | list[int]

_FIELD = descriptor_pb2.FieldDescriptorProto
# The fields of a `Feature`, its one kind of list each, as tensorflow/core/example/feature.proto numbers them.
_LISTS = {"bytes_list": _FIELD.TYPE_BYTES, "float_list": _FIELD.TYPE_FLOAT, "int64_list": _FIELD.TYPE_INT64}


def parse_example(record: bytes, only: Collection[str] | None = None) -> dict[str, Values]:
    """The features of a serialised Example; an empty list for a feature without values.

    Args:
      record: the Example.
      only: names of the features that are wanted, those of them that it has; None: all.

    Raises:
      MonitorError: it is no Example.

    """
    example = _Example()
    try:
        taken = example.MergeFromString(record)
    # SystemError and RuntimeWarning: protobuf 3.20 of a message that ends early, where warnings are errors
    except (DecodeError, SystemError, RuntimeWarning, UnicodeDecodeError) as error:
        raise MonitorError(f"A record must be a tf.Example. Received: {record[:40]!r}, {error}") from error
    if taken is not None and taken != len(record):  # how protobuf 3.20 tells of a message that ends early
        told = f"{record[:40]!r}, of which {taken} of {len(record)} bytes are one"
        raise MonitorError(f"A record must be a tf.Example. Received: {told}")
    features = example.features.feature
    names = features if only is None else [name for name in only if name in features]
    return {name: _values(features[name]) for name in names}


def may_hold(record: bytes, key: str) -> bytes:
    """The value of the bytes feature `key` as far as a look at the bytes can tell, b"" if there is none.

    Much faster than parsing the record, and not safe: the pattern may occur by chance, so what is found has to be
    confirmed by `parse_example`.
    """
    name = key.encode()
    start = record.find(bytes((0x0A, len(name))) + name + b"\x12")
    if start < 0:
        return b""
    try:
        _, place = _varint(record, start + len(name) + 3)  # the length of the Feature
        if record[place] != 0x0A:  # no BytesList
            return b""
        _, place = _varint(record, place + 1)  # its length
        if record[place] != 0x0A:  # an empty one
            return b""
        length, place = _varint(record, place + 1)
    except (IndexError, ValueError):
        return b""
    return record[place : place + length]


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, and the place behind it."""
    result = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, place
    raise ValueError(f"a number is longer than ten bytes at byte {place}")


def _values(feature: Any) -> Values:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def _example_class() -> Any:
    """The class of an Example, from a description of its own: TensorFlow's messages, if it is imported, stay theirs."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="monitor", syntax="proto3")
    feature = descriptor_pb2.DescriptorProto(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(_LISTS.items(), 1):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, label=_FIELD.LABEL_REPEATED, type=kind)
        told = {"type": _FIELD.TYPE_MESSAGE, "type_name": f".monitor.{name}", "label": _FIELD.LABEL_OPTIONAL}
        feature.field.add(name=name, number=number, oneof_index=0, **told)
    file.message_type.append(feature)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
    one, many = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
    _add_message(entry, "value", 2, one, "Feature")
    _add_message(features, "feature", 1, many, "Features.FeatureEntry")
    _add_message(file.message_type.add(name="Example"), "features", 1, one, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_class(pool, "monitor.Example")


def _add_message(to: Any, name: str, number: int, label: int, kind: str) -> None:
    told = {"type": _FIELD.TYPE_MESSAGE, "type_name": f".monitor.{kind}", "label": label}
    to.field.add(name=name, number=number, **told)


_Example = _example_class()
