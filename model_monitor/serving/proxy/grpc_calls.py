"""The calls of one connection over gRPC, read from the frames that pass: ids are added, messages copied for the log."""

import time
from collections.abc import Callable, Mapping

from ..protocols.v2_grpc import METHOD as INFER
from .counters import UNREADABLE
from .grpc_message import OneMessage
from .h2_frames import ACK, PING, PREFACE, RST_STREAM, SETTINGS, Frames, UnreadableError, goaway
from .h2_frames import frame as made_frame
from .h2_headers import NO_LIMIT, HeaderBlocks, has_room, list_limit, literal, with_header
from .heads import REQUEST_ID, new_id, usable_id
from .taken import Log, Record, Taken

_SERVICE = "/tensorflow.serving.PredictionService/"
_LOGGED = {
    f"{_SERVICE}Predict".encode(): "grpc_predict",
    f"{_SERVICE}Classify".encode(): "grpc_classify",
    INFER.encode(): "grpc_infer",
}
_STATUS = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_BY_CODE = {str(code).encode(): name for code, name in enumerate(_STATUS)}
# What clients of gRPC make of the codes of HTTP/2 by which a server ends a stream; INTERNAL of others.
_BY_RESET = {7: "UNAVAILABLE", 8: "CANCELLED", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED"}
_EXPECTED_RESETS = (0, 8)  # the answer is over, or nobody waits for it: no failure of the server
_MOST_CALLS = 10_000  # of a connection at a time: what is known of them has to be bounded
_ALL_STREAMS = 0x7FFFFFFF
_OUR_PING = b"draining"


class Call:
    """One call.

    Attributes:
      request_id: the client's own, or one made here.
      began: when its headers were complete, in seconds since the epoch.
      started: the same on the clock that measures times.
      request, answer: how far its message is, where it is to be logged.
      taken: copies for the log; None where there is nothing to log.
      asked: whether the client has said all.
      has_id: whether the server's own headers have an id.

    """

    __slots__ = ("answer", "asked", "began", "has_id", "request", "request_id", "started", "taken")

    def __init__(self, request_id: bytes, taken: Taken | None) -> None:
        self.request_id, self.taken = request_id, taken
        self.began, self.started = time.time(), time.perf_counter()
        self.asked = self.has_id = False
        self.request: OneMessage | None = None
        self.answer: OneMessage | None = None
        if taken is not None:
            wanted = taken.is_wanted
            self.request = OneMessage(taken.request_part if wanted else None)
            self.answer = OneMessage(taken.answer_part if wanted else None)

    def drop(self) -> None:
        """Nothing of it is logged."""
        if self.taken is not None:
            self.taken.done(self, logged=False)
        self.taken = self.request = self.answer = None

    def log(self) -> None:
        """It was answered well: it is logged, if it is a whole message each way."""
        taken, request, answer = self.taken, self.request, self.answer
        if taken is None or request is None or answer is None:
            return
        for message, words in ((request, "request_coding"), (answer, "response_coding")):
            if not message.compressed:
                taken.words[words] = ""
        taken.done(self, logged=self.asked and request.is_whole and answer.is_whole)
        self.taken = self.request = self.answer = None


class Calls:
    """The calls of one connection.

    Args:
      log: bounds, and what counts.
      put: takes what is to be logged.
      warn: is told why a connection cannot be read.

    Attributes:
      up, down: what goes to the server and what comes from it.
      server_takes, client_takes: the bytes of a list of headers that each takes, as its settings say.

    """

    def __init__(self, log: Log, put: Callable[[Record], None], warn: Callable[[str], None]) -> None:
        self.up = Frames(_Up(self), PREFACE)
        self.down = Frames(_Down(self))
        self.open: dict[int, Call] = {}
        self.last_stream = 0
        self.is_acknowledged = False
        self.server_takes = self.client_takes = NO_LIMIT
        self._log, self._put, self._warn = log, put, warn
        self._client_key = log.client_header.lower().encode()

    @property
    def is_lost(self) -> bool:
        """Whether the connection cannot be read any more, and bytes go through."""
        return self.up.lost

    def begin(self, stream: int, found: Mapping[bytes, bytes]) -> bytes:
        """A call; gives the id that its headers lack."""
        if len(self.open) >= _MOST_CALLS:
            raise UnreadableError(f"a connection has more than {_MOST_CALLS} calls under way")
        self.last_stream = stream
        given = found.get(REQUEST_ID)
        request_id = given if given is not None and usable_id(given) else new_id()
        self.open[stream] = Call(request_id, self._taken(found))
        return request_id if given is None else b""

    def end(self, call: Call, status: str) -> None:
        """A call is over."""
        if status == _STATUS[0]:
            call.log()
        call.drop()
        self._log.counters.answered("grpc", status, time.perf_counter() - call.started)

    def takes_id(self, size: int, request_id: bytes, limit: int) -> bool:
        """Whether a list of headers has room for an id. Where it has none it goes on without, which is counted."""
        takes = has_room(size, REQUEST_ID, request_id, limit)
        self._log.counters.no_room_for_id += not takes
        return takes

    def leave(self, stream: int) -> None:
        """The client does not wait any more."""
        call = self.open.pop(stream, None)
        if call is not None:
            self._log.counters.client_gone += 1
            self.end(call, "CANCELLED")

    def reset(self, stream: int, code: int) -> None:
        """The server gives no answer, or not all of it."""
        call = self.open.pop(stream, None)
        if call is not None:
            self._log.counters.upstream_failures += code not in _EXPECTED_RESETS
            self.end(call, _BY_RESET.get(code, "INTERNAL"))

    def close(self, *, by_client: bool) -> None:
        """The connection is over: so are the calls that were under way."""
        for stream in list(self.open):
            if by_client:
                self.leave(stream)
            else:
                self._log.counters.upstream_failures += 1
                self.end(self.open.pop(stream), "UNAVAILABLE")

    def lost(self, error: Exception) -> None:
        """The connection cannot be read: what is under way is not logged, nor what comes; it counts as one at least."""
        self.up.lost = self.down.lost = True
        counters = self._log.counters
        lost = max(1, sum(call.taken is not None for call in self.open.values()))
        counters.to_log += lost
        counters.lost[UNREADABLE] += lost
        for call in self.open.values():
            call.drop()
        self.open.clear()
        self._warn(f"{type(error).__name__}: {error}"[:200])

    def drain(self) -> bytes:
        """What tells the client to begin no more calls here; `is_acknowledged` once it knows."""
        return goaway(_ALL_STREAMS) + made_frame(PING, 0, 0, _OUR_PING)

    def _taken(self, found: Mapping[bytes, bytes]) -> Taken | None:
        api = _LOGGED.get(found.get(b":path", b""))
        if api is None:
            return None
        words = {
            "api": api,
            "model": "",
            "client": self._log.client(found.get(self._client_key) if self._client_key else None),
            "request_coding": found.get(b"grpc-encoding", b"").decode("latin-1"),
            "response_coding": "",
        }
        return Taken(words, self._log, self._put)


class _Side:
    """What one side sends."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._blocks = calls, HeaderBlocks()

    def lost(self, error: Exception) -> None:
        self._calls.lost(error)

    def _block(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        """A frame of a block of headers; gives it with the id that the block lacks, once that is whole."""
        found = self._blocks.take(kind, flags, stream, payload)
        lacks = b"" if found is None else self._headers(stream, found)
        if not lacks or not self._calls.takes_id(self._blocks.list_size, lacks, self._limit):
            return None
        return with_header(kind, flags, stream, payload, literal(REQUEST_ID, lacks))

    @property
    def _limit(self) -> int:
        """Of a list of headers, by whoever gets it."""
        raise NotImplementedError

    def _headers(self, stream: int, found: Mapping[bytes, bytes]) -> bytes:
        """A whole block; gives the id that it lacks."""
        raise NotImplementedError


class _Up(_Side):
    """What the client sends."""

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        if kind == RST_STREAM:
            self._calls.leave(stream)
        elif kind == PING:
            if flags & ACK and payload == _OUR_PING and not self._calls.is_acknowledged:
                self._calls.is_acknowledged = True
                return b""
        elif kind == SETTINGS:
            self._calls.client_takes = list_limit(payload, self._calls.client_takes)
        else:
            return self._block(kind, flags, stream, payload)
        return None

    @property
    def _limit(self) -> int:
        return self._calls.server_takes

    def data(self, stream: int, buffer: bytes, start: int, end: int, last: bool) -> None:
        call = self._calls.open.get(stream)
        if call is None:
            return
        if call.request is not None and not call.request.part(buffer, start, end):
            call.drop()  # more than one message: no call that is logged
        if last:
            call.asked = True

    def _headers(self, stream: int, found: Mapping[bytes, bytes]) -> bytes:
        calls, lacks = self._calls, b""
        if stream % 2 and stream > calls.last_stream:
            lacks = calls.begin(stream, found)
        if self._blocks.ends_stream and stream in calls.open:
            calls.open[stream].asked = True
        return lacks


class _Down(_Side):
    """What the server sends."""

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        if kind == RST_STREAM:
            self._calls.reset(stream, int.from_bytes(payload, "big"))
        elif kind == SETTINGS:
            self._calls.server_takes = list_limit(payload, self._calls.server_takes)
        elif kind != PING:
            return self._block(kind, flags, stream, payload)
        return None

    @property
    def _limit(self) -> int:
        return self._calls.client_takes

    def data(self, stream: int, buffer: bytes, start: int, end: int, last: bool) -> None:
        call = self._calls.open.get(stream)
        if call is None:
            return
        if call.answer is not None and not call.answer.part(buffer, start, end):
            call.drop()
        if last:  # without a status, which a server of gRPC never leaves out
            self._calls.end(self._calls.open.pop(stream), "UNKNOWN")

    def _headers(self, stream: int, found: Mapping[bytes, bytes]) -> bytes:
        calls, blocks = self._calls, self._blocks
        call = None if blocks.is_promise else calls.open.get(stream)
        if call is None:
            return b""
        call.has_id |= REQUEST_ID in found
        if b"grpc-encoding" in found and call.taken is not None:
            call.taken.words["response_coding"] = found[b"grpc-encoding"].decode("latin-1")
        if not blocks.ends_stream:
            return b""
        calls.end(calls.open.pop(stream), _BY_CODE.get(found.get(b"grpc-status", b""), "UNKNOWN"))
        return b"" if call.has_id else call.request_id
