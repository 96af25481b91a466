"""How often the model is right: TFMA's metrics, the estimate on the window, delayed labels, calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.artifacts import evaluation
from ..common.artifacts.files import Files
from ..common.pages import charts
from ..common.pages.parts import Chart, Table
from ..common.proportion import Proportion
from ..common.records.performance import Performance
from ..common.statistics.feature_sample import FeatureSample
from .page import ConfusionMatrix

CLASSES_SHOWN = 30  # of the chart of accuracy by class, those with the lowest
_CONFUSED_SHOWN = 20  # classes of the confusion matrix
_BINS = 10

Row = tuple[str, str, Proportion]  # of what, "baseline" or "window", and how much of it the model has right


@dataclass(frozen=True)
class Evaluation:
    """What TFMA measured of the model itself: metrics of the whole, and accuracy with its interval by label."""

    metrics: tuple[tuple[str, float], ...]
    by_label: tuple[tuple[int, Proportion], ...]


def read_evaluation(folder: str, files: Files) -> Evaluation:
    """TFMA's metrics in a folder. Raises `MonitorError` where there are none, or damaged ones."""
    whole: list[tuple[str, float]] = []
    by_label: list[tuple[int, Proportion]] = []
    for found in evaluation.metrics(folder, files):
        if found.of not in evaluation.CANDIDATE:
            continue
        if not found.key:
            whole = sorted((name, value) for name, value in found.metrics.items() if name not in found.partial)
        if found.label is not None and found.accuracy is not None:
            by_label.append((found.label, found.accuracy))
    return Evaluation(tuple(whole), tuple(sorted(by_label, key=lambda each: each[0])))


def metrics_table(found: Evaluation) -> Table:
    rows = tuple((name.replace("_", " "), f"{value:,.4g}") for name, value in found.metrics)
    return Table("Metrics of the held-out examples, by TFMA", ("Metric", "Value"), rows, frozenset({1}))


def by_class_chart(rows: Sequence[Row], source: str) -> Chart:
    """Accuracy of each class with its interval; of many classes, of those with the lowest."""
    lowest, highest = min(rows, key=lambda r: r[2].value), max(rows, key=lambda r: r[2].value)
    rows, more = _worst(rows)
    names = list(dict.fromkeys(row[0] for row in rows))
    summary = (
        *([f"The {len(names)} classes with the lowest accuracy, and {more:,} more that are not shown"] if more else []),
        f"Lowest on {lowest[0]} ({lowest[2].value:.3f}), highest on {highest[0]} ({highest[2].value:.3f})",
        f"The bars are 95 % intervals; by {source}",
    )
    table = _interval_table("Accuracy by class", rows)
    return Chart("Accuracy by class", summary, charts.intervals(names, _drawn(rows)), table)


def performance_chart(performance: Performance) -> tuple[Chart | None, tuple[str, ...]]:
    """Baseline, estimate and labels beside each other; where there is none of them, what is said instead."""
    by_each = (performance.check, performance.estimate_check, performance.labels_check)
    sentences = tuple(dict.fromkeys(check.reason for check in by_each if check is not None))
    labelled = performance.labelled.overall if performance.labelled else None
    known = (("baseline", "baseline", performance.baseline), ("estimated", "window", performance.estimate),
             ("labelled", "window", labelled))  # fmt: skip
    rows: list[Row] = [(name, side, accuracy) for name, side, accuracy in known if accuracy]
    if not rows:
        return None, sentences
    least = performance.least
    spec = charts.intervals([row[0] for row in rows], _drawn(rows), limit=least)
    allowed = [] if least is None else [f"The dashed line is the least that is allowed: {least:.3f}"]
    summary = (*sentences, *allowed, *performance.caveats, f"Estimator: {performance.estimator}")
    table = _interval_table("Accuracy on the window", rows)
    return Chart("Accuracy on the window", summary, spec, table, performance.check.outcome), ()


def classes_of_performance(performance: Performance, class_name: Any) -> list[Row]:
    """Accuracy by class: of the baseline, and of the window where labels came."""
    labelled = performance.labelled.by_class if performance.labelled else ()
    sides = (("baseline", performance.baseline_by_class), ("window", labelled))
    return [
        (class_name(number), side, accuracy)
        for side, by_class in sides
        for number, accuracy in enumerate(by_class)
        if accuracy
    ]


