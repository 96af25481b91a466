"""What TFMA's validation says of a model, in words."""

import math
from collections.abc import Iterator
from typing import Any

from ..errors import MonitorError
from ..verdict import Effect, Finding
from .evaluation import metric_name, slice_name, validation_result
from .files import Files


def read_validation(folder: str, files: Files) -> list[Finding]:
    """The violations in TFMA's validation result of an evaluation.

    Raises:
      MonitorError: there is not exactly one, or it is damaged.

    """
    result = validation_result(folder, files)
    if result is None:
        raise MonitorError(f"{folder} must hold one validation result of TFMA. Received: none")
    return list(validation_findings(result))


def validation_findings(result: Any) -> Iterator[Finding]:
    """The violations in a TFMA `ValidationResult`: each missed threshold, and each that was not checked."""
    found = False
    for sliced in result.metric_validations_per_slice:
        for failure in sliced.failures:
            found = True
            yield _missed(failure, _slice_name(sliced))
    for spec in [*result.missing_slices, *result.missing_cross_slices]:
        found = True
        where = _spec_name(spec)
        yield _undecided("threshold", f"no example of {where}, for which a threshold is set", where)
    details = result.validation_details.slicing_details
    if result.missing_thresholds or (result.validation_ok and not details):
        found = True
        yield _undecided("threshold", "the evaluation checked no threshold at all")
    for each in details:
        if each.num_matching_slices < 1:
            found = True
            where = _spec_name(each.cross_slicing_spec if each.HasField("cross_slicing_spec") else each.slicing_spec)
            yield _undecided("threshold", f"no slice matched {where}, for which a threshold is set", where)
    if not result.validation_ok and not found:
        yield Finding("validation", "", Effect.FAIL, "TFMA says that the model is not valid, and not why")


def _undecided(what: str, message: str, where: str = "") -> Finding:
    return Finding(what, where, Effect.UNDECIDED, message)


def _missed(failure: Any, where: str) -> Finding:
    name = metric_name(failure.metric_key)
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


def _slice_name(sliced: Any) -> str:
    if sliced.HasField("cross_slice_key"):
        cross = sliced.cross_slice_key
        return f"{slice_name(cross.baseline_slice_key)} against {slice_name(cross.comparison_slice_key)}"
    return slice_name(sliced.slice_key)


def _spec_name(spec: Any) -> str:
    if hasattr(spec, "baseline_spec"):
        return f"{_spec_name(spec.baseline_spec)} against {[_spec_name(each) for each in spec.slicing_specs]}"
    named = [f"{key} {spec.feature_values[key]}" for key in sorted(spec.feature_values)]
    return " and ".join([*(f"each {key}" for key in spec.feature_keys), *named]) or "any slice"
