"""Why a run ended as it did: the verdict, what it rests on, since when, and the data behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.common.artifacts.files import Artifact
from components.common.verdict_words import State

from .findings import RunFinding, findings
from .history import History, baseline_of, reference_of
from .lineage import Lineage, Source, Step, trace
from .run_store import Run
from .verdicts import RunVerdict


@dataclass(frozen=True)
class Since:
    """How long a finding has been there: the first run of those in a row that have it, and the one before."""

    first: Run
    in_a_row: int
    before: Run | None


@dataclass(frozen=True)
class Explanation:
    """The answer to "why".

    Attributes:
      run: the run in question.
      verdict: what became of it.
      findings: of its checks of the model or the span, what decided first.
      since: of the first finding; None where nothing was found.
      steps: the way from the deciding artifact back to the data.
      sources: everything that the deciding artifact goes back to, data first.
      artifact: the artifact that decided; None where there is none.
      open: the file or folder to look at; "" where there is none.
      baseline: the folder of the pushed version that the run was compared with; "" where with none.
      reference: the windows that it was compared with in the place of held-out examples, since when; "" for none.
      baseline_run: the run that pushed it; None where the store does not know it.
      watched: runs on spans that were compared with the version that this run pushed.

    """

    run: Run
    verdict: RunVerdict
    findings: tuple[RunFinding, ...]
    since: Since | None
    steps: tuple[Step, ...]
    sources: tuple[Source, ...]
    artifact: Artifact | None
    open: str
    baseline: str
    reference: str
    baseline_run: Run | None
    watched: tuple[Run, ...]

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        return self.verdict.sentence


def explain(history: History, run: Run) -> Explanation:
    """Why a run ended as it did."""
    says = history.verdict(run)
    found = () if says.state in (State.RUNNING, State.NO_VERDICT) else tuple(findings(run))
    decided = found[0].artifact if found else _decided(run)
    lineage = trace(history.store, decided.id, found[0].check if found else "") if decided else Lineage()
    baseline = baseline_of(run)
    return Explanation(
        run=run,
        verdict=says,
        findings=found,
        since=_since(history, run, found[0]) if found else None,
        steps=lineage.steps,
        sources=lineage.sources,
        artifact=decided,
        open=_open(found, decided, says),
        baseline=baseline,
        reference=reference_of(run),
        baseline_run=history.pushed_by(baseline) if baseline else None,
        watched=tuple(history.watched(says.destination)) if says.destination else (),
    )


def _since(history: History, run: Run, main: RunFinding) -> Since:
    first, in_a_row = run, 1
    for earlier in history.before(run):
        if not _has(earlier, main):
            return Since(first, in_a_row, earlier)
        first, in_a_row = earlier, in_a_row + 1
    return Since(first, in_a_row, None)


def _has(run: Run, main: RunFinding) -> bool:
    return any(found.key == main.key for found in findings(run))


def _decided(run: Run) -> Artifact | None:
    """The artifact that says how a run without findings ended."""
    for kind in ("PushedModel", "ModelBlessing"):
        if run.made(kind):
            return run.made(kind)[-1][1]
    checks = [found for _, found in run.made("ExampleAnomalies")]
    compared = [found for found in checks if "outcome" in found.properties]
    made = [found for node in run.nodes.values() for found in node.made]
    return next(iter([*compared, *checks, *reversed(made)]), None)


def _open(found: Sequence[RunFinding], decided: Artifact | None, says: RunVerdict) -> str:
    if found:
        return found[0].file
    if says.destination:
        return says.destination
    return decided.uri if decided else ""