def calibration_chart(sample: FeatureSample) -> Chart | None:
    """How often the model is right when it is this sure; None where the sample has no labels or no probabilities."""
    if sample.labels is None or sample.probabilities is None or not sample.probabilities.shape[1]:
        return None
    usable = np.isfinite(sample.probabilities).all(axis=1) & (sample.labels >= 0)
    if not usable.any():
        return None
    scores = sample.probabilities[usable]
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == sample.labels[usable]
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    rows, cells = [], []
    for number in np.unique(bins):
        inside = bins == number
        count, mean = int(inside.sum()), float(confidence[inside].mean())
        of = Proportion.of(int(right[inside].sum()), count)
        told = f"confidence {mean:.0%}: right {of.value:.0%} ({of.low:.0%} to {of.high:.0%}) of {count:,}"
        rows.append((mean, of.value, of.low, of.high, told))
        cells.append((f"{number / _BINS:.1f} to {(number + 1) / _BINS:.1f}", f"{count:,}", f"{mean:.3f}",
                      f"{of.value:.3f}", f"{of.low:.3f} to {of.high:.3f}"))  # fmt: skip
    gap = float(confidence.mean()) - float(right.mean())
    words = "more sure than right" if gap > 0 else "less sure than right"
    summary = (
        f"On {len(scores):,} held-out examples the model is on average {confidence.mean():.1%} sure and "
        f"{right.mean():.1%} right: {abs(100 * gap):.1f} points {words}",
        "On the dashed line it would be as often right as it is sure",
    )
    columns = ("Confidence", "Examples", "Mean confidence", "Accuracy", "95 % interval")
    table = Table("Calibration on the held-out examples", columns, tuple(cells), frozenset({1, 2, 3}))
    return Chart("Calibration", summary, charts.calibration(rows), table)


def confusion_matrix(folder: str, files: Files, class_name: Callable[[int], str]) -> ConfusionMatrix | None:
    """TFMA's matrix in a folder; None where none was made. Raises `MonitorError` when it cannot be read or shown."""
    counts = evaluation.confusion_matrix(folder, files)
    if not counts:
        return None
    source = "TFMA, on the held-out examples"
    if len(counts) <= _CONFUSED_SHOWN:
        return ConfusionMatrix(tuple(class_name(number) for number in range(len(counts))), counts, source)
    kept = _most_confused(counts)
    table = np.asarray(counts, np.float64)
    rest = [number for number in range(len(counts)) if number not in set(kept)]
    # The others are one class, so that rows and columns still add up.
    merged = np.stack([*(table[number] for number in kept), table[rest].sum(axis=0)])
    merged = np.concatenate([merged[:, kept], merged[:, rest].sum(axis=1, keepdims=True)], axis=1)
    names = (*(class_name(number) for number in kept), f"and {len(rest):,} more")
    told = f"{source}; the {len(kept)} classes that were confused most, all others as one"
    return ConfusionMatrix(names, tuple(map(tuple, merged.tolist())), told)


def _worst(rows: Sequence[Row]) -> tuple[Sequence[Row], int]:
    """The rows of the classes with the lowest accuracy on either side, as they came; how many classes are left out."""
    lowest: dict[str, float] = {}
    for name, _, of in rows:
        lowest[name] = min(of.value, lowest.get(name, of.value))
    kept = set(sorted(lowest, key=lambda name: lowest[name])[:CLASSES_SHOWN])
    return [row for row in rows if row[0] in kept], len(lowest) - len(kept)


def _most_confused(counts: Sequence[Sequence[float]]) -> list[int]:
    """The classes with the most examples that were taken for another or of which another was taken, in their order."""
    table = np.asarray(counts, np.float64)
    wrong = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diagonal(table)
    return sorted(np.argsort(-wrong, kind="stable")[:_CONFUSED_SHOWN].tolist())


def _interval_table(caption: str, rows: Sequence[Row]) -> Table:
    sides = {"baseline": "held-out baseline", "window": "window"}
    cells = tuple((name, sides[side], f"{of.value:.3f}", f"{of.low:.3f} to {of.high:.3f}") for name, side, of in rows)
    return Table(caption, ("", "Of", "Accuracy", "95 % interval"), cells, frozenset({2}))


def _drawn(rows: Sequence[Row]) -> list[tuple[str, str, float, float, float]]:
    return [(name, side, of.value, of.low, of.high) for name, side, of in rows]
