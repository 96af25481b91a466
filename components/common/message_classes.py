"""Classes of protobuf messages from their descriptions, in the way that each version of protobuf has for it."""

from typing import Any

from google.protobuf import descriptor_pool, message_factory


def message_class(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    """The class of the message that a pool describes under a full name."""
    described = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4 and later
        return message_factory.GetMessageClass(described)
    return message_factory.MessageFactory(pool).GetPrototype(described)
