"""The proxy for everything over gRPC: a connection to the server for each of a client's, and bytes go through at once.

So flow control, settings, deadlines, cancellation, compression and streams of any kind are the two sides' own.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from components.common.errors import require

from ..listening import listening
from .grpc_calls import Calls
from .h2_frames import Buffer, Frames, goaway
from .h2_refusal import Refusal
from .taken import Log, Record
from .upstream import CONNECT_SECONDS

_MOST_BUFFERED = 1 << 19  # bytes that one side has not taken yet, before no more are read from the other
_REFUSED_SECONDS = 0.3  # that calls of a connection without a server are answered; later ones make another
_LEAVING_SECONDS = 1.0  # for the client to end it then, as what it sends has to be read, or answers would be lost
_UNANSWERED_SECONDS = 1.0  # for a client to say that it begins no more calls
_WARNING_SECONDS = 60.0
_logger = logging.getLogger(__name__)


class GrpcProxy:
    """Accepts connections and passes each on to one model server.

    Attributes:
      port: where it listens.
      counters: of what happens.
      connections: those that are open.
      is_draining: whether it is about to end.

    """

    def __init__(self, target: str, log: Log, put: Callable[[Record], None]) -> None:
        require(re.fullmatch(r"[^/\s]+:[0-9]+", target) is not None, "--grpc-upstream", "be HOST:PORT", target)
        self.port = 0
        self.counters = log.counters
        self.connections: set[Connection] = set()
        self.is_draining = False
        self._target, self._log, self._put = target, log, put
        self._server: asyncio.AbstractServer | None = None
        self._warned = -_WARNING_SECONDS

    async def start(self, host: str, port: int) -> None:
        """Listens. Raises `MonitorError` when it cannot have the address."""
        bound = listening(host, port, "--grpc-port")
        self.port = int(bound.getsockname()[1])
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self).client, sock=bound, backlog=1024)

    async def drain(self, seconds: float) -> None:
        """Takes no more connections and waits for the answers under way; what takes longer is given up."""
        self.is_draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drain()
        end = time.monotonic() + seconds
        while self.connections and time.monotonic() < end:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.give_up()
        await asyncio.sleep(0)  # what was logged last is put

    def calls(self) -> Calls:
        """Of a new connection."""
        return Calls(self._log, self._put_soon, self._warn)

    async def connect(self, end: "End") -> str:
        """Connects one end with the server; gives why it cannot be reached, "" where it is."""
        host, _, port = self._target.rpartition(":")
        made = asyncio.get_running_loop().create_connection(lambda: end, host.strip("[]"), int(port))
        try:
            await asyncio.wait_for(made, CONNECT_SECONDS)
        except asyncio.TimeoutError:
            return self._unreachable(f"it does not take a connection within {CONNECT_SECONDS:g} s")
        except (OSError, UnicodeError) as error:  # the latter where a name is none of a host
            return self._unreachable(getattr(error, "strerror", None) or str(error))
        return ""

    def _unreachable(self, why: str) -> str:
        return f"The model server at {self._target} cannot be reached: {why}"

    def _put_soon(self, record: Record) -> None:
        """Once the answer is on its way."""
        asyncio.get_running_loop().call_soon(self._put, record)

    def _warn(self, why: str) -> None:
        """At most once a minute: what clients send must not drown the proxy's own words."""
        now = time.monotonic()
        if now - self._warned >= _WARNING_SECONDS:
            self._warned = now
            _logger.warning("A connection over gRPC cannot be read, and goes through without being logged: %s", why)


