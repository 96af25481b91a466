"""A process that draws the charts of commands that a warm Python runs, by the same library.

    python -m tests.support.warm.charts FOLDER

To start that library's engine takes a second of a processor, which every command that makes a page would need. It has
threads of its own, so that no fork could be warm with it: forks send what is to be drawn to `FOLDER/charts` instead.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import sys
from typing import Any

from tests.support.warm.listening import listening

SOCKET = "charts"
ENGINE = "vl_convert"  # the module, and what is used of it:
DRAWING = ("vegalite_to_vega", "vega_to_svg", "vegalite_to_png")


def draw_for_others(folder: str) -> None:
    """Draws until the process that started it ends."""
    import vl_convert

    os.chdir(folder)  # a path below it may be longer than a socket's may be
    parent = os.getppid()
    with listening(SOCKET) as server:
        while os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                connection.setblocking(True)
                # whoever asks may be killed meanwhile, and has then sent half of it
                with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
                    stream.write(json.dumps(_answer(vl_convert, stream.readline())).encode())


def _answer(engine: Any, line: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        if asked["name"] not in DRAWING:
            raise ValueError(f"nothing is drawn by {asked['name']!r}")
        drawn = getattr(engine, asked["name"])(asked["spec"], **asked["options"])
    except (ValueError, KeyError, TypeError) as error:
        return {"error": str(error)}
    return {"bytes": base64.b64encode(drawn).decode()} if isinstance(drawn, bytes) else {"drawn": drawn}


class Engine:
    """Stands in for the module in a fork: (the folder's descriptor) -> what draws there."""

    def __init__(self, folder: int) -> None:
        self._place = f"/proc/self/fd/{folder}/{SOCKET}"

    def __getattr__(self, name: str) -> Any:
        if name not in DRAWING:
            raise AttributeError(name)
        return lambda spec, **options: self._draw({"name": name, "spec": spec, "options": options})

    def _draw(self, asked: dict[str, Any]) -> Any:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._place)
            with server.makefile("rwb") as stream:
                stream.write(json.dumps(asked).encode() + b"\n")
                stream.flush()
                answer = json.loads(stream.read())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["drawn"] if "drawn" in answer else base64.b64decode(answer["bytes"])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    draw_for_others(sys.argv[1])
