"""What the checks of a run say, read from the artifacts they left. What cannot be read is undecided, never a pass."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import MonitorError
from ..records.decision import REASONS_JSON, Decision
from ..records.drift_report import DRIFT_REPORT_JSON, DriftReport
from ..records.drift_report import State as WindowState
from ..records.log_counts import COUNTS_JSON
from ..records.performance import PERFORMANCE_JSON, Performance, outcome_of
from ..verdict import (
    Check,
    Effect,
    Finding,
    Outcome,
    Push,
    Verdict,
    first_of,
    lowered,
    verdict_of_push,
    verdict_of_span,
    worst,
)
from ..verdict_words import State
from .anomalies import Anomaly, read_anomalies, unnamed_splits
from .files import DAMAGE, Artifact, Files, said
from .sources import Sources
from .splits import split_folders

BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"  # how the names of a blessing's files end
# The checks of a span of serving logs, in the order in which they explain each other.
LOGS, DATA, ACCURACY = "Serving logs", "Data", "Accuracy"
_ORDER = (LOGS, DATA, ACCURACY)


def checks_of(sources: Sources, files: Files) -> tuple[Check, ...]:
    """The checks of a run: those that the push was decided by, or those of a window."""
    if sources.blessing is not None:
        return checks_of_blessing(sources.blessing, files, sources.violations)
    return in_order(check_of_anomalies(artifact, files) for artifact in sources.anomalies)


def verdict_of(sources: Sources, checks: tuple[Check, ...], p_value: float | None = None) -> Verdict:
    """The verdict on a run. One in which nothing was checked, or in which something is missing, is undecided."""
    if sources.blessing is not None or sources.pushed_model is not None:
        return verdict_of_push(checks if sources.blessing is not None else (), _push(sources.pushed_model))
    return verdict_of_span(
        checks, span=_span(sources), p_value=p_value, missing=sources.missing, history=sources.history
    )


def in_order(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks of a span, what explains the rest first."""
    return tuple(sorted(checks, key=lambda check: _ORDER.index(check.name) if check.name in _ORDER else -1))


def check_of_anomalies(artifact: Artifact, files: Files) -> Check:
    """The check that left an `ExampleAnomalies` artifact: by the record beside its anomalies, and by these.

    Both have to be there and to agree; where they do not, or ML Metadata says another thing than the files, the worse
    outcome counts. What cannot be read is undecided.
    """
    name, subject = _kind(artifact, files), artifact.producer or artifact.known_as
    try:
        check = _read_check(name, subject, artifact, files)
    except DAMAGE as error:
        check = Check(name, subject, Outcome.UNDECIDED, f"what it decided cannot be read: {said(error)}")
    check = replace(check, failure=State.DEGRADED) if name == ACCURACY else check
    noted = _noted(artifact)
    if noted is not None and not files.reaches(artifact.uri):
        return replace(check, outcome=noted, reason=_noted_reason(artifact), failure=_noted_failure(name, artifact))
    if noted is not None and worst((noted, check.outcome)) is not check.outcome:
        reason = _noted_reason(artifact) or check.reason
        return replace(check, outcome=noted, reason=reason, failure=_noted_failure(name, artifact))
    return check


def contradicted(artifact: Artifact, files: Files) -> str:
    """Why an artifact's anomalies cannot be relied on, by what else it says of itself; "" where nothing is wrong.

    The record beside them, where there should be one, has to be readable, and neither it nor ML Metadata may say worse.
    """
    name = _kind(artifact, files)
    try:
        recorded = _recorded(name, "", artifact, files)
        by_anomalies = _check_anomalies(name, "", artifact, files)
    except DAMAGE as error:
        return said(error)
    said_of = {"its record": recorded.outcome if recorded else None, "its property": _noted(artifact)}
    for what, outcome in said_of.items():
        if outcome is not None and worst((outcome, by_anomalies.outcome)) is not by_anomalies.outcome:
            return f"{what} says {outcome.value}, and its anomalies {by_anomalies.outcome.value}"
    return ""


def checks_of_blessing(artifact: Artifact, files: Files, violations: Sequence[str] = ()) -> tuple[Check, ...]:
    """The checks behind a blessing: those that PushGate recorded, or the one that its property and its file stand for.

    Args:
      artifact: a `ModelBlessing` or an `InfraBlessing`.
      files: how it is read.
      violations: why it blesses nothing, where its maker leaves no record of that.

    """
    name = artifact.producer or "blessing"
    present: list[str] = []
    try:
        present = files.listing(artifact.uri)
        if REASONS_JSON not in present:
            return (_marker(name, artifact, present, violations),)
        checks = files.record(artifact.path(REASONS_JSON), Decision.from_json).checks
    except DAMAGE as error:
        return (_unread_blessing(name, artifact, files, said(error), recorded=REASONS_JSON in present),)
    if all(check.passed for check in checks) and not _marker(name, artifact, present, violations).passed:
        return (*checks, Check(name, "", Outcome.UNDECIDED, "its reasons bless the model, and its blessing does not"))
    return checks


