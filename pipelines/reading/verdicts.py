"""What became of a run, from what its artifacts say: pushed or not and why, a span fine or not, or nothing judged.

Goes by the types and properties of artifacts and not by names of nodes or pipelines, so that runs of stock TFX
pipelines are read like ours. What cannot be read is never a pass.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from components.push_gate.evaluation import validation_findings
from components.push_gate.verdict import REASONS_JSON, Decision, Effect
from components.skew_drift_validator.drift_report import DRIFT_REPORT_JSON, DriftReport, Measurement
from components.validation import MonitorError

from ..inspect import Artifact, Node, Run
from . import tfma_files
from .artifact_tables import data
from .artifact_tables.table import read_record, split_folders

_HARMLESS = ("WARNING",)  # severities of anomalies that do not make a span unfit


class State(str, Enum):
    """What can be said of a run. `pushed`, `blessed` and `fine` are good, and nothing else is."""

    PUSHED = "pushed"
    NOT_PUSHED = "not_pushed"
    BLESSED = "blessed"
    NOT_BLESSED = "not_blessed"
    FINE = "fine"
    NOT_FINE = "not_fine"
    UNDECIDED = "undecided"
    FAILED = "failed"
    RUNNING = "running"
    NO_VERDICT = "no_verdict"

    @property
    def good(self) -> bool:
        return self in (State.PUSHED, State.BLESSED, State.FINE)


_OUTCOMES = {"passed": State.FINE, "failed": State.NOT_FINE}


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


@dataclass(frozen=True)
class Verdict:
    """What became of a run.

    Attributes:
      state: in one word.
      reason: in a few words, without a full stop.
      version: the pushed version; "" where none was.
      destination: its folder.
      span: the span of serving logs that was looked at; None where none was.
      p_value: of that span; None where nothing was compared.
      accuracy: estimated or measured on that span; None where it is not known.

    """

    state: State
    reason: str
    version: str = ""
    destination: str = ""
    span: int | None = None
    p_value: float | None = None
    accuracy: float | None = None


class CheckOf(str, Enum):
    """What a check of a span looks at."""

    LOGS = "logs"
    DATA = "data"
    ACCURACY = "accuracy"


@dataclass(frozen=True)
class SpanCheck:
    """What one check says of a span, in a state and a few words; "" where it has nothing to say."""

    of: CheckOf
    state: State
    reason: str
    artifact: Artifact


def verdict(run: Run) -> Verdict:
    """What became of a run. Reads ML Metadata, and files only where that does not say why a model was not blessed."""
    failed = [_failure(node) for node in run.nodes.values() if node.state in ("FAILED", "CANCELED")]
    running = [node.name for node in run.nodes.values() if node.state in ("NEW", "RUNNING")]
    if failed:
        return Verdict(State.FAILED, "; ".join(failed))
    pushes = run.made("PushedModel")
    if pushes:
        return _pushed(run, *pushes[-1])
    if running:
        return Verdict(State.RUNNING, f"{', '.join(running)} is running, or was stopped")
    windows = [found for _, found in run.made("ExampleAnomalies") if "outcome" in found.properties]
    if windows:
        return _span(run, windows[-1])
    if _deciding_blessings(run):
        return _blessed(run)
    return _data(run)


def findings(run: Run) -> Iterator[Finding]:
    """What the checks of a run have against its model or its span, read from their files, what decided first."""
    yield from objections(run)
    blessings = _deciding_blessings(run)
    by_gate = bool(blessings or run.made("PushedModel"))
    besides = [replace(found, blocking=not by_gate) for found in _unheeded(run)]
    yield from (found for found in besides if "state" not in found.artifact.properties)
    for node, window in run.made("ExampleAnomalies"):
        if "outcome" in window.properties and not blessings:  # a gate has said already what it made of the window
            yield from _window_findings(node, window)
    yield from (found for found in besides if "state" in found.artifact.properties)


def objections(run: Run) -> Iterator[Finding]:
    """What the gates of a run have against its model."""
    for node, blessing in _deciding_blessings(run):
        if not is_blessed(blessing):
            yield from _blessing_findings(node, blessing)


def _unheeded(run: Run) -> Iterator[Finding]:
    """The anomalies that no gate was given. One that was given them has said what it made of them."""
    taken = {found.id for node, _ in _blessings(run) for artifacts in node.inputs.values() for found in artifacts}
    for node, found in run.made("ExampleAnomalies"):
        if "outcome" not in found.properties and found.id not in taken:
            yield from _anomaly_findings(node, found)


def _blessings(run: Run) -> list[tuple[Node, Artifact]]:
    return [*run.made("ModelBlessing"), *run.made("InfraBlessing")]


def _deciding_blessings(run: Run) -> list[tuple[Node, Artifact]]:
    """The blessings that no other check has taken up into its own: PushGate's, and not the Evaluator's before it."""
    blessings = _blessings(run)
    judges = [node for node, _ in blessings]
    taken = {artifact.id for node in judges for artifacts in node.inputs.values() for artifact in artifacts}
    return [(node, found) for node, found in blessings if found.id not in taken]


def is_blessed(blessing: Artifact) -> bool:
    """Whether a blessing says yes. One that says nothing does not: its check had nothing to decide by."""
    return blessing.properties.get("blessed") == 1


def _failure(node: Node) -> str:
    """That a node failed, and what it said where TFX has noted it."""
    try:
        said = json.loads(str(node.parameters.get("__execution_result__", "{}"))).get("resultMessage", "")
    except (json.JSONDecodeError, AttributeError):
        said = ""
    lines = str(said).strip().splitlines()
    word = "was cancelled" if node.state == "CANCELED" else "failed"
    return f"{node.name} {word}" + (f": {lines[-1]}" if lines else "")


def _pushed(run: Run, pusher: Node, push: Artifact) -> Verdict:
    version = str(push.properties.get("pushed_version", ""))
    destination = str(push.properties.get("pushed_destination", ""))
    if push.properties.get("pushed") == 1:
        reason = "nothing has changed since it was pushed" if pusher.cached else "every check let it pass"
        if not _deciding_blessings(run) and not pusher.cached:
            reason = "no check was asked"
        return Verdict(State.PUSHED, reason + _but(run), version, destination)
    return Verdict(State.NOT_PUSHED, _first_reason(run) or "the pusher does not say why")


def _blessed(run: Run) -> Verdict:
    if all(is_blessed(found) for _, found in _deciding_blessings(run)):
        return Verdict(State.BLESSED, "every check let it pass, and the pipeline does not push" + _but(run))
    return Verdict(State.NOT_BLESSED, _first_reason(run))


def _but(run: Run) -> str:
    """What is known to be wrong with the data and does not stop a push, as nothing does in a stock pipeline."""
    found = [each for each in _unheeded(run) if each.decided]
    if not found:
        return ""
    return f"; but {found[0].node}, which the push does not depend on, says: {counted(found)}"


def _first_reason(run: Run) -> str:
    """Why a model was not blessed: the property that PushGate writes, or else what the files say."""
    for _, blessing in _deciding_blessings(run):
        reason = str(blessing.properties.get("reason", ""))
        if reason and not is_blessed(blessing):
            return reason.removeprefix("Not blessed. ").rstrip(".")
    return counted(list(objections(run)))


def span_checks(run: Run) -> list[SpanCheck]:
    """What each check of a run on a span says, the comparison with the baseline first."""
    checks = [_span_check(*each) for each in run.made("ExampleAnomalies")]
    order = (CheckOf.LOGS, CheckOf.DATA, CheckOf.ACCURACY)  # logs that are wrong explain all the rest
    return sorted(checks, key=lambda check: order.index(check.of))


def _span(run: Run, window: Artifact) -> Verdict:
    """The verdict on a span: the worst of the comparison, the accuracy, and the checks of its logs."""
    checks = span_checks(run)
    accuracy = [each.artifact for each in checks if "estimated_accuracy" in each.artifact.properties]
    order = (State.NOT_FINE, State.UNDECIDED, State.FINE)
    state = min((each.state for each in checks), key=order.index)
    reasons = [each.reason for each in checks if each.state is state and each.reason]
    p_value = float(window.properties.get("p_value", -1))
    return Verdict(
        state=state,
        reason=". ".join(reason.rstrip(".") for reason in reasons),
        span=_span_number(run, window),
        p_value=p_value if p_value >= 0 else None,
        accuracy=_accuracy(accuracy[-1]) if accuracy else None,
    )


def _span_check(node: Node, artifact: Artifact) -> SpanCheck:
    """What an anomalies artifact is of: the comparison, the accuracy, or else the logs themselves."""
    found = artifact.properties
    if "outcome" in found:
        state = _OUTCOMES.get(str(found["outcome"]), State.UNDECIDED)
        return SpanCheck(CheckOf.DATA, state, str(found.get("sentence", "")), artifact)
    if "state" in found:
        state = {"fine": State.FINE, "hurts": State.NOT_FINE}.get(str(found["state"]), State.UNDECIDED)
        reason = "" if state is State.FINE else str(found.get("reason", ""))
        return SpanCheck(CheckOf.ACCURACY, state, reason, artifact)
    problems = list(_anomaly_findings(node, artifact))
    state, reason = _state_of(problems) if problems else (State.FINE, "")
    return SpanCheck(CheckOf.LOGS, state, reason, artifact)


def _accuracy(artifact: Artifact) -> float | None:
    """The accuracy by labels where there are some, else the estimated one."""
    for key in ("measured_accuracy", "estimated_accuracy"):
        value = artifact.properties.get(key)
        if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
            return float(value)
    return None


def _span_number(run: Run, window: Artifact) -> int | None:
    candidates = [window, *(found for _, found in run.made("Examples"))]
    spans = [found.properties["span"] for found in candidates if "span" in found.properties]
    return int(spans[0]) if spans else None


def _data(run: Run) -> Verdict:
    """The verdict on a run that judged no model: what ExampleValidator says, if it was there."""
    checked = run.made("ExampleAnomalies")
    if not checked:
        return Verdict(State.NO_VERDICT, "nothing was judged")
    problems = [finding for node, found in checked for finding in _anomaly_findings(node, found)]
    if problems:
        return Verdict(*_state_of(problems))
    return Verdict(State.FINE, "no anomalies in the data")


def _state_of(problems: list[Finding]) -> tuple[State, str]:
    """Not fine when something is known to be wrong; undecided when the worst is that something could not be read."""
    worst = [each for each in problems if each.decided] or problems
    rest = [each for each in problems if each not in worst]
    state = State.NOT_FINE if worst[0].decided else State.UNDECIDED
    return state, counted((*worst, *rest))


def counted(found: Sequence[Finding]) -> str:
    """The first finding in short, and how many more there are."""
    if not found:
        return ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (found[0].short or found[0].message) + more


def _blessing_findings(node: Node, blessing: Artifact) -> Iterator[Finding]:
    reasons = blessing.path / REASONS_JSON
    if reasons.exists():
        yield from _gate_findings(node, blessing)
        return
    evaluations = [found for found in node.made if found.type == "ModelEvaluation"]
    explained = [finding for found in evaluations for finding in _evaluation_findings(node, found)]
    yield from explained
    if not explained:
        says = "blessed" in blessing.properties
        message = f"{node.name} did not bless the model" if says else f"{node.name} wrote no blessing: no threshold?"
        yield Finding(node.name, "blessing", "", message, node.name, blessing, str(blessing.path))


def _gate_findings(node: Node, blessing: Artifact) -> Iterator[Finding]:
    path = blessing.path / REASONS_JSON
    try:
        decision = read_record(path, Decision.from_json)
    except MonitorError as error:
        yield _unreadable(node, blessing, str(path), error)
        return
    blocking = (Effect.FAIL, Effect.UNDECIDED)
    each = [(verdict, found) for verdict in decision.verdicts for found in verdict.findings]
    for effect in blocking:
        for judged, found in each:
            if found.effect is effect:
                check = f"{judged.gate} of {judged.subject}" if judged.subject else judged.gate
                yield Finding(check, found.what, found.where, found.message, node.name, blessing, str(path),
                              found.measured, found.bound)  # fmt: skip


def _evaluation_findings(node: Node, evaluation: Artifact) -> Iterator[Finding]:
    """What TFMA's validation result has against the model."""
    folder = str(evaluation.path)
    try:
        result = tfma_files.validation_result(evaluation.path)
    except MonitorError as error:
        yield _unreadable(node, evaluation, folder, error)
        return
    for found in validation_findings(result) if result is not None else []:
        yield Finding(node.name, found.what, found.where, found.message, node.name, evaluation, folder,
                      found.measured, found.bound)  # fmt: skip


