"""A small request of the proxy's own to the model server."""

import asyncio

from .heads import Headers, request_head
from .upstream import Upstream, UpstreamConnection

_MOST_BYTES = 16 << 20  # of an answer


class _Fetch:
    """One GET request; `upstream.Asking`."""

    head_only = False

    def __init__(self, target: str, host: bytes) -> None:
        self.body: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._head = request_head(b"GET", target.encode(), [(b"Host", host)])
        self._connection: UpstreamConnection | None = None
        self._ok = False
        self._parts: list[bytes] = []

    def connected(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        connection.send(self._head)

    def not_connected(self, why: str) -> None:
        self._end(None)

    def answer_head(self, status: int, reason: bytes, headers: Headers) -> None:
        self._ok = status == 200

    def answer_part(self, data: bytes) -> None:
        self._parts.append(data)
        if sum(map(len, self._parts)) > _MOST_BYTES:
            self.give_up()

    def answer_end(self) -> None:
        if self._connection is not None:
            self._connection.release(reusable=self._connection.reusable)
        self._end(b"".join(self._parts) if self._ok else None)

    def answer_lost(self, why: str) -> None:
        self._end(None)

    def hold(self, full: bool) -> None:
        """A head without a body fits everywhere."""

    def give_up(self) -> None:
        if self._connection is not None and not self.body.done():
            self._connection.close()
        self._end(None)

    def _end(self, body: bytes | None) -> None:
        if not self.body.done():
            self.body.set_result(body)


async def fetch(upstream: Upstream, target: str, seconds: float) -> bytes | None:
    """The body of the answer to a GET request; None where there is none of status 200 within so many seconds."""
    asked = _Fetch(target, upstream.authority)
    upstream.take(asked)
    try:
        return await asyncio.wait_for(asyncio.shield(asked.body), seconds)
    except asyncio.TimeoutError:
        asked.give_up()
        return None
