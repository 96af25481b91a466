"""Protobuf's encoding of single fields, as documented: https://protobuf.dev/programming-guides/encoding.

For messages that are written many times over, and by those who have no protobuf.
"""

from collections.abc import Iterable

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
_UINT64 = (1 << 64) - 1
_ONE_BYTE = [bytes([value]) for value in range(0x80)]  # most numbers are that small, and this is called for each


def varint(value: int) -> bytes:
    r"""A whole number; negative ones are two's complement in 64 bits.

    >>> varint(300), varint(-1)
    (b'\xac\x02', b'\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01')
    """
    return _ONE_BYTE[value] if 0 <= value < len(_ONE_BYTE) else bytes(_groups(value & _UINT64))


def key(field: int, wire_type: int) -> bytes:
    """What stands before the value of a field."""
    return varint(field << 3 | wire_type)


def number(field: int, value: int) -> bytes:
    """A field of a whole number."""
    return key(field, VARINT) + varint(value)


def message(field: int, content: bytes) -> bytes:
    """A field of bytes, text or another message."""
    return b"".join((key(field, BYTES), varint(len(content)), content))


def _groups(value: int) -> Iterable[int]:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
