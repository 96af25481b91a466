"""What became of a run, from what its artifacts say: pushed or not and why, a span fine or not, or nothing judged.

Goes by the types and properties of artifacts and not by names of nodes or pipelines, so that runs of stock TFX
pipelines are read like ours. What cannot be read is never a pass.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from components.common.artifacts import checks
from components.common.artifacts.files import Artifact
from components.common.pages.page_artifact import HISTORY_PARAMETER
from components.common.records.span_history import NOTHING_KNOWN, SpanHistory
from components.common.strict_text import TextError, parse_json
from components.common.verdict import Check, Push, Verdict, verdict_of_push, verdict_of_span
from components.common.verdict_words import Outcome, State, tone

from . import roles
from .findings import counted, deciding_blessings, unheeded, violations_of
from .run_store import Node, Run


@dataclass(frozen=True)
class RunVerdict(Verdict):
    """The verdict on a run, with what it is about.

    Attributes:
      checks: what the verdict rests on; none where the run came to no verdict.
      version: the pushed version; "" where none was.
      destination: its folder.
      span: the span of serving logs that was evaluated; None where none was.
      p_value: of that span; None where nothing was compared.
      accuracy: estimated or measured on that span; None where it is not known.
      history: what was known of the span and of those before it.

    """

    checks: tuple[Check, ...] = ()
    version: str = ""
    destination: str = ""
    span: int | None = None
    p_value: float | None = None
    accuracy: float | None = None
    history: SpanHistory = NOTHING_KNOWN


class CheckOf(str, Enum):
    """What a check of a span looks at."""

    LOGS = "logs"
    DATA = "data"
    ACCURACY = "accuracy"


_KINDS = {checks.DATA: CheckOf.DATA, checks.ACCURACY: CheckOf.ACCURACY}


@dataclass(frozen=True)
class SpanCheck:
    """A check of a span, what it looks at, and the artifact that it left."""

    of: CheckOf
    check: Check
    artifact: Artifact

    @property
    def outcome(self) -> Outcome:
        return self.check.outcome

    @property
    def state(self) -> State:
        """What it says of the span, taken alone."""
        return self.check.state

    @property
    def tone(self) -> str:
        """The style in which that is shown."""
        return tone(self.check.state, self.check.outcome)


def verdict(run: Run) -> RunVerdict:
    """What became of a run, by the artifacts that its checks left and by what ML Metadata says of them.

    A guard fails because of what the checks say, and that is told. It is a failure of its own where they found nothing.
    """
    failed = [node for node in run.nodes.values() if node.state in ("FAILED", "CANCELED")]
    others = [node for node in failed if node.component != roles.GUARD]
    says = _verdict(run, others)
    return _verdict(run, failed) if says.outcome is Outcome.PASSED and len(others) < len(failed) else says


def _verdict(run: Run, failed: Sequence[Node]) -> RunVerdict:
    running = [node.name for node in run.nodes.values() if node.state in ("NEW", "RUNNING")]
    if failed:
        return RunVerdict(Outcome.FAILED, "The run failed", "; ".join(map(_failure, failed)), State.FAILED)
    pushes = run.made("PushedModel")
    if pushes:
        return _pushed(run, *pushes[-1])
    if running:
        reason = f"{', '.join(running)} is running, or was stopped"
        return RunVerdict(Outcome.UNDECIDED, "No verdict yet", reason, State.RUNNING)
    if run.unstarted:
        reason = f"{run.unstarted[0]} is to come, or the run was stopped before it"
        return RunVerdict(Outcome.UNDECIDED, "No verdict yet", reason, State.RUNNING)
    windows = [found for _, found in run.made("ExampleAnomalies") if "outcome" in found.properties]
    if deciding_blessings(run) and not windows:
        return _blessed(run)
    return _span(run, windows[-1] if windows else None)


def _failure(node: Node) -> str:
    """That a node failed, and what it said where TFX has noted it."""
    try:
        said = parse_json(str(node.parameters.get("__execution_result__", "{}"))).get("resultMessage", "")
    except (TextError, AttributeError):
        said = ""
    lines = str(said).strip().splitlines()
    word = "was cancelled" if node.state == "CANCELED" else "failed"
    return f"{node.name} {word}" + (f": {lines[-1]}" if lines else "")


def _pushed(run: Run, pusher: Node, push: Artifact) -> RunVerdict:
    version = str(push.properties.get("pushed_version", ""))
    destination = str(push.properties.get("pushed_destination", ""))
    found = _push_checks(run)
    pushed = Push(
        pushed=push.properties.get("pushed") == 1,
        version=version or destination,
        repeated=pusher.cached,
        gone=bool(destination) and run.files.gone(destination),
    )
    says = verdict_of_push(found, pushed)
    if says.state is not State.PUSHED:
        return _with(says, checks=found)
    return _with(says, reason=says.reason + _but(run), checks=found, version=version, destination=destination)


def _blessed(run: Run) -> RunVerdict:
    found = _push_checks(run)
    says = verdict_of_push(found, None)
    but = _but(run) if says.state is State.BLESSED else ""
    return _with(says, reason=says.reason + but, checks=found)


def _with(says: Verdict, **known: Any) -> RunVerdict:
    """A verdict with what it is about."""
    return RunVerdict(**{**vars(says), **known})


def history_of(run: Run) -> SpanHistory:
    """What was known of the span and of those before it when the run began, as its report was told.

    Raises:
      MonitorError: it is damaged.

    """
    reports = [node for node in run.nodes.values() if node.component == roles.REPORT]
    return SpanHistory.from_json(str(reports[-1].parameters.get(HISTORY_PARAMETER) or "") if reports else "")


def _push_checks(run: Run) -> tuple[Check, ...]:
    """The checks that a push depends on: those behind the blessings that no other check has taken up into its own."""
    found: list[Check] = []
    for node, blessing in deciding_blessings(run):
        violations = [each.message for each in violations_of(run, node, blessing) if each.what != "blessing"]
        found += checks.checks_of_blessing(blessing, run.files, violations)
    return tuple(found)


def _but(run: Run) -> str:
    """What is known to be wrong with the data and does not stop a push, as nothing does in a stock pipeline."""
    found = [each for each in unheeded(run) if each.decided]
    if not found:
        return ""
    return f"; but {found[0].node}, which the push does not depend on, says: {counted(found)}"


def span_checks(run: Run) -> list[SpanCheck]:
    """The checks of a run on a span, what explains the rest first."""
    found = [(checks.check_of_anomalies(artifact, run.files), artifact) for _, artifact in run.made("ExampleAnomalies")]
    order = checks.in_order([check for check, _ in found])
    found.sort(key=lambda each: order.index(each[0]))
    return [SpanCheck(_KINDS.get(check.name, CheckOf.LOGS), check, artifact) for check, artifact in found]


def _span(run: Run, window: Artifact | None) -> RunVerdict:
    """The verdict on a span, or on the data of a run that compared no window."""
    of_span = span_checks(run)
    found = tuple(each.check for each in of_span)
    p_value = None if window is None else float(window.properties.get("p_value", -1))
    p_value = p_value if p_value is not None and p_value >= 0 else None
    number = None if window is None else _span_number(run, window)
    history = history_of(run)
    says = verdict_of_span(found, span=number, p_value=p_value, history=history)
    accuracy = [each.artifact for each in of_span if "estimated_accuracy" in each.artifact.properties]
    known = _accuracy(accuracy[-1]) if accuracy else None
    return _with(says, checks=found, span=number, p_value=p_value, accuracy=known, history=history)


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
