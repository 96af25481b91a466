"""A socket in the working folder, so that its path is short."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listening(name: str) -> Iterator[socket.socket]:
    """A socket that has its name once it answers, and gives up waiting for a caller five times a second."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{name}.new")
        server.listen()
        os.rename(f"{name}.new", name)
        server.settimeout(0.2)
        yield server
