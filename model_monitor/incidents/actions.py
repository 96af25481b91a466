"""What people did about incidents: acknowledged, muted, marked; by whom, why, and until when. Kept in ML Metadata.

ModelMonitorIncidentAction   one context an action, which is never changed again
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ml_metadata import metadata_store

from components.common.errors import require

from ..reading.run_store import reading
from . import contexts
from .incident import Kind

ACTION = "ModelMonitorIncidentAction"
_FOR_EVER = -1.0  # ML Metadata keeps no null
_MOST_CHARACTERS = 1000


class What(str, Enum):
    """What was done."""

    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    UNMUTED = "unmuted"
    REAL = "marked as real"
    FALSE_ALARM = "marked as a false alarm"

    @property
    def is_mark(self) -> bool:
        """Whether it says what the incident was, which `model-monitor tune` goes by, and withholds nothing."""
        return self in (What.REAL, What.FALSE_ALARM)


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
      what: was done.
      incident: the key of the incident; "" for all of them, those to come too.
      because: why.
      by: who did it.
      at: when, in seconds since the epoch.
      until: when it ends, likewise; None: with the incident.

    """

    what: What
    incident: str
    because: str
    by: str
    at: float
    until: float | None = None

    def stands(self, now: float) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True)
class Standing:
    """What stands of an incident now: the acknowledgement and the mute, None where there is none."""

    acknowledged: Action | None = None
    muted: Action | None = None

    def withholds(self, kind: Kind) -> bool:
        """Whether nobody is told of a change.

        Of a muted incident nobody is told anything; of one that somebody has acknowledged, that it gets worse and that
        it is over.
        """
        if self.muted is not None:
            return True
        return self.acknowledged is not None and kind in (Kind.CAUSE_CHANGED, Kind.STILL_OPEN)

    @property
    def any(self) -> bool:
        return self.acknowledged is not None or self.muted is not None


def standing(actions: Iterable[Action], incident: str, now: float) -> Standing:
    """What stands of the incident with this key. `actions` are in the order in which they were done.

    An action on all incidents is one on this; what is unmuted is not acknowledged either.
    """
    stands: dict[tuple[What, str], Action] = {}
    for action in actions:
        if action.incident not in ("", incident) or action.what.is_mark:
            continue
        if action.what is not What.UNMUTED:
            stands[action.what, action.incident] = action
            continue
        ended = [each for each in stands if action.incident in ("", each[1])]
        for each in ended:
            del stands[each]
    known = [action for action in stands.values() if action.stands(now)]
    return Standing(*(max((a for a in known if a.what is what), key=lambda a: a.at, default=None)
                      for what in (What.ACKNOWLEDGED, What.MUTED)))  # fmt: skip


def record(store: contexts.Contexts, action: Action) -> None:
    """Writes an action. Raises `MonitorError` where it gives no reason or no name, or the store cannot be written."""
    for name, text in (("--because", action.because), ("--by", action.by)):
        require(0 < len(text.strip()) <= _MOST_CHARACTERS, name, f"be 1 to {_MOST_CHARACTERS} characters", text)
    name = f"{action.incident or 'all'} {action.what.value} {action.at:.6f} {uuid.uuid4().hex[:8]}"
    values: dict[str, contexts.Value] = {
        "what": action.what.value,
        "incident": action.incident,
        "because": action.because.strip(),
        "by": action.by.strip(),
        "at": action.at,
        "until": _FOR_EVER if action.until is None else action.until,
    }
    store.put(contexts.context(ACTION, name, values))


def recorded(store: metadata_store.MetadataStore) -> list[Action]:
    """Every action, in the order in which they were done."""
    found = [contexts.values(each) for each in reading(lambda: store.get_contexts_by_type(ACTION))]
    return sorted((_action(each) for each in found), key=lambda each: each.at)


def _action(values: dict[str, contexts.Value]) -> Action:
    incident, because, by = (str(values[name]) for name in ("incident", "because", "by"))
    at, until = float(values["at"]), float(values["until"])
    return Action(What(values["what"]), incident, because, by, at, None if until == _FOR_EVER else until)
