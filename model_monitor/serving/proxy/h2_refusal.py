"""A server of gRPC that answers every call alike: it is not to be had, and why."""

import struct
import time
from urllib.parse import quote

from .counters import Counters
from .h2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    Frames,
    UnreadableError,
    frame,
    goaway,
)
from .h2_headers import NO_LIMIT, HeaderBlocks, has_room, list_limit, listed_size, literal
from .heads import REQUEST_ID, new_id, usable_id

_STATUS_200 = b"\x88"  # of HPACK's table
_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")  # as gRPC writes a message of a status


class Refusal:
    """What one client is answered.

    Args:
      sentence: why.
      counters: of the calls.

    Attributes:
      is_over: whether no more is answered, or what came was no HTTP/2: the connection is to end.

    """

    def __init__(self, sentence: str, counters: Counters) -> None:
        self.is_over = False
        self._counters = counters
        self._frames, self._blocks = Frames(self, PREFACE), HeaderBlocks()
        why = quote(sentence, safe=_PLAIN).encode()
        said = ((b"content-type", b"application/grpc"), (b"grpc-status", b"14"), (b"grpc-message", why))
        self._status = _STATUS_200 + b"".join(literal(*each) for each in said)
        self._size = sum(listed_size(*each) for each in ((b":status", b"200"), *said))
        self._limit = NO_LIMIT  # of a list of headers, as the client says
        self._out = [frame(SETTINGS, 0, 0, b"")]
        self._last_stream = 0

    def feed(self, data: bytes) -> bytes:
        """Takes what the client sent; gives what it is answered."""
        self._frames.feed(data)
        out, self._out = b"".join(self._out), []
        return out

    def farewell(self) -> bytes:
        """No more is answered: calls that come later find another connection, and perhaps the server."""
        self.is_over = True
        return goaway(self._last_stream)

    # `h2_frames.Tap`
    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        if kind == SETTINGS:
            self._limit = list_limit(payload, self._limit)
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._out.append(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == PUSH_PROMISE:
            raise UnreadableError("a client promises nothing")
        elif kind not in (SETTINGS, PING, RST_STREAM):
            found = self._blocks.take(kind, flags, stream, payload)
            if found is not None and stream % 2 and stream > self._last_stream and not self.is_over:
                self._last_stream = stream
                given = found.get(REQUEST_ID, b"")
                self._refuse(stream, given if usable_id(given) else new_id(), ended=self._blocks.ends_stream)
        return None

    def data(self, stream: int, buffer: bytes, start: int, end: int, last: bool) -> None:
        """Of a call that has been answered."""

    def lost(self, error: Exception) -> None:
        self.is_over = True

    def _refuse(self, stream: int, request_id: bytes, *, ended: bool) -> None:
        started = time.perf_counter()
        takes_id = has_room(self._size, REQUEST_ID, request_id, self._limit)
        self._counters.no_room_for_id += not takes_id
        block = self._status + (literal(REQUEST_ID, request_id) if takes_id else b"")
        self._out.append(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))
        if not ended:  # what comes of it is not wanted
            self._out.append(frame(RST_STREAM, 0, stream, struct.pack(">I", 0)))
        self._counters.upstream_failures += 1
        self._counters.answered("grpc", "UNAVAILABLE", time.perf_counter() - started)
