"""One request over HTTP, on its way to the model server, and the answer on its way back. Callbacks only."""

import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from .heads import (
    BODILESS,
    LAST_CHUNK,
    REQUEST_ID,
    Headers,
    chunk,
    handed_on,
    is_chunked,
    new_id,
    refusal,
    request_head,
    response_head,
    usable_id,
    values,
)
from .taken import Taken
from .upstream import UpstreamConnection

if TYPE_CHECKING:
    from .client import ClientConnection

_MOST_WAITING = 1 << 18  # bytes of a request that wait for a connection, before no more are read


class Exchange:
    """A request and its answer.

    Attributes:
      method, target: as the client sent them.
      headers: likewise, in order.
      head_only: whether the answer has no body, whatever its head says.
      request_id: the client's own, or one made here.
      peer: the address that the request came from.
      taken: copies of the bodies for the log; None where the request is not to be logged.
      status: of the answer; 0 before there is one.
      began: when the request's head was complete, in seconds since the epoch.

    """

    def __init__(self, client: "ClientConnection", method: bytes, target: bytes, headers: Headers) -> None:
        self.method, self.target, self.headers = method, target, headers
        self.head_only = method == b"HEAD"
        given = values(headers, REQUEST_ID)
        self.request_id = given[0].strip() if given and usable_id(given[0].strip()) else new_id()
        self.taken: Taken | None = None
        self.status = 0
        self.began, self.peer = time.time(), client.peer
        self.started = time.perf_counter()
        self._has_id = bool(given)
        self._client, self._upstream = client, client.proxy.upstream
        self._counters = client.proxy.counters
        self._connection: UpstreamConnection | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._chunked_up = is_chunked(headers)
        self._whole = self._answered = self._over = False
        self._chunked_down = False

    @property
    def is_over(self) -> bool:
        return self._over

    def start(self) -> None:
        """Its turn has come: the answers before it are all sent."""
        self._upstream.take(self)

    def part(self, data: bytes) -> None:
        """Some of the request's body."""
        if self._over:
            return
        if self.taken is not None:
            self.taken.request_part(data)
        self._pass(chunk(data) if self._chunked_up else data)

    def end(self) -> None:
        """The request is whole."""
        self._whole = True
        if self._chunked_up and not self._over:
            self._pass(LAST_CHUNK)

    def client_gone(self) -> None:
        """Nobody waits for the answer any more: the model server is told by the end of its connection."""
        if not self._over:
            self._counters.client_gone += 1
            self._finish(reusable=False, logged=False)

    def drained(self, drained: bool) -> None:
        """Whether the client takes what is sent to it; if not, no more of the answer is read."""
        if self._connection is not None:
            self._connection.read_on(drained)

    # `upstream.Asking`
    def connected(self, connection: UpstreamConnection) -> None:
        if self._over:  # the client went while the connection was made
            connection.release(reusable=True)
            return
        self._connection = connection
        headers = handed_on(self.headers)
        headers += [] if self._has_id else [(b"X-Request-Id", self.request_id)]
        headers += [(b"Transfer-Encoding", b"chunked")] if self._chunked_up else []
        if not values(headers, b"host"):
            headers.insert(0, (b"Host", self._upstream.authority))
        connection.send(request_head(self.method, self.target, headers))
        waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        for data in waiting:
            connection.send(data)
        self._client.read_on(True)

    def not_connected(self, why: str) -> None:
        self._refuse(HTTPStatus.BAD_GATEWAY, why)

    def answer_head(self, status: int, reason: bytes, headers: Headers) -> None:
        self.status, self._answered = status, True
        sent = handed_on(headers)
        if status < 200:
            self._client.send(response_head(status, reason, sent))
            self._answered = False
            return
        bare = self.head_only or status in BODILESS
        sized = bare or bool(values(sent, b"content-length"))
        self._chunked_down = not sized and self._client.takes_chunks
        if not sized and not self._client.takes_chunks:
            self._client.end_after_answer()
        if not self._whole:  # the server did not wait for the rest: what comes of it is no request
            self._client.end_after_answer()
        sent += [] if values(sent, REQUEST_ID) else [(b"X-Request-Id", self.request_id)]
        sent += [(b"Transfer-Encoding", b"chunked")] if self._chunked_down else []
        sent += self._client.connection_header()
        if self.taken is not None:
            self.taken.answer_head(status, headers)
        self._client.send(response_head(status, reason, sent))

    def answer_part(self, data: bytes) -> None:
        if self.taken is not None:
            self.taken.answer_part(data)
        self._client.send(chunk(data) if self._chunked_down else data)

    def answer_end(self) -> None:
        if self._chunked_down:
            self._client.send(LAST_CHUNK)
        reusable = self._whole and self._connection is not None and self._connection.reusable
        self._finish(reusable=reusable, logged=self._whole)

    def answer_lost(self, why: str) -> None:
        if self._answered:  # half an answer: the client sees the connection end, as it would without a proxy
            self._counters.upstream_failures += 1
            self._finish(reusable=False, logged=False, broken=True)
        else:
            self._refuse(HTTPStatus.BAD_GATEWAY, why)

    def hold(self, full: bool) -> None:
        self._client.read_on(not full)

    def _pass(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.send(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _MOST_WAITING:
            self._client.read_on(False)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        if self._over:
            return
        self._counters.upstream_failures += 1
        self.status = int(status)
        head, body = refusal(status, f"The model server at {self._upstream.url} {why}", self.request_id)
        self._client.end_after_answer()
        self._client.send(head if self.head_only else head + body)
        self._finish(reusable=False, logged=False)

    def _finish(self, *, reusable: bool, logged: bool, broken: bool = False) -> None:
        self._over = True
        self._waiting.clear()
        if self._connection is not None:
            if reusable:
                self._connection.release(reusable=True)
            else:
                self._connection.close()
            self._connection = None
        taken, self.taken = self.taken, None
        if taken is not None:
            taken.done(self, logged=logged)
        self._counters.answered("rest", self.status or "none", time.perf_counter() - self.started)
        self._client.exchange_over(self, broken=broken)
