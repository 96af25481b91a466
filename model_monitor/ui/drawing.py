"""Where the marks of a timeline go. Plain numbers and text; the template turns them into SVG.

Across, everything is in per cent, so that a drawing is as wide as its place on the page and its text keeps its size.
Down, everything is in pixels. The panels share the spans: incidents, p-values, slow drift, accuracy, and what each
check says; one that has nothing to show is left out.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from components.common.proportion import Proportion

from ..incidents.listing import Listed
from ..incidents.sequences import SLOW_DRIFT, Ring, of_test
from ..reading.timeline import Point, Push, Timeline
from ..reading.verdicts import CheckOf
from .marks import Column, Drawing, Flag, Mark, Panel, Segment, Spell, Tick

NARROWEST = 14  # pixels of a column; where there are more than fit, the drawing is scrolled
_ROOM = 300  # pixels that the narrowest telephone leaves for all columns
_FLAG, _FLAG_ROWS, _FLAG_WIDTH = (
    17,
    3,
    92,
)  # of the labels of pushes: the height of a row, how many, and a label's width
_HEADING, _GAP, _ROW, _BELOW = 24, 14, 22, 24
_P_HEIGHT, _DRIFT_HEIGHT, _ACCURACY_HEIGHT = 150, 80, 190
_FEWEST_DECADES, _MOST_DECADES = 2, 6
_LIMITS_TOLD = 3  # more thresholds than two are not written out, the line shows them
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)  # between the ticks of accuracies
_MOST_TICKS = 8
_ASIDE = 3
_LABEL_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_CHARACTER = 8  # pixels, generously


Make = Callable[[Sequence[Point], float], Panel | None]


def draw(
    timeline: Timeline, incidents: Sequence[Listed] = (), rings: Mapping[int, tuple[Ring, ...]] | None = None
) -> Drawing:
    """Lays out a timeline that has at least one point.

    Args:
      timeline: the spans and the pushes.
      incidents: of these spans.
      rings: what the tests of many windows say, by span.

    """
    points = timeline.points
    flags = _flags(timeline.pushes, len(points))
    top = (max(flag.y for flag in flags) + 6) if flags else 4
    makes = [lambda points, start: _incidents(points, start, incidents), _p_values,
             lambda points, start: _slow_drift(points, start, rings or {}), _accuracy, _checks]  # fmt: skip
    panels = _stacked(points, top, makes)
    bottom = panels[-1].bottom
    return Drawing(
        least=NARROWEST * len(points),
        height=bottom + _BELOW,
        top=top,
        bottom=bottom,
        width=100 / len(points),
        panels=panels,
        columns=_columns(points),
        flags=flags,
        spells=tuple(_spells_of(points, top + _HEADING + _ROW / 2, incidents)),
    )


def middle(place: int, points: int) -> float:
    """The middle of a column, in per cent of the width.

    >>> middle(0, 4), middle(3, 4)
    (12.5, 87.5)
    """
    return 100 * (place + 0.5) / points


def _stacked(points: Sequence[Point], top: float, makes: Sequence[Make]) -> tuple[Panel, ...]:
    """The panels from the top to the bottom; one that has nothing to show is left out."""
    panels: list[Panel] = []
    for make in makes:
        start = (panels[-1].bottom + _GAP if panels else top) + _HEADING
        panel = make(points, start)
        panels += [panel] if panel else []
    return tuple(panels)


def _incidents(points: Sequence[Point], top: float, incidents: Sequence[Listed]) -> Panel | None:
    """The place of their bars."""
    shown = any(_spells_of(points, top, incidents))
    return Panel("Incidents", top, top + _ROW) if shown else None


def _spells_of(points: Sequence[Point], y: float, incidents: Sequence[Listed]) -> Iterator[Spell]:
    spans = [point.span for point in points]
    for each in incidents:
        inside = [place for place, span in enumerate(spans)
                  if each.incident.first.window <= span <= each.incident.last.window]  # fmt: skip
        if inside:
            left = 100 * inside[0] / len(spans)
            yield Spell(left, 100 * (inside[-1] + 1) / len(spans) - left, y, each)


def _slow_drift(points: Sequence[Point], top: float, rings: Mapping[int, tuple[Ring, ...]]) -> Panel | None:
    """The statistic of the sequential test; where it reaches its threshold it rings."""
    found = [of_test(rings.get(point.span, ()), SLOW_DRIFT) for point in points]
    known = [ring for ring in found if ring is not None]
    if not any(ring.statistic > 0 for ring in known):
        return None
    most = 1.15 * max(ring.threshold for ring in known)

    def place(value: float) -> float:
        return top + _DRIFT_HEIGHT * (1 - value / most)

    marks = tuple(
        Mark(middle(number, len(points)), place(ring.statistic), "changed" if ring.rings else "passed")
        for number, ring in enumerate(found)
        if ring is not None
    )
    path = _joined([None if ring is None else place(ring.statistic) for ring in found])
    limit = _spells([None if ring is None else place(ring.threshold) for ring in found])
    ticks = (Tick(place(0), "0"), Tick(place(known[-1].threshold), f"{known[-1].threshold:.3g}"))
    lines = {"path": path, "limit": limit}
    return Panel("Slow drift, over the spans: it rings at the line", top, top + _DRIFT_HEIGHT, ticks, lines, marks)


def _p_values(points: Sequence[Point], top: float) -> Panel | None:
    """p-values on a logarithmic scale, 1 at the top; what is below the threshold of its span has raised the alarm."""
    values = [point.verdict.p_value for point in points]
    if all(value is None for value in values):
        return None
    allowed = [point.allowed for point in points]
    decades = _decades([*values, *allowed])

    def place(value: float) -> float:
        return top + _P_HEIGHT * min(1.0, -math.log10(max(value, 10.0**-decades)) / decades)

    bottom = top + _P_HEIGHT
    limits = dict.fromkeys(f"{limit:.2g}" for limit in allowed if limit is not None)
    told = " or ".join(limits) if len(limits) < _LIMITS_TOLD else "the line"  # one for each size of a window
    title = "p-value" + (f": below {told} is an alarm" if limits else "")
    ticks = tuple(Tick(place(10.0**-power), _power(power)) for power in range(decades + 1))
    marks = tuple(
        Mark(middle(number, len(points)), place(value), tone_of_check(points[number], CheckOf.DATA))
        for number, value in enumerate(values)
        if value is not None
    )
    lines = {"path": _joined([None if value is None else place(value) for value in values]),
             "limit": _spells([None if rate is None else place(rate) for rate in allowed])}  # fmt: skip
    return Panel(title, top, bottom, ticks, lines, marks)


def _decades(values: Iterable[float | None]) -> int:
    """How many powers of ten down from 1 hold all p-values and rates, and some room below."""
    smallest = min((value for value in values if value), default=1.0)
    return max(_FEWEST_DECADES, min(_MOST_DECADES, math.ceil(-math.log10(smallest) + 0.2)))


def _power(power: int) -> str:
    return f"{10.0**-power:g}" if power < 4 else f"1e-{power}"


def _accuracy(points: Sequence[Point], top: float) -> Panel | None:
    """The estimated and the real accuracy with their intervals, and the baseline's."""
    levels = [level for p in points for level in (p.estimated, p.real, p.baseline) if level is not None]
    if not levels:
        return None
    values = [end for each in levels for end in (each.low, each.value, each.high) if not math.isnan(end)]
    low, high, step = scale([*values, *(p.least for p in points if p.least is not None)])

    def place(value: float) -> float:
        return top + _ACCURACY_HEIGHT * (high - value) / (high - low)

    count = round((high - low) / step)
    ticks = tuple(Tick(place(low + step * number), f"{low + step * number:.4g}") for number in range(count + 1))
    baseline = [None if p.baseline is None else place(p.baseline.value) for p in points]
    least = [None if p.least is None else place(p.least) for p in points]
    marks = [
        Mark(
            middle(number, len(points)),
            place(level.value),
            kind,
            *_ends(level, place),
            aside if p.estimated and p.real else 0,
        )
        for number, p in enumerate(points)
        for kind, level, aside in (("estimated", p.estimated, -_ASIDE), ("real", p.real, _ASIDE))
        if level is not None
    ]
    lines = {"baseline": _spells(baseline), "limit": _spells(least)}
    return Panel("Accuracy", top, top + _ACCURACY_HEIGHT, ticks, lines, tuple(marks))


