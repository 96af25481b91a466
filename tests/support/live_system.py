"""Server, proxy and watcher of one model as processes of their own, and clients that go on whatever becomes of them."""

import signal
import socket
import threading
from dataclasses import dataclass, field

import requests
import yaml

from tests.support.grey_traffic import images
from tests.support.running_proxy import SECONDS, until
from tests.support.started_commands import Command
from tests.support.watched_command import EXAMPLES, Watched

SERVER, PROXY, WATCHER = PARTS = ("serve", "proxy", "watch")
IMAGES = 10  # of a request
SETTINGS = {
    "watch": {"window_minutes": 60.0, "retry_seconds": 1.0},
    "monitor": {"window_size": EXAMPLES, "false_alarm_rate": 0.01},
    "alerts": {"channels": [{"name": "hook", "type": "webhook", "url": "env:HOOK_URL", "secret": "env:HOOK_SECRET"}]},
}


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class LiveSystem:
    """The commands as people start them, each at the same address whenever it is started again."""

    watched: Watched
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in (SERVER, PROXY)})
    running: dict[str, Command] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = self.watched.folder / f"{self.watched.name}.yaml"
        self.config.write_text(yaml.safe_dump(SETTINGS))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[PROXY]}/v1/models/grey:predict"

    def start(self, name: str) -> None:
        """Starts a part, once nothing of the one before it is there."""
        if name in self.ports:
            until(lambda: not listens(self.ports[name]), 10 * SECONDS)
        self.running[name] = self.watched.start(*self._arguments(name))

    def kill(self, name: str) -> None:
        command = self.running.pop(name)
        assert command.process.poll() is None, f"{name} ended by itself: {command.text}"
        command.kill()

    def end(self, name: str) -> None:
        command = self.running.pop(name)
        command.process.send_signal(signal.SIGTERM)
        code, text = command.end()
        assert code == 0, text

    def kill_all(self) -> None:
        """What is left, where something went wrong."""
        for command in self.running.values():
            command.kill()

    def judge_the_rest(self) -> None:
        command = self.watched.start(*self._arguments(WATCHER), "--once")
        code = command.process.wait(3600)  # of a backlog, on a machine that has much else to do
        assert code in (0, 2), command.text

    def _arguments(self, name: str) -> tuple[str, ...]:
        if name == SERVER:
            ports = ("--port", str(self.ports[SERVER]), "--grpc-port", "0")
            return ("serve", "--serving", "models", "--model", "grey", *ports)
        if name == PROXY:
            server, logs = f"http://127.0.0.1:{self.ports[SERVER]}", str(self.watched.logs)
            ports = ("--port", str(self.ports[PROXY]), "--metrics-port", "0", "--span", "1")
            return (
                "proxy",
                "--upstream",
                server,
                "--logs",
                logs,
                "--bundle",
                "models/7",
                "--file-seconds",
                "0.5",
                *ports,
            )
        return (*self.watched.arguments, "--config", str(self.config), "--wait", str(SECONDS))


class Client(threading.Thread):
    """Asks one request after the other, and none twice.

    Attributes:
      answered: the numbers of the requests that it had an answer of 200 to, in order.
      refused: how many it had none or another to, by status, 0 being none.
      dark: whether its images are no longer like those that the model was validated on.
      sent: how many it asked.

    """

    def __init__(self, number: int, url: str, pause: float) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._url, self._pause, self._seed = url, pause, number * 1_000_000
        self.answered: list[int] = []
        self.refused: dict[int, int] = {}
        self.dark = False
        self.sent = 0
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self._pause):
            status = self._ask(self.sent)
            if status == requests.codes.ok:
                self.answered.append(self.sent)
            else:
                self.refused[status] = self.refused.get(status, 0) + 1
            self.sent += 1

    def end(self) -> None:
        self._ending.set()
        self.join(SECONDS)

    def id_of(self, number: int) -> str:
        return f"{self.name}-{number}"

    def _ask(self, number: int) -> int:
        given = images(IMAGES, seed=self._seed + number, dark=self.dark)
        try:
            answer = requests.post(
                self._url,
                json={"instances": given.tolist()},
                headers={"X-Request-Id": self.id_of(number)},
                timeout=SECONDS,
            )
        except requests.RequestException:
            return 0
        return answer.status_code
