"""HTTP/2's frames (RFC 9113): what comes from one side is split as it comes, and handed on at once.

What nobody has to change goes on as the bytes that came, in the parts that it came in.
"""

import struct
from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | memoryview

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, _, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, _, CONTINUATION = range(10)
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
ALLOWED_FRAME = 1 << 14  # bytes of a frame that every receiver takes
MOST_WHOLE = 1 << 16  # bytes of a frame that is read whole
_WHOLE = frozenset((HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, CONTINUATION))
_BLOCKS = frozenset((HEADERS, PUSH_PROMISE, CONTINUATION))
_HEAD = struct.Struct(">BHBBI")
_HEAD_BYTES = _HEAD.size
_STREAM = 0x7FFFFFFF


class UnreadableError(ValueError):
    """What came is not HTTP/2, or more of it than is read."""


class Tap(Protocol):
    """Who is told of the frames of one direction; what it raises ends the reading, and nothing else."""

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        """A frame with headers, of settings, a ping or a reset; gives what goes on in its place, None: itself."""

    def data(self, stream: int, buffer: bytes, start: int, end: int, last: bool) -> None:
        """Some of a stream's data, without padding; `last`: its sender says that no more comes."""

    def lost(self, error: Exception) -> None:
        """Nothing more can be read; from here on bytes go through."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame as bytes."""
    return _HEAD.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def goaway(last_stream: int) -> bytes:
    """No streams above this one are served on the connection."""
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream, 0))


class Frames:
    """The frames of one direction of a connection.

    Args:
      tap: is told of them.
      preface: what comes before the first frame.

    Attributes:
      lost: whether what comes is no longer read, only handed on.

    """

    def __init__(self, tap: Tap, preface: bytes = b"") -> None:
        self.lost = False
        self._tap, self._preface = tap, preface
        self._held = self._injected = b""
        self._begun = self._in_block = False
        self._out: list[Buffer] = []
        self._sent = 0  # of the bytes at hand, those that `_out` has
        self._stream = self._left = self._content = 0  # of a frame that is handed on as it comes
        self._is_data = self._last = False

    def feed(self, data: bytes) -> list[Buffer]:
        """Takes what came; gives what goes on, in order."""
        if self._held:
            data, self._held = self._held + data, b""
        if self.lost:
            return [data]
        self._out, self._sent = [], 0
        try:
            end = self._read(data)
        except Exception as error:  # whatever is wrong with reading it: traffic goes on
            self.lost, end = True, len(data)
            self._tap.lost(error)
        if not self._sent and end == len(data) and not self._injected:
            return [data]
        if end < len(data):
            self._held = data[end:]
        self._hand_on(data, end)
        out, self._out = self._out, []  # nothing keeps what has gone
        return out + self.inject(b"") if self._injected else out

    def rest(self) -> bytes:
        """What waits for the rest of its frame, which does not come: it goes on."""
        held, self._held = self._held, b""
        return held

    def inject(self, frames: bytes) -> list[Buffer]:
        """Puts frames between two others; gives what can go on at once, the rest goes with what comes."""
        injected, self._injected = self._injected + frames, b""
        if self._at_boundary:
            return [injected] if injected else []
        self._injected = injected
        return []

    @property
    def _at_boundary(self) -> bool:
        return self._begun and not (self._left or self._in_block or self.lost)

    def _read(self, data: bytes) -> int:
        """Tells the tap what `data` has; gives how much of it can go on."""
        at, size = self._pass_on(data, 0) if self._left else 0, len(data)
        if self._preface and (at := self._read_preface(data)) == 0:
            return 0
        told, head_of = self._tap.data, _HEAD.unpack_from  # looked up once, for there are many frames in a message
        while size - at >= _HEAD_BYTES:
            if self._injected and self._at_boundary:
                self._replace(data, at, at, self._injected)
                self._injected = b""
            high, low, kind, flags, stream = head_of(data, at)
            start = at + _HEAD_BYTES
            end = start + (high << 16 | low)
            if kind == DATA and end <= size and not flags & PADDED:
                told(stream & _STREAM, data, start, end, bool(flags & END_STREAM))
                at = end
            elif kind in _WHOLE:
                if end - start > MOST_WHOLE:
                    raise UnreadableError(f"a frame of kind {kind} has {end - start} bytes")
                if end > size:
                    return at
                replaced = self._tap.frame(kind, flags, stream & _STREAM, data[start:end])
                if kind in _BLOCKS:
                    self._in_block = not flags & END_HEADERS
                if replaced is not None:
                    self._replace(data, at, end, replaced)
                at = end
            elif kind == DATA and flags & PADDED and start == size:
                return at  # how much padding there is has not come yet
            else:
                at = self._pass_on(data, self._begin(data, start, end - start, (kind, flags, stream & _STREAM)))
            self._begun = True
        return at

    def _read_preface(self, data: bytes) -> int:
        preface = self._preface
        if not data.startswith(preface[: len(data)]):
            raise UnreadableError("it does not begin as HTTP/2 does")
        if len(data) < len(preface):
            return 0
        self._preface = b""
        return len(preface)

    def _begin(self, data: bytes, start: int, length: int, head: tuple[int, int, int]) -> int:
        """A frame that is handed on as it comes; gives where its content starts."""
        kind, flags, self._stream = head
        self._is_data, self._last = kind == DATA, bool(kind == DATA and flags & END_STREAM)
        self._left = self._content = length
        if kind == DATA and flags & PADDED:
            self._left, self._content = length - 1, length - 1 - data[start]
            if self._content < 0:
                raise UnreadableError("a frame has more padding than bytes")
            start += 1
        return start

    def _pass_on(self, data: bytes, at: int) -> int:
        """What has come of a frame that is handed on as it comes; gives where it ends."""
        upto = min(len(data), at + self._left)
        content = min(self._content, upto - at)
        self._left -= upto - at
        self._content -= content
        if self._is_data:
            self._tap.data(self._stream, data, at, at + content, self._last and not self._left)
        return upto

    def _replace(self, data: bytes, at: int, end: int, replaced: bytes) -> None:
        self._hand_on(data, at)
        if replaced:
            self._out.append(replaced)
        self._sent = end

    def _hand_on(self, data: bytes, end: int) -> None:
        if end - self._sent == len(data):
            self._out.append(data)
        elif end > self._sent:
            self._out.append(memoryview(data)[self._sent : end])
        self._sent = max(end, self._sent)
