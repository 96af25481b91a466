"""Runs a proxy from its start to its end, which comes by a signal and loses nothing."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import prometheus_client
import uvloop

from components.common.errors import require

from ..listening import listening, not_free
from .counters import Collector, Counters
from .grpc_forward import GrpcProxy
from .models import Models
from .outbox import LogSettings, Outbox
from .rest import RestProxy
from .taken import Budget, Limits, Log, Sampler
from .upstream import Upstream

_LOG_SHARE = 0.6  # of the time to end in, for writing what was taken; the rest is for answers under way


@dataclass(frozen=True)
class Settings:
    """What a proxy is told.

    Attributes:
      log: of the process that logs.
      upstream: URL of the model server's REST; "": there is none.
      grpc_upstream: `host:port` of its gRPC; "": there is none.
      host, port, grpc_port, metrics_port: where to listen, 0 for a port that is free; metrics on this machine only.
      limits: what logging may take.
      client_header: who sent a request, see `taken.Log`.
      grace_seconds: within which it ends after a signal.
      seed: of the sampling; None: another one each time.

    """

    log: LogSettings
    upstream: str = ""
    grpc_upstream: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    grpc_port: int = 0
    metrics_port: int | None = 0
    limits: Limits = field(default_factory=Limits)
    client_header: str = ""
    grace_seconds: float = 25.0
    seed: int | None = None


@dataclass(frozen=True)
class Addresses:
    """Where a proxy listens: ports, None for what it does not have."""

    rest: int | None
    grpc: int | None
    metrics: int | None


def run(settings: Settings, started: Callable[[Addresses], None]) -> Counters:
    """Forwards and logs until SIGTERM or SIGINT; gives what became of all requests.

    Raises:
      MonitorError: an address cannot be had, or there is nothing to forward to.

    """
    require(bool(settings.upstream or settings.grpc_upstream), "--upstream", "be given, or --grpc-upstream", "neither")
    uvloop.install()

    async def until_signalled() -> Counters:
        return await serve(settings, started, _signalled())

    return asyncio.run(until_signalled())


async def serve(settings: Settings, started: Callable[[Addresses], None], ended: asyncio.Event) -> Counters:
    """As `run`, until the event is set; `started` is told the addresses once everything listens."""
    counters = Counters()
    budget = Budget(settings.limits.queue_bytes)
    sampler = Sampler(settings.limits.sampling_rate, settings.seed)
    log = Log(settings.limits, budget, sampler, counters, settings.client_header)
    outbox = Outbox(settings.log, counters, budget)
    async with contextlib.AsyncExitStack() as stack:
        rest, models, rest_port = await _rest(settings, log, outbox) if settings.upstream else (None, None, None)
        grpc = GrpcProxy(settings.grpc_upstream, log, outbox.put) if settings.grpc_upstream else None
        if grpc is not None:
            await grpc.start(settings.host, settings.grpc_port)
        metrics_port = _metrics(settings, counters, stack)
        outbox.start()
        started(Addresses(rest_port, grpc.port if grpc else None, metrics_port))
        await ended.wait()
        end = time.monotonic() + settings.grace_seconds
        answers = settings.grace_seconds * (1 - _LOG_SHARE)
        await asyncio.gather(*(each.drain(answers) for each in (rest, grpc) if each is not None))
        if models is not None:
            await models.close(end - time.monotonic() - settings.grace_seconds * _LOG_SHARE / 2)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, outbox.close, end - time.monotonic())
    return counters


async def _rest(settings: Settings, log: Log, outbox: Outbox) -> tuple[RestProxy, Models, int]:
    upstream = Upstream(settings.upstream)
    models = Models(upstream, outbox.put)
    proxy = RestProxy(upstream, models, log)
    bound = listening(settings.host, settings.port, "--port")
    await proxy.listen(bound)
    return proxy, models, int(bound.getsockname()[1])


def _metrics(settings: Settings, counters: Counters, stack: contextlib.AsyncExitStack) -> int | None:
    if settings.metrics_port is None:
        return None
    registry = prometheus_client.CollectorRegistry()
    registry.register(Collector(counters))
    try:
        server, thread = prometheus_client.start_http_server(settings.metrics_port, "127.0.0.1", registry)
    except OSError as error:
        raise not_free("--metrics-port", "127.0.0.1", settings.metrics_port, str(error.strerror)) from error
    stack.callback(thread.join)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return int(server.server_port)


def _signalled() -> asyncio.Event:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ended.set)
    return ended
