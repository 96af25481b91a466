"""Stands in for `python` and `model-monitor`: has `server.py` run the command, and ends as that does.

A script of its own, with nothing imported that takes time; `starting.py` puts the folder of the server in.
"""

import json
import os
import select
import signal
import socket
import sys

FOLDER = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def main() -> int:
    name, *arguments = sys.argv
    if os.path.basename(name) == "model-monitor":
        arguments = ["-m", "model_monitor.cli", *arguments]
    command = {"folder": os.getcwd(), "environment": dict(os.environ), "arguments": arguments}
    os.chdir(FOLDER)  # a path below it may be longer than a socket's may be
    with socket.socket(socket.AF_UNIX) as server:
        server.connect("socket")
        message = json.dumps(command).encode() + b"\n"
        server.sendall(message[socket.send_fds(server, [message], [0, 1, 2]) :])
        with server.makefile() as told:
            process = int(told.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: os.kill(process, number))
            # a signal that comes right before Python begins to wait for long is handled after that
            while not select.select([server], [], [], 0.2)[0]:
                pass
            code = int(told.readline())
    if code < 0:  # a signal ended it
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
