"""Tells everywhere that series go of each judged window, and how the watcher is doing."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from ..incidents.course import Course
from ..incidents.settings import IncidentsConfig
from ..reading.window_record import WindowRecord
from ..watch.hooks import Status
from .export import Export
from .observed import Observed, Sequential
from .settings import MetricsSettings

# Gives how many alerts were sent, by channel and by what became of them.
Outcomes = Callable[[], Mapping[tuple[str, str], int]]


class Shared:
    """The one `Export` of a process, for all models that it watches; made with the first, closed with the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[MetricsSettings, tuple[Export, int]] = {}

    def get(self, settings: MetricsSettings) -> Export:
        """Raises `MonitorError` where a port, a folder or a library cannot be had."""
        with self._lock:
            export, users = self._open.get(settings) or (Export(settings), 0)
            self._open[settings] = (export, users + 1)
            return export

    def let_go(self, settings: MetricsSettings) -> None:
        with self._lock:
            export, users = self._open.pop(settings)
            if users > 1:
                self._open[settings] = (export, users - 1)
                return
        export.close()


_SHARED = Shared()


class Metrics:
    """The hook of one model."""

    name = "metrics"

    def __init__(self, model: str, settings: MetricsSettings, rules: IncidentsConfig, alerts: Outcomes = dict) -> None:
        self._model, self._settings = model, settings
        self._course = Course(rules)
        self._alerts = alerts
        self._last: WindowRecord | None = None
        self._status = Status(model)
        self._export = _SHARED.get(settings)
        self._turned = time.monotonic()
        self._export.status(Observed(model, turned=self._turned))

    def judged(self, record: WindowRecord, records: Sequence[WindowRecord]) -> None:
        """Takes a window that was judged, the last of `records`."""
        self._course.go_on(records)
        self._last = record
        self._export.judged(self.observed)

    def status(self, status: Status) -> None:
        """Takes how the watcher is doing."""
        self._status, self._turned = status, time.monotonic()
        self._export.status(self.observed)

    def closing(self) -> None:
        _SHARED.let_go(self._settings)

    @property
    def observed(self) -> Observed:
        """All that is known now."""
        status, incident = self._status, self._course.incident
        rings = {ring.test.replace(" ", "_"): Sequential(ring.statistic, ring.threshold, rings=ring.rings)
                 for ring in self._course.rings}  # fmt: skip
        return Observed(
            model=self._model,
            last=self._last,
            windows=self._course.words,
            set_aside=status.set_aside,
            examples=self._course.examples,
            late_examples=self._course.late_examples,
            dead_letters=status.totals.get("damaged", 0),
            backlog_windows=status.waiting,
            backlog_examples=max(0, status.totals.get("examples", 0) - self._course.examples),
            oldest_unjudged=time.time() - status.lag if status.lag else None,
            evaluation_seconds=status.evaluation_seconds,
            sequential=rings,
            open_incidents={} if incident is None else {incident.severity.value: 1},
            incidents=self._course.opened,
            alerts=self._alerts(),
            turned=self._turned,
        )
