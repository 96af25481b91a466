"""Incidents in ML Metadata: a context each, linked to the runs of its windows, and kept as the windows come.

    ModelMonitorIncident   its name is that of the model, its first window, and a digest of the folder of logs

What is recorded follows from the windows alone, so that an update which was killed is made up for by the next one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ml_metadata import metadata_store

from components.common.verdict_words import State

from ..reading import window_series
from ..reading.run_store import reading
from ..reading.window_record import WindowRecord
from . import contexts
from .incident import NOTHING, Cause, Change, Following, Incident, Kind, Ring, Severity, began, ended, step
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

    """

    metadata: Path
    model: str
    logs: str
    rules: IncidentsConfig
    incidents: dict[int, Incident] = field(default_factory=dict, init=False)
    _at: Following = field(default=NOTHING, init=False)
    _seen: list[WindowRecord] = field(default_factory=list, init=False)
    _changes: list[Change] = field(default_factory=list, init=False)

    def judged(
        self, record: WindowRecord, records: Sequence[WindowRecord], rings: Mapping[int, Ring] | None = None
    ) -> tuple[Change, ...]:
        """Records a window and what it makes of the incidents.

        Args:
          record: of the window that was judged.
          records: of all windows of the series that are known, ascending, this one among them.
          rings: what the sequential test says, by window.

        Returns:
          What the window changed, and the incidents that are withdrawn because their windows are fine by now.

        Raises:
          MonitorError: the store cannot be written. What is missing is written the next time.

        """
        contexts.put(self._store, window_series.context_of(self.logs, record))
        self._follow(records, rings or {})
        changes = [change for change in self._changes if change.window == record.window]
        there = self._recorded()
        for incident in self.incidents.values():
            self._put(incident, record, records, there.get(self._key(incident.number), {}))
        return (*changes, *self._withdrawn(record, records, there))

    @cached_property
    def _store(self) -> metadata_store.MetadataStore:
        return contexts.open_to_write(self.metadata)

    def _key(self, number: int) -> str:
        return key(self.model, self.logs, number)

    def _follow(self, records: Sequence[WindowRecord], rings: Mapping[int, Ring]) -> None:
        """Goes on from the windows that are known, or begins anew where one of them was judged again."""
        known = len(self._seen)
        if any(one is not other for one, other in zip(self._seen, records, strict=False)) or known > len(records):
            self.incidents, self._changes, self._at, known = {}, [], NOTHING, 0
        for record in records[known:]:
            self._at, change = step(self._at, record, rings.get(record.window), self.rules)
            self._changes += [change] if change else []
            for incident in (change.incident if change else None, self._at.incident):
                if incident is not None:
                    self.incidents[incident.number] = incident
        self._seen = list(records)

    def _recorded(self) -> dict[str, dict[str, contexts.Value]]:
        """The properties of every incident of the series that is recorded, by its key."""
        found = reading(lambda: self._store.get_contexts_by_type(INCIDENT))
        mine = {each.name: contexts.values(each) for each in found}
        return {name: each for name, each in mine.items() if (each["model"], each["logs"]) == (self.model, self.logs)}

    def _put(
        self,
        incident: Incident,
        judged: WindowRecord,
        records: Sequence[WindowRecord],
        there: Mapping[str, contexts.Value],
    ) -> None:
        """Writes an incident whose record or links are not what they should be, and last that they are."""
        values, first, last = _values(incident, self.logs), incident.first.window, incident.last.window
        if {**values, _LINKED: last} == there and not first <= judged.window <= last:
            return
        name, linked = self._key(incident.number), int(there.get(_LINKED, first - 1))
        number = contexts.put(self._store, contexts.context(INCIDENT, name, {**values, _LINKED: linked}))
        inside = [each for each in records if first <= each.window <= last and not each.late]
        runs = [each.run for each in inside if each.window > linked or each.window == judged.window]
        contexts.link(self._store, number, runs)
        contexts.put(self._store, contexts.context(INCIDENT, name, {**values, _LINKED: last}))

    def _withdrawn(
        self, record: WindowRecord, records: Sequence[WindowRecord], there: Mapping[str, Mapping[str, contexts.Value]]
    ) -> list[Change]:
        """The recorded incidents that there are no longer. What came before the first window is nobody's to judge."""
        changes = []
        for name, each in there.items():
            number = int(each["first_window"])
            if number in self.incidents or number < records[0].window or each["status"] == WITHDRAWN:
                continue
            contexts.put(self._store, contexts.context(INCIDENT, name, {**each, "status": WITHDRAWN}))
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
