"""Plays the story: starts server, proxy and watcher, sends the traffic, and tells what comes of it as it happens."""

import http.client
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, require
from components.common.strict_text import parse_json
from components.common.verdict_words import State

from ..acting.recorded import Act, Came, What, recorded
from ..incidents.course import Course
from ..incidents.settings import IncidentsConfig
from ..reading.run_store import open_store
from ..reading.window_record import WindowRecord
from .clients import Client
from .processes import Process, running
from .story import CLEAN, PUSH, STORY, Chapter
from .telling import Teller

MODEL = "live"  # what the server calls it
MARKER = ".live-demonstration"  # in a folder that may be emptied
_START_SECONDS, _VERDICT_SECONDS, _SEEN_SECONDS = 120.0, 180.0, 60.0
_PAUSE = 0.2
_SETTLED_SECONDS = 1.5  # after which the proxy knows which version answers


@dataclass(frozen=True)
class Settings:
    """How the story is played.

    Attributes:
      root: a folder of its own, emptied first if an earlier demonstration made it.
      version_dir: of the pushed version that is served.
      window: examples of a window, 30 or more.
      request: images of a request, 1 or more; a window is a whole number of requests.

    """

    root: Path
    version_dir: Path
    window: int = 300
    request: int = 20

    def __post_init__(self) -> None:
        require(self.window >= 30, "--window", "be 30 or more", self.window)
        require(self.window % self.request == 0, "--window", f"be a multiple of {self.request}", self.window)

    @property
    def serving(self) -> Path:
        return self.root / "serving"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def config(self) -> Path:
        return self.root / "monitor.yaml"


@dataclass
class Played:
    """What came of it.

    Attributes:
      records: of the windows, in order.
      untrue: chapters that went otherwise than told, a sentence each.
      acts: what policies did.

    """

    records: list[WindowRecord] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)


def prepare(settings: Settings) -> Bundle:
    """Makes the folder of the demonstration, with a serving folder and the settings of the watcher.

    Raises:
      MonitorError: the folder is there and no demonstration made it, or nothing was pushed.

    """
    bundle = baseline_bundle.read(str(settings.version_dir))
    root = settings.root
    if root.exists():
        require(
            (root / MARKER).exists(), "--live-root", "be a new folder, or that of an earlier demonstration", str(root)
        )
        shutil.rmtree(root)
    settings.logs.mkdir(parents=True)
    (root / MARKER).touch()
    shutil.copytree(settings.version_dir, settings.serving / settings.version_dir.name)
    told = {
        "name": "live",
        "root": str(root),
        "serving_dir": str(settings.serving),
        "serving_logs": str(settings.logs),
        "monitor": {"window_size": settings.window},
        "watch": {"window_examples": settings.window, "window_minutes": 5.0},
        "policies": {"roll_back": {"when_worse": True, "windows": 4}},
    }
    settings.config.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    return bundle


def play(
    settings: Settings, client_of: Callable[[str], Client], teller: Teller, chapters: Sequence[Chapter] = STORY
) -> Played:
    """Plays the chapters.

    Args:
      settings: see `Settings`; `prepare` was called.
      client_of: gives the client of an address.
      teller: is told everything as it happens.
      chapters: of the story.

    Raises:
      MonitorError: a process did not start or ended, or a verdict did not come in time.

    """
    logs = settings.root / "processes"
    logs.mkdir(exist_ok=True)
    ports = ("--port", "0", "--grpc-port", "0")
    with ExitStack() as stack:
        serve = ("serve", "--serving", str(settings.serving), "--model", MODEL, *ports, "--poll", "0.5")
        server = stack.enter_context(running(serve, logs / "serve.log"))
        upstream = _origin(server.until(_is_address, _START_SECONDS, "address"))
        proxy = ("proxy", "--upstream", upstream, "--logs", str(settings.logs), "--serving", str(settings.serving),
                 *ports, "--metrics-port", "0", "--file-seconds", "1")  # fmt: skip
        front = stack.enter_context(running(proxy, logs / "proxy.log"))
        address = _origin(front.until(_is_address, _START_SECONDS, "address"))
        client = client_of(address)
        watcher = stack.enter_context(
            running(("watch", "--config", str(settings.config), "--json"), logs / "watch.log")
        )
        teller.happens(f"The server is at {upstream}, the proxy that logs in front of it at {address}.")
        return _Player(settings, client, watcher, upstream, teller).play(chapters)


