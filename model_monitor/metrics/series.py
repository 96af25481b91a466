"""The one table of series: what each is called, what it means, and where its values come from.

Prometheus, OpenTelemetry, TensorBoard and the table in docs/metrics.md are made of it, and the dashboard and the alert
rules are held against it. Names and units are as Prometheus asks for: base units, `_total` for what only grows.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from components.common.proportion import Proportion
from components.common.verdict_words import OF_SPANS

from ..reading.window_record import WindowRecord
from .observed import Observed

PREFIX = "model_monitor_"
SEVERITIES = ("information", "warning", "critical")
OUTCOMES_OF_ALERTS = ("delivered", "failed", "pending")


@dataclass(frozen=True)
class Point:
    """One value, with its labels besides the model's; finite."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """One series.

    Attributes:
      name: without `PREFIX`, and without the `_total` of a counter.
      kind: "gauge", or "counter" for what only grows.
      help: what it is, a sentence without a full stop.
      values: its points for a model at a moment (seconds since the epoch); none where nothing is known.
      labels: the names of its labels besides `model`.
      of_window: whether it is about the window judged last, and so belongs to that window's step in TensorBoard.

    """

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    values: Callable[[Observed, float], Iterable[Point]]
    labels: tuple[str, ...] = ()
    of_window: bool = False

    @property
    def exposed(self) -> str:
        """The name by which queries know it."""
        return f"{PREFIX}{self.name}" + ("_total" if self.kind == "counter" else "")

    def points(self, observed: Observed, now: float) -> list[Point]:
        """The points, without those that are no finite number, which no store of series can tell from a gap."""
        return [point for point in self.values(observed, now) if math.isfinite(point.value)]


_ACCURACIES: dict[str, Callable[[WindowRecord], Proportion | None]] = {
    "estimated": lambda last: last.estimated,
    "measured": lambda last: last.measured,
    "baseline": lambda last: last.baseline_accuracy,
}


def _of_last(value: Callable[[WindowRecord], float | None]) -> Callable[[Observed, float], Iterator[Point]]:
    """One value of the window judged last."""

    def values(observed: Observed, _now: float) -> Iterator[Point]:
        found = None if observed.last is None else value(observed.last)
        if found is not None:
            yield Point(float(found))

    return values


def _accuracy(end: Callable[[Proportion], float]) -> Callable[[Observed, float], Iterator[Point]]:
    def values(observed: Observed, _now: float) -> Iterator[Point]:
        if observed.last is not None:
            found = {kind: of(observed.last) for kind, of in _ACCURACIES.items()}
            yield from (Point(end(each), {"kind": kind}) for kind, each in found.items() if each is not None)

    return values


def _plain(value: Callable[[Observed], float | None]) -> Callable[[Observed, float], Iterator[Point]]:
    """One value of the model itself."""

    def values(observed: Observed, _now: float) -> Iterator[Point]:
        found = value(observed)
        if found is not None:
            yield Point(float(found))

    return values


def _counted(
    label: str, known: Iterable[str], counts: Callable[[Observed], Mapping[str, int]]
) -> Callable[[Observed, float], Iterator[Point]]:
    """A count for each value of a label that there is, 0 where nothing was counted: a series that begins is no rise."""

    def values(observed: Observed, _now: float) -> Iterator[Point]:
        found = counts(observed)
        yield from (Point(float(found.get(each, 0)), {label: each}) for each in known)

    return values


def _states(observed: Observed, _now: float) -> Iterator[Point]:
    if observed.last is not None:
        for state in OF_SPANS:
            yield Point(float(observed.last.state is state), {"state": state.value})


def _distance(value: Callable[[WindowRecord], float | None]) -> Callable[[Observed, float], Iterator[Point]]:
    def values(observed: Observed, _now: float) -> Iterator[Point]:
        last = observed.last
        found = None if last is None else value(last)
        if last is not None and found is not None:
            yield Point(float(found), {"feature": last.feature})

    return values


def _version(observed: Observed, _now: float) -> Iterator[Point]:
    if observed.last is not None and observed.last.version:
        yield Point(1.0, {"version": observed.last.version})


def _alerts(observed: Observed, _now: float) -> Iterator[Point]:
    for (channel, outcome), count in sorted(observed.alerts.items()):
        yield Point(float(count), {"channel": channel, "outcome": outcome})


def _sequential(value: Callable[..., float]) -> Callable[[Observed, float], Iterator[Point]]:
    def values(observed: Observed, _now: float) -> Iterator[Point]:
        for test, each in sorted(observed.sequential.items()):
            yield Point(value(each), {"test": test})

    return values


_WORDS = tuple(state.value for state in OF_SPANS)
SERIES = (
    Series("window", "gauge", "The number of the window judged last", _of_last(lambda last: last.window)),
    Series(
        "window_examples", "gauge", "How many examples that window has",
        _of_last(lambda last: last.examples), of_window=True,
    ),
    Series(
        "window_state", "gauge", "1 for the word of that window's verdict, 0 for the others",
        _states, ("state",), of_window=True,
    ),
    Series(
        "window_p_value", "gauge", "The chance that a window like the baseline looks at least as unusual",
        _of_last(lambda last: last.p_value), of_window=True,
    ),
    Series(
        "window_p_threshold", "gauge", "The p-value at which the window raises the alarm",
        _of_last(lambda last: last.p_threshold), of_window=True,
    ),
    Series(
        "window_distance", "gauge", "The statistic of the window's most unusual feature",
        _distance(lambda last: last.distance), ("feature",), of_window=True,
    ),
    Series(
        "window_distance_threshold", "gauge", "What that statistic has to exceed to raise the alarm",
        _distance(lambda last: last.distance_threshold), ("feature",), of_window=True,
    ),
    Series(
        "accuracy", "gauge", "The model's accuracy on the window judged last, and on the baseline, 0 to 1",
        _accuracy(lambda each: each.value), ("kind",), of_window=True,
    ),
    Series(
        "accuracy_low", "gauge", "The lower end of its 95 % interval",
        _accuracy(lambda each: each.low), ("kind",), of_window=True,
    ),
    Series(
        "accuracy_high", "gauge", "The upper end of its 95 % interval",
        _accuracy(lambda each: each.high), ("kind",), of_window=True,
    ),
    Series(
        "accuracy_least", "gauge", "The least accuracy that is allowed",
        _of_last(lambda last: last.least_accuracy), of_window=True,
    ),
    Series(
        "sequential_statistic", "gauge", "A sequential test over the windows so far",
        _sequential(lambda each: each.statistic), ("test",), of_window=True,
    ),
    Series(
        "sequential_threshold", "gauge", "The statistic at which the sequential test rings",
        _sequential(lambda each: each.threshold), ("test",), of_window=True,
    ),
    Series(
        "sequential_rings", "gauge", "1 while the sequential test rings",
        _sequential(lambda each: float(each.rings)), ("test",), of_window=True,
    ),
    Series("version_info", "gauge", "1 for the version that the last window was compared with", _version, ("version",)),
    Series(
        "last_verdict_timestamp_seconds", "gauge", "When the last window was judged, seconds since the epoch",
        _of_last(lambda last: last.judged_at),
    ),
    Series(
        "open_incidents", "gauge", "Incidents that are open",
        _counted("severity", SEVERITIES, lambda each: each.open_incidents), ("severity",),
    ),
    Series(
        "lag_seconds", "gauge", "The age of the oldest request that no verdict is about yet; 0 where all were judged",
        lambda observed, now: [Point(observed.lag(now))],
    ),
    Series(
        "loop_idle_seconds",
        "gauge",
        "How long ago the watcher's loop came around last; it evaluates one window in between",
        _plain(lambda each: each.idle),
    ),
    Series("backlog_windows", "gauge", "Windows closed and not judged yet", _plain(lambda each: each.backlog_windows)),
    Series(
        "backlog_examples", "gauge", "Examples collected and not judged yet", _plain(lambda each: each.backlog_examples)
    ),
    Series(
        "evaluation_seconds", "gauge", "How long the evaluation of the last window took",
        _plain(lambda each: each.evaluation_seconds), of_window=True,
    ),
    Series(
        "evaluation_cpu_seconds", "gauge", "What processor time it took",
        _plain(lambda each: each.evaluation_cpu_seconds), of_window=True,
    ),
    Series(
        "windows", "counter", "Windows judged, by the word of their verdict",
        _counted("state", _WORDS, lambda each: each.windows), ("state",),
    ),
    Series("windows_set_aside", "counter", "Windows that could not be evaluated", _plain(lambda each: each.set_aside)),
    Series("examples", "counter", "Examples in windows that were judged", _plain(lambda each: each.examples)),
    Series(
        "late_examples", "counter", "Examples that came after their window was closed",
        _plain(lambda each: each.late_examples),
    ),
    Series(
        "dead_letters", "counter", "Records and images of the logs that could not be used",
        _plain(lambda each: each.dead_letters),
    ),
    Series(
        "incidents", "counter", "Incidents that were opened",
        _counted("severity", SEVERITIES, lambda each: each.incidents), ("severity",),
    ),
    Series("alerts", "counter", "Alerts, by channel and what became of them", _alerts, ("channel", "outcome")),
)  # fmt: skip
