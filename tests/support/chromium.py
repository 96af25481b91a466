"""A real browser that a test looks into: pages are opened, clicked on, and asked what became of them."""

import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
_PATIENCE = 120  # seconds


class Browser:
    """Chromium by its DevTools protocol, with one page."""

    def __init__(self, address: str):
        self._address = address
        self._numbers = itertools.count(1)
        (page,) = self._pages()
        self._own = page["id"]
        self._socket = self._connect(page)
        self.events: list[dict] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def others(self) -> list[str]:
        """The tabs and windows that were opened besides the one page, which are closed."""
        found = [each for each in self._pages() if each["id"] != self._own]
        for each in found:
            self.call("Target.closeTarget", targetId=each["id"])
        return [each["url"] for each in found]

    def call(self, method: str, **parameters):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv())
            if said.get("id") == number:
                assert "error" not in said, (method, said)
                return said["result"]
            self._note(said)

    def wait(self, seconds: float) -> None:
        """Lets pages go on, and takes note of what they do."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(Exception):  # nothing was said in time
                self._note(json.loads(self._socket.recv()))
        self._socket.settimeout(_PATIENCE)

    def open(self, url: str) -> None:
        """Opens a page and waits until it and its frames are loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        end = time.monotonic() + _PATIENCE
        while not self.of("Page.frameStoppedLoading") and time.monotonic() < end:
            self.wait(0.1)

    def url(self) -> str:
        return self.call("Page.getNavigationHistory")["entries"][-1]["url"]

    def evaluate(self, expression: str):
        """What an expression of JavaScript gives in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def in_frame(self, expression: str):
        """What an expression of JavaScript gives in the frame of the page, beside the scripts that run there."""
        targets = [each for each in self._targets() if each["type"] == "iframe"]
        if not targets:  # the frame is in the process of the page
            (child,) = self.call("Page.getFrameTree")["frameTree"]["childFrames"]
            world = self.call("Page.createIsolatedWorld", frameId=child["frame"]["id"])["executionContextId"]
            return self.call("Runtime.evaluate", expression=expression, contextId=world, returnByValue=True)["result"][
                "value"
            ]
        frame = self._connect(targets[0])
        with contextlib.closing(frame):
            parameters = {"expression": expression, "returnByValue": True}
            frame.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": parameters}))
            return json.loads(frame.recv())["result"]["result"]["value"]

    def click(self, x: float, y: float, button: str = "left", modifiers: int = 0) -> None:
        """As a person does, with the mouse. `modifiers`: 2 is the control key, 8 the shift key."""
        at = {"x": x, "y": y, "button": button, "clickCount": 1, "modifiers": modifiers}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.call("Input.dispatchMouseEvent", type="mousePressed", **at)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **at)

    def of(self, method: str) -> list[dict]:
        """What happened of one kind since the page was opened."""
        return [each["params"] for each in self.events if each["method"] == method]

    def complaints(self) -> list[str]:
        """What the console said of mistakes: exceptions, errors, and what was refused."""
        logged = [each["entry"]["text"] for each in self.of("Log.entryAdded") if each["entry"]["level"] == "error"]
        return logged + [str(each["exceptionDetails"]) for each in self.of("Runtime.exceptionThrown")]

    def close(self) -> None:
        self._socket.close()

    def _pages(self) -> list[dict]:
        return [each for each in self._targets() if each["type"] == "page"]

    def _targets(self) -> list[dict]:
        with urllib.request.urlopen(f"{self._address}/json/list", timeout=_PATIENCE) as answer:  # noqa: S310 - http
            return json.load(answer)

    @staticmethod
    def _connect(target: dict):
        websocket = pytest.importorskip("websocket")
        return websocket.create_connection(target["webSocketDebuggerUrl"], timeout=_PATIENCE, suppress_origin=True)

    def _note(self, said: dict) -> None:
        if "method" in said:
            self.events.append(said)
        if said.get("method") == "Page.javascriptDialogOpening":  # it would hold everything up
            number = next(self._numbers)
            accept = {"id": number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            self._socket.send(json.dumps(accept))


@contextlib.contextmanager
def browser(profile: Path, *options: str) -> Iterator[Browser]:
    """A browser of its own, which is ended. Skips the test where the machine has none."""
    if PROGRAM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    command = [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               "--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1280,900",
               *options, "about:blank"]  # fmt: skip
    active = profile / "DevToolsActivePort"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + _PATIENCE
            while not (active.is_file() and active.read_text().strip()):
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.1)
            found = Browser(f"http://127.0.0.1:{active.read_text().split()[0]}")
            try:
                yield found
            finally:
                found.close()
        finally:
            process.terminate()
