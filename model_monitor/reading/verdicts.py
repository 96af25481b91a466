"""What became of a run, from what its artifacts say: pushed or not and why, a span fine or not, or nothing judged.

Goes by the types and properties of artifacts and not by names of nodes or pipelines, so that runs of stock TFX
pipelines are read like ours. What cannot be read is never a pass.
"""

import json
import math
from dataclasses import dataclass
from enum import Enum

from components.common.artifacts.files import Artifact, Files
from components.common.records.performance import outcome_of
from components.common.verdict import Outcome

from .findings import Finding, anomaly_findings, counted, deciding_blessings, is_blessed, objections, unheeded
from .run_store import Node, Run


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


_SPAN_STATES = {Outcome.PASSED: State.FINE, Outcome.FAILED: State.NOT_FINE, Outcome.UNDECIDED: State.UNDECIDED}


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
    if deciding_blessings(run):
        return _blessed(run)
    return _data(run)


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
        if not deciding_blessings(run) and not pusher.cached:
            reason = "no check was asked"
        return Verdict(State.PUSHED, reason + _but(run), version, destination)
    return Verdict(State.NOT_PUSHED, _first_reason(run) or "the pusher does not say why")


def _blessed(run: Run) -> Verdict:
    if all(is_blessed(found) for _, found in deciding_blessings(run)):
        return Verdict(State.BLESSED, "every check let it pass, and the pipeline does not push" + _but(run))
    return Verdict(State.NOT_BLESSED, _first_reason(run))


def _but(run: Run) -> str:
    """What is known to be wrong with the data and does not stop a push, as nothing does in a stock pipeline."""
    found = [each for each in unheeded(run) if each.decided]
    if not found:
        return ""
    return f"; but {found[0].node}, which the push does not depend on, says: {counted(found)}"


def _first_reason(run: Run) -> str:
    """Why a model was not blessed: the property that PushGate writes, or else what the files say."""
    for _, blessing in deciding_blessings(run):
        reason = str(blessing.properties.get("reason", ""))
        if reason and not is_blessed(blessing):
            return reason.removeprefix("Not blessed. ").rstrip(".")
    return counted(list(objections(run)))


def span_checks(run: Run) -> list[SpanCheck]:
    """What each check of a run on a span says, the comparison with the baseline first."""
    checks = [_span_check(*each, run.files) for each in run.made("ExampleAnomalies")]
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


def _span_check(node: Node, artifact: Artifact, files: Files) -> SpanCheck:
    """What an anomalies artifact is of: the comparison, the accuracy, or else the logs themselves."""
    found = artifact.properties
    if "outcome" in found:
        state = _SPAN_STATES[_outcome(found["outcome"])]
        return SpanCheck(CheckOf.DATA, state, str(found.get("sentence", "")), artifact)
    if "state" in found:
        state = _SPAN_STATES[outcome_of(str(found["state"]))]
        reason = "" if state is State.FINE else str(found.get("reason", ""))
        return SpanCheck(CheckOf.ACCURACY, state, reason, artifact)
    problems = list(anomaly_findings(node, artifact, files))
    state, reason = _state_of(problems) if problems else (State.FINE, "")
    return SpanCheck(CheckOf.LOGS, state, reason, artifact)


def _outcome(value: object) -> Outcome:
    return Outcome(value) if value in list(Outcome) else Outcome.UNDECIDED


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
    problems = [finding for node, found in checked for finding in anomaly_findings(node, found, run.files)]
    if problems:
        return Verdict(*_state_of(problems))
    return Verdict(State.FINE, "no anomalies in the data")


def _state_of(problems: list[Finding]) -> tuple[State, str]:
    """Not fine when something is known to be wrong; undecided when the worst is that something could not be read."""
    worst = [each for each in problems if each.decided] or problems
    rest = [each for each in problems if each not in worst]
    state = State.NOT_FINE if worst[0].decided else State.UNDECIDED
    return state, counted((*worst, *rest))
