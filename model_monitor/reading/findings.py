"""The findings of a run's checks of its model or its span, one by one, read from their files.

What cannot be read is a finding too, one that is not decided.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from components.common.artifacts import evaluation as evaluations
from components.common.artifacts.anomalies import read_anomalies
from components.common.artifacts.checks import check_of_anomalies
from components.common.artifacts.files import Artifact, Files
from components.common.artifacts.names import ANOMALIES_FILE
from components.common.artifacts.splits import split_folders
from components.common.artifacts.validation import validation_findings
from components.common.errors import MonitorError
from components.common.records.decision import REASONS_JSON, Decision
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport, Measurement
from components.common.verdict import Effect, Finding, Outcome

from .run_store import Node, Run


@dataclass(frozen=True, kw_only=True)
class RunFinding(Finding):
    """A finding with where it comes from.

    Attributes:
      check: the node that found it, or the gate's check.
      node: the node whose artifact says so.
      artifact: the artifact.
      file: what to open.
      blocking: whether the verdict rests on it; False for anomalies that no gate was asked about.
      short: the message without its details; "" where it has none.

    """

    check: str
    node: str
    artifact: Artifact
    file: str
    blocking: bool = True
    short: str = ""

    @property
    def decided(self) -> bool:
        """Whether it is known to be wrong; not what could not be read or compared."""
        return self.effect is Effect.FAIL

    @property
    def key(self) -> tuple[str, str, str]:
        """Tells whether another run has the same finding."""
        return (self.check, self.what, self.where)


def findings(run: Run) -> list[RunFinding]:
    """The findings of a run's checks of its model or its span, read from their files, what decided first."""
    found = list(_read_findings(run))
    explained = {each.artifact.id for each in found}
    for node, artifact in _given_to_no_gate(run):
        if artifact.id in explained:
            continue
        check = check_of_anomalies(artifact, run.files)
        if not check.passed:  # its record cannot be read, say
            effect = Effect.FAIL if check.outcome is Outcome.FAILED else Effect.UNDECIDED
            reason = Finding("input", "", effect, check.reason)
            found.append(_finding(node, artifact, artifact.uri, reason, blocking=not _by_gate(run)))
    return found


def _read_findings(run: Run) -> Iterator[RunFinding]:
    yield from violations(run)
    blessings = deciding_blessings(run)
    besides = [replace(found, blocking=not _by_gate(run)) for found in unheeded(run)]
    yield from (found for found in besides if "state" not in found.artifact.properties)
    for node, window in run.made("ExampleAnomalies"):
        if "outcome" in window.properties and not blessings:  # a gate has said already what it made of the window
            yield from _window_findings(node, window, run.files)
    yield from (found for found in besides if "state" in found.artifact.properties)


def violations(run: Run) -> Iterator[RunFinding]:
    """Why the gates of a run do not bless its model."""
    for node, blessing in deciding_blessings(run):
        yield from violations_of(run, node, blessing)


def violations_of(run: Run, node: Node, blessing: Artifact) -> Iterator[RunFinding]:
    """Why one blessing does not bless the model; nothing where it does."""
    if not is_blessed(blessing):
        yield from _blessing_findings(node, blessing, run.files)


def unheeded(run: Run) -> Iterator[RunFinding]:
    """The anomalies that no gate was given. One that was given them has said what it made of them."""
    for node, artifact in _given_to_no_gate(run):
        if "outcome" not in artifact.properties:
            yield from anomaly_findings(node, artifact, run.files)


def _given_to_no_gate(run: Run) -> Iterator[tuple[Node, Artifact]]:
    """The anomalies of a run that no gate was given, each with the node that made them."""
    taken = _inputs_of(node for node, _ in _blessings(run))
    return ((node, artifact) for node, artifact in run.made("ExampleAnomalies") if artifact.id not in taken)


def _inputs_of(nodes: Iterable[Node]) -> set[int]:
    """The ids of all artifacts that some nodes were given."""
    return {artifact.id for node in nodes for artifacts in node.inputs.values() for artifact in artifacts}


def _by_gate(run: Run) -> bool:
    """Whether a gate or a push decided on the run, and not the checks alone."""
    return bool(deciding_blessings(run) or run.made("PushedModel"))


def _blessings(run: Run) -> list[tuple[Node, Artifact]]:
    return [*run.made("ModelBlessing"), *run.made("InfraBlessing")]


def deciding_blessings(run: Run) -> list[tuple[Node, Artifact]]:
    """The blessings that no other check has taken up into its own: PushGate's, and not the Evaluator's before it."""
    blessings = _blessings(run)
    taken = _inputs_of(node for node, _ in blessings)
    return [(node, found) for node, found in blessings if found.id not in taken]


def is_blessed(blessing: Artifact) -> bool:
    """Whether a blessing says yes. One that says nothing does not: its check had nothing to decide by."""
    return blessing.properties.get("blessed") == 1


def counted(found: Sequence[RunFinding]) -> str:
    """The first finding in short, and how many more there are."""
    if not found:
        return ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (found[0].short or found[0].message) + more


