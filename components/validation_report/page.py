"""The page as data: what is said on it, before anything is drawn. One model for training and monitoring runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..common.pages.parts import Chart, Table
from ..common.verdict import Check, Verdict


@dataclass(frozen=True)
class Picture:
    """An image of the data as a data URI, its size in pixels, and what is said below it."""

    source: str
    width: int
    height: int
    label: str
    value: str = ""


@dataclass(frozen=True)
class Strip:
    """Images that are shown beside each other, why these, and whether they are of what was evaluated."""

    title: str
    pictures: tuple[Picture, ...]
    group: str = ""
    window: bool = False


@dataclass(frozen=True)
class ConfusionMatrix:
    """How many examples of each class (rows) were taken for which (columns)."""

    names: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]
    source: str

    def proportion(self, row: int, column: int) -> float:
        total = sum(self.counts[row])
        return self.counts[row][column] / total if total else 0.0


@dataclass(frozen=True)
class Moved:
    """What moved between baseline, window and previous span.

    Attributes:
      sentence: the report's own, or why there is none.
      facts: names and values.
      charts: of the features that moved most, most moved first.
      measurements: every test; None when nothing was compared.
      series: the sides that the charts show, by their names in the charts.

    """

    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    charts: tuple[Chart, ...] = ()
    measurements: Table | None = None
    series: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Accuracy:
    """How often the model is right, by every way of knowing it that the run has."""

    sentences: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    metrics: Table | None = None
    confusion: ConfusionMatrix | None = None


@dataclass(frozen=True)
class Page:
    """Everything on the page. `problems` are what could not be read, a sentence each."""

    title: str
    subtitle: str
    verdict: Verdict
    checks: tuple[Check, ...]
    problems: tuple[str, ...]
    moved: Moved
    strips: tuple[Strip, ...]
    accuracy: Accuracy
    anomalies: Table | None
    anomalies_note: str
    data: tuple[Table, ...]
    facts: tuple[Table, ...]
