"""What the checks of a run say, read from the artifacts they left. What cannot be read is undecided, never a pass."""

from collections.abc import Callable, Iterable, Sequence

from ..errors import MonitorError
from ..records.decision import REASONS_JSON, Decision
from ..records.drift_report import DRIFT_REPORT_JSON, DriftReport
from ..records.log_counts import COUNTS_JSON
from ..records.performance import PERFORMANCE_JSON, Performance
from ..verdict import Check, Effect, Finding, Outcome, Push, Verdict, verdict_of_push, verdict_of_span
from .anomalies import Anomaly, anomalies_by_split
from .files import DAMAGE, Artifact, Files, said
from .sources import Sources

BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"  # Evaluator's


def checks_of(sources: Sources, files: Files) -> tuple[Check, ...]:
    """The checks of a run: those that the push was decided by, or those of a window."""
    if sources.blessing is not None:
        return _guarded("blessing", lambda: _decision(sources.blessing, files, sources.objections))
    checks: list[Check] = []
    for given in sources.anomalies:
        name = given.producer or given.uri
        checks += _guarded(name, lambda given=given, name=name: [_check(given, name, files)])  # type: ignore[misc]
    return tuple(checks)


def verdict_of(sources: Sources, checks: tuple[Check, ...], p_value: float | None = None) -> Verdict:
    """The verdict on a run. One in which nothing was checked, or in which something is missing, is undecided."""
    if sources.blessing is not None:
        return verdict_of_push(checks, _push(sources.pushed_model))
    return verdict_of_span(checks, span=_span(sources), p_value=p_value, missing=sources.missing)


def _guarded(name: str, read: Callable[[], Iterable[Check]]) -> tuple[Check, ...]:
    """What is read, or a check that is undecided because it could not be."""
    try:
        return tuple(read())
    except DAMAGE as error:
        return (Check(name, "", Outcome.UNDECIDED, f"what it decided cannot be read: {said(error)}"),)


def _decision(blessing: Artifact | None, files: Files, objections: tuple[str, ...]) -> Sequence[Check]:
    """PushGate's checks; of a blessing without reasons, the Evaluator's own."""
    if blessing is None:
        return []
    present = files.listing(blessing.uri)
    if REASONS_JSON not in present:
        return [_marker(blessing, present, objections)]
    return files.record(blessing.path(REASONS_JSON), Decision.from_json).checks


def _marker(blessing: Artifact, present: list[str], objections: tuple[str, ...]) -> Check:
    name = blessing.producer or "blessing"
    if BLESSED in present and NOT_BLESSED not in present:
        return Check(name, "", Outcome.PASSED, f"the model is blessed by {name}")
    if NOT_BLESSED in present:
        return Check(name, "", Outcome.FAILED, "; ".join(objections) or f"the model is not blessed by {name}")
    return Check(name, "", Outcome.UNDECIDED, f"there is no blessing in {blessing.uri}")


def _check(given: Artifact, name: str, files: Files) -> Check:
    """The check behind an anomalies artifact: by the report beside the anomalies, or by the anomalies alone."""
    present = files.listing(given.uri)
    if DRIFT_REPORT_JSON in present:
        report = files.record(given.path(DRIFT_REPORT_JSON), DriftReport.from_json)
        problems = tuple(Finding("problem", "", Effect.WARN, each) for each in report.problems)
        return Check(f"Data ({name})", "", report.outcome, report.sentence, problems)
    if PERFORMANCE_JSON in present:
        judged = files.record(given.path(PERFORMANCE_JSON), Performance.from_json).check
        return Check(f"Accuracy ({name})", "", judged.outcome, judged.reason, judged.findings)
    title = f"Serving logs ({name})" if COUNTS_JSON in present else name
    return _anomalies_check(title, anomalies_by_split(given, files))


def _anomalies_check(title: str, splits: dict[str, list[Anomaly]]) -> Check:
    """Every anomaly but a warning fails it, and so does one of a severity that is not known."""
    findings = [_finding(anomaly) for anomalies in splits.values() for anomaly in anomalies]
    passed = "nothing worse than a warning" if findings else "no anomaly"
    return Check.of(title, findings, passed=passed)


def _finding(anomaly: Anomaly) -> Finding:
    effect = Effect.WARN if anomaly.harmless else Effect.FAIL
    return Finding(anomaly.type, anomaly.feature, effect, anomaly.line)


def _push(pushed: Artifact | None) -> Push | None:
    if pushed is None:
        return None
    return Push(pushed.properties.get("pushed") == 1, str(pushed.properties.get("pushed_version", "")))


def _span(sources: Sources) -> int | None:
    given = (each for each in (sources.statistics, sources.examples) if each is not None)
    spans = [each.properties["span"] for each in given if "span" in each.properties]
    return int(spans[0]) if spans else None


def beside(files: Files, anomalies: Sequence[Artifact], name: str) -> Artifact | None:
    """The last of the anomalies artifacts that has a file of this name; folders that cannot be listed have none."""
    for given in reversed(anomalies):
        try:
            present = files.listing(given.uri)
        except MonitorError:  # said where the artifact's own anomalies are read
            continue
        if name in present:
            return given
    return None
