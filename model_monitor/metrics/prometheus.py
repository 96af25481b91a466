"""Series for Prometheus, at `/metrics` of a port of their own."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from socketserver import BaseServer
from typing import Any

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


class Endpoint:
    """`/metrics` on a port, until it is closed.

    Attributes:
      port: the one that it has.

    Raises:
      MonitorError: the port cannot be had, or the library is not installed.

    """

    def __init__(self, source: Source, host: str, port: int) -> None:
        client = imported("prometheus_client", "metrics.prometheus_port")
        try:
            found: tuple[BaseServer, threading.Thread] = client.start_http_server(port, host, registry(source))
        except OSError as error:
            raise MonitorError(
                f"`metrics.prometheus_port` must be a port that is free on {host}. Received: {port}, {error.strerror}"
            ) from error
        self._server, self._thread = found
        self.port: int = self._server.server_address[1]  # type: ignore[index,assignment]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
