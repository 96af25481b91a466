"""How long windows without a drift go without an alarm, given one baseline: real ones, and a fit for long runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.detection.one_baseline import Population, pair_scores
from components.common.sequential.budget import Budget
from components.common.two_sample.false_alarms import GUARANTEED_FACTOR

from .chains import OURS, PLAIN, SINGLE, TOGETHER, Draw, Parts, run_lengths

Floats = npt.NDArray[np.float64]
CELLS = ((500, 5000), (1000, 10_000), (500, 2000), (1000, 1000))
BASELINES, WINDOWS = 100, 1500
RUNS = 100  # of each baseline
STATED, SHORT = 720, 100  # windows: one false alarm in 30 days of hourly windows, and few enough for the real windows
_CAP = 12  # times the stated run length


@dataclass(frozen=True)
class Summary:
    """Mean run lengths of baselines, as multiples of what was stated.

    Attributes:
      mean, median: over baselines.
      twentieth: of the worst twentieth of them, the least.
      worst: of those that were drawn.

    """

    mean: float
    median: float
    twentieth: float
    worst: float

    @staticmethod
    def of(lengths: Floats, stated: float) -> "Summary":
        """Of lengths [baselines, runs]."""
        means = lengths.mean(axis=1) / stated
        return Summary(*map(float, (means.mean(), np.median(means), np.quantile(means, 0.05), means.min())))


def scores_of(population: Population, size: int, reference: int, *, baselines: int, windows: int) -> Floats:
    """Normal scores of real windows with real baselines: [baselines, windows]."""
    found = pair_scores(population, size, reference, baselines=baselines, windows=windows)
    ranks = np.argsort(np.argsort(found, axis=None)).reshape(found.shape)
    return np.asarray(special.ndtri((ranks + 0.5) / found.size))


def resampled(scores: Floats, runs: int) -> Draw:
    """Windows of each baseline, drawn with replacement from the real ones."""
    rows = np.arange(len(scores))[:, None]
    return lambda rng: scores[rows, rng.integers(scores.shape[1], size=(len(scores), runs))]


def fitted(scores: Floats, runs: int) -> Draw:
    """Windows with the mean and standard deviation of each baseline's real ones, in the shape of all of them."""
    means, deviations = scores.mean(axis=1, keepdims=True), scores.std(axis=1, keepdims=True)
    shape = np.sort(((scores - means) / deviations).ravel())
    return lambda rng: means + deviations * shape[rng.integers(len(shape), size=(len(scores), runs))]


def measure(scores: Floats, size: int, reference: int, *, runs: int = RUNS) -> dict[str, Any]:
    """The run lengths of a pair of sizes: by the fit for the stated budget, by both for a short one."""
    long, short = Budget(STATED), Budget(SHORT)
    return {
        "size": size,
        "reference": reference,
        "stated": _summaries(fitted(scores, runs), long, size, reference),
        "short": {
            "real": _summaries(resampled(scores, runs), short, size, reference),
            "fitted": _summaries(fitted(scores, runs), short, size, reference),
        },
        "luck": float(np.sqrt(max(scores.mean(axis=1).var(ddof=1) - 1 / scores.shape[1], 0))),
    }


def _summaries(draw: Draw, budget: Budget, size: int, reference: int) -> Mapping[str, Any]:
    parts = Parts(budget.false_alarm_rate, budget.drift_run_length)
    found = run_lengths(draw, parts, (size, reference), cap=round(_CAP * budget.windows), seed=size + reference)
    stated = stated_run_lengths(budget)
    return {name: vars(Summary.of(found[name], stated[name])) for name in stated}


def stated_run_lengths(budget: Budget) -> dict[str, float]:
    """What each test has to keep for 19 of 20 baselines, and both together."""
    single = 1 / (GUARANTEED_FACTOR * budget.false_alarm_rate)
    drift = budget.drift_run_length
    return {PLAIN: drift, OURS: drift, SINGLE: single, TOGETHER: 1 / (1 / single + 1 / drift)}
