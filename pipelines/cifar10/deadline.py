"""A time by which something over the network has to be over, however slowly the other side sends."""

import contextlib
import http.client
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any


class Deadline:
    """Counts from when it is made.

    A time-out of a socket is for one answer of the other side, and one byte now and then is an answer: so connections
    are ended from outside when the time is over, and whoever reads from them asks `passed`.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._open: list[socket.socket] = []

    @property
    def left(self) -> float:
        """Seconds, 0 at the least."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0

    def opener(self) -> urllib.request.OpenerDirector:
        """Opens http and https addresses as `urllib.request` does, over connections that end at this time."""
        return urllib.request.build_opener(_Http(self), _Https(self))

    @contextlib.contextmanager
    def watching(self) -> Iterator["Deadline"]:
        """Ends the connections that are made in the meantime when the time is over."""
        timer = threading.Timer(self.left, self._end_all)
        timer.daemon = True
        timer.start()
        try:
            yield self
        finally:
            timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """Ends a connection when the time is over; at once where that is so already."""
        self._open.append(connection)
        if self.passed:
            self._end_all()

    def _end_all(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):  # it has ended already
                each.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPConnection, self._deadline), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPSConnection, self._deadline), req)


def _watched(kind: type[http.client.HTTPConnection], deadline: Deadline) -> Any:
    """A class of connections of a kind, each of which is watched from its first byte on."""

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._create_connection = self._made  # what http.client calls, before TLS is spoken

        def _made(self, *arguments: Any) -> socket.socket:
            made = socket.create_connection(*arguments)
            deadline.watch(made)
            return made

    return Watched