def _ends(level: Proportion, place: Callable[[float], float]) -> tuple[float | None, float | None]:
    """Where an interval begins and ends; nowhere for a value without one."""
    if not level.bounded:
        return None, None
    return place(level.low), place(level.high)


def scale(values: Sequence[float]) -> tuple[float, float, float]:
    """The ends and the step of an axis of accuracies: round numbers in [0, 1] around all values, with few ticks.

    >>> scale([0.52, 0.74])
    (0.5, 0.75, 0.05)
    """
    lowest, highest = min(values), max(values)
    for step in _STEPS:
        low, high = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
        high = max(high, low + 2)
        if high - low < _MOST_TICKS:
            break
    last = round(1 / step)
    low, high = (low, high) if high <= last else (last - (high - low), last)
    return round(max(0, low) * step, 4), round(high * step, 4), step


def _checks(points: Sequence[Point], top: float) -> Panel:
    """A row for the verdict and one for each kind of check."""
    kinds = [kind for kind in CheckOf if any(kind in point.checks for point in points)]
    rows = ["verdict", *kinds]
    marks = []
    for row, kind in enumerate(rows):
        y = top + _ROW * (row + 0.5)
        for number, point in enumerate(points):
            tone = point.verdict.tone if kind == "verdict" else tone_of_check(point, CheckOf(kind))
            marks += [Mark(middle(number, len(points)), y, tone)] if tone else []
    names = tuple(Tick(top + _ROW * (row + 0.5), getattr(kind, "value", kind)) for row, kind in enumerate(rows))
    return Panel("What each check says", top, top + _ROW * len(rows), marks=tuple(marks), names=names)