def _unread_blessing(name: str, artifact: Artifact, files: Files, error: str, *, recorded: bool) -> Check:
    """By its properties: those of one that blesses nothing suffice, the others where nobody here could read more."""
    says = artifact.properties.get("blessed")
    if says is not None and says != 1:
        reason = str(artifact.properties.get("reason", "")).removeprefix("Not blessed. ").rstrip(".")
        return Check(name, "", Outcome.FAILED, reason or f"the model is not blessed by {name}")
    if says == 1 and not files.reaches(artifact.uri):
        return Check(name, "", Outcome.PASSED, f"the model is blessed by {name}")
    if says is None and not recorded:
        return _unwritten(name)
    return Check(name, "", Outcome.UNDECIDED, f"what {name} decided cannot be read: {error}")


def _marker(name: str, artifact: Artifact, present: list[str], violations: Sequence[str]) -> Check:
    """A blessing is one where its property says so, as the Pusher goes by that, and its only file says the same."""
    refused = any(file.endswith(NOT_BLESSED) for file in present)
    marked = any(file.endswith(BLESSED) and not file.endswith(NOT_BLESSED) for file in present)
    says = artifact.properties.get("blessed")
    if says is None and not refused and not marked:
        return _unwritten(name)
    if says == 1 and marked and not refused:
        return Check(name, "", Outcome.PASSED, f"the model is blessed by {name}")
    if says != 1 and not marked:
        return Check(name, "", Outcome.FAILED, "; ".join(violations) or f"the model is not blessed by {name}")
    return Check(name, "", Outcome.UNDECIDED, f"the property `blessed` of {artifact.known_as} and its files disagree")


def _unwritten(name: str) -> Check:
    reason = f"no blessing was written by {name}; does its configuration have a threshold?"
    return Check(name, "", Outcome.UNDECIDED, reason)


def _kind(artifact: Artifact, files: Files) -> str:
    """What a check is of: what its properties say, since its files may be gone, or else what lies there."""
    try:
        present = files.listing(artifact.uri)
    except MonitorError:  # said where they are read
        present = []
    if "outcome" in artifact.properties or DRIFT_REPORT_JSON in present:
        return DATA
    if "state" in artifact.properties or PERFORMANCE_JSON in present:
        return ACCURACY
    return LOGS if COUNTS_JSON in present else "Anomalies"


def _read_check(name: str, subject: str, artifact: Artifact, files: Files) -> Check:
    recorded = _recorded(name, subject, artifact, files)
    by_anomalies = _check_anomalies(name, subject, artifact, files)
    return by_anomalies if recorded is None or (recorded.passed and not by_anomalies.passed) else recorded


def _recorded(name: str, subject: str, artifact: Artifact, files: Files) -> Check | None:
    """The check as its record beside the anomalies has it; None for one that leaves no record."""
    if name == DATA:
        report = files.record(artifact.path(DRIFT_REPORT_JSON), DriftReport.from_json)
        problems = tuple(Finding("problem", "", Effect.WARN, each) for each in report.problems)
        changed = report.state is WindowState.CHANGED and not report.invalid
        reason = _first(
            [each for each in report.invalid if each.lower() not in report.sentence.lower()], report.sentence
        )
        return Check(name, subject, report.outcome, reason, problems, State.CHANGED if changed else State.INVALID)
    if name == ACCURACY:
        check = files.record(artifact.path(PERFORMANCE_JSON), Performance.from_json).check
        return replace(check, name=name, subject=subject)
    return None


def _first(problems: Sequence[str], sentence: str) -> str:
    """The problems, and then the sentence."""
    told = first_of([lowered(each.rstrip(".")) for each in problems])
    return f"{told[:1].upper()}{told[1:]}. {sentence}" if told else sentence


def _check_anomalies(name: str, subject: str, artifact: Artifact, files: Files) -> Check:
    """Every anomaly but a warning fails it, one of unknown severity too; a split that cannot be read is undecided."""
    unnamed = unnamed_splits(artifact, files)
    findings = [Finding("input", "", Effect.UNDECIDED, unnamed)] if unnamed else []
    folders = split_folders(artifact, files)
    for split, folder in folders.items():
        try:
            anomalies = read_anomalies(artifact, folder, files)
        except MonitorError as error:
            findings.append(Finding("input", split, Effect.UNDECIDED, str(error)))
        else:
            findings += [_finding(each, split if len(folders) > 1 else "") for each in anomalies]
    passed = "nothing worse than a warning" if findings else "no anomaly"
    return Check.of(name, findings, passed=passed, subject=subject)


def _finding(anomaly: Anomaly, split: str) -> Finding:
    """An anomaly as a finding; `split` is named where there are several."""
    where = " in ".join(part for part in (anomaly.feature, split) if part)
    told = anomaly.short or anomaly.description.rstrip(".")
    return Finding(anomaly.type, where, anomaly.effect, f"{where}: {told}" if where else told)


def _noted_reason(artifact: Artifact) -> str:
    return str(artifact.properties.get("sentence", artifact.properties.get("reason", "")))


def _noted_failure(name: str, artifact: Artifact) -> State:
    """What its properties say of a span where they say that the check failed."""
    if name == ACCURACY:
        return State.DEGRADED
    return State.CHANGED if artifact.properties.get("state") == WindowState.CHANGED.value else State.INVALID


def _noted(artifact: Artifact) -> Outcome | None:
    """The outcome in the properties that a check wrote; None where it wrote none."""
    if "outcome" in artifact.properties:
        value = artifact.properties["outcome"]
        return Outcome(value) if value in list(Outcome) else Outcome.UNDECIDED
    if "state" in artifact.properties:
        return outcome_of(str(artifact.properties["state"]))
    return None


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