class Connection:
    """A connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: GrpcProxy) -> None:
        self._proxy, self._calls = proxy, proxy.calls()
        self.client, self.server = End(self, self._calls.up), End(self, self._calls.down)
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[bytes] = []  # of the client, until there is a server
        self._refusal: Refusal | None = None
        self._is_passing = False  # whether the two have met
        self._first: End | None = None  # of the two, which ended first
        self._draining_since: float | None = None

    def made(self, end: "End") -> None:
        """One of the two is connected."""
        if end is self.server:
            return
        self._proxy.connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    def came(self, end: "End", data: bytes) -> None:
        """Bytes of one of the two."""
        if end is self.server:
            self.client.send(end.frames.feed(data))
        elif self._is_passing:
            self.server.send(end.frames.feed(data))
        elif self._refusal is not None:
            self._refuse(self._refusal, data)
        else:
            self._waiting.append(data)
        if self._draining_since is not None:
            self._end_if_done()

    def full(self, end: "End", full: bool) -> None:
        """One does not take what is sent to it: no more is read from the other."""
        (self.client if end is self.server else self.server).read_on(not full)

    def ended(self, end: "End") -> None:
        """One says nothing more; what it said is passed on, and then its end."""
        other = self.client if end is self.server else self.server
        self._first = self._first or end
        if self._first is self.client:  # a server of gRPC takes the end of what a client says for its going
            self._calls.close(by_client=True)
        if not self._is_passing and self._refusal is None:
            return  # until there is a server, or none
        other.send([end.frames.rest()])
        if not other.is_open or other.has_ended:
            self._close()
        else:
            other.end()

    def lost(self, end: "End", error: Exception | None) -> None:
        """One is gone."""
        self._first = self._first or end
        self._calls.close(by_client=self._first is self.client)
        if end is self.client:
            self._proxy.connections.discard(self)
            if self._task is not None:
                self._task.cancel()
        other = self.client if end is self.server else self.server
        if not other.is_open:
            return
        if error is None:
            other.send([end.frames.rest()])
            other.close()
        else:
            other.abort()

    def drain(self) -> None:
        """Tells the client that no more calls are answered here, and ends when those under way are."""
        self._draining_since = time.monotonic()
        self.client.to = self.server.to = None  # each part is looked at
        if not self.server.is_open:
            self._close()
            return
        self.client.send(self._calls.down.inject(self._calls.drain()))
        asyncio.get_running_loop().call_later(_UNANSWERED_SECONDS + 0.05, self._end_if_done)

    def give_up(self) -> None:
        """Ends it, whatever it is at: the server did not answer in time."""
        self._first = self._first or self.server
        self.client.abort()
        self.server.abort()

    async def _connect(self) -> None:
        self.client.read_on(False)  # not before: uvloop begins to read once the connection is made
        why = await self._proxy.connect(self.server)
        waiting, self._waiting = self._waiting, []
        if self._proxy.is_draining or not self.client.is_open:
            self._close()
            return
        if why:
            self._refusal = Refusal(why, self._proxy.counters)
            loop = asyncio.get_running_loop()
            loop.call_later(_REFUSED_SECONDS, self._end_refused, self._refusal)
            loop.call_later(_REFUSED_SECONDS + _LEAVING_SECONDS, self._close)
            self._refuse(self._refusal, b"")
        self._is_passing = not why
        for data in waiting:
            self.came(self.client, data)
        if self._is_passing and self._draining_since is None:
            self.client.to, self.server.to = self.server, self.client
        self.client.read_on(True)
        if self.client.has_ended:
            self.ended(self.client)

    def _refuse(self, refusal: Refusal, data: bytes) -> None:
        if not refusal.is_over:
            self.client.send([refusal.feed(data)])

    def _end_refused(self, refusal: Refusal) -> None:
        if not refusal.is_over:
            self.client.send([refusal.farewell()])

    def _end_if_done(self) -> None:
        """Nothing is under way, and the client knows that nothing may begin, or does not say so."""
        late = time.monotonic() - (self._draining_since or 0.0) >= _UNANSWERED_SECONDS
        if self._calls.is_lost or self._calls.open or not (self._calls.is_acknowledged or late):
            return
        self.client.send(self._calls.down.inject(goaway(self._calls.last_stream)))
        self._close()

    def _close(self) -> None:
        self.client.close()
        self.server.close()


class End(asyncio.Protocol):
    """One of the two connections.

    Attributes:
      frames: what comes from it.
      has_ended: whether it says nothing more.
      to: the other, once what comes has only to go on.

    """

    to: "End | None" = None

    def __init__(self, connection: Connection, frames: Frames) -> None:
        self.frames = frames
        self.has_ended = False
        self._is_told = False  # that nothing more comes
        self._connection = connection
        self._transport: Any = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, parts: list[Buffer]) -> None:
        transport = self._transport
        if not parts or self._is_told or transport is None or transport.is_closing():
            return
        if len(parts) == 1:
            transport.write(parts[0])
        else:  # in one system call, whatever there is
            transport.writelines(parts)

    def read_on(self, wanted: bool) -> None:
        """Goes on reading, or leaves what comes to the operating system for now."""
        if self.is_open and not self.has_ended:
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def end(self) -> None:
        """Says that nothing more comes, once everything is sent."""
        if self.is_open and not self._is_told:
            self._is_told = True
            self._transport.write_eof()

    def close(self) -> None:
        if self.is_open:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio calls these
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(high=_MOST_BUFFERED)
        self._connection.made(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connection.lost(self, error)

    def data_received(self, data: bytes) -> None:
        if self.to is not None:
            self.to.send(self.frames.feed(data))
        else:
            self._connection.came(self, data)

    def eof_received(self) -> bool:
        self.has_ended = True
        self._connection.ended(self)
        return True

    def pause_writing(self) -> None:
        self._connection.full(self, True)

    def resume_writing(self) -> None:
        self._connection.full(self, False)
