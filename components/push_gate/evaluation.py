"""The gate on the metrics: what TFMA's validation and the Evaluator's blessing come to."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..common.artifacts.checks import checks_of_blessing
from ..common.artifacts.evaluation import EvaluatedModels
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.names import BASELINE_MODEL, CURRENT_MODEL
from ..common.verdict import Check, Effect, Finding, Outcome, worst
from .policy import EvaluationPolicy

GATE = "evaluation"
_NO_BASELINE = "first push, no change to compare: there was no baseline model, so change thresholds were not checked"


@dataclass(frozen=True)
class Blessing:
    """What the Evaluator's own blessing says. `blessed` is None where it says nothing, or nothing that can be read."""

    blessed: bool | None
    model: str  # URI of the model it is about; empty where it does not say
    has_baseline: bool
    unknown: str = ""  # why it is None


def blessing_of(artifact: Artifact, files: Files) -> Blessing:
    """What the Evaluator's `ModelBlessing` says, by its properties and its file."""
    says = artifact.properties
    checks = checks_of_blessing(artifact, files)
    outcome = worst(check.outcome for check in checks)
    return Blessing(
        blessed=None if outcome is Outcome.UNDECIDED else outcome is Outcome.PASSED,
        model=str(says.get(CURRENT_MODEL, "")),
        has_baseline=BASELINE_MODEL in says,
        unknown=next((check.reason for check in checks if not check.passed), ""),
    )


def judge(findings: list[Finding], has_baseline: bool, policy: EvaluationPolicy) -> Check:
    """The verdict on a model whose metrics gave `findings`.

    Args:
      findings: from `validation_findings` or `blessing_findings`, or both.
      has_baseline: whether there was a model to compare with.
      policy: the policy's section.

    """
    return Check.of(GATE, [*findings, *_baseline(has_baseline, policy)], passed="every threshold was met")


def not_given(policy: EvaluationPolicy) -> Check:
    """The verdict when the gate is given neither an evaluation nor a blessing."""
    if policy.required:
        return judge([_undecided("input", "the gate was given neither an evaluation nor a blessing")], True, policy)
    return Check.of(GATE, [], passed="not given, and the policy does not require it")


def unreadable(message: str) -> Finding:
    return _undecided("input", message)


def blessing_findings(blessing: Blessing, model: Artifact, *, explained: bool = False) -> Iterator[Finding]:
    """Why the Evaluator's blessing does not let a model pass.

    Args:
      blessing: the blessing.
      model: the one that the gate is to judge.
      explained: whether it is known already why the Evaluator would not bless the model.

    """
    if blessing.blessed is None:
        yield _undecided("blessing", blessing.unknown)
    elif not blessing.blessed and not explained:
        yield Finding("blessing", "", Effect.FAIL, "Evaluator did not bless the model")
    elif blessing.blessed and not blessing.model:
        yield _undecided("blessing", "Evaluator's blessing does not say which model it is about")
    if blessing.model and not model.is_at(blessing.model):
        yield _undecided("blessing", f"Evaluator's blessing is about another model, {blessing.model}")


def model_findings(models: EvaluatedModels, model: Artifact) -> Iterator[Finding]:
    """Why an evaluation says nothing about a model."""
    if not models.candidate:
        yield _undecided("evaluation", "the evaluation does not say which model it is about")
    elif not any(models.is_of(uri) for uri in model.places):
        yield _undecided("evaluation", f"the evaluation is about another model, {models.candidate}")


def _baseline(has_baseline: bool, policy: EvaluationPolicy) -> list[Finding]:
    if has_baseline:
        return []
    effect = Effect.WARN if policy.without_baseline == "push" else Effect.UNDECIDED
    return [Finding("baseline", "", effect, _NO_BASELINE)]


def _undecided(what: str, message: str, where: str = "") -> Finding:
    return Finding(what, where, Effect.UNDECIDED, message)
