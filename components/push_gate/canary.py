"""The gate on the model itself: what it is asked before it is pushed, and what it may answer. NumPy only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..common.errors import MonitorError
from ..common.verdict import Check, Effect, Finding
from .policy import CanaryPolicy

GATE = "canary"
_MAKEABLE = {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)} - {"float8"}
Batch = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class InputSpec:
    """One input of a signature.

    Attributes:
      shape: with None for a dimension of any size; None altogether where even the rank is unknown.
      dtype: TensorFlow's name for it, which is NumPy's for numbers.

    """

    shape: tuple[int | None, ...] | None
    dtype: str


def batches(inputs: Mapping[str, InputSpec], policy: CanaryPolicy) -> Iterator[tuple[str, int, Batch]]:
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


def check(outputs: Batch, size: int, policy: CanaryPolicy, batch: str) -> Iterator[Finding]:
    """What is wrong with a model's answer to one batch.

    Args:
      outputs: the signature's outputs; each must have `size` rows.
      size: the number of examples that were sent.
      policy: says which outputs are probabilities ([size, num_classes], in [0, 1], each row summing to 1) and class
        ids (integers [size] in [0, num_classes)).
      batch: what was sent, for messages.

    """
    for name, value in sorted(outputs.items()):
        if value.ndim == 0 or value.shape[0] != size:
            yield _failed("shape", name, f"has shape {list(value.shape)} for {size} examples ({batch})")
        if np.issubdtype(value.dtype, np.inexact) and not np.isfinite(value).all():
            share = float(np.mean(~np.isfinite(value)))
            yield _failed("finite", name, f"has {share:.0%} values that are not finite ({batch})", share, 0.0)
    if policy.probabilities is not None:
        yield from _check_probabilities(outputs, size, policy, batch)
    if policy.class_id is not None:
        yield from _check_class_ids(outputs, size, policy, batch)


def judge(findings: list[Finding], runs: int, policy: CanaryPolicy) -> Check:
    """The verdict on a model that answered `runs` batches."""
    if not runs and not findings:
        findings = [Finding("batches", "", Effect.UNDECIDED, "no batch was run")]
    return Check.of(GATE, findings, passed=f"signature {policy.signature} answered {runs} made-up batches properly")


def skipped() -> Check:
    return Check.of(GATE, [], passed="not run: the policy says canary.run is false")


def unusable(message: str, *, effect: Effect = Effect.FAIL) -> Finding:
    """A model that could not be asked."""
    return Finding("model", "", effect, message)


def _require_makeable(name: str, spec: InputSpec) -> None:
    if spec.dtype not in _MAKEABLE or spec.shape is None or not spec.shape or None in spec.shape[1:]:
        raise MonitorError(
            f"input {name!r} has shape {spec.shape} and dtype {spec.dtype}; a batch can be made up only for numbers "
            "with every dimension but the first fixed. Name another signature in canary.signature, or set canary.run "
            "to false"
        )


def _fill(
    spec: InputSpec, size: int, bounds: tuple[float, float], random: np.random.Generator
) -> npt.NDArray[np.generic]:
    shape = (size, *(each for each in (spec.shape or ())[1:] if each is not None))
    dtype = np.dtype(spec.dtype)
    values = random.uniform(*bounds, size=shape)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype)


def _check_probabilities(outputs: Batch, size: int, policy: CanaryPolicy, batch: str) -> Iterator[Finding]:
    name = policy.probabilities or ""
    values = outputs.get(name)
    if values is None:
        yield _absent(name, outputs)
        return
    if values.shape != (size, policy.num_classes):
        rule = f"must have shape [{size}, {policy.num_classes}], not {list(values.shape)} ({batch})"
        yield _failed("shape", name, rule)
        return
    numbers = values.astype(np.float64)
    outside = float(np.max(np.maximum(-numbers, numbers - 1), initial=0.0))
    if outside > policy.sum_tolerance:
        yield _failed("range", name, f"must lie in [0, 1], but some are {outside:.4g} outside ({batch})", outside, 0.0)
    off = float(np.max(np.abs(numbers.sum(axis=1) - 1), initial=0.0))
    if off > policy.sum_tolerance:
        message = f"must sum to 1 within {policy.sum_tolerance:g}, but a row is {off:.4g} off ({batch})"
        yield _failed("sum", name, message, off, policy.sum_tolerance)


def _check_class_ids(outputs: Batch, size: int, policy: CanaryPolicy, batch: str) -> Iterator[Finding]:
    name = policy.class_id or ""
    values = outputs.get(name)
    if values is None:
        yield _absent(name, outputs)
    elif not np.issubdtype(values.dtype, np.integer) or values.shape != (size,):
        got = f"{values.dtype} of shape {list(values.shape)}"
        yield _failed("shape", name, f"must be integers of shape [{size}], not {got} ({batch})")
    elif policy.num_classes is not None:
        numbers = values.astype(np.int64)
        wrong = numbers[(numbers < 0) | (numbers >= policy.num_classes)]
        if wrong.size:
            rule = f"must lie in [0, {policy.num_classes}), but one is {wrong[0]} ({batch})"
            yield _failed("range", name, rule, float(wrong[0]))


def _absent(name: str, outputs: Batch) -> Finding:
    return _failed("output", name, f"is not among the outputs {sorted(outputs)}")


def _failed(what: str, output: str, message: str, measured: float | None = None, bound: float | None = None) -> Finding:
    return Finding(what, output, Effect.FAIL, f"output {output} {message}", measured, bound)
