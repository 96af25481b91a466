"""A receiver of webhooks on this machine, which answers as it is told."""

import json
import socket
import threading
import time
from dataclasses import dataclass, field

import pytest

from model_monitor.alerts.settings import AlertsConfig, Channel
from model_monitor.alerts.texts import message_of
from model_monitor.incidents.incident import follow
from tests.model_monitor.incidents.windows import windows

SECRET, TOKEN = "the-secret-to-sign-with", "token-in-the-url"


@dataclass
class Receiver:
    """Takes requests, one after the other. `answers` says how the next ones are answered, the last one for ever.

    An answer is raw bytes; None: nothing, until the receiver ends.
    """

    answers: list = field(default_factory=lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
    requests: list = field(default_factory=list)

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
            self.requests.append((head, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
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


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def secrets(receiver, monkeypatch, tmp_path):
    """Where the channels of `config` find what they need."""
    monkeypatch.setenv("HOOK_URL", receiver.url)
    (tmp_path / "hook_secret").write_text(f"{SECRET}\n")
    return {"url": "env:HOOK_URL", "secret": f"file:{tmp_path / 'hook_secret'}"}


@pytest.fixture
def channel(secrets):
    """A channel of webhooks: (settings that differ) -> Channel."""
    return lambda **known: Channel(**{"name": "hook", "type": "webhook", "timeout_seconds": 2.0, **secrets, **known})


@pytest.fixture
def config(channel):
    return AlertsConfig(channels=(channel(),), url="https://monitor.example")


def messages(words: str = "fcdf", site: str = ""):
    """What is said of every change of these windows."""
    _, changes = follow(windows(words))
    return [message_of(change, site) for change in changes]


def wait_for(condition, seconds: float = 15.0):
    """Until it holds, which it has to."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
