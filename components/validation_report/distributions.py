"""What moved: the report of the comparison, with the histograms that were compared."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.artifacts.checks import beside
from ..common.artifacts.files import Files
from ..common.artifacts.sources import Sources
from ..common.pages import charts
from ..common.pages.parts import Chart, Table
from ..common.records.drift_report import DRIFT_REPORT_JSON, DriftReport, Measurement
from ..common.statistics.monitored_features import name_of, name_of_test, standard_histogram
from ..common.two_sample.false_alarms import caveat
from ..common.verdict import Outcome
from .page import Moved

FEATURES_SHOWN = 6
CLASSES_SHOWN = 30  # of a feature of classes, the most frequent
_MOST_CLASSES = 100_000  # a class number beyond is no class
_SIDES = {"baseline": "baseline", "window": "window", "previous": "previous span"}


@dataclass(frozen=True)
class Bins:
    """The bins of a feature's histogram: labels of the edges (one more than bins) or of the bins, and the counts."""

    labels: tuple[str, ...]
    counts: tuple[float, ...]

    @property
    def edges(self) -> bool:
        return len(self.labels) == len(self.counts) + 1


def report_of(sources: Sources, files: Files) -> DriftReport | None:
    """The comparison's report; None when the run compared nothing."""
    given = beside(files, sources.anomalies, DRIFT_REPORT_JSON)
    if given is None:
        return None
    return files.record(given.path(DRIFT_REPORT_JSON), DriftReport.from_json)


def moved_features(measurements: Sequence[Measurement]) -> list[str]:
    """The features that could move, the one furthest beyond chance first."""
    return list(dict.fromkeys(m.feature for m in measurements if m.feature and m.threshold is not None))


def moved(report: DriftReport, data: dict[str, Any], class_names: Sequence[str]) -> Moved:
    """The section of the page. `data` are the statistics of the sides "baseline", "window" and "previous"."""
    measurements = report.measurements
    drawn = []
    for feature in moved_features(measurements)[:FEATURES_SHOWN]:
        of_feature = [m for m in measurements if m.feature == feature]
        bins = {side: found for side, each in data.items() if (found := bins_of(each, feature, class_names))}
        if bins:
            drawn.append(_chart(feature, of_feature, bins))
    return Moved(
        sentence=report.sentence + ".",
        facts=_facts(report),
        charts=tuple(drawn),
        measurements=_table(measurements) if measurements else None,
        series={side: _SIDES[side] for side in data} if drawn else {},
    )


def bins_of(data: Any, feature: str, class_names: Sequence[str]) -> Bins | None:
    """A feature's histogram with the bins that are compared; None where it has none."""
    described = next((each for each in data.features if name_of(each) == feature), None)
    if described is None:
        return None
    ranks = described.string_stats.rank_histogram.buckets
    if ranks:
        return _classes({each.label: each.sample_count for each in ranks}, class_names)
    buckets = standard_histogram(described).buckets
    if not buckets:
        return None
    edges = [buckets[0].low_value, *(each.high_value for each in buckets)]
    return Bins(tuple(map(short, edges)), tuple(each.sample_count for each in buckets))


def short(value: float) -> str:
    """A number as short as it can be told, with three digits.

    >>> [short(v) for v in (0.25, -1.0, 0.00012, 1234.5)]
    ['.25', '-1', '1.2e-4', '1234']
    """
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        digits, power = f"{value:.1e}".split("e")
        return f"{digits.removesuffix('.0')}e{int(power)}"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _classes(counts: dict[str, float], class_names: Sequence[str]) -> Bins:
    """Counts by class, in the order of the classes where they are numbers."""
    numbers = all(label.isdecimal() for label in counts)
    labels = sorted(counts, key=int) if numbers else sorted(counts)
    if numbers:
        last = max(len(class_names) - 1, int(labels[-1]))
        labels = [str(number) for number in range(last + 1)] if last < _MOST_CLASSES else labels
    names = [class_names[int(x)] if numbers and int(x) < len(class_names) else x for x in labels]
    return Bins(tuple(names), tuple(counts.get(label, 0.0) for label in labels))


def _chart(feature: str, measured: Sequence[Measurement], bins: dict[str, Bins]) -> Chart:
    exceeded = any(m.exceeded for m in measured)
    summary = (*_means(measured), *map(_told, _strongest(measured)))
    outcome, badge = (Outcome.FAILED, "alarm") if exceeded else (Outcome.PASSED, "within")
    return dataclasses.replace(overlaid(feature, bins, _SIDES, summary), outcome=outcome, badge=badge)


