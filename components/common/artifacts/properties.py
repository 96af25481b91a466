"""An artifact's properties, out of ML Metadata's messages."""

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

_WRAPPED = "__value__"  # TFX's key of what is no mapping
_FIRST_INEXACT = 2**53  # from here on a number with a point may stand for several whole ones


def scalars(*mappings: Mapping[str, Any]) -> dict[str, int | float | str]:
    """The properties of several mappings from names to ML Metadata's `Value`: numbers, text, and JSON as text.

    On Kubeflow every one comes as a structure, and every number as one with a point: a whole one is an `int` again.
    """
    found: dict[str, int | float | str] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value"):
                found[key] = getattr(value, kind)
            elif kind == "struct_value":
                found[key] = _scalar(value.struct_value)
    return found


def scalar(value: Any) -> int | float | str:
    """A value of JSON as a property: a whole number is an `int`; a mapping, a list or a truth value is text, as JSON.

    >>> scalar(7.0), scalar(0.5), scalar([1, 2])
    (7, 0.5, '[1, 2]')
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _FIRST_INEXACT else value
    return value if isinstance(value, str) or type(value) is int else json.dumps(value)


def _scalar(struct: Any) -> int | float | str:
    """What a structure holds: TFX wraps what is no mapping."""
    record = json_format.MessageToDict(struct)
    return scalar(record.get(_WRAPPED, record) if len(record) == 1 else record)
