"""The gate on the model itself: what it is asked before it is pushed, and what it may answer. NumPy only."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.class_scores import SUM_TOLERANCE, ScoreCounts, are_probabilities, disagreeing, probabilities_of
from ..common.errors import MonitorError
from ..common.real_numbers import as_floats, not_finite
from ..common.verdict import Check, Effect, Finding
from ..served_model.tensors import STRING, Batch, TensorInfo
from .policy import CanaryPolicy

GATE = "canary"
_TEXT = "OSU"  # NumPy's kinds of strings
_MAKEABLE = {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)} - {"float8"}


def batches(inputs: Mapping[str, TensorInfo], policy: CanaryPolicy) -> Iterator[tuple[str, int, Batch]]:
    """Batches to run: for each size, the lowest value everywhere, the highest everywhere, and random values.

    Yields:
      What the batch is (for messages), its number of examples, and an array of shape [size, ...] for each input.

    Raises:
      MonitorError: if an input cannot be made up: it is not numeric, or a dimension other than the first is open.

    """
    if not inputs:
        raise MonitorError(f"signature {policy.signature!r} takes no input")
    for name, spec in inputs.items():
        _require_makeable(name, spec)
    random = np.random.default_rng(policy.seed)
    low, high = policy.input_range
    for size in policy.batch_sizes:
        for kind, bounds in (("lowest", (low, low)), ("highest", (high, high)), ("random", (low, high))):
            batch = {name: _fill(spec, size, bounds, random) for name, spec in inputs.items()}
            yield f"{kind} values, batch of {size}", size, batch


def check(outputs: Batch, size: int, policy: CanaryPolicy) -> Iterator[Finding]:
    """What is wrong with a model's answer to one batch.

    Args:
      outputs: the signature's outputs; each must have `size` rows.
      size: the number of examples that were sent.
      policy: says which outputs are scores, which become probabilities by their kind, and class ids: integers [size]
        from class_id_from up, each that of the largest probability.

    """
    if not outputs:
        yield Finding("output", "", Effect.FAIL, "the answer holds no output at all")
    for name, value in sorted(outputs.items()):
        if value.ndim == 0 or value.shape[0] != size:
            yield _failed("shape", name, f"has shape {list(value.shape)} for {size} examples")
        yield from _check_finite(name, value)
    if policy.probabilities is not None:
        yield from _check_scores(outputs, policy)
    if policy.class_id is not None:
        yield from _check_class_ids(outputs, size, policy)


def once(found: Sequence[tuple[str, Finding]]) -> list[Finding]:
    """Each defect once, said of the batch in which it was found first, with how many others have it.

    Args:
      found: what each finding was found in, and the finding.

    """
    batches: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Finding] = {}
    for batch, finding in found:
        key = (finding.what, finding.where)
        batches.setdefault(key, [])
        batches[key] += [] if batch in batches[key] else [batch]
        first.setdefault(key, finding)
    return [
        dataclasses.replace(finding, message=f"{finding.message} ({_said(batches[key])})")
        for key, finding in first.items()
    ]


def judge(findings: list[Finding], runs: int, policy: CanaryPolicy, *, kind: str = "made-up batches") -> Check:
    """The check of a model that answered `runs` batches of a kind."""
    if not runs and not findings:
        findings = [Finding("batches", "", Effect.UNDECIDED, "no batch was run")]
    return Check.of(GATE, findings, passed=f"signature {policy.signature} answered {runs} {kind} properly")


def skipped() -> Check:
    return Check.of(GATE, [], passed="not run: the policy says canary.run is false")


def unusable(message: str, *, effect: Effect = Effect.FAIL) -> Finding:
    """A model that could not be asked."""
    return Finding("model", "", effect, message)


def _require_makeable(name: str, info: TensorInfo) -> None:
    if info.dtype == STRING:
        raise MonitorError(
            f"input {name!r} is {info}, and strings cannot be made up. Pass `examples` and `spec` to PushGate: the "
            "model is then asked about held-out examples. Or set canary.run to false"
        )
    if info.dtype not in _MAKEABLE or info.shape is None or not info.shape or None in info.shape[1:]:
        raise MonitorError(
            f"input {name!r} is {info}; a batch can be made up only for numbers with every dimension but the first "
            "fixed. Pass `examples` and `spec` to PushGate: the model is then asked about held-out examples. Or name "
            "another signature in canary.signature, or set canary.run to false"
        )


def _fill(
    spec: TensorInfo, size: int, bounds: tuple[float, float], random: np.random.Generator
) -> npt.NDArray[np.generic]:
    shape = (size, *(each for each in (spec.shape or ())[1:] if each is not None))
    dtype = np.dtype(spec.dtype)
    values = random.uniform(*bounds, size=shape)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype)


def _check_finite(name: str, value: npt.NDArray[Any]) -> Iterator[Finding]:
    """Numbers are finite; strings, such as the names of classes, are left alone."""
    if value.dtype.kind in _TEXT:
        return
    try:
        wrong = int(np.count_nonzero(not_finite(value, "they")))
    except MonitorError as error:
        yield _failed("type", name, f"cannot be judged: {error}")
        return
    if wrong:
        proportion = wrong / value.size
        yield _failed("finite", name, f"has {proportion:.0%} values that are not finite", proportion, 0.0)


def _check_scores(outputs: Batch, policy: CanaryPolicy) -> Iterator[Finding]:
    name = policy.probabilities or ""
    values = outputs.get(name)
    if values is None:
        yield _absent(name, outputs)
        return
    try:
        scores = as_floats(values, "scores")
        probabilities = probabilities_of(values, policy.kind, policy.num_classes or 0)
    except MonitorError as error:
        yield _failed("shape", name, f"does not fit: {error}")
        return
    finite = np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)  # of others it is said that they are not
    wrong_kind = ScoreCounts.of(values).wrong_kind(policy.kind)
    yield from _check_distributions(name, probabilities[finite], wrong_kind)


def _check_distributions(name: str, probabilities: npt.NDArray[np.float32], wrong_kind: str) -> Iterator[Finding]:
    """Every row is a distribution, by the rule of the whole project; one that is none never goes without a finding."""
    hint = f"; {wrong_kind}" if wrong_kind else ""
    fits = are_probabilities(probabilities)
    if hint and fits.all():  # a softmax makes probabilities of anything
        yield _failed("kind", name, f"is of another kind than the model's spec says{hint}")
    bad = probabilities[~fits].astype(np.float64)
    inside = ((bad >= 0) & (bad <= 1)).all(axis=1)
    if not inside.all():
        outside = float(np.max(np.maximum(-bad, bad - 1)))
        yield _failed("range", name, f"must lie in [0, 1], but some are {outside:.4g} outside{hint}", outside, 0.0)
    off = np.abs(bad.sum(axis=1) - 1)
    wrong = inside | (off > SUM_TOLERANCE)
    if wrong.any():
        most = float(off[wrong].max())
        message = f"must sum to 1 within {SUM_TOLERANCE:g}, but a row is {most:.4g} off{hint}"
        yield _failed("sum", name, message, most, SUM_TOLERANCE)


def _check_class_ids(outputs: Batch, size: int, policy: CanaryPolicy) -> Iterator[Finding]:
    name = policy.class_id or ""
    values = outputs.get(name)
    if values is None:
        yield _absent(name, outputs)
    elif not np.issubdtype(values.dtype, np.integer) or values.shape != (size,):
        got = f"{values.dtype} of shape {list(values.shape)}"
        yield _failed("shape", name, f"must be integers of shape [{size}], not {got}")
    elif policy.num_classes is not None:
        first = policy.class_id_from
        wrong = values[~((values >= first) & (values < first + policy.num_classes))]
        if wrong.size:
            rule = f"must lie in [{first}, {first + policy.num_classes}), but one is {wrong[0]}"
            yield _failed("range", name, rule, float(wrong[0]))
        elif policy.probabilities is not None:
            yield from _check_largest(outputs, values.astype(np.int64) - first, policy)


def _check_largest(outputs: Batch, classes: npt.NDArray[np.int64], policy: CanaryPolicy) -> Iterator[Finding]:
    """The class is that of the largest probability, by the rule that logs are read by."""
    try:
        scores = as_floats(outputs[policy.probabilities or ""])
        probabilities = probabilities_of(scores, policy.kind, policy.num_classes or 0)
    except (KeyError, MonitorError):  # said where the scores are checked
        return
    others = disagreeing(probabilities, classes) if len(probabilities) == len(classes) else np.zeros(0, np.bool_)
    if others.any():
        row, first = int(np.flatnonzero(others)[0]), policy.class_id_from
        told = f"{int(probabilities[row].argmax()) + first}, but is {classes[row] + first}"
        message = f"must be the class of the largest of {policy.probabilities}, {told}"
        yield _failed("class", policy.class_id or "", message)


def _said(batches: Sequence[str]) -> str:
    others = len(batches) - 1
    return batches[0] + (f", and {others} other batch{'es' if others > 1 else ''}" if others else "")


def _absent(name: str, outputs: Batch) -> Finding:
    return _failed("output", name, f"is not among the outputs {sorted(outputs)}")


def _failed(what: str, output: str, message: str, measured: float | None = None, bound: float | None = None) -> Finding:
    measured = measured if measured is not None and np.isfinite(measured) else None
    return Finding(what, output, Effect.FAIL, f"output {output} {message}", measured, bound)
