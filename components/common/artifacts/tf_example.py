"""`tf.train.Example` messages read without TensorFlow: as much of protobuf's wire format as an Example uses."""

import struct
from collections.abc import Iterator
from typing import TypeAlias

from ..errors import MonitorError

Values: TypeAlias = list[bytes] | list[float] | list[int]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3  # the fields of a `Feature`


def parse_example(record: bytes) -> dict[str, Values]:
    """The features of a serialised Example; an empty list for a feature without values.

    Raises:
      MonitorError: it is no Example.

    """
    try:
        features: dict[str, Values] = {}
        for number, message in _fields(record):
            if number == 1:
                for _, entry in _fields(_bytes(message)):
                    parts = dict(_fields(_bytes(entry)))
                    features[_bytes(parts.get(1, b"")).decode()] = _values(_bytes(parts.get(2, b"")))
    except (IndexError, ValueError, struct.error) as error:
        raise MonitorError(f"A record must be a tf.Example. Received: {record[:40]!r}, {error}") from error
    return features


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


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Each field's number and its value: a number for a varint, else the bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, place = _varint(message, place)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} at byte {place}")
        if place + length > len(message):
            raise ValueError(f"a field is cut off at byte {place}")
        yield tag >> 3, message[place : place + length]
        place += length


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


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError(f"a message must be bytes, not the number {value}")
    return value


def _values(feature: bytes) -> Values:
    values: Values = []
    for kind, message in _fields(feature):
        found = [value for number, value in _fields(_bytes(message)) if number == 1]
        if kind == _BYTES_LIST:
            values = [_bytes(value) for value in found]
        elif kind == _FLOAT_LIST:
            packed = b"".join(_bytes(value) for value in found)
            values = list(struct.unpack(f"<{len(packed) // 4}f", packed))
        elif kind == _INT64_LIST:
            values = [_signed(number) for value in found for number in _packed(value)]
    return values


def _packed(value: bytes | int) -> Iterator[int]:
    """The numbers of a packed list of varints, or the one of a list that is not packed."""
    if isinstance(value, int):
        yield value
        return
    place = 0
    while place < len(value):
        number, place = _varint(value, place)
        yield number


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
