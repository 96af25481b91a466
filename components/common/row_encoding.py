"""Canonical rows as serialised tf.Examples, byte for byte what `SerializeToString(deterministic=True)` gives.

A row is written for each image, and differs from the one before by its values alone. What stands around these is put
together once for each name, kind and length of a value.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from .canonical_rows import Value
from .wire_format import BYTES, key, message, varint

# The field of a `Feature` that holds its values, as tensorflow/core/example/feature.proto numbers them.
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3
_FLOAT, _FLOATS = struct.Struct("<f"), np.dtype("<f4")


def serialised(features: Mapping[str, Value]) -> bytes:
    r"""The features of a row, one at least, as a serialised tf.Example.

    >>> serialised({"id": b"a"})
    b'\n\r\n\x0b\n\x02id\x12\x05\n\x03\n\x01a'
    """
    parts: list[bytes] = []
    for name in sorted(features):  # as a deterministic message has its map
        value = features[name]
        if isinstance(value, bytes):
            parts += (_before(name, _BYTES_LIST, len(value)), value)
        elif isinstance(value, int):
            content = varint(value)
            parts += (_before(name, _INT64_LIST, len(content)), content)
        else:
            content = _FLOAT.pack(value) if isinstance(value, float) else value.astype(_FLOATS, copy=False).tobytes()
            parts += (_before(name, _FLOAT_LIST, len(content)), content)
    entries = b"".join(parts)
    return b"\n" + varint(len(entries)) + entries


@lru_cache(maxsize=4096)
def _before(name: str, kind: int, length: int) -> bytes:
    """All of a feature's entry in the map but its value, bytes or packed numbers, which is the last of it."""
    feature = b""
    for field in (1, kind, 2):  # the value in its list, the list in the feature, the feature in the entry
        feature = key(field, BYTES) + varint(len(feature) + length) + feature
    entry = message(1, name.encode()) + feature
    return key(1, BYTES) + varint(len(entry) + length) + entry
