"""Incidents as a pure function of the records of a model's windows in their order, whole or a window at a time.

An incident lasts from the first window that is not fine to the first that is fine again. It is told when it is opened,
when it gets worse, when its cause is another, and when it is closed; `step` has the rules.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from components.common.verdict_words import State

from ..reading.window_record import WindowRecord
from .sequences import ACCURACY, SLOW_DRIFT, Ring
from .settings import IncidentsConfig

LEADING = 3  # features that a cause is known by
MOST_CAUSES = 8  # that are told of one incident


class Severity(str, Enum):
    """How urgent an incident is, the least first."""

    INFORMATION = "information"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The higher, the more urgent."""
        return list(Severity).index(self)


class Kind(str, Enum):
    """What happened to an incident."""

    OPENED = "opened"
    WORSE = "worse"
    CAUSE_CHANGED = "cause_changed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"  # its windows were judged again, and are fine
    STILL_OPEN = "still_open"  # while it was muted or acknowledged nothing was told of it, and that has ended


SEVERITIES = {
    State.CHANGED: Severity.INFORMATION,
    State.UNDECIDED: Severity.INFORMATION,
    State.INVALID: Severity.WARNING,
    State.DEGRADED: Severity.CRITICAL,
}


@dataclass(frozen=True)
class Cause:
    """Why a window is not fine: its word, and the first features or the checks that it rests on."""

    word: State
    of: tuple[str, ...] = ()

    def agrees(self, other: "Cause") -> bool:
        """Whether two windows are not fine for the same reason, as far as can be told.

        >>> Cause(State.CHANGED, ("noise", "blur")).agrees(Cause(State.CHANGED, ("blur", "hue")))
        True
        >>> Cause(State.CHANGED, ("noise",)).agrees(Cause(State.DEGRADED, ("noise",)))
        False
        """
        alike = not self.of or not other.of or bool(set(self.of) & set(other.of))
        return self.word is other.word and alike

    def __str__(self) -> str:
        """As a person reads it.

        >>> print(Cause(State.CHANGED, ("noise", "blur")))
        changed: noise, blur
        """
        return f"{self.word.words}: {', '.join(self.of)}" if self.of else self.word.words


@dataclass(frozen=True)
class Incident:
    """One incident.

    Attributes:
      first, last: the first and the last of its windows that is not fine.
      worst: the one that says most: of the highest severity, and of these with the smallest p-value.
      windows: how many are not fine, 1 or more.
      severity: the highest that any of them had; it does not go down again.
      causes: those that were told, the newest last; at least one, and after `MOST_CAUSES` only what makes it worse.
      rings: what the tests of many windows say after the last one; none where that is not known.
      end: the window that is fine again; None while the incident is open.

    """

    first: WindowRecord
    last: WindowRecord
    worst: WindowRecord
    windows: int
    severity: Severity
    causes: tuple[Cause, ...]
    rings: tuple[Ring, ...] = ()
    end: WindowRecord | None = None

    @property
    def model(self) -> str:
        return self.first.model

    @property
    def number(self) -> int:
        """Of its first window, by which it is known."""
        return self.first.window

    @property
    def name(self) -> str:
        """The same in full.

        It is the same however often, and by whoever, the incident is derived.
        """
        return f"{self.model}/{self.number}"

    @property
    def open(self) -> bool:
        return self.end is None

    @property
    def cause(self) -> Cause:
        """The one that was told last."""
        return self.causes[-1]

    @property
    def since(self) -> float:
        """When its first window began, in seconds since the epoch."""
        return began(self.first)

    @property
    def seconds(self) -> float:
        """How long it has lasted: until the window that is fine again began, or else until the last one ended."""
        until = began(self.end) if self.end else ended(self.last)
        return max(0.0, until - self.since)


@dataclass(frozen=True)
class Change:
    """What a window did to an incident, which is shown as it is after it."""

    kind: Kind
    incident: Incident
    record: WindowRecord

    @property
    def window(self) -> int:
        return self.record.window


@dataclass(frozen=True)
class Following:
    """What has to be known of the windows so far to go on.

    Attributes:
      incident: the one that is open; None where none is.
      pending: a cause that was not told, and that the window before had.
      undecided: how many windows before the next could not be decided, in a row.
      undecided_since: when the first of these began.

    """

    incident: Incident | None = None
    pending: Cause | None = None
    undecided: int = 0
    undecided_since: float = 0.0


NOTHING = Following()
_UNUSED = IncidentsConfig()


def follow(
    records: Iterable[WindowRecord],
    rings: Mapping[int, tuple[Ring, ...]] | None = None,
    rules: IncidentsConfig = _UNUSED,
) -> tuple[list[Incident], list[Change]]:
    """Every incident of a model's windows and every change of them, in order.

    Args:
      records: of its windows, ascending.
      rings: what the tests of many windows say, by window; windows without it go by their own verdict alone.
      rules: what makes an incident severe.

    """
    at, incidents, changes = NOTHING, dict[int, Incident](), list[Change]()
    for record in records:
        at, change = step(at, record, (rings or {}).get(record.window, ()), rules)
        changes += [change] if change else []
        for incident in (change.incident if change else None, at.incident):
            if incident is not None:
                incidents[incident.number] = incident
    return list(incidents.values()), changes


