"""What pages are made of: a table, a chart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..verdict_words import Outcome


@dataclass(frozen=True)
class Table:
    """A table of text. The first cell of a row is its heading; `numeric` are the numbers of the columns of figures."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Chart:
    """A chart and what it shows in words and as a table.

    Attributes:
      title: its heading.
      summary: what is to be seen in it, for everyone and for whoever cannot see it, a line each.
      spec: in Vega-Lite, with `width` and `height`.
      table: the numbers behind it.
      outcome: of the check that it illustrates; None where there is none.
      badge: what is said of the outcome; its own name if "".

    """

    title: str
    summary: tuple[str, ...]
    spec: Mapping[str, Any]
    table: Table
    outcome: Outcome | None = None
    badge: str = ""


def cut(value: object, limit: int = 240) -> str:
    """A value as text of a few lines at most, with how long it is where that is more.

    >>> cut("abcdef", 3), cut(7)
    ('abc ... (6 characters)', '7')
    """
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text):,} characters)"
