"""Checks of arguments, in one place, so that every message names the argument, the rule and what was received."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

_MOST_SHOWN = 5_000  # characters, more than a path may have


class MonitorError(ValueError):
    """Input that this package cannot work with. Its message is meant for the person who gave the input."""


def require(condition: bool, what: str, rule: str, received: Any) -> None:
    """Raises `MonitorError` saying "`what` must `rule`. Received: `received`" unless `condition` holds."""
    if not condition:
        raise broken(what, rule, received)


def broken(what: str, rule: str, received: Any) -> MonitorError:
    """The error that `require` raises, for whoever finds the rule broken in another way."""
    shown = repr(received)
    if len(shown) > _MOST_SHOWN:  # a value without end would bury the rule that it breaks
        shown = f"{shown[:_MOST_SHOWN]} ... ({len(shown):,} characters)"
    return MonitorError(f"`{what}` must {rule}. Received: {shown}")


def require_known(name: str, known: Iterable[str], what: str) -> None:
    """Raises `MonitorError` unless `name` is one of `known`, suggesting the nearest name that is."""
    names = sorted(known)
    if name not in names:
        raise MonitorError(f"`{what}` must be one of {', '.join(names)}. Received: {name!r}{nearest(name, names)}")


def nearest(name: str, known: Collection[str]) -> str:
    """The words " (did you mean 'x'?)" for the known name closest to `name`, or nothing when none is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