def _window_findings(node: Node, window: Artifact) -> Iterator[Finding]:
    """The features of which a test raised the alarm, the most unusual first; the state where there are none."""
    if window.properties["outcome"] == "passed":
        return
    path = window.path / DRIFT_REPORT_JSON
    try:
        report = read_record(path, DriftReport.from_json)
    except MonitorError as error:
        yield _unreadable(node, window, str(path), error)
        return
    exceeded = _first_of_each([found for found in report.measurements if found.exceeded])
    for found in exceeded:
        yield Finding(node.name, found.test, found.feature, _told(found), node.name, window, str(path),
                      found.measured, found.threshold)  # fmt: skip
    if not exceeded:
        yield Finding(node.name, report.state.value, "", report.sentence, node.name, window, str(path))


def _first_of_each(measurements: Iterable[Measurement]) -> list[Measurement]:
    """The most unusual test of each feature; those of all features together last."""
    first: dict[str, Measurement] = {}
    for found in measurements:
        first.setdefault(found.feature, found)
    return sorted(first.values(), key=lambda found: found.feature == "")


def _told(found: Measurement) -> str:
    against = "the baseline" if found.comparison == "skew" else "the span before"
    mean = ""
    if found.reference_mean is not None and found.window_mean is not None:
        mean = f", mean {found.reference_mean:.3g} -> {found.window_mean:.3g}"
    return f"{found.feature or 'all features together'} against {against}{mean}"


def _anomaly_findings(node: Node, artifact: Artifact) -> Iterator[Finding]:
    """TFDV's anomalies in every split, warnings left out."""
    for split, folder in split_folders(artifact).items():
        path = str(folder / "SchemaDiff.pb")
        try:
            found = [each for each in data.read_anomalies(artifact, folder) if each.severity not in _HARMLESS]
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
