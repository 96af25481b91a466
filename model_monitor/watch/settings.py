"""The settings of watching: those of monitoring, what a window is, and a section for each thing that is done about it.

Each room has a section of its own, which stands there; here they are put together to one configuration.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from components.common.errors import MonitorError, require
from components.common.settings import Section, explain
from pipelines.config import PIPELINE_NAME, MonitoringConfig

from ..acting.settings import PoliciesConfig
from ..alerts.settings import AlertsConfig
from ..incidents.settings import IncidentsConfig
from ..launching import monitoring
from ..metrics.settings import MetricsSettings

FOLDER = "watch"  # under the root: the journal and the lock
WINDOWS = "windows"  # under the root: a folder a window, named by its number

Count = Annotated[int, Field(ge=1)]
Minutes = Annotated[float, Field(gt=0)]


class WatchSettings(Section):
    """What a window is, and how the process behaves (docs/watching.md)."""

    # a window is closed at so many examples, or so many minutes after its first record was taken up
    window_examples: Annotated[int, Field(ge=2)] | None = None  # None: `monitor.window_size`
    window_minutes: Minutes | None = 60.0  # None: by examples alone
    # what came so long before the end of the last window that was closed belonged to a window that is closed
    allowed_lateness_minutes: Annotated[float, Field(ge=0)] = 10.0
    file_events: bool = True  # ask the kernel for new files; where it cannot tell, they are looked for all the same
    poll_seconds: Annotated[float, Field(gt=0)] = 2.0  # how often they are looked for then
    settle_seconds: Annotated[float, Field(ge=0)] = (
        1.0  # a file nobody was seen to close is read once unchanged so long
    )
    waiting_windows: Count = 4  # closed and not judged; with more than these, reading waits
    attempts: Count = 3  # to evaluate a window, before it is set aside
    retry_seconds: Annotated[float, Field(ge=0)] = 30.0  # before the second; twice as long before each further one
    evaluation_minutes: Minutes = 10.0  # that one may take; then it is given up, which counts as an attempt
    grace_seconds: Annotated[float, Field(gt=0)] = 25.0  # for the evaluation that runs when the process is asked to end
    # of windows that were judged, set aside or passed over, the examples and the artifacts of their runs are kept so
    # long; verdicts always are
    keep_windows: Count | None = 1000
    keep_days: Annotated[float, Field(gt=0)] | None = None
    keep_gigabytes: Annotated[float, Field(gt=0)] | None = None


class WatchConfig(MonitoringConfig):
    """Everything that `model-monitor watch` can be told."""

    watch: WatchSettings = WatchSettings()
    incidents: IncidentsConfig = IncidentsConfig()
    metrics: MetricsSettings = MetricsSettings()
    policies: PoliciesConfig = PoliciesConfig()
    alerts: AlertsConfig = AlertsConfig()
    # several models: of each, by its name, the settings that differ from those above
    models: dict[Annotated[str, Field(pattern=PIPELINE_NAME)], dict[str, Any]] = Field(default_factory=dict)

    @property
    def window_examples(self) -> int:
        """At how many examples a window is closed."""
        return self.watch.window_examples or self.monitor.window_size

    @property
    def windows_path(self) -> Path:
        return self.root_path / WINDOWS

    @property
    def watch_path(self) -> Path:
        return self.root_path / FOLDER


def configuration(file: Path | None, settings: Iterable[str], given: Mapping[str, Any]) -> WatchConfig:
    """The settings of watching, from where `monitor` has its settings, see `monitoring.configuration_as`."""
    return monitoring.configuration_as(WatchConfig, file, settings, given)


def models(config: WatchConfig) -> list[WatchConfig]:
    """The configuration of each model that is watched: the one there is, or one for each of `models`.

    A model of `models` has the settings of the whole but for those that it names. Its name is that of its pipeline, and
    its root a folder of that name under the common root, unless it says otherwise.

    Raises:
      MonitorError: a model's settings are none, or two would work under the same root.

    """
    if not config.models:
        return [config]
    found = [_model(config, name, given) for name, given in config.models.items()]
    roots = [each.root_path for each in found]
    require(len(set(roots)) == len(roots), "models", "have a root each", [str(each) for each in roots])
    return found


def _model(config: WatchConfig, name: str, given: Mapping[str, Any]) -> WatchConfig:
    own = {"name": name, "root": str(Path(config.root) / name)}
    common = config.model_dump(mode="json", exclude={"models"}, exclude_unset=True)
    try:
        return WatchConfig.model_validate_json(json.dumps(_joined(common, {**own, **given})))
    except ValidationError as error:
        raise MonitorError(explain(WatchConfig, error, lambda _: f"`models.{name}` of the configuration")) from None


def _joined(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others in their place; sections are joined key by key."""
    joined = dict(below)
    for key, value in above.items():
        old = joined.get(key)
        joined[key] = _joined(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return joined
