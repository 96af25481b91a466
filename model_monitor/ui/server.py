"""Serves the pages over HTTP, to this machine alone unless told otherwise."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from werkzeug.serving import (
    BaseWSGIServer,
    ThreadedWSGIServer,
    WSGIRequestHandler,
    get_sockaddr,
    select_address_family,
)

from components.common.errors import MonitorError, require

from .app import Application

_WAITING = 512  # connections that the system keeps until they are taken
_MOST_CONNECTIONS = 256  # that are taken, a thread each
_PAUSE = 0.02  # seconds between two looks for room


class Stage(Enum):
    """What a connection is at."""

    ASKING = "asking"  # its request is not whole yet
    MAKING = "making"  # its page is being made
    ANSWERING = "answering"  # its answer is not sent yet


# How long a connection may be at that, in seconds. What a page is made from is bounded, and so the making has an end.
SECONDS = {Stage.ASKING: 10.0, Stage.MAKING: float("inf"), Stage.ANSWERING: 300.0}


def serve(application: Application, host: str, port: int, started: Callable[[str], None]) -> None:
    """Answers until it is interrupted. `started` is told the address once there is one; port 0 picks a free port.

    Raises:
      MonitorError: the address cannot be used.

    """
    server = listen(application, host, port)
    started(address(host, server.port))
    server.serve_forever()


def listen(application: Application, host: str, port: int) -> BaseWSGIServer:
    """A server that has its address and does not answer yet. Raises `MonitorError` when it cannot have it."""
    require(0 <= port <= 65535, "--port", "be in 0 .. 65535", port)
    # werkzeug takes the one for every address of the machine and the other for a file
    require(bool(host) and not host.startswith("unix://"), "--host", "be an address or a name of this machine", host)
    family = select_address_family(host, port)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(get_sockaddr(host, port, family))
            bound.listen(_WAITING)
            # its own copy of the socket; werkzeug's own binding prints and exits where it fails
            return _Server(host, port, application, fd=bound.fileno())
    except OSError as error:
        rule = "be an address of this machine and a port that is free; `--port 0` picks one"
        raise MonitorError(f"`--host` and `--port` must {rule}. Received: {host}:{port}, {error.strerror}") from error


def address(host: str, port: int) -> str:
    """What to type into a browser.

    >>> address("127.0.0.1", 8000), address("::1", 80)
    ('http://127.0.0.1:8000/', 'http://[::1]:80/')
    """
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests that are answered, nor of those that are none or never come to an end."""

    timeout = SECONDS[Stage.ASKING]  # seconds that a client may leave the connection without a byte

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Called for each answer."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Called for a request that is none, or that was not whole in time. What goes wrong in an answer is logged."""


@dataclass
class _Connection:
    stage: Stage
    since: float


class _Server(ThreadedWSGIServer):
    """A thread for each connection, of which there are not too many and none that stays for ever.

    A browser that opened a connection and asks for nothing costs only its place; where all places are taken it is the
    first to lose it.
    """

    def __init__(self, host: str, port: int, application: Application, fd: int) -> None:
        self._open: dict[socket.socket, _Connection] = {}
        self._changing = threading.Lock()
        super().__init__(host, port, self._answer(application), _Quiet, fd=fd)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Called in the thread that takes connections, which waits where there is no room for one more."""
        while len(self._open) >= _MOST_CONNECTIONS:
            self._end_late()
            self._end_oldest()
            time.sleep(_PAUSE)
        self._at(request, Stage.ASKING)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Called when a connection is done, in its own thread."""
        super().shutdown_request(request)
        with self._changing:
            self._open.pop(request, None)

    def service_actions(self) -> None:
        """Called in the thread that takes connections, twice a second."""
        super().service_actions()
        self._end_late()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Called for what is no error of a page's: those are answered. A connection that ended needs no traceback."""

    def _answer(self, application: Application) -> Callable[..., Iterable[bytes]]:
        """The application, with note taken of what its connection is at."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            connection = environ["werkzeug.socket"]
            self._at(connection, Stage.MAKING)
            try:
                return application(environ, start_response)
            finally:
                self._at(connection, Stage.ANSWERING)

        return answer

    def _at(self, connection: socket.socket, stage: Stage) -> None:
        with self._changing:
            self._open[connection] = _Connection(stage, time.monotonic())

    def _end_late(self) -> None:
        now = time.monotonic()
        with self._changing:
            late = [each for each, at in self._open.items() if now - at.since > SECONDS[at.stage]]
        _end(late)

    def _end_oldest(self) -> None:
        """Ends the connection that has been asking for longest without having asked."""
        with self._changing:
            asking = [(at.since, each) for each, at in self._open.items() if at.stage is Stage.ASKING]
        _end([min(asking, key=lambda each: each[0])[1]] if asking else [])


def _end(connections: Iterable[socket.socket]) -> None:
    """What their threads read then is the end; they close them."""
    for each in connections:
        with contextlib.suppress(OSError):  # it has just ended by itself
            each.shutdown(socket.SHUT_RDWR)
