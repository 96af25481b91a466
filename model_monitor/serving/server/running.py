"""Runs a model server from its start to its end, which comes by a signal and answers what is under way."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported

import tensorflow as tf

from ..listening import add_grpc_port, listening
from .grpc_services import grpc_server
from .model import Model
from .rest import application
from .versions import Versions


@dataclass(frozen=True)
class Settings:
    """What a server is told.

    Attributes:
      folder: of the versions.
      name: of the model.
      host, port, grpc_port: where to listen, 0 for a port that is free.
      poll_seconds: between two looks at the folder.
      grace_seconds: within which it ends after a signal.

    """

    folder: str
    name: str
    host: str = "127.0.0.1"
    port: int = 0
    grpc_port: int = 0
    poll_seconds: float = 1.0
    grace_seconds: float = 25.0


@dataclass(frozen=True)
class Addresses:
    """The ports of a server."""

    rest: int
    grpc: int


def look_for_gpus() -> None:
    """Has TensorFlow look for GPUs now and not with the first model: it tells at length of those that are not there."""
    tf.config.list_physical_devices("GPU")


def run(settings: Settings, started: Callable[[Addresses], None]) -> None:
    """Answers until SIGTERM or SIGINT.

    Raises:
      MonitorError: an address cannot be had.

    """

    async def until_signalled() -> None:
        ended = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, ended.set)
        await serve(settings, started, ended)

    asyncio.run(until_signalled())


async def serve(settings: Settings, started: Callable[[Addresses], None], ended: asyncio.Event) -> None:
    """As `run`, until the event is set; `started` is told the addresses once the folder was looked at."""
    served = Versions(settings.folder, settings.name, Model)
    bound = listening(settings.host, settings.port, "--port")
    grpc = grpc_server(served)
    grpc_port = add_grpc_port(grpc, settings.host, settings.grpc_port)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, served.poll)
    stop = threading.Event()
    polling = threading.Thread(target=_poll, args=(served, settings.poll_seconds, stop), daemon=True)
    polling.start()
    rest = _Server(settings, served)
    answering = loop.create_task(rest.serve(sockets=[bound]))
    grpc.start()
    started(Addresses(bound.getsockname()[1], grpc_port))
    await ended.wait()
    stop.set()
    rest.should_exit = True
    gone = grpc.stop(settings.grace_seconds)
    await answering
    await loop.run_in_executor(None, gone.wait)
    await loop.run_in_executor(None, polling.join, settings.grace_seconds)


class _Server(uvicorn.Server):
    """uvicorn, whose signals are handled here."""

    def __init__(self, settings: Settings, served: Versions[Model]) -> None:
        config = uvicorn.Config(
            application(served),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            http="httptools",
            server_header=False,
            timeout_graceful_shutdown=max(1, int(settings.grace_seconds)),
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _poll(served: Versions[Model], seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        served.poll()
