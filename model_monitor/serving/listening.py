"""Addresses to listen on, and what is said where one cannot be had."""

import socket
from typing import Any

from components.common.errors import MonitorError, require

_WAITING = 1024  # connections that the system keeps until they are taken


def listening(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens at an address, port 0 being any that is free. Raises `MonitorError` naming the option."""
    require(0 <= port <= 65535, option, "be in 0 .. 65535", port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_WAITING)
    except OSError as error:
        raise not_free(option, host, port, error.strerror or str(error)) from error
    return bound


def add_grpc_port(server: Any, host: str, port: int) -> int:
    """Lets a server of gRPC, asynchronous or not, listen there; the port. Raises `MonitorError` as `listening`."""
    require(0 <= port <= 65535, "--grpc-port", "be in 0 .. 65535", port)
    try:
        return int(server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
    except RuntimeError as error:
        raise not_free("--grpc-port", host, port, "it cannot be had") from error


def not_free(option: str, host: str, port: int, why: str) -> MonitorError:
    """The error of an address that cannot be had."""
    rule = "be an address of this machine and a port that is free; 0 picks one"
    return MonitorError(f"`{option}` must {rule}. Received: {host}:{port}, {why}")
