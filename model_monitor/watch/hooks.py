"""Who is told of each judged window: incidents, alerts, metrics, policies. The loop calls them in their order.

A hook is told of every window in the order in which they were judged, at least once: where the process was killed
meanwhile, or the hook failed, it is told again. So what it does for a model and a window must come to the same when it
is done twice. A hook that fails falls behind; it is told of what it missed later, and the others do not wait for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Protocol

from ..alerts.picture import picture_of_run
from ..alerts.telling import Alerts
from ..incidents.recorded import Record
from ..reading.window_record import WindowRecord
from .settings import WatchConfig


@dataclass(frozen=True)
class Status:
    """How a model's watcher is doing.

    Attributes:
      model: its name.
      files: log files that are there and not read yet.
      open: windows that are open.
      waiting: windows that are closed and not judged.
      set_aside: windows that could not be judged.
      lag: seconds since the oldest of those that wait was closed; 0 where none waits.
      totals: windows by state, and `examples`, `records`, `damaged`, `others` and `late` records, since ever.
      problems: what is wrong at the moment, a sentence each.
      evaluation_seconds: what the last evaluation took; None before the first.

    """

    model: str
    files: int = 0
    open: int = 0
    waiting: int = 0
    set_aside: int = 0
    lag: float = 0.0
    totals: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    evaluation_seconds: float | None = None


class Hook(Protocol):
    """What is done about windows.

    Attributes:
      name: under which the journal keeps what it was told of: the same for ever, and no other's.

    """

    name: str

    def judged(self, record: WindowRecord, records: Sequence[WindowRecord]) -> None:
        """A window was judged.

        Args:
          record: of it, the last of `records`.
          records: of all windows of the model that were judged up to it, in that order; read from disk where they are
            looked at.

        """

    def status(self, status: Status) -> None:
        """How the watcher is doing: after each window, and every few seconds."""

    def closing(self) -> None:
        """The process is about to end."""


def hooks_of(config: WatchConfig, stdout: IO[str]) -> list[Hook]:
    """The hooks of a model that its configuration turns on, in the order in which they are told.

    Args:
      config: of the model.
      stdout: what the process prints, where lines of JSON are asked for.

    Raises:
      MonitorError: a port, a folder, a library or a secret that one of them needs cannot be had.

    """
    alerts = alerts_of(config, str(config.windows_path), stdout)
    hooks: list[Hook] = [alerts]
    if config.metrics.any:
        from ..metrics.hook import Metrics  # noqa: PLC0415 - it is told by the protocol that stands here

        hooks.append(Metrics(config.name, config.metrics, config.incidents, alerts.outcomes))
    if config.policies.any:
        from ..acting.hook import Policies  # noqa: PLC0415 - likewise

        hooks.append(Policies(config))
    return hooks


def alerts_of(config: WatchConfig, logs: str, stdout: IO[str]) -> Alerts:
    """The incidents of the windows in a folder of logs, and who is told of them. Raises `MonitorError` as `Alerts`."""
    record = Record(config.metadata_path, config.name, logs, config.incidents)
    return Alerts(config.alerts, record, config.root_path, stdout, partial(picture_of_run, config.metadata_path))
