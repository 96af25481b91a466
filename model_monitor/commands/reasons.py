"""What the commands have in common that do something about a model: who does it, and why."""

import argparse
import getpass
import os
import socket


def add_reason(parser: argparse.ArgumentParser, needed: str = "", *, required: bool = False) -> None:
    """The arguments that say why and who. `needed` is added to the help of the first."""
    parser.add_argument("--because", default="", required=required, metavar="TEXT", help=f"why{needed}")
    told = "who does it; default: this user at this machine"
    parser.add_argument("--by", default=f"{_user()}@{socket.gethostname()}", metavar="NAME", help=told)


def _user() -> str:
    """The user's name, or where the system has none for its number, that."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
