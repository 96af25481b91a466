"""Serves the pages over HTTP, to this machine alone unless told otherwise."""

import socket
from collections.abc import Callable

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, get_sockaddr, make_server, select_address_family

from components.common.errors import MonitorError, require

from .app import Application

_WAITING = 128  # connections


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
            return make_server(host, port, application, threaded=True, request_handler=_Quiet, fd=bound.fileno())
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
    """Says nothing of requests that are answered."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Called for each answer."""
