"""The incidents of a store as people ask for them: of every series of windows, with what stands of each. Reads only."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.common.errors import MonitorError, nearest

from ..reading.history import History
from ..reading.window_record import WindowRecord
from ..reading.window_series import Series, all_series
from .actions import Action, Standing, recorded, standing
from .incident import Incident, follow
from .recorded import key
from .sequences import Ring, rings_of
from .settings import IncidentsConfig


@dataclass(frozen=True)
class Listed:
    """An incident, the series that it is of, what stands of it, and everything that people did about it, in order."""

    incident: Incident
    series: Series
    standing: Standing
    actions: tuple[Action, ...]

    @property
    def key(self) -> str:
        return key(self.series.model, self.series.logs, self.incident.number)

    @property
    def records(self) -> list[WindowRecord]:
        """Of its windows, without those that came late."""
        first, last = self.incident.first.window, self.incident.last.window
        return [each for each in self.series.records if first <= each.window <= last and not each.late]


class NoIncidentError(MonitorError):
    """There is no incident of a name, or more than one."""


@dataclass(frozen=True)
class Followed:
    """A series of windows, what the tests of many of them say after each, and its incidents, the newest first."""

    series: Series
    rings: Mapping[int, tuple[Ring, ...]]
    incidents: tuple[Listed, ...]


def followed(history: History, rules: IncidentsConfig, now: float | None = None) -> list[Followed]:
    """Every series of a store, that of the newest run first."""
    done = recorded(history.store)
    moment = time.time() if now is None else now
    found = []
    for series in all_series(history):
        rings = rings_of(series.records, rules.budget)
        incidents, _ = follow(series.records, rings, rules)
        listed_here = tuple(_listed(incident, series, done, moment) for incident in reversed(incidents))
        found.append(Followed(series, rings, listed_here))
    return found


def listed(history: History, rules: IncidentsConfig, now: float | None = None) -> list[Listed]:
    """Every incident, the newest first; of several series, those of the newest run first."""
    return [each for one in followed(history, rules, now) for each in one.incidents]


def _listed(incident: Incident, series: Series, done: Sequence[Action], now: float) -> Listed:
    name = key(series.model, series.logs, incident.number)
    own = tuple(each for each in done if each.incident in ("", name))
    return Listed(incident, series, standing(done, name, now), own)


def find(known: Sequence[Listed], name: str) -> Listed:
    """The incident of this name: the number of its first window, or where several have that, with the model before it.

    Raises:
      NoIncidentError: there is none of that name, or there are several.

    """
    found = [each for each in known if name in (str(each.incident.number), each.incident.name, each.key)]
    if not found:
        names = [each.incident.name for each in known]
        rule = "`model-monitor incidents` lists them"
        raise NoIncidentError(f"There is no incident {name!r}{nearest(name, names)}; {rule}")
    if len(found) > 1:
        names = [each.incident.name for each in found]
        told = ", ".join(names if len(set(names)) == len(names) else [each.key for each in found])
        raise NoIncidentError(f"{name!r} is the name of {len(found)} incidents: {told}; name one in full")
    return found[0]
