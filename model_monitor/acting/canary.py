"""Whether a version that was just pushed is worse than the one before it, on the same traffic.

For some windows after a push both versions answer the same requests, and both are held against the baseline that each
was pushed with, by the same checks. What the traffic does to both is no fault of the new one. It is worse where its
answers cannot be used and the other's can, or where its accuracy is below what is allowed, the other's is not, and it
is lower by more than chance explains. Below is what is degraded, and what is undecided only because an estimate may be
wrong: that of the other is of the same images. Chance is at a level of the false-alarm rate over the number of windows,
so that all windows of the period together roll back a version that is no worse at that rate at most (Bonferroni).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from components.common.proportion import Proportion
from components.common.verdict_words import State

from ..reading.window_record import WindowRecord
from .policies import Decision
from .settings import RollBackPolicy

_Z = NormalDist().inv_cdf(0.975)  # half a two-sided 95 % interval is so many standard errors


@dataclass(frozen=True)
class Pair:
    """One window, as the new version answered it and as the one before would have."""

    new: WindowRecord
    old: WindowRecord


def worse(pairs: Sequence[Pair], policy: RollBackPolicy) -> Decision:
    """Whether the new version gives way, by the windows of its canary period so far.

    Args:
      pairs: ascending; those beyond the period are not looked at.
      policy: how long the period is, and how often a version that is no worse may be rolled back.

    """
    for pair in pairs[: policy.windows]:
        why = _why_worse(pair, policy.false_alarm_rate / policy.windows)
        if why:
            return Decision(True, f"window {pair.new.window}: {why}")
    left = policy.windows - len(pairs)
    return Decision(
        False, f"no worse so far, {left} windows to go" if left > 0 else "no worse than the version before it"
    )


def _why_worse(pair: Pair, level: float) -> str:
    """Why the new version is worse on one window; "" where it is not known to be."""
    new, old = pair.new, pair.old
    before = f"version {old.version}"
    usable = (State.FINE, State.CHANGED)
    if new.state is State.INVALID and old.state in usable:
        return f"it is invalid, and {before} is {old.state.words} on the same requests"
    fell = new.state is State.DEGRADED or new.fell_by_estimate
    if not fell or old.state not in usable:
        return ""
    chance = p_value(new.accuracy, old.accuracy)
    if chance is None or not chance <= level or new.accuracy is None or old.accuracy is None:
        return ""
    told = f"accuracy {new.accuracy.value:.3f} against {old.accuracy.value:.3f} of {before} on the same requests"
    return f"{told}, p {'< 1e-12' if chance < 1e-12 else f'= {chance:.2g}'}"


def p_value(new: Proportion | None, old: Proportion | None) -> float | None:
    """The chance of so large a fall where the two are equally accurate, one-sided, by the normal approximation.

    The two are taken for independent. Answers to the same requests are right together more often than not, so their
    difference varies less than that, and the chance is smaller than what is given here.

    Returns:
      In [0, 1]; None where an accuracy or its interval is not known.

    """
    if new is None or old is None or not (new.bounded and old.bounded):
        return None
    error = math.hypot((new.high - new.low) / (2 * _Z), (old.high - old.low) / (2 * _Z))
    fall = old.value - new.value
    if error == 0:
        return 0.0 if fall > 0 else 1.0
    return NormalDist().cdf(-fall / error)
