"""Series for Prometheus, at `/metrics` of a port of their own, and at `/healthz` whether the watcher is stuck."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from wsgiref.simple_server import WSGIServer

from components.common.errors import MonitorError

from ..extras import imported
from .observed import Observed
from .series import PREFIX, SERIES

Source = Callable[[], Mapping[str, Observed]]


class Collector:
    """Asks for what is known whenever Prometheus does, so that nothing is kept twice.

    Args:
      source: gives what is known of each model; called in the server's thread.
      now: the time, in seconds since the epoch.

    """

    def __init__(self, source: Source, now: Callable[[], float] = time.time) -> None:
        self._source, self._now = source, now
        self._core = imported("prometheus_client.core", "metrics.prometheus_port")

    def describe(self) -> list[Any]:
        return []  # what is exposed does not depend on what is known now; nothing has to be asked at registration

    def collect(self) -> Iterator[Any]:
        models, now = self._source(), self._now()
        families = {"gauge": self._core.GaugeMetricFamily, "counter": self._core.CounterMetricFamily}
        for series in SERIES:
            family = families[series.kind](f"{PREFIX}{series.name}", series.help, labels=("model", *series.labels))
            for model, observed in sorted(models.items()):
                for point in series.points(observed, now):
                    family.add_metric([model, *(point.labels[name] for name in series.labels)], point.value)
            yield family


def registry(source: Source) -> Any:
    """A registry with the series alone: what other libraries of the process count is theirs to expose."""
    made = imported("prometheus_client", "metrics.prometheus_port").CollectorRegistry(auto_describe=False)
    made.register(Collector(source))
    return made


def health(models: Mapping[str, Observed], stuck_seconds: float) -> tuple[str, str]:
    """A status of HTTP and a sentence: whether the loop of every model came around lately.

    >>> health({"digits": Observed("digits", turned=time.monotonic())}, 60.0)
    ('200 OK', 'The loop came around 0 s ago.')
    >>> health({"digits": Observed("digits", turned=time.monotonic() - 90)}, 60.0)
    ('503 Service Unavailable', 'The loop of digits has not come around for 90 s.')
    """
    known = [(each.idle, name) for name, each in models.items() if each.idle is not None]
    idle, name = max(known, default=(0.0, ""))
    if idle > stuck_seconds:
        return "503 Service Unavailable", f"The loop of {name} has not come around for {idle:.0f} s."
    return "200 OK", f"The loop came around {idle:.0f} s ago."


class Endpoint:
    """`/metrics` and `/healthz` on a port, until it is closed.

    Attributes:
      port: the one that it has.

    Raises:
      MonitorError: the port cannot be had, or the library is not installed.

    """

    def __init__(self, source: Source, host: str, port: int, stuck_seconds: float) -> None:
        client = imported("prometheus_client", "metrics.prometheus_port")
        try:
            found: tuple[WSGIServer, threading.Thread] = client.start_http_server(port, host, registry(source))
        except OSError as error:
            raise MonitorError(
                f"`metrics.prometheus_port` must be a port that is free on {host}. Received: {port}, {error.strerror}"
            ) from error
        self._server, self._thread = found
        self.port: int = self._server.server_port
        series: Any = self._server.get_app()

        def answer(asked: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            if asked["PATH_INFO"] != "/healthz":
                found: Iterable[bytes] = series(asked, start)
                return found
            status, sentence = health(source(), stuck_seconds)
            start(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{sentence}\n".encode()]

        self._server.set_app(answer)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
