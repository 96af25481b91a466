"""A Python that has TensorFlow and TFX imported already, and runs commands in forks of itself.

    python -m tests.support.warm.server FOLDER

Importing TFX takes seven seconds of a processor, and dozens of tests run a command that does. `client.py` sends a
command with its folder, its environment and its three standard streams to `FOLDER/socket`. What runs it is a process of
its own with an end of its own; it differs from a new Python in what is imported, in templates that are compiled, in
where its charts are drawn (`charts.py`), and in `beam_methods.py`. No function of TensorFlow is called before a fork:
its threads would not be there after it.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

from tests.support.warm.listening import listening

SOCKET = "socket"
# What `model-monitor` sets before it imports TensorFlow, which reads it then.
TENSORFLOW = {"TF_CPP_MIN_LOG_LEVEL": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
IMPORTED = ("tensorflow_model_analysis", "tfx.components")
OURS = ("components", "model_monitor", "pipelines")  # every module of these, as commands import theirs once they run
STREAMS = 3
LONGEST_COMMAND = 1 << 20  # bytes, with its environment


def wait_for_a_command(folder: str) -> None:
    """Serves until the process that started it ends. Returns in forks only: one for each command, to run it."""
    os.environ.update(TENSORFLOW)
    charts = [sys.executable, "-m", "tests.support.warm.charts", folder]
    drawing = os.spawnv(os.P_NOWAIT, sys.executable, charts)  # noqa: S606 - forks have no object of it to clean up
    gc.disable()  # none of what is imported is garbage
    _import()
    gc.freeze()  # forks do not copy what nothing looks at
    gc.enable()
    os.chdir(folder)  # a path below it may be longer than a socket's may be
    _draw_elsewhere(drawing)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    parent = os.getppid()
    with listening(SOCKET) as server:
        while not ended and os.getppid() == parent:
            _wait_for_children(os.WNOHANG)
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                with connection:
                    if not os.fork():
                        server.close()
                        _attend(connection)
                        return
    os.kill(drawing, signal.SIGTERM)
    _wait_for_children(0)
    sys.exit()


def _import() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    for name in OURS:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    importlib.import_module("tests.support.beam_methods").look_up_once()
    importlib.import_module("tests.support.warm.templates").compile_all()


def _draw_elsewhere(drawing: int) -> None:
    """Has forks ask that process for their charts, once it draws."""
    charts = importlib.import_module("tests.support.warm.charts")
    while not os.path.exists(charts.SOCKET):
        if os.waitpid(drawing, os.WNOHANG)[0]:
            raise RuntimeError("the process that draws charts has ended")
        time.sleep(0.02)
    sys.modules[charts.ENGINE] = charts.Engine(os.open(".", os.O_PATH | os.O_DIRECTORY))


def _wait_for_children(options: int) -> None:
    """Waits for those that have ended, or for all: what they took of a processor counts with the server's then."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _attend(connection: socket.socket) -> None:
    """Becomes the process of the connection's command, and leaves one behind that tells its id and how it ended."""
    connection.setblocking(True)
    text, streams, _, _ = socket.recv_fds(connection, LONGEST_COMMAND, STREAMS)
    while not text.endswith(b"\n"):
        more = connection.recv(LONGEST_COMMAND)
        if not more:  # whoever asked was killed meanwhile
            os._exit(0)
        text += more
    if child := os.fork():
        for stream in streams:
            os.close(stream)
        _tell(connection, child)
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _become(json.loads(text))


def _tell(connection: socket.socket, child: int) -> None:
    """Tells whoever asked the process of the command and how it ended; ends it where whoever asked is killed."""
    try:
        connection.sendall(f"{child}\n".encode())
        killed = select.select([connection, os.pidfd_open(child)], [], [])[0] == [connection]
    except BrokenPipeError:
        killed = True
    if killed:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(f"{code}\n".encode())


def _become(command: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.argv = command["arguments"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through="PYTHONUNBUFFERED" in os.environ)  # type: ignore[union-attr]


def run() -> None:
    """Runs `sys.argv` as Python does: `-m MODULE`, `-c CODE` or a script, and its arguments."""
    kind, *rest = sys.argv
    if kind == "-m":
        sys.argv = rest
        _find_first(os.getcwd())
        sys.modules.pop(rest[0], None)  # else Python warns that it is run a second time
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        _find_first("")
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what is asked for
    else:
        _find_first(os.path.dirname(os.path.abspath(kind)))
        runpy.run_path(kind, run_name="__main__")


def _find_first(folder: str) -> None:
    """Puts the folder of what is run before all others, and those of PYTHONPATH after it, as Python does."""
    given = os.environ.get("PYTHONPATH", "")
    sys.path[:0] = [folder, *filter(None, given.split(os.pathsep))]


def run_to_the_end() -> NoReturn:
    """Runs it and ends as Python does, which alone would take half a second of a processor.

    The difference is that what was imported is not taken apart. What Python prints of an error it prints itself.
    """
    code = 0
    try:
        run()
    except SystemExit as error:
        if not isinstance(error.code, int | None):
            raise
        code = error.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more, of which Python has something to say
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    wait_for_a_command(sys.argv[1])
    run_to_the_end()
