"""How text is broken into lines: between words, to the console's width, and never within a path.

A path has a line of its own, however long it is, so that it can be copied, and so that what stands before and after it
looks the same wherever the files are.
"""

import re
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

_QUOTED = r"""['"`][^'"`\n]*/[^'"`\n]*['"`]"""
_UNQUOTED = r"(?:[a-z][a-z0-9+.-]*://|~?/|\.\.?/)\S+"
# A path that says where it begins, with the brackets and stops that stand at it.
_PATH = re.compile(rf"(?<!\S)\(?(?:{_QUOTED}|{_UNQUOTED})[),.;:]*(?!\S)")
_GAP = 2  # columns between a heading and what belongs to it, and before a path within a sentence


def say(console: Console, markup: str) -> None:
    """Prints text in rich's markup, with each path in it on a line of its own."""
    for line in _broken(Text.from_markup(markup), console, console.width):
        console.print(line, soft_wrap=True)


class Facts:
    """Headings, and beside each what belongs to it."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def add(self, heading: str, markup: str) -> None:
        self._rows.append((heading, markup))

    def show(self, console: Console) -> None:
        indent = max((len(heading) for heading, _ in self._rows), default=0) + _GAP
        for heading, markup in self._rows:
            lines = _broken(Text.from_markup(markup), console, max(console.width - indent, 1)) or [Text()]
            for number, line in enumerate(lines):
                beside = Text((heading if number == 0 else "").ljust(indent), "bold")
                whole = beside + line
                whole.rstrip()
                console.print(whole, soft_wrap=True)


def _broken(text: Text, console: Console, width: int) -> list[Text]:
    """The lines of a text. None is wider than `width` but for a path."""
    lines = [line for each in text.split("\n", allow_blank=True) for line in _paragraph(each, console, width)]
    for line in lines:
        line.rstrip()
    return lines


def _paragraph(text: Text, console: Console, width: int) -> Iterator[Text]:
    done = 0
    for found in _PATH.finditer(text.plain):
        before = text[done : found.start()]
        if any(map(str.isalnum, before.plain)):
            yield from _sentence(before, console, width)
            before = Text(" " * _GAP)
        yield before + text[found.start() : found.end()]  # with the mark before it, if there is one
        done = found.end()
    if not done:
        yield from text.wrap(console, width, overflow="fold") or [text]
    else:
        yield from _sentence(text[done:], console, width)


def _sentence(text: Text, console: Console, width: int) -> list[Text]:
    """The lines of what stands before or after a path; none where that is nothing."""
    words = text.plain.strip()
    if not words:
        return []
    start = text.plain.index(words)
    return list(text[start : start + len(words)].wrap(console, width, overflow="fold"))
