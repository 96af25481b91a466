"""An artifact's properties, out of ML Metadata's messages."""

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format


def scalars(*mappings: Mapping[str, Any]) -> dict[str, int | float | str]:
    """The properties of several mappings from names to ML Metadata's `Value`: numbers, text, and JSON as text."""
    found: dict[str, int | float | str] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value"):
                found[key] = getattr(value, kind)
            elif kind == "struct_value":
                found[key] = _json(value.struct_value)
    return found


def _json(struct: Any) -> str:
    """A structure as JSON. TFX wraps what is no mapping."""
    record = json_format.MessageToDict(struct)
    wrapped = record.get("__value__")
    return wrapped if isinstance(wrapped, str) else json.dumps(record)
