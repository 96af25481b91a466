"""What was printed, for tests: a console of a width of its own, and text without the line breaks that a width makes."""

import io

from rich.console import Console

WIDTH = 100


def console(width: int = WIDTH) -> Console:
    """A console that writes to a string (`text_of`), this wide whatever the terminal is, and without colour."""
    return Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, highlight=False)


def text_of(printed_to: Console) -> str:
    """What a console of `console` was given."""
    return printed_to.file.getvalue()


def too_wide(text: str, width: int = WIDTH) -> list[str]:
    """The lines of a printed text that are wider than they may be. A path at a line's end may be as long as it is."""
    return [line for line in text.splitlines() if len(line) > width and not line.split()[-1].startswith("/")]


def words(text: str) -> str:
    """A printed text without its line breaks and without the spaces that set it right."""
    return " ".join(text.split())
