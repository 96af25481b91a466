"""How a store's server is run in a process of its own: it says its port, and ends with whoever started it."""

import os
import sys
import threading
from socketserver import BaseServer


def serve_until_told(server: BaseServer) -> None:
    """Prints the port of a server and serves until standard input is closed; then the process ends."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)
