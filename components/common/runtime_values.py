"""Values that may be said only when a pipeline runs: TFX's RuntimeParameter, known here by what it has."""

from typing import Any


def is_said_later(value: Any) -> bool:
    """Whether a value is a RuntimeParameter."""
    return hasattr(value, "ptype") and hasattr(value, "default")


def known_value(value: Any, otherwise: Any) -> Any:
    """The value, of a RuntimeParameter its default, and `otherwise` where it has none: what can be checked already."""
    if not is_said_later(value):
        return value
    return otherwise if value.default is None else value.default
