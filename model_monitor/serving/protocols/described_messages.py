"""Classes of protobuf messages from a table of their fields, for messages whose own modules would import TensorFlow."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool

from components.common.message_classes import message_class

FIELD = descriptor_pb2.FieldDescriptorProto
# Of each message its fields, each by its name with its number and its type, a message's being its name; in a list: any
# number of these.
Fields = Mapping[str, tuple[int, int | str | list[int] | list[str]]]


def message_classes(package: str, messages: Mapping[str, Fields]) -> dict[str, Any]:
    """The class of each message by its name, in a pool of their own: real ones stay free to be registered."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, given) in fields.items():
            kind: int | str = given[0] if isinstance(given, list) else given
            label = FIELD.LABEL_REPEATED if isinstance(given, list) else FIELD.LABEL_OPTIONAL
            typed: dict[str, Any] = {"type": kind}
            if isinstance(kind, str):
                typed = {"type": FIELD.TYPE_MESSAGE, "type_name": f".{package}.{kind}"}
            message.field.add(name=field, number=number, label=label, **typed)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_class(pool, f"{package}.{name}") for name in messages}
