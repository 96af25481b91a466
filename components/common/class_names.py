"""The names of a model's classes: what they may be, the file they stand in, and which class a label means."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import MonitorError

MAX_CLASSES = 100_000
_LONGEST = 1_000  # characters
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# A control character, half of a surrogate pair, a separator of lines or paragraphs.
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


def broken_rule_of_name(name: Any) -> str:
    """The rule for names, of classes, features and outputs, that `name` breaks, for behind "must"; "" for a good one.

    A name is one line of text in any script.
    """
    if not isinstance(name, str):
        return "be text; put numbers and words such as yes, no and null in quotes"
    if not name.strip():
        return "not be blank"
    if name != name.strip():
        return "not begin or end with a blank"
    if len(name) > _LONGEST:
        return f"be {_LONGEST:,} characters or fewer"
    bad = any(unicodedata.category(character) in _UNPRINTABLE for character in name)
    return "be one line of text without control characters" if bad else ""


def broken_rule(names: Any) -> str:
    """The rule for a list of class names that `names` breaks, for behind "must"; "" for a good one."""
    if not isinstance(names, list | tuple):
        return f"be a list of from 2 to {MAX_CLASSES:,} class names, or in a YAML file the name of a text file"
    if not 2 <= len(names) <= MAX_CLASSES:
        return f"be from 2 to {MAX_CLASSES:,} class names, not {len(names):,}"
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        broken = broken_rule_of_name(name)
        if broken:
            return f"hold names, but class {number} ({name!r:.100}) must {broken}"
        # An é of one character and one of two are different strings that no reader can tell apart.
        first = seen.setdefault(unicodedata.normalize("NFC", name), number)
        if first != number:
            return f"hold different names, but class {number} has the name of class {first}: {name!r:.100}"
    return ""


def read_names(path: Path, wanted_by: str) -> list[str]:
    """The lines of a text file in UTF-8, without blanks at their ends and without blank lines at the end of the file.

    Args:
      path: the file.
      wanted_by: the file that names it, for the message.

    Raises:
      MonitorError: naming both files, if it cannot be read.

    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        rule = "be a list of names, or name a readable text file in UTF-8 with one a line"
        raise MonitorError(f"{wanted_by}: `classes` must {rule}. Received: {str(path)!r} ({error})") from error
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    return names


def class_number(label: int | str | bytes, names: Sequence[str]) -> int | None:
    """The number of the class that a label means, 0 to K - 1: its name, or its number as an integer or in digits.

    A name goes before a number, so that classes that are named by digits are found by them. None: it is no class.

    >>> [class_number(label, ["cat", "dog"]) for label in ("dog", b"cat", 1, "1", 2, "bird")]
    [1, 0, 1, 1, None, None]
    """
    if isinstance(label, bytes):
        label = label.decode("utf-8", "backslashreplace")
    if isinstance(label, str):
        if label in names:
            return names.index(label)
        if not _INTEGER.fullmatch(label):
            return None
    number = int(label)
    return number if 0 <= number < len(names) else None
