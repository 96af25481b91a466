"""Windows from the first image of a slow drift to the alarm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.detection.table import Table
from components.common.sequential import cusum
from components.common.two_sample.false_alarms import p_value_threshold

from .candidates import CANDIDATES, threshold
from .candidates import delays as delays_of
from .chains import Chains
from .drifts import NULL_PAIRS, Drift, discrete

Floats = npt.NDArray[np.float64]
KNOWN = 300  # clean windows that the history is drawn from
GROWTH = 0.005  # of the images, a window
BEFORE = 20  # windows before the drift that candidates see
HISTORY = 240  # windows before the drift: ten days of hourly ones
PERMUTATIONS = 9999
RUN_LENGTH = 1000  # windows to a false alarm, of everything but the first column
NOMINAL = "single window at 1 %"


@dataclass(frozen=True)
class Plan:
    """Sizes of window and baseline, how many baselines and paths of each shift, and how many windows a path has.

    `highest` is the proportion of the images at which the drift stops growing.
    """

    size: int = 500
    reference: int = 5000
    baselines: int = 10
    paths: int = 20
    length: int = 60
    highest: float = 1.0
    null_pairs: tuple[int, int] = NULL_PAIRS

    @property
    def sizes(self) -> tuple[int, int]:
        return self.size, self.reference


# A drift that stays small, of shifts that single windows hardly show then.
SMALL = Plan(paths=10, length=120, highest=0.05)
SLOW = ("brightness", "saturation", "jpeg", "rotation")


def measure(clean: Table, shifted: Mapping[str, Table], plan: Plan) -> dict[str, Any]:
    """By shift, by test: the mean number of windows to the alarm; `length` + 1 where there is none.

    The tests are those of `of_drift` and `CANDIDATES`.
    """
    found = {}
    for number, (name, table) in enumerate(shifted.items()):
        drift = Drift(
            clean,
            table,
            size=plan.size,
            reference=plan.reference,
            baselines=plan.baselines,
            null_pairs=plan.null_pairs,
        )
        fractions = np.minimum(GROWTH * np.arange(1, plan.length + 1), plan.highest)
        growing = drift.p_values(fractions, plan.paths, number)
        before = drift.p_values(np.zeros(KNOWN), 1, 1000 + number)[:, 0]
        found[name] = of_drift(before, growing, plan.sizes, np.random.default_rng(number))
        print(f"{name}: {found[name]}", flush=True)
    return found


def of_drift(before: Floats, growing: Floats, sizes: tuple[int, int], rng: np.random.Generator) -> dict[str, float]:
    """The delays of p-values [baselines, paths, windows], `before` [baselines, windows] being those without a drift."""
    baselines, paths, _ = growing.shape
    drawn = before[np.arange(baselines)[:, None, None], rng.integers(before.shape[1], size=(baselines, paths, HISTORY))]
    growing, drawn = (discrete(each, PERMUTATIONS, rng) for each in (growing, drawn))
    single = p_value_threshold(1 / (2 * RUN_LENGTH), *sizes)
    together = _rung(drawn, growing, sizes, 2 * RUN_LENGTH) | (growing <= single)
    delays = {
        NOMINAL: growing <= 0.01,
        "single window": growing <= p_value_threshold(1 / RUN_LENGTH, *sizes),
        "CUSUM, baseline taken for exact": _rung(drawn, growing, sizes, RUN_LENGTH, plain=True),
        "CUSUM from the first window": _rung(drawn[..., :0], growing, sizes, RUN_LENGTH),
        "CUSUM": _rung(drawn, growing, sizes, RUN_LENGTH),
        "together": together,
    }
    scores = _scores(np.concatenate([drawn[..., -BEFORE:], growing], axis=2))
    others = {each.name: delays_of(each, scores, threshold(each, RUN_LENGTH), BEFORE) for each in CANDIDATES}
    found = {name: _first(rung) for name, rung in delays.items()} | others
    return {name: float(each.mean()) for name, each in found.items()}


def _rung(
    before: Floats, growing: Floats, sizes: tuple[int, int], run_length: float, *, plain: bool = False
) -> npt.NDArray[np.bool_]:
    chains = Chains(run_length, sizes[0] / sum(sizes), growing.shape[:2], plain=plain)
    for number in range(before.shape[2]):
        chains.step(_scores(before[..., number]))
    chains.end_alarms()
    return np.stack([chains.step(_scores(growing[..., number])) for number in range(growing.shape[2])], axis=2)


def _scores(p_values: Floats) -> Floats:
    return np.maximum(-special.ndtri(p_values), cusum.normal_score(1.0))


def _first(rung: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The number of the first window that rings, from 1 on."""
    return np.where(rung.any(axis=2), rung.argmax(axis=2), rung.shape[2]) + 1
