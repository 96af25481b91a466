"""The proxy for everything over HTTP: forwards all of it, and takes copies of what is to be logged."""

import asyncio
import socket
import time

from ..protocols.calls import call_of
from .client import ClientConnection
from .exchange import Exchange
from .heads import Headers, values
from .models import Models
from .taken import Log, Taken
from .upstream import Upstream

_LOGGED = ("predict", "classify", "infer")
_SWEEP_SECONDS = 5.0


class RestProxy:
    """Accepts connections and forwards their requests to one model server.

    Attributes:
      upstream: the model server.
      counters: of what happens.
      connections: those that are open.
      is_draining: whether it is about to end: every answer is the last of its connection then.

    """

    def __init__(self, upstream: Upstream, models: Models, log: Log) -> None:
        self.upstream, self.counters = upstream, log.counters
        self.connections: set[ClientConnection] = set()
        self.is_draining = False
        self._models, self._log = models, log
        self._client_header = log.client_header.lower().encode()
        self._tasks: list[asyncio.Task[None]] = []
        self._servers: list[asyncio.AbstractServer] = []

    async def listen(self, bound: socket.socket) -> None:
        """Takes connections on a socket that is bound."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: ClientConnection(self), sock=bound, backlog=1024))
        self._tasks.append(loop.create_task(self._sweep()))

    def begin(self, exchange: Exchange) -> None:
        """A request's head is whole: decides whether it is to be logged."""
        call = call_of(exchange.method.decode("latin-1"), exchange.target.decode("latin-1"))
        if call is None or call.api not in _LOGGED:
            return
        words = {
            "api": call.api,
            "model": call.model,
            "request_coding": _joined(exchange.headers, b"content-encoding"),
            "request_json": _joined(exchange.headers, b"inference-header-content-length"),
            "client": self._log.client(_joined(exchange.headers, self._client_header).encode("latin-1") or None),
        }
        exchange.taken = Taken(words, self._log, lambda record: self._models.settle(record, call))

    async def drain(self, seconds: float) -> None:
        """Takes no more connections and waits for the answers under way; what takes longer is given up."""
        self.is_draining = True
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        for connection in list(self.connections):
            connection.end_if_idle()
        end = time.monotonic() + seconds
        while self.connections and time.monotonic() < end:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.give_up()
        await asyncio.sleep(0)  # they hear of it
        self.upstream.close()

    async def _sweep(self) -> None:
        """Ends connections that say nothing, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for connection in list(self.connections):
                connection.end_if_late(now)


def _joined(headers: Headers, name: bytes) -> str:
    return b",".join(values(headers, name)).decode("latin-1") if name else ""
