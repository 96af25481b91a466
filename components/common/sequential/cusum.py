"""A CUSUM of windows' p-values: the slow drift that no single window shows.

For each window, in their order:

    drift = Cusum(budget.drift_run_length)
    state = drift.step(state, JudgedWindow("w0042", p_value=0.03, size=1000, reference=10_000))
    state.rings, state.value, state.threshold, state.since

The p-value is the one of *skew*, against the baseline, as it is in the drift report; the previous window drifts along.
A state is a function of the windows since the last reset and of nothing else: `follow` gives them all from the store,
and `step` the next one, the same to the last digit. Another version or another baseline begins with `start()`.

docs/false_alarms_over_time.md has the method in plain words, what is promised and what was measured.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from ..errors import MonitorError, require
from ..records.checked import checked
from ..two_sample.false_alarms import GUARANTEED_REFERENCES

ALLOWANCE = 0.5  # k, what a window's score has to exceed to count; chosen by benchmarks/live/run_lengths.py
_LOWEST_SCORE = -3.0  # one window that is suspiciously alike does not undo many that were not
SURE = NormalDist().inv_cdf(GUARANTEED_REFERENCES)  # standard errors up to the upper bound of the baseline's luck
MOST_LUCK = 3.0  # standard deviations; what is beyond is no luck of a baseline and is never learnt
_NODES = 40
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JudgedWindow:
    """What the sequential test has to know of a window.

    Attributes:
      id: the window's, of its own.
      p_value: in (0, 1], of the comparison with the baseline; None where there is none (too few examples, invalid).
      size: n, how many of the window's examples were compared; 1 or more where there is a p-value.
      reference: N, how many of the baseline's; likewise.

    Raises:
      MonitorError: a value breaks these rules.

    """

    id: str
    p_value: float | None
    size: int
    reference: int

    def __post_init__(self) -> None:
        require(isinstance(self.id, str) and bool(self.id), "id", "be the text that names the window", self.id)
        if self.p_value is None:
            return
        require(
            0 < self.p_value <= 1, f"p_value of window {self.id}", "be above 0 and at most 1, or None", self.p_value
        )
        sizes = (self.size, self.reference)
        require(min(sizes) >= 1, f"size and reference of window {self.id}", "be 1 or more", sizes)


@dataclass(frozen=True)
class DriftState:
    """Where the CUSUM stands after a window.

    Attributes:
      window: id of the last window; empty at the start.
      windows: how many had a p-value.
      skipped: how many had none; they change nothing else.
      value: the CUSUM, 0 to `threshold`.
      threshold: what it rings at.
      since: id of the window from which on the value has been above 0: about when the drift began. Empty where it is 0.
      rings: from the window at which the value reaches the threshold to the one at which it has come down to half of
        it, where it starts again from 0.
      luck: what the windows say of the baseline's luck, a sum of scores with their weights, and
      certainty: the sum of these weights, 1 at the start. luck / certainty is the estimate, in standard deviations.

    """

    window: str
    windows: int
    skipped: int
    value: float
    threshold: float
    since: str
    rings: bool
    luck: float
    certainty: float

    def to_record(self) -> dict[str, Any]:
        """Numbers and texts, for JSON."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_record(record: Any) -> "DriftState":
        """Reads what `to_record` gave. Raises `MonitorError` unless it holds the same keys with values of their
        types.
        """
        names = [field.name for field in dataclasses.fields(DriftState)]
        require(isinstance(record, dict) and sorted(record) == sorted(names), "state", f"hold {names}", record)
        return checked(DriftState(**record))


