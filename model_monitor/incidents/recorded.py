"""Incidents in ML Metadata: a context each, linked to the runs of its windows, and kept as the windows come.

    ModelMonitorIncident   its name is that of the model, its first window, and a digest of the folder of logs

What is recorded follows from the windows alone, so that an update which was killed is made up for by the next one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from components.common.verdict_words import State

from ..reading import window_series
from ..reading.history import History
from ..reading.run_store import open_store, pipelines, reading
from ..reading.window_record import WindowRecord
from ..reading.window_series import all_series
from . import contexts
from .course import Steps
from .incident import Cause, Change, Incident, Kind, Severity, began, ended
from .sequences import Ring
from .settings import IncidentsConfig

INCIDENT = "ModelMonitorIncident"
OPEN, CLOSED, WITHDRAWN = "open", "closed", "withdrawn"
_LINKED = "linked_to_window"  # the last one whose run is linked


def key(model: str, logs: str, number: int) -> str:
    """What an incident is called in ML Metadata.

    >>> key("monitoring", "/logs", 14)
    'monitoring/14@23e84643'
    """
    return f"{model}/{number}@{hashlib.blake2b(logs.encode(), digest_size=4).hexdigest()}"


@dataclass
class Record:
    """The incidents of one series of windows, brought up to date in ML Metadata with each window that is judged.

    Attributes:
      metadata: the file of the store.
      model, logs: whose windows.
      rules: what makes an incident severe.
      incidents: all of them so far, by number.
      changes: all that the windows made to them.

    """

    metadata: Path
    model: str
    logs: str
    rules: IncidentsConfig
    incidents: dict[int, Incident] = field(default_factory=dict, init=False)
    changes: list[Change] = field(default_factory=list, init=False)
    _steps: Steps = field(init=False)
    _runs: list[tuple[int, int]] = field(default_factory=list, init=False)  # window and run, of those in time
    _known: int = field(default=0, init=False)  # records that are followed
    _there: dict[str, dict[str, contexts.Value]] | None = field(default=None, init=False)

    def judged(self, record: WindowRecord, records: Sequence[WindowRecord]) -> tuple[Change, ...]:
        """Records a window and what it makes of the incidents.

        Args:
          record: of the window that was judged.
          records: of all windows of the series that are known, this one among them. Those that were seen by an earlier
            call are not looked at again where this one is the only new one, and comes last.

        Returns:
          What the window changed, and the incidents that are withdrawn because their windows are fine by now.

        Raises:
          MonitorError: the store cannot be read or written. What is missing is written the next time.

        """
        goes_on = self._there is not None and len(records) == self._known + 1 and self._is_next(record, records)
        there, self._there = self._there if goes_on else None, None  # compared anew where this is not done to its end
        if not goes_on:
            self._begin()
        new = records[-1:] if goes_on else sorted(records, key=lambda each: each.window)
        touched = self._follow(new)
        self._known = len(records)
        self._keep(new, record, everything=not goes_on)
        there = self._recorded() if there is None else there
        for number in touched:
            self._put(self.incidents[number], record, there)
        withdrawn = [] if goes_on else self._withdrawn(record, new, there)
        self._there = there
        return (*(change for change in self.changes if change.window == record.window), *withdrawn)

    def resume(self) -> None:
        """Takes up what the store says of the windows so far, before the next one is judged. Writes nothing.

        Raises:
          MonitorError: the store is there and cannot be read.

        """
        self._begin()
        store = open_store(self.metadata) if self.metadata.is_file() else None
        if store is not None and self.model in pipelines(store):
            known = all_series(History(store, self.model))
            self._follow(next((each.records for each in known if each.logs == self.logs), ()))

    def _begin(self) -> None:
        self.incidents, self.changes, self._runs, self._known = {}, [], [], 0
        self._steps = Steps(self.rules)

    def __post_init__(self) -> None:
        self._begin()

    @property
    def rings(self) -> tuple[Ring, ...]:
        """What the tests of many windows say after the last one."""
        return self._steps.rings

    @cached_property
    def written(self) -> contexts.Contexts:
        """The store, to be written."""
        return contexts.Contexts(self.metadata)

    def key(self, number: int) -> str:
        """What an incident is called there."""
        return key(self.model, self.logs, number)

    def _is_next(self, record: WindowRecord, records: Sequence[WindowRecord]) -> bool:
        return records[-1].run == record.run and (not self._runs or record.window > self._runs[-1][0])

    def _follow(self, records: Sequence[WindowRecord]) -> list[int]:
        """Goes on from the windows that are known; the numbers of the incidents that are others now."""
        touched: dict[int, None] = {}
        for record in records:
            change = self._steps.take(record)
            self.changes += [change] if change else []
            self._runs += [] if record.late else [(record.window, record.run)]
            for incident in (change.incident if change else None, self._steps.incident):
                if incident is not None:
                    self.incidents[incident.number] = incident
                    touched[incident.number] = None
        return list(touched)

    def _keep(self, new: Sequence[WindowRecord], judged: WindowRecord, *, everything: bool) -> None:
        """Writes the windows that are not kept yet, and the one that was judged, of which more may be known now."""
        kept = set(window_series.kept_windows(self.written.store)) if everything else set()
        for record in new:
            if record.run == judged.run or record.run not in kept:
                self.written.put(window_series.context_of(self.logs, record))

    def _recorded(self) -> dict[str, dict[str, contexts.Value]]:
        """The properties of every incident of the series that is recorded, by its key."""
        found = reading(lambda: self.written.store.get_contexts_by_type(INCIDENT))
        known = {each.name: contexts.values(each) for each in found}
        return {name: each for name, each in known.items() if (each["model"], each["logs"]) == (self.model, self.logs)}

    def _put(self, incident: Incident, judged: WindowRecord, there: dict[str, dict[str, contexts.Value]]) -> None:
        """Writes an incident whose record or links are not what they should be, and last that they are."""
        name, first, last = self.key(incident.number), incident.first.window, incident.last.window
        values = {**_values(incident, self.logs), _LINKED: last}
        known = there.get(name, {})
        if values == known and not first <= judged.window <= last:
            return
        linked = int(known.get(_LINKED, first - 1))
        number = self.written.id_of(INCIDENT, name)
        if number is None:
            number = self.written.put(contexts.context(INCIDENT, name, {**values, _LINKED: linked}))
        inside = [each for each in self._runs if first <= each[0] <= last]
        self.written.link(number, [run for window, run in inside if window > linked or window == judged.window])
        self.written.put(contexts.context(INCIDENT, name, values))
        there[name] = values

    def _withdrawn(
        self, record: WindowRecord, records: Sequence[WindowRecord], there: dict[str, dict[str, contexts.Value]]
    ) -> list[Change]:
        """The recorded incidents that there are no longer. What came before the first window is nobody's to judge."""
        changes = []
        for name, each in there.items():
            number = int(each["first_window"])
            if number in self.incidents or number < records[0].window or each["status"] == WITHDRAWN:
                continue
            there[name] = {**each, "status": WITHDRAWN}
            self.written.put(contexts.context(INCIDENT, name, there[name]))
            changes.append(_withdrawal(number, each, record, records))
        return changes


def _values(incident: Incident, logs: str) -> dict[str, contexts.Value]:
    end = incident.end
    closed = {"closed_window": end.window, "closed_at": began(end)} if end else {}
    return {
        "model": incident.model,
        "logs": logs,
        "status": OPEN if incident.open else CLOSED,
        "severity": incident.severity.value,
        "state": incident.last.state.value,
        "cause": str(incident.cause),
        "sentence": incident.worst.sentence,
        "first_window": incident.first.window,
        "last_window": incident.last.window,
        "worst_window": incident.worst.window,
        "windows": incident.windows,
        "opened_at": incident.since,
        "updated_at": ended(incident.last),
        **closed,
    }


def _withdrawal(
    number: int, there: Mapping[str, contexts.Value], record: WindowRecord, records: Sequence[WindowRecord]
) -> Change:
    """That an incident is none any more, told of what is known of its first window by now."""
    first = next((each for each in records if each.window == number), record)
    cause = Cause(State(there["state"]))
    severity, windows = Severity(there["severity"]), int(there["windows"])
    return Change(Kind.WITHDRAWN, Incident(first, first, first, windows, severity, (cause,), end=record), record)
