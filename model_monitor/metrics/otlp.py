"""Series for OpenTelemetry, sent by its own SDK over OTLP with HTTP."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from ..extras import imported
from .prometheus import Source
from .series import PREFIX, SERIES, Series

SERVICE = "model-monitor"
_WHAT = "metrics.otlp_endpoint"
_CLOSING_MILLISECONDS = 5_000


class Exporter:
    """Sends all series every so many seconds, and once more when it is closed; from a thread of the SDK.

    A collector that cannot be reached costs the watcher nothing: the SDK retries, and logs what it could not send.

    Args:
      source: gives what is known of each model; called in the SDK's thread.
      endpoint: the whole URL, such as `http://collector:4318/v1/metrics`. Headers, certificates and the like are the
        SDK's own: environment variables such as OTEL_EXPORTER_OTLP_HEADERS.
      seconds: between two exports.

    Raises:
      MonitorError: the library is not installed.

    """

    def __init__(self, source: Source, endpoint: str, seconds: float) -> None:
        metrics = imported("opentelemetry.sdk.metrics", _WHAT)
        export = imported("opentelemetry.sdk.metrics.export", _WHAT)
        http = imported("opentelemetry.exporter.otlp.proto.http.metric_exporter", _WHAT)
        resources = imported("opentelemetry.sdk.resources", _WHAT)
        reader = export.PeriodicExportingMetricReader(
            http.OTLPMetricExporter(endpoint=endpoint), export_interval_millis=1000 * seconds
        )
        resource = resources.Resource.create({"service.name": SERVICE})
        self._provider = metrics.MeterProvider([reader], resource=resource)
        meter = self._provider.get_meter(SERVICE)
        make = {"gauge": meter.create_observable_gauge, "counter": meter.create_observable_counter}
        for series in SERIES:
            name = f"{PREFIX}{series.name}"
            make[series.kind](name, [_observe(source, series)], description=series.help)

    def close(self) -> None:
        self._provider.shutdown(timeout_millis=_CLOSING_MILLISECONDS)


def _observe(source: Source, series: Series) -> Callable[[Any], Iterator[Any]]:
    observation = imported("opentelemetry.metrics", _WHAT).Observation

    def observe(_options: Any) -> Iterator[Any]:
        now = time.time()
        for model, observed in sorted(source().items()):
            for point in series.points(observed, now):
                yield observation(point.value, {"model": model, **point.labels})

    return observe
