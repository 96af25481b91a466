"""A receiver of webhooks on this machine, which answers as it is told."""

import json
import socket
import threading
from dataclasses import dataclass, field

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SECRET, TOKEN = "the-secret-to-sign-with", "token-in-the-url"


@dataclass
class Receiver:
    """Takes requests, one after the other. `answers` says how the next ones are answered, the last one for ever.

    An answer is raw bytes; None: nothing, until the receiver ends.
    """

    answers: list = field(default_factory=lambda: [TAKEN])
    requests: list = field(default_factory=list)
    given: list = field(default_factory=list)  # the answers that they got

    def __post_init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/{TOKEN}"

    @property
    def bodies(self) -> list:
        return [json.loads(body) for _, body in self.requests]

    @property
    def taken(self) -> list:
        """The messages that it said it had taken, each as its kind and window."""
        given = zip(self.bodies, self.given, strict=False)
        return [(body["kind"], body["window"]) for body, answer in given if answer == TAKEN]

    def _serve(self):
        while not self.ending.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection:
            head, body = _request(connection)
            if head is None:
                return
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.given.append(answer)
            self.requests.append((head, body))
            if answer is None:
                self.ending.wait(10)
            elif callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)

    def close(self):
        self.ending.set()
        self._socket.close()


def _request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None, b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, value in headers.items()}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return headers, body