@dataclass(frozen=True)
class Cusum:
    """Page's cumulative sum of normal scores, with an allowance for the baseline's own sampling error.

    S = max(0, S + z - b - k), with z = Phi^-1(1 - p), and rings where S reaches the threshold (Page 1954, "Continuous
    inspection schemes", Biometrika 41). Over baselines drawn anew the z of clean windows are standard normal
    or lower, whatever the number of permutations, and the threshold follows from the run length. Given one baseline
    they are not: T2 of many columns, which is chi-squared over baselines, is non-central given one
    (`p_value_threshold`), so that

        z = a L + sqrt(1 - a^2) e,   a = n / (n + N),

    with L and e standard normal and L, the baseline's luck, the same in every window. An unlucky baseline would be
    taken for a drift. So b = a (m + 1.645 s), with m and s the mean and standard deviation of L given the windows so
    far (a self-starting chart, Hawkins 1987, "Self-starting CUSUM charts for location and scale", The Statistician 36,
    with the prior that is known): at the start what 19 of 20 baselines stay below, later what this one was seen to
    have, never more than 3 standard deviations. A lasting drift beyond that can therefore not be learnt away. While it
    rings nothing is learnt.

    Attributes:
      run_length: windows between two false alarms, for 19 of 20 baselines; 10 to 1,000,000.

    Raises:
      MonitorError: another run length.

    """

    run_length: float

    def __post_init__(self) -> None:
        require(10 <= self.run_length <= 1_000_000, "run_length", "be 10 to 1,000,000 windows", self.run_length)

    @property
    def threshold(self) -> float:
        """What the value has to reach."""
        return threshold_for(float(self.run_length))

    def start(self) -> DriftState:
        """The state before the first window."""
        return DriftState("", 0, 0, 0.0, self.threshold, "", rings=False, luck=0.0, certainty=1.0)

    def step(self, state: DriftState, window: JudgedWindow) -> DriftState:
        """The state after one more window.

        Raises:
          MonitorError: the state belongs to another run length, or the window is the one it has just counted.

        """
        if not math.isclose(state.threshold, self.threshold, rel_tol=1e-9):
            raise MonitorError(
                f"`state` must be of a run length of {self.run_length:g} windows, whose threshold is "
                f"{self.threshold:.6g}; follow the windows again for another. Received: {state.threshold:.6g}"
            )
        require(window.id != state.window, "window", "be counted once", window.id)
        if window.p_value is None:
            return dataclasses.replace(state, window=window.id, skipped=state.skipped + 1)
        score, loading = normal_score(window.p_value), window.size / (window.size + window.reference)
        risen = max(0.0, state.value + score - _bound(state, loading) - ALLOWANCE)
        value, rings = self._rung(state.rings, min(risen, self.threshold))
        weight = 0.0 if rings else loading / (1 - loading * loading)
        return DriftState(
            window=window.id,
            windows=state.windows + 1,
            skipped=state.skipped,
            value=value,
            threshold=self.threshold,
            since=(state.since or window.id) if value > 0 else "",
            rings=rings,
            luck=state.luck + weight * score,
            certainty=state.certainty + weight * loading,
        )

    def follow(self, history: Iterable[JudgedWindow]) -> list[DriftState]:
        """The state after each of the windows since the last reset, in their order. Raises `MonitorError` as `step`."""
        states, state = [], self.start()
        for window in history:
            state = self.step(state, window)
            states.append(state)
        return states

    def _rung(self, rings: bool, value: float) -> tuple[float, bool]:
        """Value and alarm; an alarm that is over starts the sum anew, so that the next is a run length away again."""
        if rings and value <= self.threshold / 2:
            return 0.0, False
        return value, rings or value >= self.threshold


def normal_score(p_value: float) -> float:
    """The score Phi^-1(1 - p) of a p-value, -3 or more.

    A permutation p-value k / (R + 1) counts ties against the window, so that its score is no higher than that of the
    continuous one. A p-value of 1 counts as -3.

    >>> round(normal_score(0.05), 3), normal_score(1.0)
    (1.645, -3.0)
    """
    return max(_LOWEST_SCORE, -float(special.ndtri(p_value)))


@functools.lru_cache(maxsize=64)
def threshold_for(run_length: float) -> float:
    """The threshold at which standard normal scores ring once in so many windows on average.

    At most log(run_length) / (2 k): exp(2 k z - 2 k^2) is an e-value of the window, and a product of such that starts
    again at 1 reaches A no sooner than after A windows on average (Shin, Ramdas and Rinaldo 2023, "E-detectors",
    NEJSDS, section 2). That holds for any p-value that is valid given the windows before; this threshold is lower by
    the overshoot.

    >>> round(threshold_for(1000.0), 2)
    5.07
    """
    highest = math.log(run_length) / (2 * ALLOWANCE)
    return float(optimize.brentq(lambda h: math.log(average_run_length(h) / run_length), 1e-3, highest, xtol=1e-10))


def average_run_length(threshold: float, mean: float = 0.0, deviation: float = 1.0) -> float:
    """Windows to the alarm on average, from 0, of independent normal scores.

    Solves L(u) = 1 + L(0) F(k - u) + integral of L(x) f(x - u + k) over x from 0 to the threshold, with F and f the
    distribution and density of the scores (the integral equation of Page 1954, Biometrika 41), by Gauss-Legendre
    quadrature as Goel and Wu 1971, Technometrics 13.

    Args:
      threshold: above 0.
      mean: of the scores.
      deviation: their standard deviation, above 0.

    """
    nodes, weights = special.roots_legendre(_NODES)
    places = np.concatenate([[0.0], (nodes + 1) * threshold / 2])
    steps = (places[None, :] - places[:, None] + ALLOWANCE - mean) / deviation
    moves = np.exp(-(steps**2) / 2) / (math.sqrt(2 * math.pi) * deviation)
    moves[:, 1:] *= weights * threshold / 2
    moves[:, 0] = special.ndtr(steps[:, 0])
    return float(np.linalg.solve(np.eye(len(places)) - moves, np.ones(len(places)))[0])


def _bound(state: DriftState, loading: float) -> float:
    """What the baseline's luck may add to a clean window's score."""
    luck = state.luck / state.certainty + SURE / math.sqrt(state.certainty)
    return loading * min(luck, MOST_LUCK)