def tone_of_check(point: Point, kind: CheckOf) -> str:
    """The style of what a check says of its span; "" where there was no such check."""
    return point.checks[kind].tone if kind in point.checks else ""


def _joined(places: Sequence[float | None]) -> tuple[Segment, ...]:
    """Lines from each value to the next one; none across a span without."""
    count = len(places)
    return tuple(
        Segment(middle(number, count), one, middle(number + 1, count), other)
        for number, (one, other) in enumerate(pairwise(places))
        if one is not None and other is not None
    )


def _spells(places: Sequence[float | None]) -> tuple[Segment, ...]:
    """Level lines, one for each spell of columns with the same value, from edge to edge."""
    lines, left = [], 0
    for place, spell in groupby(places):
        right = left + len(list(spell))
        if place is not None:
            lines.append(Segment(100 * left / len(places), place, 100 * right / len(places), place))
        left = right
    return tuple(lines)


def _columns(points: Sequence[Point]) -> tuple[Column, ...]:
    count = len(points)
    every = _label_every([str(point.span) for point in points])
    return tuple(
        Column(
            middle(number, count),
            100 * number / count,
            point,
            str(point.span) if (count - 1 - number) % every == 0 else "",
        )
        for number, point in enumerate(points)
    )


def _label_every(labels: Sequence[str]) -> int:
    """How many columns to go on by so that labels do not touch; the newest always has one."""
    column = max(NARROWEST, _ROOM / len(labels))
    needed = (_CHARACTER * max(map(len, labels)) + _CHARACTER) / column
    return next((step for step in _LABEL_STEPS if step >= needed), _LABEL_STEPS[-1])


def _flags(pushes: Sequence[Push], points: int) -> tuple[Flag, ...]:
    """Pushes at the edge between two columns, several at one edge beside each other, labels in rows."""
    flags: list[Flag] = []
    ends = [-math.inf] * _FLAG_ROWS
    width = 100 * _FLAG_WIDTH / max(_ROOM, NARROWEST * points)
    for after, group in groupby(pushes, key=lambda push: push.after):
        together = list(group)
        for number, push in enumerate(together):
            aside = 0.5 * number / len(together)
            x = 100 * (after + (aside if after < points else aside + 0.5 / len(together) - 0.5)) / points
            before = x + width > 100
            start = x - width if before else x
            row = next((row for row in range(_FLAG_ROWS) if ends[row] <= start), None)
            if row is not None:
                ends[row] = start + width
            flags.append(Flag(x, _FLAG * ((row or 0) + 1), push, before, row is not None))
    return tuple(flags)
