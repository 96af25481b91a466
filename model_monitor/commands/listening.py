"""Where commands that listen do so and how long they take to end: the options that `serve` and `proxy` share."""

import argparse

from components.common.errors import require

PORTS = "default: %(default)s; 0 picks one that is free"


def add_addresses(parser: argparse.ArgumentParser, port: int, grpc_port: int) -> None:
    """`--host`, `--port` and `--grpc-port`, with the ports that they have by default."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s, this machine")
    parser.add_argument("--port", type=int, default=port, help=f"of REST; {PORTS}")
    parser.add_argument("--grpc-port", type=int, default=grpc_port, metavar="PORT", help=f"of gRPC; {PORTS}")


def add_grace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grace", type=float, default=25.0, metavar="SECONDS", help="to end in after SIGTERM; default: %(default)g"
    )


def require_positive(options: argparse.Namespace, *names: str) -> None:
    """Raises `MonitorError` unless each of these options, by its name in `options`, is more than 0."""
    for name in names:
        require(getattr(options, name) > 0, f"--{name.replace('_', '-')}", "be more than 0", getattr(options, name))
