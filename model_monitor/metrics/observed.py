"""What is known of one watched model at one moment, from which every series takes its values."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..reading.window_record import WindowRecord


@dataclass(frozen=True)
class Sequential:
    """A sequential test after the last window: its statistic, what rings it, and whether it rings."""

    statistic: float
    threshold: float
    rings: bool


@dataclass(frozen=True)
class Observed:
    """One model, as its journal and its windows' records have it. Counts are of all time, so that restarts keep them.

    Attributes:
      model: its name.
      last: the record of the window that was judged last; None before the first.
      windows: how many windows were judged, by the word of their verdict.
      set_aside: windows that could not be evaluated and were set aside.
      examples: in windows that were judged.
      late_examples: of these, in late windows.
      dead_letters: records and images that could not be used.
      backlog_windows: closed and not judged yet.
      backlog_examples: collected and not judged yet.
      oldest_unjudged: when the first request came that no verdict is about yet, seconds since the epoch; None: all were
        judged.
      evaluation_seconds, evaluation_cpu_seconds: of the last window's evaluation; None before the first.
      sequential: the sequential tests, by name.
      open_incidents: how many are open, by severity.
      incidents: how many there were, by severity.
      turned: when the watcher's loop came around last, by the clock that nobody sets; None where that is not known.
      alerts: how many were sent, by channel and by what became of them ("delivered", "failed": given up).

    """

    model: str
    last: WindowRecord | None = None
    windows: Mapping[str, int] = field(default_factory=dict)
    set_aside: int = 0
    examples: int = 0
    late_examples: int = 0
    dead_letters: int = 0
    backlog_windows: int = 0
    backlog_examples: int = 0
    oldest_unjudged: float | None = None
    evaluation_seconds: float | None = None
    evaluation_cpu_seconds: float | None = None
    sequential: Mapping[str, Sequential] = field(default_factory=dict)
    open_incidents: Mapping[str, int] = field(default_factory=dict)
    incidents: Mapping[str, int] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    turned: float | None = None

    @property
    def idle(self) -> float | None:
        """Seconds since the loop came around last: between two times it evaluates one window at most."""
        return None if self.turned is None else time.monotonic() - self.turned

    def lag(self, now: float) -> float:
        """Seconds since the oldest request that no verdict is about yet, 0 or more; 0 where all were judged."""
        return 0.0 if self.oldest_unjudged is None else max(0.0, now - self.oldest_unjudged)
