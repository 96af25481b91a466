"""A proxy in front of a store, which does to requests what networks, servers and operators do to them.

Requests are numbered from 1, in the order in which they come in. What becomes of each is an `Act`.
"""

import contextlib
import enum
import http.client
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SECONDS = 120
_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length", "expect")


class Act(enum.Enum):
    """What becomes of a request."""

    FORWARD = "passed on, and its answer too"
    REFUSE = "answered by 503, and not passed on"
    DROP = "not passed on, and the connection is closed"
    LOSE = "passed on, and the connection is closed without an answer"
    HALF_SENT = "passed on in half, and both connections are closed"
    HALF_ANSWER = "passed on, and half of the answer comes back"
    STALL = "not passed on, and never answered"
    STALL_AFTER = "passed on, and never answered"
    DELAY = "passed on once the proxy is told to, and not answered: the client waits no longer"


@dataclass(frozen=True)
class Request:
    """One that came in: its number, method and path, and whether it writes."""

    number: int
    method: str
    path: str

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")


class StoreProxy:
    """A proxy that listens on a port of this machine.

    Args:
      port: of the store.
      plan: what becomes of a request. It is called before anything is done with it, and may take its time.
      after: is called with a request once the store has answered it, before its answer goes back.
      unheeded: names of headers, in lower case, that do not get through.

    """

    def __init__(
        self,
        port: int,
        plan: Callable[[Request], Act] = lambda _: Act.FORWARD,
        after: Callable[[Request], object] = lambda _: None,
        unheeded: Collection[str] = (),
    ) -> None:
        self.unheeded = {*_OF_THE_CONNECTION, *unheeded}
        self.requests: list[Request] = []
        self._plan, self._after, self._target = plan, after, port
        self._turn, self._closed, self._late = threading.Lock(), threading.Event(), threading.Event()
        self._delayed: list[threading.Thread] = []
        methods = {f"do_{method}": _Handler.handle_any for method in ("GET", "HEAD", "PUT", "POST", "DELETE")}
        handler = type("Handler", (_Handler,), {"proxy": self, **methods})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.deliver()
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def deliver(self) -> None:
        """Passes on what was delayed, and waits until the store has done it."""
        self._late.set()
        for each in self._delayed:
            each.join(_SECONDS)

    def take(self, method: str, path: str) -> Request:
        with self._turn:
            request = Request(len(self.requests) + 1, method, path)
            self.requests.append(request)
        return request

    def act(self, request: Request, ask: Callable[[], Any]) -> tuple[Act, Any]:
        """Does to a request what is planned; gives that and the store's answer, where there is one."""
        act = self._plan(request)
        if act is Act.DELAY:
            self._delayed.append(threading.Thread(target=lambda: (self._late.wait(_SECONDS), ask()), daemon=True))
            self._delayed[-1].start()
        if act in (Act.FORWARD, Act.LOSE, Act.HALF_ANSWER, Act.STALL_AFTER):
            answer = ask()
            self._after(request)
            return act, answer
        return act, None

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, list[Any], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=_SECONDS)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def send_half(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()
        with socket.create_connection(("127.0.0.1", self._target), timeout=_SECONDS) as connection:
            connection.sendall((head + body)[: len(head) + len(body) // 2] if body else head[: len(method) // 2 + 1])

    def wait(self) -> None:
        self._closed.wait(_SECONDS)


@contextlib.contextmanager
def store_proxy(
    port: int,
    plan: Callable[[Request], Act] = lambda _: Act.FORWARD,
    after: Callable[[Request], object] = lambda _: None,
    unheeded: Collection[str] = (),
) -> Iterator[StoreProxy]:
    """A proxy as long as it is needed."""
    proxy = StoreProxy(port, plan, after, unheeded)
    try:
        yield proxy
    finally:
        proxy.close()


class _Handler(BaseHTTPRequestHandler):
    proxy: StoreProxy
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in self.proxy.unheeded}
        request = self.proxy.take(self.command, self.path)
        try:
            act, answer = self.proxy.act(request, lambda: self.proxy.ask(self.command, self.path, headers, body))
        except ConnectionError:  # the plan has ended the client
            act, answer = Act.DROP, None
        if act is Act.HALF_SENT:
            self.proxy.send_half(self.command, self.path, headers, body)
        if act in (Act.STALL, Act.STALL_AFTER):
            self.proxy.wait()
        if act is Act.REFUSE:
            answer = (503, "Slow Down", [], b"<Error><Code>SlowDown</Code></Error>")
        if act in (Act.FORWARD, Act.REFUSE, Act.HALF_ANSWER):
            self._answer(answer, half=act is Act.HALF_ANSWER)
        else:
            self.close_connection = True

    def _answer(self, answer: tuple[int, str, list[Any], bytes], *, half: bool) -> None:
        status, reason, headers, body = answer
        lines = [f"HTTP/1.1 {status} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in _OF_THE_CONNECTION]
        empty = self.command == "HEAD" or status in (204, 304)
        lines += (
            [] if status in (204, 304) else [f"Content-Length: {_length(headers, body, head=self.command == 'HEAD')}"]
        )
        whole = "\r\n".join([*lines, "", ""]).encode() + (b"" if empty else body)
        self.close_connection |= half
        with contextlib.suppress(OSError):  # the client is gone
            self.wfile.write(whole[: len(whole) // 2] if half else whole)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def _length(headers: list[Any], body: bytes, *, head: bool) -> int:
    """Of an answer to HEAD, what the store says that its body would have."""
    told = {name.lower(): value for name, value in headers}.get("content-length")
    return int(told) if head and told is not None else len(body)
