"""The spans that were evaluated, in order, with what is known of each, and the pushes between them.

A *timeline* is of one monitoring pipeline and one folder of serving logs. Of several runs on one span the last counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.common.artifacts.files import Artifact, Files
from components.common.errors import MonitorError
from components.common.proportion import Proportion
from components.common.records.performance import PERFORMANCE_JSON, Performance
from components.common.verdict_words import Outcome, State

from .history import History, baseline_of, reference_of
from .run_store import Run
from .verdicts import CheckOf, RunVerdict, SpanCheck, span_checks

_WORST_FIRST = (Outcome.FAILED, Outcome.UNDECIDED, Outcome.PASSED)


@dataclass(frozen=True)
class Point:
    """One span.

    Attributes:
      run: the last run that evaluated it.
      first: the id in ML Metadata of the first run that did, which tells the pushes before from those after.
      span: its number.
      verdict: what became of that last run.
      checks: what each check says; of several of one kind, the worst.
      allowed: p-values below this raise the alarm; None where the run does not say.
      estimated: the accuracy without labels; None where it is not known.
      real: the accuracy by delayed labels; None where there are none.
      baseline: the accuracy of the held-out examples that the model was pushed with.
      least: the accuracy below which the span is not fine.
      version: the number of the pushed version that it was compared with; "" for none.
      reference: the windows that it was compared with in the place of held-out examples, since when; "" for none.
      problem: what could not be read; "" for nothing.

    """

    run: Run
    first: int
    span: int
    verdict: RunVerdict
    checks: dict[CheckOf, SpanCheck]
    allowed: float | None = None
    estimated: Proportion | None = None
    real: Proportion | None = None
    baseline: Proportion | None = None
    least: float | None = None
    version: str = ""
    reference: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Push:
    """A pushed version, and how many of a timeline's points come before it."""

    run: Run
    version: str
    after: int


@dataclass(frozen=True)
class Timeline:
    """The points of one timeline in the order of their spans, at most as many as asked for; `total` counts all."""

    pipeline: str
    logs: str
    points: tuple[Point, ...]
    pushes: tuple[Push, ...]
    total: int


def timelines(history: History, newest: int = 0) -> list[Timeline]:
    """Every timeline, that of the newest run first, with its `newest` spans; 0: with all of them."""
    found: dict[tuple[str, str], dict[int, list[Run]]] = {}
    for run in history.served:
        span = history.verdict(run).span
        if span is not None:
            found.setdefault((run.pipeline, logs_of(run)), {}).setdefault(span, []).append(run)
    return [_timeline(history, *key, spans, newest) for key, spans in found.items()]


def logs_of(run: Run) -> str:
    """The folder that a run read its examples from; "" where it does not say."""
    for node in run.nodes.values():
        if node.parameters.get("input_base") and any(each.type == "Examples" for each in node.made):
            return str(node.parameters["input_base"])
    return ""


def point_of(history: History, run: Run) -> Point:
    """What the store says of one run on a span; read once. Raises `MonitorError` where the run was of none."""
    span = history.verdict(run).span
    if span is None:
        raise MonitorError(f"Run {run.run_id} of {run.pipeline} has compared no span")
    if run.id not in history.points:
        history.points[run.id] = _point(history, span, run)
    point: Point = history.points[run.id]
    return point


def _timeline(history: History, pipeline: str, logs: str, spans: dict[int, list[Run]], newest: int) -> Timeline:
    numbers = sorted(spans)[-newest:]
    # of several runs the newest, which comes first
    points = tuple(replace(point_of(history, spans[number][0]), first=spans[number][-1].id) for number in numbers)
    serving = {Path(baseline).parent for point in points if (baseline := baseline_of(point.run))}
    pushes = _pushes(history, serving, points, whole=len(numbers) == len(spans))
    return Timeline(pipeline, logs, points, tuple(pushes), len(spans))


def _point(history: History, span: int, run: Run) -> Point:
    checks = _worst(span_checks(run))
    says = history.verdict(run)
    allowed = _allowed(run, checks.get(CheckOf.DATA))
    version, reference = Path(baseline_of(run)).name, reference_of(run)
    plain = Point(run, run.id, span, says, checks, allowed, version=version, reference=reference)
    accuracy = checks.get(CheckOf.ACCURACY)
    return _with_accuracy(plain, accuracy.artifact, run.files) if accuracy else plain


def _worst(checks: Iterable[SpanCheck]) -> dict[CheckOf, SpanCheck]:
    worst: dict[CheckOf, SpanCheck] = {}
    for each in sorted(checks, key=lambda check: _WORST_FIRST.index(check.outcome)):
        worst.setdefault(each.of, each)
    return worst


def _allowed(run: Run, data: SpanCheck | None) -> float | None:
    """The p-value at which a run's comparison raises the alarm; in older runs the false-alarm rate."""
    said = data.artifact.properties.get("p_threshold") if data else None
    rates = [said, *(node.parameters.get("false_alarm_rate") for node in run.nodes.values())]
    return next((float(rate) for rate in rates if isinstance(rate, int | float) and 0 < rate < 1), None)


def _with_accuracy(point: Point, artifact: Artifact, files: Files) -> Point:
    """A point with the accuracies in the estimator's record; where that cannot be read, with what ML Metadata has."""
    known: dict[str, Any] = {
        "estimated": _noted(artifact, "estimated_accuracy"),
        "real": _noted(artifact, "measured_accuracy"),
    }
    try:
        found = _levels(files.record(artifact.path(PERFORMANCE_JSON), Performance.from_json))
    except MonitorError as error:
        return replace(point, **known, problem=f"Of the accuracy on span {point.span}: {error}")
    return replace(point, **{**known, **found})


def _levels(found: Performance) -> dict[str, Any]:
    labelled = found.labelled.overall if found.labelled else None
    known = {"estimated": found.estimate, "real": labelled, "baseline": found.baseline, "least": found.least}
    return {name: value for name, value in known.items() if value is not None}


def _noted(artifact: Artifact, name: str) -> Proportion | None:
    value = artifact.properties.get(name)
    return Proportion(float(value)) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _pushes(history: History, serving: set[Path], points: Sequence[Point], *, whole: bool) -> Iterator[Push]:
    """The pushes into the folders that the spans were compared with, each where it came between the spans.

    Of the pushes before the first span, only the last is shown, and only where no earlier spans are left out.
    """
    placed = [Push(run, version, sum(point.first < run.id for point in points))
              for run, version, folder in pushed(history) if not serving or folder.parent in serving]  # fmt: skip
    earlier = [push for push in placed if push.after == 0]
    yield from earlier[-1:] if whole else ()
    yield from (push for push in placed if push.after)


def pushed(history: History) -> list[tuple[Run, str, Path]]:
    """Every push, the oldest first: the run, the version, its folder. A push that was in the cache is no new one."""
    found: dict[str, tuple[Run, str, Path]] = {}
    for run in reversed(history.runs):
        says = history.verdict(run)
        if says.state is State.PUSHED:
            name = says.version or Path(says.destination).name
            found.setdefault(says.destination or name, (run, name, Path(says.destination)))
    return list(found.values())
