"""Sequential tests that could follow the p-values, each with one false alarm in so many windows: how soon they ring."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.detection.draws import generator

Floats = npt.NDArray[np.float64]
_CHAINS = 4000  # that a threshold is found with


@dataclass(frozen=True)
class Candidate:
    """A statistic: its start, and its value after one more window's scores; it rings where that is large."""

    name: str
    start: float
    step: Callable[[Floats, Floats], Floats]


def _cusum(allowance: float) -> Candidate:
    return Candidate(f"CUSUM, k = {allowance:g}", 0.0, lambda s, z: np.maximum(s + z - allowance, 0))


def _shiryaev_roberts(shift: float) -> Candidate:
    """Log of the sum of the likelihood ratios of a shift from every window on (Shiryaev 1963, Roberts 1966)."""
    name = f"Shiryaev-Roberts, shift {shift:g}"
    return Candidate(name, -1e9, lambda s, z: np.logaddexp(s, 0) + shift * z - shift**2 / 2)


def _ewma(weight: float) -> Candidate:
    """Exponentially weighted mean, never below 0 (Roberts 1959)."""
    return Candidate(f"EWMA, weight {weight:g}", 0.0, lambda s, z: np.maximum((1 - weight) * s + weight * z, 0))


def _fisher(allowance: float) -> Candidate:
    """A CUSUM of -log p (Fisher 1925)."""
    name = f"CUSUM of -log p, k = {allowance:g}"
    return Candidate(name, 0.0, lambda s, z: np.maximum(s - special.log_ndtr(-z) - allowance, 0))


CANDIDATES = (
    *map(_cusum, (0.25, 0.5, 0.75, 1.0)),
    *map(_shiryaev_roberts, (1.0, 1.5)),
    *map(_ewma, (0.1, 0.2, 0.35)),
    *map(_fisher, (1.5, 3.0)),
)


@functools.lru_cache(maxsize=64)
def threshold(candidate: Candidate, run_length: float) -> float:
    """The value that standard normal scores reach once in so many windows, waiting times being nearly exponential."""
    rng = generator("candidate", candidate.name)
    windows = round(1.5 * run_length)
    value = np.full(_CHAINS, candidate.start)
    largest = value
    for _ in range(windows):
        value = candidate.step(value, rng.standard_normal(_CHAINS))
        largest = np.maximum(largest, value)
    return float(np.quantile(largest, math.exp(-windows / run_length)))


def delays(candidate: Candidate, scores: Floats, limit: float, before: int) -> npt.NDArray[np.int64]:
    """Windows to the alarm of scores [baselines, paths, windows], of which so many are before the drift."""
    value, rung = np.full(scores.shape[:2], candidate.start), []
    for number in range(scores.shape[2]):
        if number == before:  # alarms before it have been dealt with
            value = np.where(value >= limit, candidate.start, value)
        value = candidate.step(value, scores[..., number])
        rung.append(value >= limit)
    after = np.stack(rung[before:], axis=2)
    return np.where(after.any(axis=2), after.argmax(axis=2), after.shape[2]) + 1
