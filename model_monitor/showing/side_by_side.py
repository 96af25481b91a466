"""Two runs side by side as a person reads them, in at most 100 columns."""

import re

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from components.common.pages.parts import Table
from components.common.verdict_words import COLOURS, MARKS, MEANINGS, OF_SPANS, tone

from ..comparing.comparison import Comparison
from ..terminal import WIDTH
from .comparison_tables import sections
from .lines import say

_COLOURS = {mark: COLOURS[outcome.value] for outcome, mark in MARKS.items()}
_WORDS = {state.words: COLOURS[tone(state, MEANINGS[state].outcome)] for state in OF_SPANS}
_MEASURED = re.compile(r"[-+.\de]+ +(>|<=) ")
_OF_SPAN = re.compile(r"\S span \d+ (\w+)")  # a verdict, as `short` has it
_GAP = 2
_LEAST = 12  # characters of a text beside figures
_NAME = 36  # characters of a name before it is broken up


def show(found: Comparison, limit: int, console: Console) -> None:
    """What there is to know first, what could not be read, and then everything that is known of both."""
    for number, sentence in enumerate(found.sentences):
        say(console, f"[bold]{escape(sentence)}[/]" if number == 0 else escape(sentence))
    for label, side in zip(found.labels, found.sides, strict=True):
        for problem in side.problems:
            say(console, f"[red]✗ {escape(f'{label}: {problem}')}[/]")
    for section in sections(found, limit):
        console.print(f"\n[bold]{escape(section.title)}[/]" if section.title else "")
        if section.table.rows:
            console.print(_drawn(section.table, console.width))
        for note in section.notes:
            say(console, f"[dim]{escape(note)}[/]")


def _drawn(table: Table, width: int) -> RichTable:
    """A table of text, in which what there is room for is not broken up: figures first, then the first column."""
    drawn = RichTable(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold dim")
    longest = [max(map(len, (name, *(row[place] for row in table.rows)))) for place, name in enumerate(table.columns)]
    rest = width - sum(longest[place] + _GAP for place in table.numeric)
    texts = len(table.columns) - len(table.numeric)
    for place, name in enumerate(table.columns):
        right = place in table.numeric
        whole = rest >= texts * _LEAST if right else place == 0 and longest[0] <= rest - (texts - 1) * _LEAST
        drawn.add_column(escape(name), justify="right" if right else "left", overflow="fold", no_wrap=whole)
        if 0 < place < len(table.columns) - 2 and not right:
            drawn.columns[-1].min_width = min(longest[place], _NAME if width >= WIDTH else _LEAST)
    for row in table.rows:
        drawn.add_row(*map(_coloured, row))
    return drawn


def _coloured(cell: str) -> str:
    """A cell with its mark, or with what was measured, in the colour of its outcome."""
    if cell[:2].rstrip() in _COLOURS:
        of_span = _OF_SPAN.match(cell)
        colour = _WORDS.get(of_span[1], _COLOURS[cell[0]]) if of_span else _COLOURS[cell[0]]
        return f"[{colour}]{cell[0]}[/]{escape(cell[1:])}"
    measured = _MEASURED.match(cell)
    if measured:
        return f"[{'red' if measured[1] == '>' else 'green'}]{escape(cell)}[/]"
    return escape(cell)
