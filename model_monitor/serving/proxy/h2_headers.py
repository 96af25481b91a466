"""HTTP/2's headers: blocks of them are read in order, as HPACK (RFC 7541) has a state, and one is put behind."""

import struct
from collections.abc import Mapping

import hpack

from .h2_frames import (
    ALLOWED_FRAME,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PRIORITY,
    PUSH_PROMISE,
    UnreadableError,
    frame,
)

MOST_BLOCK = 1 << 16  # bytes of a block as it is sent, heads of its frames counted
MOST_LIST = 1 << 16  # of the headers in a block, each counted with 32 bytes more, as HPACK does
# Of the table of earlier headers. An encoder may not use more than its receiver's SETTINGS say, 4,096 unless these say
# otherwise, and tells in a block how much it uses: so this bound is all that a reader between the two has to know.
MOST_TABLE = 1 << 16
NO_LIMIT = 1 << 32  # of a list: more than settings can say
_FRAME_HEAD = 9
_SETTING = struct.Struct(">HI")
_MAX_HEADER_LIST_SIZE = 6  # of the settings
_COUNTED_MORE = 32  # bytes for each header, above its name and value
_RESIZING, _END_OF_RESIZING = b"\x20", b"\x40"  # a block that begins in between changes the size of the table
_MOST_KNOWN = 64
_PLAIN = END_HEADERS | PADDED | PRIORITY  # the flags that say how a block lies in its frame


class HeaderBlocks:
    """The blocks of one direction of a connection.

    Attributes:
      ends_stream: whether the last block that was whole is the end of what its sender says.
      is_promise: whether it is of a stream that a server promises.
      list_size: of the headers in that block, as settings limit it.

    """

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=MOST_LIST)
        self._decoder.max_allowed_table_size = MOST_TABLE
        # since the table changed, blocks that do not change it, with what their lists count
        self._known: dict[bytes, tuple[Mapping[bytes, bytes], int]] = {}
        self._parts: list[bytes] = []
        self.ends_stream = self.is_promise = False
        self._size = self._stream = self.list_size = 0

    def take(self, kind: int, flags: int, stream: int, payload: bytes) -> Mapping[bytes, bytes] | None:
        """A frame of a block; the headers, of several of a name the first, if the block is whole.

        Raises:
          UnreadableError: the frame belongs to no block, or the block is too large.
          hpack.HPACKError: it is no HPACK, or more than is read.

        """
        if not self._parts and kind == HEADERS and flags & _PLAIN == END_HEADERS:  # as all but a few are
            self.ends_stream, self.is_promise = bool(flags & END_STREAM), False
            return self._decoded(payload)
        if (kind == CONTINUATION) != bool(self._parts) or stream != (self._stream if self._parts else stream or -1):
            raise UnreadableError("a block of headers is not continued by its own next frame")
        if kind != CONTINUATION:
            self._size, self._stream = 0, stream
            self.ends_stream, self.is_promise = bool(flags & END_STREAM), kind == PUSH_PROMISE
        self._parts.append(_fragment(kind, flags, payload))
        self._size += _FRAME_HEAD + len(payload)
        if self._size > MOST_BLOCK:
            raise UnreadableError(f"a block of headers has more than {MOST_BLOCK} bytes")
        if not flags & END_HEADERS:
            return None
        encoded, self._parts = b"".join(self._parts), []
        return self._decoded(encoded)

    def _decoded(self, encoded: bytes) -> Mapping[bytes, bytes]:
        """The headers of a block. Most blocks say what an earlier one said, of the same table of earlier headers."""
        known = self._known.get(encoded)
        if known is not None:
            headers, self.list_size = known
            return headers
        table = self._decoder.header_table.dynamic_entries
        size, newest = len(table), table[0] if table else None
        listed = list(self._decoder.decode(encoded, raw=True))
        headers, self.list_size = dict(reversed(listed)), sum(listed_size(name, value) for name, value in listed)
        is_unchanged = len(table) == size and (table[0] if table else None) is newest  # an entry is a new object
        is_unchanged &= encoded[:1] < _RESIZING or encoded[:1] >= _END_OF_RESIZING
        if not is_unchanged or len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if is_unchanged:
            self._known[encoded] = headers, self.list_size
        return headers


def has_room(size: int, name: bytes, value: bytes, limit: int) -> bool:
    """Whether a header can be put to a list of this size, of which the receiver takes so much.

    What is as large as the limit is left out: gRPC's own library refuses that (docs/traps.md).
    """
    return size + listed_size(name, value) < limit


def listed_size(name: bytes, value: bytes) -> int:
    """What a header adds to its list, of which a receiver says how large it may be (RFC 9113, 6.5.2)."""
    return len(name) + len(value) + _COUNTED_MORE


def list_limit(settings: bytes, before: int) -> int:
    """The bytes of a list of headers that whoever sends these settings takes; `before` where they do not say."""
    whole = settings[: len(settings) // _SETTING.size * _SETTING.size]
    said = [value for name, value in _SETTING.iter_unpack(whole) if name == _MAX_HEADER_LIST_SIZE]
    return said[-1] if said else before


def literal(name: bytes, value: bytes) -> bytes:
    """A header that leaves the tables of both sides alone: a literal without indexing."""
    return b"\0" + _counted(name) + _counted(value)


def with_header(kind: int, flags: int, stream: int, payload: bytes, header: bytes) -> bytes:
    """The last frame of a block, and one header behind those that it has; in a frame of its own where it has to be."""
    if len(payload) + len(header) > ALLOWED_FRAME:
        return frame(kind, flags & ~END_HEADERS, stream, payload) + frame(CONTINUATION, END_HEADERS, stream, header)
    end = len(payload) - _padding(kind, flags, payload)
    return frame(kind, flags, stream, payload[:end] + header + payload[end:])


def _padding(kind: int, flags: int, payload: bytes) -> int:
    if kind == CONTINUATION or not flags & PADDED:
        return 0
    if not payload:
        raise UnreadableError("a frame has no length of its padding")
    return payload[0]


def _fragment(kind: int, flags: int, payload: bytes) -> bytes:
    """What a frame has of a block."""
    start, end = 0, len(payload) - _padding(kind, flags, payload)
    if kind != CONTINUATION:
        start += bool(flags & PADDED)
        start += 4 if kind == PUSH_PROMISE else 0
        start += 5 if kind == HEADERS and flags & PRIORITY else 0
    if start > end:
        raise UnreadableError("a frame has more padding than bytes")
    return payload[start:end]


def _counted(text: bytes) -> bytes:
    """A text as HPACK has it: its length, in seven bits or in more bytes, and itself."""
    length = len(text)
    if length < 127:
        return b"%c%b" % (length, text)
    head, length = b"\x7f", length - 127
    while length >= 128:
        head, length = head + bytes((length & 127 | 128,)), length >> 7
    return head + bytes((length,)) + text
