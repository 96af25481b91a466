"""Many CUSUMs side by side: `components.common.sequential.cusum` in vectors, which a test holds against it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.common.sequential import cusum
from components.common.two_sample.false_alarms import p_value_threshold

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Draw = Callable[[np.random.Generator], Floats]

PLAIN, OURS, SINGLE, TOGETHER = "plain", "ours", "single", "together"


class Chains:
    """CUSUMs of the scores of windows of one size, each against a baseline of one size.

    Args:
      run_length: of `Cusum`.
      loading: n / (n + N).
      shape: of the array of CUSUMs.
      plain: whether baselines are taken for exact, as a textbook's CUSUM does.

    """

    def __init__(self, run_length: float, loading: float, shape: tuple[int, ...], *, plain: bool = False) -> None:
        self.threshold = cusum.threshold_for(float(run_length))
        self.value, self.rings = np.zeros(shape), np.zeros(shape, np.bool_)
        self._luck, self._certainty = np.zeros(shape), np.ones(shape)
        self._loading, self._plain = loading, plain

    def step(self, scores: Floats) -> Bools:
        """Counts one more window of each; whether it rings."""
        risen = np.maximum(self.value + scores - self._bound() - cusum.ALLOWANCE, 0)
        value = np.minimum(risen, self.threshold)
        over = self.rings & (value <= self.threshold / 2)
        self.rings = ~over & (self.rings | (value >= self.threshold))
        self.value = np.where(over, 0, value)
        weights = np.where(self.rings, 0, self._loading / (1 - self._loading**2))
        self._luck += weights * scores
        self._certainty += weights * self._loading
        return self.rings

    def end_alarms(self) -> None:
        """Somebody has dealt with what rings."""
        self.value[self.rings] = 0
        self.rings[:] = False

    def _bound(self) -> Floats | float:
        if self._plain:
            return 0.0
        luck = self._luck / self._certainty + cusum.SURE / np.sqrt(self._certainty)
        return np.asarray(self._loading * np.minimum(luck, cusum.MOST_LUCK))


@dataclass(frozen=True)
class Parts:
    """What the tests are told: the single window's rate and the run length of the sequential test."""

    false_alarm_rate: float
    run_length: float


def run_lengths(draw: Draw, parts: Parts, sizes: tuple[int, int], *, cap: int, seed: int) -> Mapping[str, Floats]:
    """Windows to the first alarm of each test, of the shape of what is drawn; `cap` where it takes longer.

    Args:
      draw: the next window's score of each chain.
      parts: what the tests are told.
      sizes: n and N.
      cap: so many windows are drawn at most.
      seed: of the draws.

    """
    rng = np.random.default_rng(seed)
    size, reference = sizes
    limit = cusum.normal_score(p_value_threshold(parts.false_alarm_rate, size, reference))
    scores = draw(rng)
    loading = size / (size + reference)
    ours = Chains(parts.run_length, loading, scores.shape)
    plain = Chains(parts.run_length, loading, scores.shape, plain=True)
    found = {name: np.full(scores.shape, float(cap)) for name in (PLAIN, OURS, SINGLE, TOGETHER)}
    waiting = {name: np.ones(scores.shape, np.bool_) for name in found}
    for number in range(1, cap + 1):
        rung = {PLAIN: plain.step(scores), OURS: ours.step(scores), SINGLE: scores >= limit}
        rung[TOGETHER] = rung[OURS] | rung[SINGLE]
        for name, here in rung.items():
            first = waiting[name] & here
            found[name][first] = number
            waiting[name] &= ~first
        if not any(each.any() for each in waiting.values()):
            break
        scores = draw(rng)
    return found
