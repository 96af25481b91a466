"""Everywhere that series go, as the settings say, behind one object that the watcher tells what is known."""

import threading
from collections.abc import Mapping

from .observed import Observed
from .otlp import Exporter
from .prometheus import Endpoint
from .settings import MetricsSettings
from .summaries import Summaries


class Export:
    """Takes what is known of each model, and exposes, sends and writes it; without settings it does nothing.

    Attributes:
      port: of Prometheus' endpoint; None where there is none.

    Raises:
      MonitorError: a port, a folder or a library cannot be had.

    """

    def __init__(self, settings: MetricsSettings) -> None:
        self._known: dict[str, Observed] = {}
        self._lock = threading.Lock()
        self._closing: list[Endpoint | Exporter | Summaries] = []
        self.port: int | None = None
        self._summaries: Summaries | None = None
        if settings.tensorboard:
            self._summaries = Summaries(settings.tensorboard)
            self._closing.append(self._summaries)
        if settings.otlp_endpoint:
            self._closing.append(Exporter(self.known, settings.otlp_endpoint, settings.otlp_seconds))
        if settings.prometheus_port is not None:
            endpoint = Endpoint(self.known, settings.prometheus_host, settings.prometheus_port, settings.stuck_seconds)
            self._closing.append(endpoint)
            self.port = endpoint.port

    def known(self) -> Mapping[str, Observed]:
        """What was told last of each model."""
        with self._lock:
            return dict(self._known)

    def status(self, observed: Observed) -> None:
        """Takes what is known of a model now."""
        with self._lock:
            self._known[observed.model] = observed

    def judged(self, observed: Observed, images: Mapping[str, bytes] = {}) -> None:
        """As `status`, when a window was judged: it gets its step in TensorBoard, with its images as PNG files."""
        self.status(observed)
        if self._summaries is not None:
            self._summaries.add(observed, images)

    def close(self) -> None:
        """Sends what is known once more, and lets go of port and files."""
        for each in self._closing:
            each.close()
        self._closing = []
