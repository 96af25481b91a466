"""The names of a model's classes: what they may be, the file they stand in, and which class a label means."""

import functools
import math
import numbers
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .bounded_files import read_bounded
from .errors import MonitorError

MAX_CLASSES = 100_000
_LONGEST = 1_000  # characters
_NEWLINE = re.compile(r"\r\n|\n|\r")  # as Python reads text files
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?", re.ASCII)  # pandas writes 3.0 where a column has gaps
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
        lines = _NEWLINE.split(read_bounded(path, MAX_CLASSES * _LONGEST).decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        rule = "be a list of names, or name a readable text file in UTF-8 with one a line"
        raise MonitorError(f"{wanted_by}: `classes` must {rule}. Received: {str(path)!r} ({error})") from error
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    return names


class Labels:
    """Which class a label means, whoever wrote it: the one reader of labels, of Examples, files and logs.

    A label is the name of a class, or its number, and is taken as people and their tools write it: 3, "3", "3.0" and
    3.0 are one number, "Cat" and "cat " are the class "cat" unless another class has that name too. A name goes before
    a number, so that classes that are named by digits are found by them.

    Args:
      names: of the classes, in the order of the scores.
      first: the number that labels give to the first of them; 1 where they are counted from 1.

    """

    def __init__(self, names: Sequence[str], first: int = 0) -> None:
        self._count, self._first = len(names), first
        self._exact = {name: number for number, name in enumerate(names)}
        self._folded: dict[str, int | None] = {}
        for number, name in enumerate(names):
            folded = _folded(name)
            self._folded[folded] = None if folded in self._folded else number
        self._some = names[0]

    def number(self, label: Any) -> int | None:
        """The number of the class, 0 to K - 1; None: it is no class, or could be several.

        >>> labels = Labels(["cat", "dog"])
        >>> [labels.number(label) for label in ("dog", b"Cat ", 1, "1", "1.0", 1.0, 2, "bird", 0.5)]
        [1, 0, 1, 1, 1, 1, None, None, None]
        >>> [Labels(["cat", "dog"], 1).number(label) for label in (0, 1, 2, "cat")]
        [None, 0, 1, 0]
        """
        if isinstance(label, bytes):
            label = label.decode("utf-8", "backslashreplace")
        if isinstance(label, str):
            return self._of_text(label)
        number = whole_number(label)
        return None if number is None else self._counted(number)

    @property
    def wanted(self) -> str:
        """What a label must be, for behind "must be".

        >>> Labels(["cat", "dog"], 1).wanted
        "a class, such as 'cat', or its number, 1 to 2"
        """
        return f"a class, such as {self._some!r}, or its number, {self._first} to {self._first + self._count - 1}"

    def _of_text(self, text: str) -> int | None:
        stripped = unicodedata.normalize("NFC", text.strip())
        for spelled in (text, stripped):
            if spelled in self._exact:
                return self._exact[spelled]
        number = whole_number(stripped)
        if number is None:
            return self._folded.get(_folded(stripped))
        return self._exact.get(str(number), self._counted(number))

    def _counted(self, number: int) -> int | None:
        return number - self._first if 0 <= number - self._first < self._count else None


@functools.lru_cache(maxsize=16)
def labels_of(names: tuple[str, ...], first: int) -> Labels:
    """The reader of labels of these classes, made once."""
    return Labels(names, first)


def whole_number(value: Any) -> int | None:
    """The whole number that a label is, in any type or spelling; None where it is none.

    >>> [whole_number(value) for value in (3, "3", " 3.0 ", 3.0, "3.5", float("nan"), "three")]
    [3, 3, 3, 3, None, None, None]
    """
    if isinstance(value, str):
        return int(value.strip().partition(".")[0]) if _INTEGER.fullmatch(value.strip()) else None
    finite = isinstance(value, numbers.Real) and math.isfinite(value)
    return int(value) if finite and value == int(value) else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()