def overlaid(feature: str, bins: Mapping[str, Bins], sides: Mapping[str, str], summary: tuple[str, ...]) -> Chart:
    """The histograms of a feature over each other.

    Args:
      feature: its name.
      bins: by side: "baseline", "window" or "previous", which say how a side is drawn. A side with other bins is left
        out.
      sides: what each side is called.
      summary: what is to be seen.

    """
    bins = _most_frequent(bins)
    labels = max((each.labels for each in bins.values()), key=len)
    same = {side: each for side, each in bins.items() if each.labels == labels}
    edges = next(iter(same.values())).edges
    proportions = {side: [count / (sum(each.counts) or 1) for count in each.counts] for side, each in same.items()}
    first, last = _occupied(list(proportions.values())) if edges else (0, len(labels))
    proportions = {side: values[first:last] for side, values in proportions.items()}
    labels = labels[first : last + 1] if edges else labels
    spans = [f"{a} to {b}" for a, b in itertools.pairwise(labels)] if edges else list(labels)
    told = [f"{span}: " + ", ".join(f"{sides[side]} {v[i]:.1%}" for side, v in proportions.items())
            for i, span in enumerate(spans)]  # fmt: skip
    rows = tuple((span, *(f"{values[i]:.1%}" for values in proportions.values())) for i, span in enumerate(spans))
    columns = ("Values", *(sides[side].capitalize() for side in proportions))
    table = Table(f"{feature}: proportion of examples", columns, rows, frozenset(range(1, len(columns))))
    return Chart(feature, summary, charts.histogram(labels, proportions, told, edges=edges), table)


def _most_frequent(bins: Mapping[str, Bins]) -> dict[str, Bins]:
    """Bins of classes as they can be read: the same for all sides, and of many the most frequent, the rest as one."""
    if any(each.edges for each in bins.values()):
        return dict(bins)
    counts = {side: dict(zip(each.labels, each.counts, strict=True)) for side, each in bins.items()}
    labels = list(dict.fromkeys(label for each in bins.values() for label in each.labels))
    proportions = {side: sum(held.values()) or 1 for side, held in counts.items()}

    def largest(label: str) -> float:
        return max(held.get(label, 0.0) / proportions[side] for side, held in counts.items())

    kept = set(sorted(labels, key=largest, reverse=True)[:CLASSES_SHOWN])
    shown = [label for label in labels if label in kept]
    made = {side: [held.get(label, 0.0) for label in shown] for side, held in counts.items()}
    if len(labels) > len(shown):
        for side, held in counts.items():
            made[side].append(sum(held.values()) - sum(made[side]))
        shown.append(f"and {len(labels) - CLASSES_SHOWN:,} more")
    return {side: Bins(tuple(shown), tuple(values)) for side, values in made.items()}


def _occupied(series: Sequence[Sequence[float]]) -> tuple[int, int]:
    """From the first bin that holds anything to behind the last, and one more on either side."""
    held = [i for i in range(len(series[0])) if any(values[i] for values in series)]
    if not held:
        return 0, len(series[0])
    return max(0, held[0] - 1), min(len(series[0]), held[-1] + 2)


def _strongest(measured: Sequence[Measurement]) -> list[Measurement]:
    """Against each side the first, which is the most unusual."""
    first: dict[str, Measurement] = {}
    for each in measured:
        first.setdefault(each.reference, each)
    return list(first.values())


def _means(measured: Sequence[Measurement]) -> list[str]:
    for each in measured:
        if each.comparison == "skew" and each.reference_mean is not None and each.window_mean is not None:
            return [f"Mean {each.reference_mean:.3g} in the baseline, {each.window_mean:.3g} in the window"]
    return []


def _told(each: Measurement) -> str:
    if each.threshold is None:
        return f"Against the {each.reference}: never varies"
    sign = "above" if each.exceeded else "within"
    measured = f"{name_of_test(each.test)} {each.measured:.3f}, {sign} the {each.threshold:.3f} allowed"
    return f"Against the {each.reference}: {measured}, p = {p_value(each.p_value)}"


def p_value(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}"


def _facts(report: DriftReport) -> tuple[tuple[str, str], ...]:
    facts = [("p-value, everything together", _p_value_and_threshold(report.p_value, report.allowed)),
             *((f"p-value, {name}", _p_value_and_threshold(*both)) for name, both in report.comparisons.items()),
             ("False-alarm rate asked for", f"{report.false_alarm_rate:g}")]  # fmt: skip
    for name, side in (("window", report.window), ("baseline", report.baseline), ("previous", report.previous)):
        if side is not None:
            span = f" (span {side.span})" if name == "previous" and side.span is not None else ""
            facts.append((f"Compared of the {_SIDES[name]}{span}", side.rows))
    if report.baseline is not None and (told := caveat(report.baseline.sampled)):
        facts.append(("With so small a baseline", told))
    return tuple(facts)


def _p_value_and_threshold(value: float | None, threshold: float) -> str:
    return p_value(value) if value is None else f"{p_value(value)}, alarm at {threshold:.2g}"


def _table(measurements: Sequence[Measurement]) -> Table:
    rows = tuple(
        (
            each.feature or "all features together",
            name_of_test(each.test),
            each.reference,
            f"{each.measured:.4f}",
            "-" if each.threshold is None else f"{each.threshold:.4f}",
            p_value(each.p_value),
            "✗ alarm" if each.exceeded else "✓ within" if each.threshold is not None else "never varies",
        )
        for each in measurements
    )
    columns = ("Feature", "Test", "Against", "Measured", "Allowed", "p-value", "Result")
    return Table("Every test, the most unusual first", columns, rows, frozenset({3, 4, 5}))
