"""Tables of what the monitoring components write beside their anomalies."""

import json
from collections.abc import Iterator

from components.common.proportion import Share
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from components.common.records.performance import PERFORMANCE_JSON, Performance

from ..run_store import Artifact
from .table import DAMAGE, Cell, Table, read_record

_DRIFT = ("feature", "test", "against", "measured", "threshold", "p", "mean was", "is", "alarm")
TESTS = {"jensen_shannon": "JS", "kolmogorov_smirnov": "KS", "l_infinity": "Linf", "hotelling_t2": "T2"}


def drift_report(artifact: Artifact) -> Iterator[Table]:
    """The state of the window, then every test, the most unusual first."""
    report = read_record(artifact.path / DRIFT_REPORT_JSON, DriftReport.from_json)
    facts: list[tuple[Cell, ...]] = [
        ("state", report.state.value),
        ("sentence", report.sentence),
        ("p-value", report.p_value),
        ("false-alarm rate", report.false_alarm_rate),
        ("examples", report.window.examples),
        *(("problem", problem) for problem in report.problems),
    ]
    yield Table("Skew and drift", ("", "found"), tuple(facts))
    rows: list[tuple[Cell, ...]] = [
        (
            found.feature or "(all together)",
            TESTS.get(found.test, found.test),
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


def performance(artifact: Artifact) -> Iterator[Table]:
    """The accuracy: of the baseline, as it is estimated, and by the labels that came later."""
    found = read_record(artifact.path / PERFORMANCE_JSON, Performance.from_json)
    yield Table(f"Accuracy: {found.judgement.state.value}", ("", "found"), (("reason", found.judgement.reason),))
    rows: list[tuple[Cell, ...]] = []
    if found.baseline:
        rows.append(("baseline", *_share(found.baseline)))
    if found.estimate:
        rows.append((f"estimate ({found.estimator})", found.estimate.accuracy, found.estimate.low,
                     found.estimate.high, found.window_examples.used))  # fmt: skip
    if found.labelled and found.labelled.overall:
        rows.append(("labels that came later", *_share(found.labelled.overall)))
    if found.labelled:
        names = found.class_names
        each = [(f"class {names[n] if n < len(names) else n}", s) for n, s in enumerate(found.labelled.by_class) if s]
        rows += [(name, *_share(share)) for name, share in each]
    yield Table("Accuracy with its 95 % interval", ("of", "accuracy", "low", "high", "examples"), tuple(rows))


def counts(artifact: Artifact) -> Iterator[Table]:
    """How many records and images were read, and how many could not be."""
    record = read_record(artifact.path / "counts.json", json.loads)
    try:
        rows = tuple((name.replace("_", " "), value) for name, value in record.items() if isinstance(value, int))
    except DAMAGE as error:
        yield Table("Counts", problem=f"{artifact.path / 'counts.json'} is damaged: {error}")
        return
    yield Table("Counts", ("of", "count"), rows)


def _share(share: Share) -> tuple[Cell, ...]:
    return share.share, share.low, share.high, share.total
