"""What was done about a model, in ML Metadata: by whom, when, why, and what came of it.

    ModelMonitorAct   a context for each thing that was done; its name is the same however often it is written

It is written before anything is done and again after it, so that what a kill cut short is known to have begun.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ml_metadata import metadata_store

from components.common.errors import MonitorError, require
from components.common.strict_text import TextError, parse_json

from ..incidents import contexts
from ..incidents.contexts import Contexts
from ..reading.run_store import reading

ACT = "ModelMonitorAct"
POLICY = "a policy of the configuration"  # who does what nobody asked for
_MOST_CHARACTERS = 1000


class What(str, Enum):
    """What was done."""

    ROLLED_BACK = "rolled back"
    RETRAINED = "trained anew"
    REBASELINED = "given another baseline"
    TUNED = "tuned"


class Came(str, Enum):
    """What came of it."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    WITHHELD = "withheld"  # a policy would have, and something forbade it


@dataclass(frozen=True)
class Act:
    """One thing that was done.

    Attributes:
      what: it was.
      name: its own, such as the incident's that it was done about; no other of the kind has it.
      came: of it.
      because: why.
      by: who did it.
      at: when it began, seconds since the epoch.
      model: the name of the model's pipeline; "" where only its serving folder is known.
      incident: the key of the incident that it was done about; "" for none.
      details: what else there is to say, such as the version that it made.

    """

    what: What
    name: str
    came: Came
    because: str
    by: str
    at: float
    model: str = ""
    incident: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The folder of the version that it made; "" for none."""
        return self.details.get("version", "")


def record(store: Contexts, act: Act) -> None:
    """Writes an act, in the place of the one of its kind and name. Raises `MonitorError` where that cannot be done."""
    for name, text in (("--because", act.because), ("--by", act.by)):
        require(0 < len(text.strip()) <= _MOST_CHARACTERS, name, f"be 1 to {_MOST_CHARACTERS} characters", text)
    values: dict[str, contexts.Value] = {
        "what": act.what.value,
        "name": act.name,
        "came": act.came.value,
        "because": act.because.strip(),
        "by": act.by.strip(),
        "at": act.at,
        "model": act.model,
        "incident": act.incident,
        "details": json.dumps(dict(act.details)),
    }
    store.put(contexts.context(ACT, f"{act.what.value}: {act.name}", values))


def recorded(store: metadata_store.MetadataStore) -> list[Act]:
    """Every act, in the order in which they began. One that is damaged is an error: it must not look undone."""
    found = [contexts.values(each) for each in reading(lambda: store.get_contexts_by_type(ACT))]
    return sorted((_act(each) for each in found), key=lambda each: each.at)


def made(acts: Sequence[Act], version: str) -> Act | None:
    """The newest act that made a version, by its number or its folder; None where it was pushed."""
    path = Path(version).absolute()
    return next((act for act in reversed(acts) if act.version and version and (
        version == Path(act.version).name or path == Path(act.version))), None)  # fmt: skip


def _act(values: Mapping[str, contexts.Value]) -> Act:
    try:
        return Act(
            what=What(values["what"]),
            came=Came(values["came"]),
            at=float(values["at"]),
            details={str(key): str(value) for key, value in parse_json(str(values["details"])).items()},
            **{name: str(values[name]) for name in ("name", "because", "by", "model", "incident")},
        )
    except (KeyError, ValueError, TextError, AttributeError) as error:
        raise MonitorError(f"ML Metadata must hold whole records of what was done. Received: {error!r}") from error
