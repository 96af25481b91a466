"""Where series go: the section `metrics` of the settings of `watch`."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from components.common.settings import Section

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 9108


def _endpoint(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("must be an URL with http:// or https://, such as http://collector:4318/v1/metrics")
    return text


class MetricsSettings(Section):
    """What `metrics` says; every way is off unless it is set (docs/metrics.md)."""

    prometheus_port: Annotated[int, Field(ge=0, le=65535)] | None = None  # 0 picks one that is free
    prometheus_host: str = LOOPBACK  # 0.0.0.0 lets other machines scrape
    stuck_seconds: Annotated[float, Field(gt=0)] = 900.0  # of a loop that does not come around: /healthz says 503
    otlp_endpoint: Annotated[str, AfterValidator(_endpoint)] = ""  # of OTLP over HTTP, the whole URL
    otlp_seconds: Annotated[float, Field(ge=1, le=3600)] = 15.0  # between two exports
    tensorboard: str = ""  # folder of event files, a folder a model

    @model_validator(mode="before")
    @classmethod
    def _host_alone(cls, given: Any) -> Any:
        if isinstance(given, dict) and "prometheus_host" in given and given.get("prometheus_port") is None:
            raise ValueError("must have `prometheus_port` where `prometheus_host` is set")
        return given

    @property
    def any(self) -> bool:
        """Whether series go anywhere."""
        return self.prometheus_port is not None or bool(self.otlp_endpoint or self.tensorboard)