class _Player:
    def __init__(self, settings: Settings, client: Client, watcher: Process, upstream: str, teller: Teller) -> None:
        self._settings, self._client, self._watcher = settings, client, watcher
        self._upstream, self._teller = upstream, teller
        self._course, self._played = Course(IncidentsConfig()), Played()
        self._seen_acts = 0

    def play(self, chapters: Sequence[Chapter]) -> Played:
        for number, chapter in enumerate(chapters, 1):
            self._teller.opens(number, chapter)
            if chapter.first == PUSH:
                self._push()
            for traffic in chapter.windows:
                seed = len(self._played.records) + 1
                self._client.send(traffic, self._settings.window, self._settings.request, seed)
                self._judged(time.monotonic())
            if chapter.first == PUSH:
                self._rolled_back()
            last = self._played.records[-1]
            if last.state not in chapter.allowed:
                words = " or ".join(state.words for state in chapter.allowed)
                self._played.untrue.append(f"{chapter.title}: window {last.window} is {last.state.words}, not {words}")
        return self._played

    def _judged(self, sent: float) -> None:
        record = self._verdict()
        self._played.records.append(record)
        self._teller.judged(record, time.monotonic() - sent)
        change = self._course.go_on(self._played.records)
        if change is not None:
            self._teller.changed(change)
        self._tell_acts()

    def _verdict(self) -> WindowRecord:
        line = self._watcher.until(lambda line: _event(line) in ("judged", "set_aside"), _VERDICT_SECONDS, "verdict")
        told = parse_json(line)
        if told["event"] != "judged":
            raise MonitorError(f"Window {told['window']} could not be judged: {told['problem']}")
        return WindowRecord.from_json(json.dumps(told["record"]))

    def _push(self) -> None:
        """Puts a damaged copy of what is served into the serving folder, and waits until the server has it."""
        served = baseline_bundle.versions(str(self._settings.serving))[-1]
        number = max(int(time.time()), int(Path(served).name) + 1)
        target = self._settings.serving / str(number)
        command = [sys.executable, "-m", "model_monitor.live.bad_version", served, str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        require(done.returncode == 0, "the damaged version", "be made", done.stderr[-300:])
        self._until_served(number)
        self._teller.happens(f"Version {number} is served.")

    def _rolled_back(self) -> None:
        """Waits until the policy has rolled back, and the server has seen it."""
        deadline = time.monotonic() + _SEEN_SECONDS
        while not (done := [act for act in self._played.acts if act.version]) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            self._tell_acts()
        if not done:
            self._played.untrue.append("The damaged version was not rolled back")
            return
        self._until_served(int(Path(done[-1].version).name))
        self._teller.happens(f"Version {Path(done[-1].version).name} is served.")

    def _tell_acts(self) -> None:
        metadata = self._settings.root / "metadata.sqlite"
        known = recorded(open_store(metadata)) if metadata.exists() else []
        fresh = [act for act in known if act.what is What.ROLLED_BACK and act.came is Came.DONE][self._seen_acts :]
        self._seen_acts += len(fresh)
        for act in fresh:
            self._played.acts.append(act)
            self._teller.done(act)

    def _until_served(self, number: int) -> None:
        deadline = time.monotonic() + _SEEN_SECONDS
        while number not in _served(self._upstream):
            if time.monotonic() > deadline:
                raise MonitorError(f"The server must take up version {number} within {_SEEN_SECONDS:g} s. It did not")
            time.sleep(_PAUSE)
        self._client.send(CLEAN, 1, 1, number)  # nobody knows which version answered in the moment of the change
        time.sleep(_SETTLED_SECONDS)


def _served(upstream: str) -> list[int]:
    """The versions that are available, as TensorFlow Serving's model status has them."""
    host = urlsplit(upstream)
    connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=_SEEN_SECONDS)
    try:
        connection.request("GET", f"/v1/models/{MODEL}")
        answer: dict[str, Any] = parse_json(connection.getresponse().read())
    finally:
        connection.close()
    found = answer.get("model_version_status", [])
    return [int(each["version"]) for each in found if each.get("state") == "AVAILABLE"]


def _event(line: str) -> str:
    return str(parse_json(line).get("event", "")) if line.startswith("{") else ""


def _is_address(line: str) -> bool:
    return line.startswith("http://")


def _origin(line: str) -> str:
    """`http://host:port` of a line that begins with an address."""
    parts = urlsplit(line.split(maxsplit=1)[0])
    return f"{parts.scheme}://{parts.netloc}"


def is_true(played: Played) -> bool:
    """Whether everything came as it was told."""
    return not played.untrue and played.records[-1].state is State.FINE
