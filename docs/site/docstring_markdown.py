"""Docstrings as Markdown: an empty line before a list, as TFX's docstrings have none, and examples as code."""

import re
import textwrap
from typing import Any

import griffe

_LIST = re.compile(r"(?m)^(\s*)([^-\s].*:)\n(\s*- )")
_EXAMPLE = re.compile(r"(?m)^Example:\n((?:(?: +.*)?\n?)+?)(?=^\S|\Z)")


class DocstringMarkdown(griffe.Extension):
    """Rewrites docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            spaced = _LIST.sub(r"\1\2\n\n\3", obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub(_as_code, spaced)


def _as_code(example: re.Match[str]) -> str:
    code = textwrap.dedent(example.group(1)).strip("\n")
    return "Example:\n" + textwrap.indent(f"```python\n{code}\n```", "    ") + "\n\n"
