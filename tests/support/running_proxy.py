"""A proxy that runs in a thread of this process, and the logs that it wrote."""

import asyncio
import atexit
import collections
import dataclasses
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from components.common.artifacts.tfrecord import read_records
from model_monitor.serving.proxy.counters import Counters
from model_monitor.serving.proxy.outbox import LogSettings
from model_monitor.serving.proxy.running import Addresses, Settings, serve

PREDICT = "/v1/models/m:predict"
BODY = {"instances": [[[[1], [2]], [[3], [4]]]]}
SECONDS = 20.0  # that anything may take, on a machine that has much else to do


def until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What `condition` gives, once that is something."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)
    return found


class RunningProxy:
    """A proxy with everything on ports that are free."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.logs = Path(settings.log.logs)
        self.counters: Counters | None = None
        self._started, self._loop = threading.Event(), uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(SECONDS)

    @property
    def port(self) -> int:
        return self.addresses.rest or 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def talk(self, sent: bytes) -> bytes:
        """Everything that comes back until the other side ends the connection."""
        with self.connect() as connection:
            connection.sendall(sent)
            return read_to_end(connection)

    def stop(self) -> Counters:
        """Ends it, with all that it took in files; what it counted."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(SECONDS)
        assert self.counters is not None
        return self.counters

    def metrics(self) -> dict[str, float]:
        import requests

        text = requests.get(f"http://127.0.0.1:{self.addresses.metrics}/metrics", timeout=SECONDS).text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name.removeprefix("model_monitor_proxy_"): float(value) for name, value in lines}

    def _run(self) -> None:
        async def main() -> None:
            self._ended = asyncio.Event()
            self.counters = await serve(self.settings, self._say, self._ended)

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(main())
        self._loop.close()

    def _say(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._started.set()


@contextmanager
def running_proxy(logs: Path, upstream: str, log: dict[str, Any] | None = None, **settings: Any) -> Iterator[Any]:
    """A proxy that logs into span 1 and is stopped at the end of the block, unless it was before."""
    given = LogSettings(str(logs), span=1, **(log or {}))
    proxy = RunningProxy(dataclasses.replace(Settings(given, upstream=upstream, grace_seconds=SECONDS), **settings))
    try:
        yield proxy
    finally:
        if proxy.counters is None:
            proxy.stop()


def records(logs: Path) -> list[Any]:
    """All records that readers can see, as `PredictionLog` messages."""
    from tensorflow_serving.apis import prediction_log_pb2

    found = []
    for path in sorted(logs.glob("[0-9]*/*")):
        with path.open("rb") as file:
            found += [prediction_log_pb2.PredictionLog.FromString(each.data) for each in read_records(file)]
    return found


def read_to_end(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(1 << 20):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


class ProxyCommand:
    """`model-monitor proxy`, started; `.url` is where it listens."""

    def __init__(self, upstream: str, logs: Path, *options: str) -> None:
        ports = ("--port", "0", "--metrics-port", "0", "--span", "1")
        arguments = ["proxy", "--upstream", upstream, "--logs", str(logs), *ports, *options]
        command = [sys.executable, "-m", "model_monitor.cli", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        atexit.register(self.process.kill)  # where a test fails before it ends it
        told = self.process.stdout.readline()
        while "->" not in told:
            assert told, "it ended"
            told = self.process.stdout.readline()
        self.url = re.search(r"http://127\.0\.0\.1:\d+", told)[0]
        metrics = re.search(r"http://\S+/metrics", self.process.stdout.readline())[0]
        self._metrics = metrics

    def metrics(self) -> str:
        import requests

        return requests.get(self._metrics, timeout=SECONDS).text

    def predict(self, name: str) -> int:
        import requests

        headers = {"X-Request-Id": name}
        return requests.post(self.url + PREDICT, json=BODY, headers=headers, timeout=SECONDS).status_code

    def end(self) -> str:
        self.process.terminate()
        out, _ = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0
        return out


def ids(logs: Path) -> collections.Counter[str]:
    """How often each request is in the logs, by its id."""
    found = [log.predict_log.request.inputs["log/request_id"].string_val[0].decode() for log in records(logs)]
    return collections.Counter(found)


def log_processes(parent: int) -> list[int]:
    """The processes that log for a proxy."""
    told = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in told.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == parent and "log_process" in row[2]]