def _blessing_findings(node: Node, blessing: Artifact, files: Files) -> Iterator[RunFinding]:
    try:
        by_gate = files.holds(blessing.uri, REASONS_JSON)
    except MonitorError:
        by_gate = False  # of a blessing whose folder is gone, its properties still say that it is none
    if by_gate:
        yield from _gate_findings(node, blessing, files)
        return
    evaluated = [found for found in node.made if found.type == "ModelEvaluation"]
    explained = [finding for found in evaluated for finding in _evaluation_findings(node, found, files)]
    yield from explained
    if not explained:
        says = "blessed" in blessing.properties
        message = f"{node.name} did not bless the model" if says else f"{node.name} wrote no blessing: no threshold?"
        effect = Effect.FAIL if says else Effect.UNDECIDED
        yield _finding(node, blessing, blessing.uri, Finding("blessing", "", effect, message))


def _gate_findings(node: Node, blessing: Artifact, files: Files) -> Iterator[RunFinding]:
    path = blessing.path(REASONS_JSON)
    try:
        decision = files.record(path, Decision.from_json)
    except MonitorError as error:
        yield _unreadable(node, blessing, path, error)
        return
    each = [(check, found) for check in decision.checks for found in check.findings]
    for effect in (Effect.FAIL, Effect.UNDECIDED):
        for check, found in each:
            if found.effect is effect:
                yield _finding(node, blessing, path, found, check=check.title)


def _evaluation_findings(node: Node, evaluation: Artifact, files: Files) -> Iterator[RunFinding]:
    """The thresholds of TFMA's validation that the model missed."""
    folder = evaluation.uri
    try:
        result = evaluations.validation_result(folder, files)
    except MonitorError as error:
        yield _unreadable(node, evaluation, folder, error)
        return
    for found in validation_findings(result) if result is not None else []:
        if found.blocks:
            yield _finding(node, evaluation, folder, found)


def _window_findings(node: Node, window: Artifact, files: Files) -> Iterator[RunFinding]:
    """The features of which a test raised the alarm, the most unusual first; the state where there are none."""
    path = window.path(DRIFT_REPORT_JSON)
    try:
        report = files.record(path, DriftReport.from_json)
    except MonitorError as error:
        yield _unreadable(node, window, path, error)
        return
    if report.outcome is Outcome.PASSED:
        yield from anomaly_findings(node, window, files)
        return
    exceeded = _first_of_each([found for found in report.measurements if found.exceeded])
    if not exceeded or report.invalid:  # what is outside the schema decides before what differs
        effect = Effect.UNDECIDED if report.outcome is Outcome.UNDECIDED else Effect.FAIL
        what, said = ("invalid", "; ".join(report.invalid)) if exceeded else (report.state.value, report.sentence)
        yield _finding(node, window, path, Finding(what, "", effect, said))
    for found in exceeded:
        reason = Finding(found.test, found.feature, Effect.FAIL, _told(found), found.measured, found.threshold)
        yield _finding(node, window, path, reason)


def _first_of_each(measurements: Iterable[Measurement]) -> list[Measurement]:
    """The most unusual test of each feature; those of all features together last."""
    first: dict[str, Measurement] = {}
    for found in measurements:
        first.setdefault(found.feature, found)
    return sorted(first.values(), key=lambda found: found.feature == "")


def _told(found: Measurement) -> str:
    against = "the baseline" if found.comparison == "skew" else "the previous span"
    mean = ""
    if found.reference_mean is not None and found.window_mean is not None:
        mean = f", mean {found.reference_mean:.3g} -> {found.window_mean:.3g}"
    return f"{found.feature or 'all features together'} against {against}{mean}"


def anomaly_findings(node: Node, artifact: Artifact, files: Files) -> Iterator[RunFinding]:
    """TFDV's anomalies in every split, warnings left out."""
    try:
        folders = split_folders(artifact, files)
    except MonitorError as error:
        yield _unreadable(node, artifact, artifact.uri, error)
        return
    for split, folder in folders.items():
        path = f"{folder}/{ANOMALIES_FILE}"
        try:
            anomalies = read_anomalies(artifact, folder, files)
        except MonitorError as error:
            yield _unreadable(node, artifact, path, error, split)
            continue
        for each in anomalies:
            if each.effect is Effect.WARN:
                continue
            message = each.description.rstrip(".")
            where = f"{each.feature} in {split}" if each.feature else split
            of = f"{where}: " if each.feature else ""
            found = Finding(each.type, where, each.effect, of + message)
            yield _finding(node, artifact, path, found, short=of + message.partition(": ")[0])


def _unreadable(node: Node, artifact: Artifact, file: str, error: MonitorError, where: str = "") -> RunFinding:
    return _finding(node, artifact, file, Finding("input", where, Effect.UNDECIDED, str(error)))


def _finding(  # noqa: PLR0913 - a finding and where it comes from
    node: Node,
    artifact: Artifact,
    file: str,
    found: Finding,
    *,
    check: str = "",
    short: str = "",
    blocking: bool = True,
) -> RunFinding:
    return RunFinding(**vars(found), check=check or node.name, node=node.name, artifact=artifact, file=file,
                      short=short, blocking=blocking)  # fmt: skip
