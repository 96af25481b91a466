"""A server over HTTP whose every byte a test decides, and which keeps every byte that it got."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Exchange:
    """One connection's requests, as they came, and what can be done on it."""

    connection: socket.socket
    received: bytes = b""
    ended: threading.Event = field(default_factory=threading.Event)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def read_more(self) -> bytes:
        data = self.connection.recv(1 << 16)
        self.received += data
        return data

    def wait_for_end(self) -> None:
        """Until the other side ends the connection."""
        try:
            while self.read_more():
                pass
        except OSError:
            pass
        self.ended.set()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def metadata(version: int = 7, *, inputs: dict | None = None, outputs: dict | None = None) -> bytes:
    """What TensorFlow Serving says of a model with one signature."""

    def tensors(kinds: dict) -> dict:
        shape = {"dim": [], "unknown_rank": True}
        return {name: {"dtype": kind, "tensor_shape": shape, "name": name} for name, kind in kinds.items()}

    signature = {
        "inputs": tensors(inputs or {"image": "DT_UINT8"}),
        "outputs": tensors(outputs or {"probabilities": "DT_FLOAT"}),
        "method_name": "tensorflow/serving/predict",
    }
    told = {"signature_def": {"signature_def": {"serving_default": signature}}}
    model = {"name": "m", "signature_name": "", "version": str(version)}
    return json.dumps({"model_spec": model, "metadata": told}).encode()


class ScriptedServer:
    """Answers requests as told: by path (before a question mark), a function of the connection, or bytes.

    What nobody told is answered with 404. Metadata of models are told beforehand.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.answers: dict[str, bytes | Callable[[Exchange], None]] = {"/v1/models/m/metadata": answer(metadata())}
        self.requests: dict[str, list[bytes]] = {}
        self.exchanges: dict[str, Exchange] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := _whole(connection):
                    self._answer(connection, request)
            except OSError:
                return

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        path = request.split(b" ", 2)[1].decode().partition("?")[0]
        self.requests.setdefault(path, []).append(request)
        exchange = self.exchanges[path] = Exchange(connection, request)
        told = self.answers.get(path, answer(b'{"error": "nothing here"}', status="404 Not Found"))
        if callable(told):
            told(exchange)
        else:
            exchange.send(told)


def _whole(connection: socket.socket) -> bytes:
    """One request, by its length or its last chunk; b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(1 << 16)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = {key.lower(): value for key, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])}
    while len(body) < int(lines.get(b"content-length", 0)) or (
        b"transfer-encoding" in lines and not body.endswith(b"0\r\n\r\n")
    ):
        part = connection.recv(1 << 20)
        if not part:
            return b""
        body += part
    return head + b"\r\n\r\n" + body
