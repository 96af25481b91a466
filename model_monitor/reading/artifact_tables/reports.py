"""Tables of what the monitoring components write beside their anomalies."""

from collections.abc import Iterator

from components.common.artifacts.files import Artifact, Files
from components.common.proportion import Proportion
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from components.common.records.log_counts import COUNTS_JSON, numbers, read_counts
from components.common.records.performance import PERFORMANCE_JSON, STATES, Performance
from components.common.statistics.monitored_features import short_name_of_test

from .table import Cell, Table

_DRIFT = ("feature", "test", "against", "measured", "threshold", "p", "mean was", "is", "alarm")


def drift_report(artifact: Artifact, files: Files) -> Iterator[Table]:
    """The state of the window, then every test, the most unusual first."""
    report = files.record(artifact.path(DRIFT_REPORT_JSON), DriftReport.from_json)
    facts: list[tuple[Cell, ...]] = [
        ("state", report.state.value),
        ("sentence", report.sentence),
        ("p-value", report.p_value),
        ("alarm at", report.allowed),
        ("false-alarm rate", report.false_alarm_rate),
        ("compared", report.window.rows),
        *(("problem", problem) for problem in report.problems),
    ]
    yield Table("Skew and drift", ("", "found"), tuple(facts))
    rows: list[tuple[Cell, ...]] = [
        (
            found.feature or "(all together)",
            short_name_of_test(found.test),
            "baseline" if found.comparison == "skew" else "previous",
            found.measured,
            found.threshold,
            found.adjusted_p_value,
            found.reference_mean,
            found.window_mean,
            found.exceeded,
        )
        for found in report.measurements
    ]
    if rows:
        yield Table("Tests, the most unusual first", _DRIFT, tuple(rows))


def performance(artifact: Artifact, files: Files) -> Iterator[Table]:
    """The accuracy: of the baseline, as it is estimated, and by delayed labels."""
    found = files.record(artifact.path(PERFORMANCE_JSON), Performance.from_json)
    yield Table(f"Accuracy: {STATES[found.check.outcome]}", ("", "found"), (("reason", found.check.reason),))
    rows: list[tuple[Cell, ...]] = []
    if found.baseline:
        rows.append(("baseline", *_cells(found.baseline)))
    if found.estimate:
        rows.append((f"estimate ({found.estimator})", *_cells(found.estimate)))
    if found.bounds:
        rows.append(("allowing for the estimate's own errors", None, *found.bounds, None))
    if found.labelled and found.labelled.overall:
        rows.append(("delayed labels", *_cells(found.labelled.overall)))
    if found.labelled:
        names = found.class_names
        by_class = [(names[n] if n < len(names) else n, s) for n, s in enumerate(found.labelled.by_class) if s]
        rows += [(f"class {name}", *_cells(accuracy)) for name, accuracy in by_class]
    yield Table("Accuracy with its 95 % interval", ("of", "accuracy", "low", "high", "examples"), tuple(rows))


def counts(artifact: Artifact, files: Files) -> Iterator[Table]:
    """How many records and images were read, and how many could not be."""
    counts = numbers(files.record(artifact.path(COUNTS_JSON), read_counts))
    yield Table("Counts", ("of", "count"), tuple((name.replace("_", " "), value) for name, value in counts.items()))


def _cells(accuracy: Proportion) -> tuple[Cell, ...]:
    return accuracy.value, accuracy.low, accuracy.high, accuracy.total
