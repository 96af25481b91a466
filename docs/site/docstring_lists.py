"""Docstrings begin a list right below its sentence, as TFX's do; Markdown wants an empty line between the two."""

import re
from typing import Any

import griffe

_LIST = re.compile(r"(?m)^(\s*)([^-\s].*:)\n(\s*- )")


class EmptyLineBeforeLists(griffe.Extension):
    """Puts that line in."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = _LIST.sub(r"\1\2\n\n\3", obj.docstring.value)
