"""What the checks of a run have against its model or its span, one by one, read from their files.

What cannot be read is a finding too, one that is not decided.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from components.common.artifacts import evaluation as evaluations
from components.common.artifacts.anomalies import read_anomalies
from components.common.artifacts.files import Artifact, Files
from components.common.artifacts.names import ANOMALIES_FILE
from components.common.artifacts.splits import split_folders
from components.common.artifacts.validation import validation_findings
from components.common.errors import MonitorError
from components.common.records.decision import REASONS_JSON, Decision
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport, Measurement
from components.common.verdict import Effect

from .run_store import Node, Run


@dataclass(frozen=True)
class Finding:
    """One thing that a check has against a model or a span.

    Attributes:
      check: the node that found it, or the gate and the node.
      what: the metric, test or type of anomaly.
      where: the feature, slice or split; "" for the whole.
      message: a sentence for a person, without a full stop.
      short: the same without its details; "" where it has none.
      measured, allowed: the value and its bound; None where there is none.
      decided: whether it is known to be wrong; False for what could not be read or compared.
      blocking: whether the verdict rests on it; False for anomalies that no gate was asked about.
      node: the node whose artifact says so.
      artifact: the artifact.
      file: what to open.

    """

    check: str
    what: str
    where: str
    message: str
    node: str
    artifact: Artifact
    file: str
    measured: float | None = None
    allowed: float | None = None
    decided: bool = True
    blocking: bool = True
    short: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Tells whether another run has the same finding."""
        return (self.check, self.what, self.where)


def findings(run: Run) -> Iterator[Finding]:
    """What the checks of a run have against its model or its span, read from their files, what decided first."""
    yield from objections(run)
    blessings = deciding_blessings(run)
    by_gate = bool(blessings or run.made("PushedModel"))
    besides = [replace(found, blocking=not by_gate) for found in unheeded(run)]
    yield from (found for found in besides if "state" not in found.artifact.properties)
    for node, window in run.made("ExampleAnomalies"):
        if "outcome" in window.properties and not blessings:  # a gate has said already what it made of the window
            yield from _window_findings(node, window, run.files)
    yield from (found for found in besides if "state" in found.artifact.properties)


def objections(run: Run) -> Iterator[Finding]:
    """What the gates of a run have against its model."""
    for node, blessing in deciding_blessings(run):
        if not is_blessed(blessing):
            yield from _blessing_findings(node, blessing, run.files)


def unheeded(run: Run) -> Iterator[Finding]:
    """The anomalies that no gate was given. One that was given them has said what it made of them."""
    taken = {found.id for node, _ in _blessings(run) for artifacts in node.inputs.values() for found in artifacts}
    for node, found in run.made("ExampleAnomalies"):
        if "outcome" not in found.properties and found.id not in taken:
            yield from anomaly_findings(node, found, run.files)


def _blessings(run: Run) -> list[tuple[Node, Artifact]]:
    return [*run.made("ModelBlessing"), *run.made("InfraBlessing")]


def deciding_blessings(run: Run) -> list[tuple[Node, Artifact]]:
    """The blessings that no other check has taken up into its own: PushGate's, and not the Evaluator's before it."""
    blessings = _blessings(run)
    judges = [node for node, _ in blessings]
    taken = {artifact.id for node in judges for artifacts in node.inputs.values() for artifact in artifacts}
    return [(node, found) for node, found in blessings if found.id not in taken]


def is_blessed(blessing: Artifact) -> bool:
    """Whether a blessing says yes. One that says nothing does not: its check had nothing to decide by."""
    return blessing.properties.get("blessed") == 1


def counted(found: Sequence[Finding]) -> str:
    """The first finding in short, and how many more there are."""
    if not found:
        return ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (found[0].short or found[0].message) + more


def _blessing_findings(node: Node, blessing: Artifact, files: Files) -> Iterator[Finding]:
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
        yield Finding(node.name, "blessing", "", message, node.name, blessing, blessing.uri)


def _gate_findings(node: Node, blessing: Artifact, files: Files) -> Iterator[Finding]:
    path = blessing.path(REASONS_JSON)
    try:
        decision = files.record(path, Decision.from_json)
    except MonitorError as error:
        yield _unreadable(node, blessing, path, error)
        return
    blocking = (Effect.FAIL, Effect.UNDECIDED)
    each = [(check, found) for check in decision.checks for found in check.findings]
    for effect in blocking:
        for judged, found in each:
            if found.effect is effect:
                yield Finding(judged.title, found.what, found.where, found.message, node.name, blessing, path,
                              found.measured, found.allowed)  # fmt: skip


def _evaluation_findings(node: Node, evaluation: Artifact, files: Files) -> Iterator[Finding]:
    """What TFMA's validation result has against the model."""
    folder = evaluation.uri
    try:
        result = evaluations.validation_result(folder, files)
    except MonitorError as error:
        yield _unreadable(node, evaluation, folder, error)
        return
    for found in validation_findings(result) if result is not None else []:
        yield Finding(node.name, found.what, found.where, found.message, node.name, evaluation, folder,
                      found.measured, found.allowed)  # fmt: skip


def _window_findings(node: Node, window: Artifact, files: Files) -> Iterator[Finding]:
    """The features of which a test raised the alarm, the most unusual first; the state where there are none."""
    if window.properties["outcome"] == "passed":
        return
    path = window.path(DRIFT_REPORT_JSON)
    try:
        report = files.record(path, DriftReport.from_json)
    except MonitorError as error:
        yield _unreadable(node, window, path, error)
        return
    exceeded = _first_of_each([found for found in report.measurements if found.exceeded])
    for found in exceeded:
        yield Finding(node.name, found.test, found.feature, _told(found), node.name, window, path,
                      found.measured, found.threshold)  # fmt: skip
    if not exceeded:
        yield Finding(node.name, report.state.value, "", report.sentence, node.name, window, path)


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


def anomaly_findings(node: Node, artifact: Artifact, files: Files) -> Iterator[Finding]:
    """TFDV's anomalies in every split, warnings left out."""
    try:
        folders = split_folders(artifact, files)
    except MonitorError as error:
        yield _unreadable(node, artifact, artifact.uri, error)
        return
    for split, folder in folders.items():
        path = f"{folder}/{ANOMALIES_FILE}"
        try:
            found = [each for each in read_anomalies(artifact, folder, files) if not each.harmless]
        except MonitorError as error:
            yield _unreadable(node, artifact, path, error, split)
            continue
        for each in found:
            message = each.description.rstrip(".")
            where = f"{each.feature} in {split}" if each.feature else split
            of = f"{where}: " if each.feature else ""
            yield Finding(node.name, each.type, where, of + message, node.name, artifact, path,
                          short=of + message.partition(": ")[0])  # fmt: skip


def _unreadable(node: Node, artifact: Artifact, file: str, error: MonitorError, where: str = "") -> Finding:
    return Finding(node.name, "input", where, str(error), node.name, artifact, file, decided=False)
