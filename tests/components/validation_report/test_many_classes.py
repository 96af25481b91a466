"""Reports of 2 to 1,000 classes, with names in any script, stay readable and still add up."""

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.proportion import Proportion
from components.validation_report import accuracy, distributions
from components.validation_report.page import ConfusionMatrix

SCRIPTS = ("猫", "собака", "Ελάφι", "קוף", "فيل", "ช้าง", "café", "🐸")


def names_of(classes):
    return tuple(f"{SCRIPTS[number % len(SCRIPTS)]} {number}" for number in range(classes))


def statistics_of(counts):
    """Statistics of `prediction_class`, by class number."""
    data = statistics_pb2.DatasetFeatureStatistics()
    feature = data.features.add(path={"step": ["prediction_class"]}, type="STRING")
    for number, count in counts.items():
        feature.string_stats.rank_histogram.buckets.add(label=str(number), sample_count=count)
    return data


@pytest.mark.parametrize("classes", [2, 10, 30, 100, 1000])
def test_the_classes_of_a_chart_are_the_most_frequent_of_either_side(classes):
    names = names_of(classes)
    counts = np.random.default_rng(0).integers(1, 50, classes)
    window = {number: int(count) for number, count in enumerate(counts) if number % 3}
    window[classes - 1] = 5000  # rare in the baseline
    sides = {
        side: distributions.bins_of(statistics_of(held), "prediction_class", names)
        for side, held in (("baseline", dict(enumerate(map(int, counts)))), ("window", window))
    }
    chart = distributions.overlaid("prediction_class", sides, {"baseline": "baseline", "window": "window"}, ())
    rows = chart.table.rows
    shown = [row[0] for row in rows]
    assert len(rows) == min(classes, distributions.CLASSES_SHOWN + 1)
    assert names[-1] in shown
    assert all(len(row) == 3 for row in rows)
    for column in (1, 2):
        assert sum(float(row[column].removesuffix("%")) for row in rows) == pytest.approx(100, abs=1)
    assert (shown[-1] == f"and {classes - 30:,} more") is (classes > 30)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_accuracy_by_class_shows_the_lowest(classes):
    names = names_of(classes)
    rows = [(name, "baseline", Proportion.of(number % 90, 100)) for number, name in enumerate(names)]
    chart = accuracy.by_class_chart(rows, "TFMA")
    shown = min(classes, accuracy.CLASSES_SHOWN)
    assert len(chart.table.rows) == shown
    assert {row[0] for row in chart.table.rows} == {
        name for name, _, _ in sorted(rows, key=lambda r: r[2].value)[:shown]
    }
    told = f"The 30 classes with the lowest accuracy, and {classes - 30:,} more that are not shown"
    assert (told in chart.summary) is (classes > 30)
    assert f"highest on {max(rows, key=lambda r: r[2].value)[0]}" in " ".join(chart.summary)


@pytest.mark.parametrize("classes", [2, 20, 1000])
def test_a_confusion_matrix_shows_the_most_confused_and_adds_up(classes, monkeypatch):
    names = names_of(classes)
    table = np.random.default_rng(1).integers(0, 3, (classes, classes)).astype(float)
    table[1, 0] = 9999
    monkeypatch.setattr(accuracy.evaluation, "confusion_matrix", lambda *_: tuple(map(tuple, table.tolist())))
    matrix = accuracy.confusion_matrix("folder", None, lambda number: names[number])
    assert isinstance(matrix, ConfusionMatrix)
    assert np.sum(matrix.counts) == table.sum()
    assert matrix.names[:2] == names[:2]
    assert matrix.counts[1][0] == 9999
    assert len(matrix.names) == len(matrix.counts) == (classes if classes <= 20 else 21)
    if classes > 20:
        assert matrix.names[-1] == "and 980 more"
        assert matrix.source.endswith("the 20 classes that were confused most, all others as one")
