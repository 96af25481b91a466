"""Connections to the model server over HTTP/1.1, kept open and used again. Callbacks only: nothing waits here."""

import asyncio
import ssl
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

import httptools

from components.common.errors import require

from .heads import BODILESS, Headers, cause_of, is_chunked, values

CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 30.0  # after which a server may have forgotten a connection
_MOST_IDLE = 128


class Asking(Protocol):
    """Who sends one request over a connection and is told what comes back."""

    head_only: bool

    def connected(self, connection: "UpstreamConnection") -> None: ...
    def not_connected(self, why: str) -> None: ...
    def answer_head(self, status: int, reason: bytes, headers: Headers) -> None: ...
    def answer_part(self, data: bytes) -> None: ...
    def answer_end(self) -> None: ...
    def answer_lost(self, why: str) -> None: ...
    def hold(self, full: bool) -> None: ...


class Upstream:
    """Where requests go: an address, and the connections to it that wait for the next request.

    Raises:
      MonitorError: the URL is none of a server.

    """

    def __init__(self, url: str) -> None:
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            parts, port = urlsplit(""), None
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/") and not parts.query
        require(bool(plain), "--upstream", "be the URL of a server, as http://127.0.0.1:8501", url)
        self.url = url.rstrip("/")
        self.host, self.port = parts.hostname or "", port or (443 if parts.scheme == "https" else 80)
        self.authority = parts.netloc.rpartition("@")[2].encode()
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[UpstreamConnection] = []
        self._connecting: set[asyncio.Task[None]] = set()

    def take(self, asking: Asking) -> None:
        """Gives a connection by `asking.connected`, at once where one is idle, or says why there is none."""
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.idle_since < _IDLE_SECONDS:
                connection.begin(asking)
                return
            connection.close()
        task = asyncio.get_running_loop().create_task(self._connect(asking))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def keep(self, connection: "UpstreamConnection") -> None:
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: "UpstreamConnection") -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        for connection in list(self._idle):
            connection.close()

    async def _connect(self, asking: Asking) -> None:
        loop = asyncio.get_running_loop()
        made = loop.create_connection(lambda: UpstreamConnection(self), self.host, self.port, ssl=self._ssl)
        try:
            _, connection = await asyncio.wait_for(made, CONNECT_SECONDS)
        except asyncio.TimeoutError:
            asking.not_connected(f"does not take a connection within {CONNECT_SECONDS:g} s")
        except OSError as error:
            asking.not_connected(f"cannot be reached: {error.strerror or error}")
        else:
            connection.begin(asking)


class UpstreamConnection(asyncio.Protocol):
    """One connection, which serves one request after the other.

    Attributes:
      idle_since: when the last answer was complete, by the monotonic clock.
      reusable: whether the server takes another request, once an answer is complete.

    """

    def __init__(self, upstream: Upstream) -> None:
        self.idle_since = 0.0
        self.reusable = False
        self._upstream = upstream
        self._asking: Asking | None = None
        self._transport: Any = None
        self._parser: Any = None
        self._headers: Headers = []
        self._full = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def begin(self, asking: Asking) -> None:
        """Serves a request from now on; `asking.connected` is called."""
        self._asking, self.reusable = asking, False
        self._parser = httptools.HttpResponseParser(self)
        self._reason, self._headers, self._head_done, self._sized = b"", [], False, False
        asking.connected(self)

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def read_on(self, wanted: bool) -> None:
        """Goes on reading, or leaves what comes to the operating system for now."""
        if self.is_open:
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def release(self, *, reusable: bool) -> None:
        """The request is done; whether the connection can take another depends on both sides."""
        if self._asking is None:
            return
        self._asking, self.idle_since = None, time.monotonic()
        if reusable and self.is_open and not self._full:
            self.read_on(True)
            self._upstream.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """Ends the connection, and with it a request that is under way."""
        self._asking = None
        self._upstream.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._upstream.forget(self)
        asking, self._asking = self._asking, None
        if asking is None:
            return
        if self._head_done and not self._sized and error is None:
            asking.answer_end()  # the end of the connection is the end of such an answer
        else:
            asking.answer_lost("ended the connection before its answer was complete")

    def data_received(self, data: bytes) -> None:
        if self._asking is None:  # nobody asked: not a connection to go on with
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            asking = self._asking
            self.close()
            if asking is not None:
                asking.answer_lost(f"answered what is no HTTP/1.1: {cause_of(error)}")

    def pause_writing(self) -> None:
        self._full = True
        if self._asking is not None:
            self._asking.hold(True)

    def resume_writing(self) -> None:
        self._full = False
        if self._asking is not None:
            self._asking.hold(False)

    # httptools calls these
    def on_message_begin(self) -> None:
        self._reason, self._headers, self._head_done, self._sized = b"", [], False, False

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # trailers are not handed on
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        sized = is_chunked(self._headers) or bool(values(self._headers, b"content-length"))
        self._sized = sized or status in BODILESS
        self._head_done = True
        if self._asking is not None:
            self._asking.answer_head(status, self._reason, self._headers)
        if self._asking is not None and self._asking.head_only and status >= 200:
            self._asking.answer_end()
            self.close()  # the parser would wait for the body that a HEAD request does not get

    def on_body(self, data: bytes) -> None:
        if self._asking is not None:
            self._asking.answer_part(data)

    def on_message_complete(self) -> None:
        if self._asking is not None and self._parser.get_status_code() >= 200:
            self.reusable = self._sized and self._parser.should_keep_alive()
            self._asking.answer_end()