def step(
    before: Following, record: WindowRecord, rings: tuple[Ring, ...] = (), rules: IncidentsConfig = _UNUSED
) -> tuple[Following, Change | None]:
    """What is known after one more window, and what it changed.

    A late window holds requests of windows that were judged without them: it opens, changes and closes nothing.
    An incident is worse where its severity rises above what it ever was. Its cause is another where two windows in a
    row agree on one that agrees with none of those that were told; a window that could not be decided has no say in it.
    """
    if record.late:
        return before, None
    cause = cause_of(record, rings)
    if cause is None:
        if before.incident is None:
            return NOTHING, None
        return NOTHING, Change(Kind.CLOSED, replace(before.incident, end=record, rings=rings), record)
    after = _counted(before, record, cause)
    severity = _severity(after, record, cause, rules)
    if before.incident is None:
        opened = Incident(record, record, record, 1, severity, (cause,), rings)
        return replace(after, incident=opened), Change(Kind.OPENED, opened, record)
    return _updated(after, before.incident, record, cause, severity, rings)


def cause_of(record: WindowRecord, rings: tuple[Ring, ...] = ()) -> Cause | None:
    """Why a window is not fine; None where it is.

    One that is fine by itself is not where a test of many windows rings after it. That the accuracy has fallen over
    time is worse than what a window that was changed, or could not be decided, says by itself; where it has by
    estimates, labels decide.
    """
    ringing = {each.test: each for each in rings if each.rings}
    if ACCURACY in ringing and record.state not in (State.DEGRADED, State.INVALID):
        return Cause(State.UNDECIDED if ringing[ACCURACY].estimated else State.DEGRADED, (ACCURACY,))
    if record.fine:
        return Cause(State.CHANGED, (SLOW_DRIFT,)) if SLOW_DRIFT in ringing else None
    moved = record.state in (State.CHANGED, State.DEGRADED) or record.fell_by_estimate
    if moved and record.features:
        return Cause(record.state, record.features[:LEADING])
    return Cause(record.state, tuple(of for of, word in (record.checks or {}).items() if word == record.state.value))


def began(record: WindowRecord) -> float:
    """When the first request of a window came, or where that is not known, when it was judged."""
    return record.judged_at if record.first_request is None else record.first_request


def ended(record: WindowRecord) -> float:
    """When the last request of a window came, or where that is not known, when it was judged."""
    return record.judged_at if record.last_request is None else record.last_request


def _counted(before: Following, record: WindowRecord, cause: Cause) -> Following:
    if cause.word is not State.UNDECIDED:
        return replace(before, undecided=0, undecided_since=0.0)
    since = before.undecided_since if before.undecided else began(record)
    return replace(before, undecided=before.undecided + 1, undecided_since=since)


def _severity(after: Following, record: WindowRecord, cause: Cause, rules: IncidentsConfig) -> Severity:
    if cause.word is State.UNDECIDED:
        hours = (ended(record) - after.undecided_since) / 3600
        for_long = after.undecided >= rules.undecided_windows or hours >= rules.undecided_hours
        if for_long or record.fell_by_estimate or ACCURACY in cause.of:
            return Severity.WARNING
    return SEVERITIES[cause.word]


def _updated(  # noqa: PLR0913, PLR0917 - what is known of the window, and of what came before
    after: Following,
    incident: Incident,
    record: WindowRecord,
    cause: Cause,
    severity: Severity,
    rings: tuple[Ring, ...],
) -> tuple[Following, Change | None]:
    """The open incident after one more of its windows."""
    worse = severity.rank > incident.severity.rank
    confirmed, pending = _confirmed(incident, after.pending, cause)
    told = cause if worse else confirmed
    causes = incident.causes
    if told is not None:
        causes = (*(each for each in causes if not told.agrees(each)), told)
    says_more = worse or _p_value(record) < _p_value(incident.worst)
    incident = replace(
        incident,
        last=record,
        worst=record if says_more and (worse or severity is incident.severity) else incident.worst,
        windows=incident.windows + 1,
        severity=severity if worse else incident.severity,
        causes=causes,
        rings=rings,
    )
    following = replace(after, incident=incident, pending=None if told else pending)
    kind = Kind.WORSE if worse else Kind.CAUSE_CHANGED if confirmed else None
    return following, Change(kind, incident, record) if kind else None


def _confirmed(incident: Incident, pending: Cause | None, cause: Cause) -> tuple[Cause | None, Cause | None]:
    """The cause that has to be told now, if there is one, and else the one that the next window would confirm."""
    if cause.word is State.UNDECIDED:
        return None, pending
    if len(incident.causes) >= MOST_CAUSES or any(cause.agrees(each) for each in incident.causes):
        return None, None
    return (cause, None) if pending is not None and pending.agrees(cause) else (None, cause)


def _p_value(record: WindowRecord) -> float:
    return 1.0 if record.p_value is None else record.p_value
