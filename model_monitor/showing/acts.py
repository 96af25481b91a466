"""What was done about a model, as people read it and as a record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..acting.recorded import Act, Came, What
from .incidents import moment_of


def words(act: Act) -> str:
    """An act in one sentence without a full stop."""
    made, of = Path(act.version).name, Path(act.details.get("of", "")).name
    if act.what is What.ROLLED_BACK:
        done = f"Rolled back to version {of}" + (f", which is version {made} now," if made else "")
    elif act.what is What.REBASELINED:
        became = f", which is version {made} now," if made else ""
        done = f"Windows {act.details.get('windows', '')} made the reference of version {of}{became}"
    else:
        done = act.what.value.capitalize()
    unfinished = "" if act.came is Came.DONE else f" ({act.came.value})"
    return f"{done}{unfinished} by {act.by}, {moment_of(act.at)}: {act.because}"


def records(acts: Sequence[Act]) -> list[dict[str, Any]]:
    """The same as records."""
    return [
        {
            "what": act.what.value,
            "came": act.came.value,
            "because": act.because,
            "by": act.by,
            "at": act.at,
            "model": act.model,
            "incident": act.incident,
            "details": dict(act.details),
        }
        for act in acts
    ]
