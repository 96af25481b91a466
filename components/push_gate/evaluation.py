"""The gate on the metrics: what TFMA's validation says, in words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..common.verdict import Check, Effect, Finding
from .policy import EvaluationPolicy

GATE = "evaluation"
_NO_BASELINE = "first push, no change to compare: there was no baseline model, so change thresholds were not checked"


@dataclass(frozen=True)
class Blessing:
    """What the Evaluator's own blessing says. `blessed` is None where it says nothing."""

    blessed: bool | None
    model: str  # URI of the model it is about; empty where it does not say
    has_baseline: bool


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


def blessing_findings(blessing: Blessing, model_uri: str, *, explained: bool = False) -> Iterator[Finding]:
    """What the Evaluator's blessing has against the model at `model_uri`.

    Args:
      blessing: the blessing.
      model_uri: the model that the gate is to judge.
      explained: whether it is known already why the Evaluator would not bless the model.

    """
    if blessing.blessed is None:
        yield _undecided("blessing", "Evaluator wrote no blessing; does its configuration have a threshold?")
    elif not blessing.blessed and not explained:
        yield Finding("blessing", "", Effect.FAIL, "Evaluator did not bless the model")
    if blessing.model and blessing.model != model_uri:
        yield _undecided("blessing", f"Evaluator's blessing is about another model, {blessing.model}")


def validation_findings(result: Any) -> Iterator[Finding]:
    """What a TFMA `ValidationResult` has against the model: each missed threshold, and each that was not checked."""
    found = False
    for sliced in result.metric_validations_per_slice:
        for failure in sliced.failures:
            found = True
            yield _missed(failure, _slice_name(sliced))
    for spec in [*result.missing_slices, *result.missing_cross_slices]:
        found = True
        where = _spec_name(spec)
        yield _undecided("threshold", f"no example of {where}, for which a threshold is set", where)
    if result.missing_thresholds or (result.validation_ok and not result.validation_details.slicing_details):
        found = True
        yield _undecided("threshold", "the evaluation checked no threshold at all")
    if not result.validation_ok and not found:
        yield Finding("validation", "", Effect.FAIL, "TFMA says that the model is not valid, and not why")


def _baseline(has_baseline: bool, policy: EvaluationPolicy) -> list[Finding]:
    if has_baseline:
        return []
    effect = Effect.WARN if policy.without_baseline == "push" else Effect.UNDECIDED
    return [Finding("baseline", "", effect, _NO_BASELINE)]


def _undecided(what: str, message: str, where: str = "") -> Finding:
    return Finding(what, where, Effect.UNDECIDED, message)


def _missed(failure: Any, where: str) -> Finding:
    name = _metric_name(failure.metric_key)
    of = f"{name} of {where}" if where else name
    threshold = failure.metric_threshold
    if not failure.HasField("metric_value"):
        return _undecided(name, f"{of} was not computed, though a threshold is set ({_rule(threshold)})", where)
    value = failure.metric_value.double_value.value
    if not math.isfinite(value):
        return Finding(name, where, Effect.FAIL, f"{of} is {value}, but must be {_rule(threshold)}")
    if threshold.HasField("change_threshold"):
        message = f"{of} changed by {value:+.4g} against the baseline, but the change must be {_rule(threshold)}"
        return Finding(name, where, Effect.FAIL, message, value, _only_bound(threshold.change_threshold))
    return _out_of_bounds(name, of, where, value, threshold.value_threshold)


def _out_of_bounds(name: str, of: str, where: str, value: float, threshold: Any) -> Finding:
    below = threshold.HasField("lower_bound") and value < threshold.lower_bound.value
    bound = threshold.lower_bound.value if below else threshold.upper_bound.value
    shown, limit = _apart(value, bound)
    return Finding(name, where, Effect.FAIL, f"{of} is {shown}, {'below' if below else 'above'} {limit}", value, bound)


def _apart(value: float, bound: float) -> tuple[str, str]:
    """Both numbers with the fewest digits (four at least) that show them to differ.

    >>> _apart(0.31, 0.35), _apart(0.349999, 0.35)
    (('0.31', '0.35'), ('0.349999', '0.35'))
    """
    pairs = ((f"{value:.{digits}g}", f"{bound:.{digits}g}") for digits in range(4, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(value), repr(bound)))


def _rule(threshold: Any) -> str:
    """A threshold in words, such as "at least 0.5 and at most 0.9"."""
    if threshold.HasField("change_threshold"):
        change = threshold.change_threshold
        side = _side(change)
        absolute = [f"{side} {change.absolute.value:+.4g}"] if change.HasField("absolute") else []
        relative = [f"{side} {change.relative.value:+.4g} times its value"] if change.HasField("relative") else []
        return " and ".join(absolute + relative)
    value = threshold.value_threshold
    lower = [f"at least {value.lower_bound.value:.4g}"] if value.HasField("lower_bound") else []
    upper = [f"at most {value.upper_bound.value:.4g}"] if value.HasField("upper_bound") else []
    return " and ".join(lower + upper)


def _side(change: Any) -> str:
    direction = change.DESCRIPTOR.fields_by_name["direction"].enum_type.values_by_number[change.direction].name
    return "at most" if direction == "LOWER_IS_BETTER" else "at least"


def _only_bound(change: Any) -> float | None:
    """The bound on the difference; none when it is relative, for the difference is not held against that."""
    return change.absolute.value if change.HasField("absolute") else None


def _metric_name(key: Any) -> str:
    sub = key.sub_key
    fields = {"class_id": "class", "k": "k", "top_k": "top"}
    parts = [f"{word} {getattr(sub, field).value}" for field, word in fields.items() if sub.HasField(field)]
    return f"{key.name} ({', '.join(parts)})" if parts else str(key.name)


def _slice_name(sliced: Any) -> str:
    if sliced.HasField("cross_slice_key"):
        cross = sliced.cross_slice_key
        return f"{_key_name(cross.baseline_slice_key)} against {_key_name(cross.comparison_slice_key)}"
    return _key_name(sliced.slice_key)


def _key_name(key: Any) -> str:
    """A slice in words: "label 3"; empty for the slice that holds everything."""
    return " and ".join(f"{single.column} {_slice_value(single)}" for single in key.single_slice_keys)


def _slice_value(single: Any) -> str:
    kind = single.WhichOneof("kind")
    value = getattr(single, kind) if kind else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _spec_name(spec: Any) -> str:
    if hasattr(spec, "baseline_spec"):
        return f"{_spec_name(spec.baseline_spec)} against {[_spec_name(each) for each in spec.slicing_specs]}"
    named = [f"{key} {spec.feature_values[key]}" for key in sorted(spec.feature_values)]
    return " and ".join([*(f"each {key}" for key in spec.feature_keys), *named]) or "any slice"
