"""What a timeline is drawn of, with places in per cent across and in pixels down: see `drawing`."""

from dataclasses import dataclass

from ..incidents.listing import Listed
from ..reading.timeline import Point, Push


@dataclass(frozen=True)
class Tick:
    """A line across a panel and its label at the left."""

    y: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A symbol: `kind` is its shape and its colour. An interval is drawn from `low` to `high` where these are known.

    `aside` is by how many pixels it is moved so that two symbols of one span do not hide each other.
    """

    x: float
    y: float
    kind: str
    low: float | None = None
    high: float | None = None
    aside: float = 0


@dataclass(frozen=True)
class Segment:
    """A straight line; x in per cent, y in pixels."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Panel:
    """One of the panels: its heading, where it begins and ends, and what is in it.

    Attributes:
      title: what it shows.
      top, bottom: of the plot, without the heading above it.
      ticks: lines across, with labels.
      lines: connections from span to span, by the class of their style.
      marks: the symbols.
      names: labels of rows at the left, for a panel without an axis.

    """

    title: str
    top: float
    bottom: float
    ticks: tuple[Tick, ...] = ()
    lines: dict[str, tuple[Segment, ...]] | None = None
    marks: tuple[Mark, ...] = ()
    names: tuple[Tick, ...] = ()


@dataclass(frozen=True)
class Column:
    """Everything of one span, as one link. `label` is its number, where there is room for that."""

    x: float
    left: float
    point: Point
    label: str


@dataclass(frozen=True)
class Flag:
    """A push: a line through all panels, and its label above them, to the left of the line near the right edge."""

    x: float
    y: float
    push: Push
    before: bool
    labelled: bool


@dataclass(frozen=True)
class Spell:
    """An incident: a bar over the spans from its first to its last one that is shown, in per cent of the width."""

    left: float
    width: float
    y: float
    listed: Listed


@dataclass(frozen=True)
class Drawing:
    """A timeline, drawn. `least` is the width in pixels below which it has to be scrolled."""

    least: int
    height: float
    top: float
    bottom: float
    width: float
    panels: tuple[Panel, ...]
    columns: tuple[Column, ...]
    flags: tuple[Flag, ...]
    spells: tuple[Spell, ...] = ()
