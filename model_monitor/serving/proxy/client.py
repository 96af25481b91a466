"""Connections of clients over HTTP/1.0 and 1.1: requests are taken in order and answered in order."""

import asyncio
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools

from .exchange import Exchange
from .heads import Headers, cause_of, refusal

if TYPE_CHECKING:
    from .rest import RestProxy

MOST_HEAD_BYTES = 1 << 16
HEAD_SECONDS = 60.0  # for the head of a request, from its first byte on
IDLE_SECONDS = 300.0  # that a connection may stay open without a request
_MOST_PIPELINED = 16  # requests that wait behind one that is being answered


class ClientConnection(asyncio.Protocol):
    """One connection of a client.

    Attributes:
      proxy: where it is handled.
      peer: the client's address.
      takes_chunks: whether the client of the current request speaks HTTP/1.1.

    """

    def __init__(self, proxy: "RestProxy") -> None:
        self.proxy = proxy
        self.peer = ""
        self._transport: Any = None
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Exchange] = deque()
        self._arriving: Exchange | None = None
        self._versions: dict[Exchange, tuple[bool, bool]] = {}
        self._target, self._head_bytes, self._in_head = b"", 0, False
        self._headers: Headers = []
        self._since = time.monotonic()
        self._closing = self._deaf = self._gone = False
        self._refusal: tuple[HTTPStatus, str] | None = None

    @property
    def takes_chunks(self) -> bool:
        return self._versions[self._queue[0]][0]

    def connection_header(self) -> Headers:
        """What the answer says of the connection."""
        http11, keep_alive = self._versions[self._queue[0]]
        if not keep_alive or self._closing:
            self._closing = True
            return [(b"Connection", b"close")]
        return [] if http11 else [(b"Connection", b"keep-alive")]

    def end_after_answer(self) -> None:
        """The current answer is the last one of the connection."""
        self._closing = True

    def send(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def read_on(self, wanted: bool) -> None:
        if self._transport.is_closing():
            return
        if wanted and len(self._queue) <= _MOST_PIPELINED:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def exchange_over(self, exchange: Exchange, *, broken: bool) -> None:
        """A request is answered, or given up; `broken` where half an answer was all there is."""
        was_current = bool(self._queue) and self._queue[0] is exchange
        if exchange in self._queue:
            self._queue.remove(exchange)
        del self._versions[exchange]
        self._since = time.monotonic()
        if self._gone or not was_current:
            return
        if broken or self._closing or self.proxy.is_draining:
            self._transport.close()  # once everything is sent
        elif self._queue:
            self._queue[0].start()
            self.read_on(True)
        elif self._refusal is not None:
            self._say_refusal()
        else:
            self.read_on(True)

    def end_if_idle(self) -> None:
        """Called when the proxy ends: what is under way goes on, and is the last."""
        if not self._queue:
            self._transport.close()

    def end_if_late(self, now: float) -> None:
        """Ends a connection that says nothing, or does not come to the end of a head."""
        limit = HEAD_SECONDS if self._in_head else IDLE_SECONDS
        if not self._queue and now - self._since > limit:
            self._transport.abort()

    def give_up(self) -> None:
        """Ends the connection whatever it is at."""
        self._transport.abort()

    # asyncio calls these
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        address = transport.get_extra_info("peername")
        self.peer = address[0] if isinstance(address, tuple) else ""
        self.proxy.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._gone = True
        self.proxy.connections.discard(self)
        for exchange in list(self._queue):
            exchange.client_gone()
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._in_head or self._arriving is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = self._closing = True  # what follows is of another protocol, which the head did not get
        except httptools.HttpParserError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"The request is no HTTP/1.1: {cause_of(error)}")
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
            rule = f"The head of a request may have {MOST_HEAD_BYTES} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, rule)

    def pause_writing(self) -> None:
        if self._queue:
            self._queue[0].drained(False)

    def resume_writing(self) -> None:
        if self._queue:
            self._queue[0].drained(True)

    # httptools calls these
    def on_message_begin(self) -> None:
        self._target, self._headers = b"", []
        self._in_head, self._since = True, time.monotonic()

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are not handed on
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._parser.get_method() == b"CONNECT":
            raise ValueError("CONNECT asks for another kind of proxy")
        exchange = Exchange(self, self._parser.get_method(), self._target, self._headers)
        self._versions[exchange] = (self._parser.get_http_version() == "1.1", self._parser.should_keep_alive())
        self._arriving = exchange
        self._queue.append(exchange)
        self.proxy.begin(exchange)
        if len(self._queue) == 1:
            exchange.start()
        else:
            self.read_on(len(self._queue) <= _MOST_PIPELINED)

    def on_body(self, data: bytes) -> None:
        if self._arriving is not None:
            self._arriving.part(data)

    def on_message_complete(self) -> None:
        if self._arriving is not None:
            self._arriving.end()
        self._arriving = None

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Says no to what is no request, after the answers to those before it."""
        self._deaf, self._in_head = True, False
        self.proxy.counters.refused += 1
        self._refusal = (status, sentence)
        if self._arriving is not None and self._arriving.status:
            self._transport.abort()  # half of its answer is on its way
        elif self._arriving is not None:  # its head may have gone to the server already, its body never will
            self._arriving.client_gone()
        elif not self._queue:
            self._say_refusal()

    def _say_refusal(self) -> None:
        status, sentence = self._refusal or (HTTPStatus.BAD_REQUEST, "")
        head, body = refusal(status, sentence)
        self.send(head + body)
        if not self._transport.is_closing():
            self._transport.close()
