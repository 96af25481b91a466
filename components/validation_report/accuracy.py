"""How often the model is right: TFMA's metrics, the estimate on the window, delayed labels, calibration."""

import importlib.util
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..common.artifacts.checks import parse_message
from ..common.artifacts.files import Files
from ..common.errors import MonitorError
from ..common.pages import charts
from ..common.pages.parts import Chart, Table
from ..common.proportion import Proportion
from ..common.records.performance import Performance
from ..common.statistics.feature_sample import FeatureSample
from .page import ConfusionMatrix

_BINS = 10
_PROTO = "tensorflow_model_analysis.proto.metrics_for_slice_pb2"

Row = tuple[str, str, Proportion]  # of what, "baseline" or "window", and how much of it the model has right


@dataclass(frozen=True)
class Evaluation:
    """What TFMA measured: metrics of the whole, accuracy with its interval by slice, the confusion matrix."""

    metrics: tuple[tuple[str, float], ...]
    overall: Proportion | None
    by_label: tuple[tuple[int, Proportion], ...]
    other_slices: tuple[tuple[str, Proportion], ...]
    confusion: tuple[tuple[float, ...], ...]


def read_evaluation(folder: str, files: Files) -> Evaluation:
    """TFMA's files in a folder. Raises `MonitorError` where there are none, or damaged ones."""
    metrics: list[tuple[str, float]] = []
    found: dict[tuple[tuple[str, Any], ...], Proportion] = {}
    for record in _records(folder, "metrics", files):
        sliced: Any = parse_message(_proto().MetricsForSlice(), record, f"a record of metrics in {folder}")
        key = _slice_key(sliced.slice_key)
        values = _doubles(sliced)
        if not key:
            metrics = sorted(values.items())
        accuracy, count = _accuracy(values), values.get("example_count", 0)
        if accuracy is not None and count > 0:
            found[key] = Proportion.about(accuracy, count)
    labels = sorted((key[0][1], each) for key, each in found.items() if len(key) == 1 and isinstance(key[0][1], int))
    others = sorted((_slice_name(key), each) for key, each in found.items()
                    if key and not (len(key) == 1 and isinstance(key[0][1], int)))  # fmt: skip
    return Evaluation(tuple(metrics), found.get(()), tuple(labels), tuple(others), _confusion(folder, files))


def metrics_table(evaluation: Evaluation) -> Table:
    rows = tuple((name.replace("_", " "), f"{value:,.4g}") for name, value in evaluation.metrics)
    return Table("Metrics of the held-out examples, by TFMA", ("Metric", "Value"), rows, frozenset({1}))


def by_class_chart(rows: Sequence[Row], source: str) -> Chart:
    """Accuracy of each class with its interval."""
    names = list(dict.fromkeys(row[0] for row in rows))
    lowest, highest = min(rows, key=lambda r: r[2].value), max(rows, key=lambda r: r[2].value)
    summary = (
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
    summary = (*sentences, *allowed, f"Estimator: {performance.estimator}")
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


def confusion_matrix(evaluation: Evaluation, class_name: Any) -> ConfusionMatrix | None:
    if not evaluation.confusion:
        return None
    names = tuple(class_name(number) for number in range(len(evaluation.confusion)))
    return ConfusionMatrix(names, evaluation.confusion, "TFMA, on the held-out examples")


def _interval_table(caption: str, rows: Sequence[Row]) -> Table:
    sides = {"baseline": "held-out baseline", "window": "window"}
    cells = tuple((name, sides[side], f"{of.value:.3f}", f"{of.low:.3f} to {of.high:.3f}") for name, side, of in rows)
    return Table(caption, ("", "Of", "Accuracy", "95 % interval"), cells, frozenset({2}))


def _drawn(rows: Sequence[Row]) -> list[tuple[str, str, float, float, float]]:
    return [(name, side, of.value, of.low, of.high) for name, side, of in rows]


def _records(folder: str, prefix: str, files: Files) -> Iterator[bytes]:
    names = [n for n in files.listing(folder) if n.startswith(prefix) and ".tfrecord" in n]
    if not names:
        raise MonitorError(f"{folder} must hold TFMA's {prefix}. Received: no file {prefix}*.tfrecord")
    for name in names:
        yield from files.records(f"{folder}/{name}")


@cache
def _proto() -> ModuleType:
    """TFMA's messages. Their module is loaded by its place: importing TFMA takes ten seconds, and TensorFlow."""
    if _PROTO in sys.modules:
        return sys.modules[_PROTO]
    package, _, module = _PROTO.partition(".")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MonitorError("Reading an evaluation needs tensorflow_model_analysis, which is not installed")
    path = Path(found.submodule_search_locations[0]) / (module.replace(".", "/") + ".py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise MonitorError(f"{path} must be TFMA's messages. Received: no such module")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _slice_key(key: Any) -> tuple[tuple[str, Any], ...]:
    values = []
    for single in key.single_slice_keys:
        kind = single.WhichOneof("kind")
        value = getattr(single, kind) if kind else ""
        values.append((single.column, value.decode(errors="replace") if isinstance(value, bytes) else value))
    return tuple(values)


def _slice_name(key: tuple[tuple[str, Any], ...]) -> str:
    return " and ".join(f"{column} {value}" for column, value in key)


def _doubles(sliced: Any) -> dict[str, float]:
    """The metrics of the model itself that are one number; those of a baseline model or of a difference are not it."""
    found = {}
    for each in sliced.metric_keys_and_values:
        plain = each.value.WhichOneof("type") == "double_value" and not each.key.is_diff
        if plain and each.key.model_name in ("", "candidate") and not each.key.HasField("sub_key"):
            value = each.value.double_value.value
            if math.isfinite(value):
                found[each.key.name] = value
    return found


def _accuracy(values: dict[str, float]) -> float | None:
    names = ("accuracy", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")
    return next((values[name] for name in names if 0 <= values.get(name, -1) <= 1), None)


def _confusion(folder: str, files: Files) -> tuple[tuple[float, ...], ...]:
    """The matrix of the whole data set at the lowest threshold, () where none was made."""
    if not any(name.startswith("plots") for name in files.listing(folder)):
        return ()
    for record in _records(folder, "plots", files):
        plots: Any = parse_message(_proto().PlotsForSlice(), record, f"a record of plots in {folder}")
        for each in plots.plot_keys_and_values if not plots.slice_key.single_slice_keys else ():
            matrices = each.value.multi_class_confusion_matrix_at_thresholds.matrices
            if matrices:
                return _dense(matrices[0].entries)
    return ()


def _dense(entries: Any) -> tuple[tuple[float, ...], ...]:
    size = 1 + max((max(e.actual_class_id, e.predicted_class_id) for e in entries), default=-1)
    if size > 50:
        raise MonitorError(f"A confusion matrix must have at most 50 classes to be shown. Received: {size}")
    counts = np.zeros((size, size))
    for each in entries:
        if each.predicted_class_id >= 0:  # below 0: nothing reached the threshold
            counts[each.actual_class_id, each.predicted_class_id] += each.num_weighted_examples
    return tuple(tuple(row) for row in counts.tolist())
