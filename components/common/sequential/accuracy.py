"""The accuracy over time: whether the model has become worse than is allowed, by labels that come late or by estimates.

For each window whose labels are in:

    followed = AccuracyFollowed(SourceAccuracy(right=8930, total=10_000), tolerance=0.05, run_length=7200)
    state = followed.step(state, AccuracyWindow("w0042", right=861, labelled=1000))
    state.rings, state.since, state.accuracy, state.highest, state.allowed

and without labels `AccuracyWindow.estimated("w0042", estimate)`. A state is a function of the windows since the last
reset: `follow` gives them all, `step` the next one. Where labels come for a window that was counted already, follow
again.

docs/false_alarms_over_time.md says what is promised, of labels and of estimates.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from ..errors import require
from ..proportion import Proportion
from ..records.checked import checked
from ..two_sample.false_alarms import GUARANTEED_REFERENCES

_ALL_KEPT = 16  # stretches that began in so many last windows; of older ones ever fewer
_HALF_WIDTH = 1.959963984540054  # of a 95 % interval, in standard errors
_PRIOR = 50.0  # examples' worth of belief that a risk that is too high is little too high; 10 to 300 do as well
_RECOVERED = 20.0  # the capital that shows that the accuracy is what is allowed again
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SourceAccuracy:
    """How many of the baseline's held-out examples the model has right: 0 <= right <= total, total >= 1."""

    right: int
    total: int

    def __post_init__(self) -> None:
        sound = 0 <= self.right <= self.total and self.total >= 1
        require(sound, "source", "have 0 <= right <= total, and total at least 1", (self.right, self.total))

    @property
    def lowest(self) -> float:
        """The lower bound of its accuracy for 19 of 20 baselines (Clopper and Pearson 1934, Biometrika 26)."""
        if self.right == 0:
            return 0.0
        return float(special.betaincinv(self.right, self.total - self.right + 1, 1 - GUARANTEED_REFERENCES))


@dataclass(frozen=True)
class AccuracyWindow:
    """What is known of the model's answers in a window.

    Attributes:
      id: the window's, of its own.
      right: how many of its labelled examples the model had right.
      labelled: how many have a label; 0 where none has come.

    Raises:
      MonitorError: unless 0 <= right <= labelled, both finite.

    """

    id: str
    right: float
    labelled: float

    def __post_init__(self) -> None:
        require(isinstance(self.id, str) and bool(self.id), "id", "be the text that names the window", self.id)
        sound = 0 <= self.right <= self.labelled < math.inf
        rule = "have 0 <= right <= labelled"
        require(sound, f"labels of window {self.id}", rule, (self.right, self.labelled))

    @staticmethod
    def estimated(window: str, estimate: Proportion) -> "AccuracyWindow":
        """A window without labels, by its estimated accuracy and the 95 % interval of it.

        It counts as so many labelled examples as would leave an interval as wide, at most as many as it has. The
        estimate's bias is not in the interval: what is promised of labels is promised of estimates only as far as they
        are right.

        >>> AccuracyWindow.estimated("w1", Proportion(0.8, 0.75, 0.85, 1000)).labelled
        245.8...
        """
        half = (estimate.high - estimate.low) / 2
        require(estimate.bounded and half > 0, f"estimate of window {window}", "have an interval", str(estimate))
        spread = estimate.value * (1 - estimate.value)
        worth = spread * (_HALF_WIDTH / half) ** 2 if spread else estimate.total
        labelled = min(worth, estimate.total) if estimate.total else worth
        return AccuracyWindow(window, estimate.value * labelled, labelled)


@dataclass(frozen=True)
class Stretch:
    """The windows from one on: `number` is which it was (0 is the first since the reset), `since` its id."""

    number: int
    since: str
    right: float
    labelled: float


@dataclass(frozen=True)
class AccuracyState:
    """What is known of the accuracy after a window.

    Attributes:
      window: id of the last window; empty at the start.
      windows: how many had labels.
      skipped: how many had none; they change nothing else.
      since: id of the window that the stretch began with which speaks most against the model; empty at the start.
      accuracy: of that stretch; 1 at the start.
      highest: the upper bound of it, at all times together: the accuracy was below it in some window of the stretch at
        least.
      allowed: what the accuracy must not be shown to be below: the source's lower bound less the tolerance.
      rings: from the window at which `highest` is below `allowed` to the one by which the accuracy is shown to be at
        least `allowed` again; then all starts anew.
      stretches: what is kept of the windows, to go on.

    """

    window: str
    windows: int
    skipped: int
    since: str
    accuracy: float
    highest: float
    allowed: float
    rings: bool
    stretches: tuple[Stretch, ...]

    def to_record(self) -> dict[str, Any]:
        """Numbers, texts and lists of such, for JSON."""
        return dataclasses.asdict(self) | {"stretches": [dataclasses.astuple(each) for each in self.stretches]}

    @staticmethod
    def from_record(record: Any) -> "AccuracyState":
        """Reads what `to_record` gave. Raises `MonitorError` unless it holds the same keys with values of their
        types.
        """
        names = [field.name for field in dataclasses.fields(AccuracyState)]
        require(isinstance(record, dict) and sorted(record) == sorted(names), "state", f"hold {names}", record)
        kept = record["stretches"]
        of_four = isinstance(kept, list) and all(isinstance(each, list | tuple) and len(each) == 4 for each in kept)
        require(of_four, "stretches", "be a list of number, since, right and labelled", kept)
        return checked(AccuracyState(**(record | {"stretches": tuple(Stretch(*each) for each in kept)})))


@dataclass(frozen=True)
class AccuracyFollowed:
    """Rings when the accuracy is shown to be below what is allowed, however often one looks.

    The risk is 1 less the accuracy. A model is harmful when the lower bound of the risk that is run exceeds the upper
    bound of the source's risk plus a tolerance (Podkopaev and Ramdas 2022, "Tracking the risk of a deployed model and
    detecting harmful distribution shifts", ICLR, section 2). The bound is a confidence sequence by betting: against a
    risk of m,

        capital = integral of (t/m)^wrong ((1-t)/(1-m))^right w(t) dt over t from m to 1

    with a weight w that is a beta density about m, cut off below m, is a mixture of products of e-values where the
    risk of every window is at most m (Robbins 1970, "Statistical methods related to the law of the iterated logarithm",
    mixtures; Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B, section
    4), and the lower bound is the m at which it is `run_length`. One sequence is begun with every window, so that
    months of good windows do not hide a bad week, and the alarm is given by any of them: without harm that takes
    `run_length` windows on average at least (Shekhar and Ramdas 2024, "Reducing sequential change detection to
    sequential estimation", ICML). Of old beginnings ever fewer are kept, which costs a little power and no promise.

    Attributes:
      source: the accuracy on the baseline's held-out examples.
      tolerance: what may be lost, in [0, 1): `monitor.max_accuracy_drop`.
      run_length: windows between two false alarms, at least, for 19 of 20 baselines; 10 or more.

    Raises:
      MonitorError: a value breaks these rules, or nothing is left that the accuracy could be below.

    """

    source: SourceAccuracy
    tolerance: float
    run_length: float

    def __post_init__(self) -> None:
        require(0 <= self.tolerance < 1, "tolerance", "be in [0, 1)", self.tolerance)
        require(10 <= self.run_length < math.inf, "run_length", "be 10 windows or more", self.run_length)
        rule = f"be less than the source's accuracy, {self.source.lowest:.3f} at least: nothing would be too bad"
        require(self.tolerance < self.source.lowest, "tolerance", rule, self.tolerance)

    @property
    def allowed(self) -> float:
        """The accuracy that must not be shown to be missed."""
        return self.source.lowest - self.tolerance

    def start(self) -> AccuracyState:
        """The state before the first window."""
        return AccuracyState("", 0, 0, "", 1.0, 1.0, self.allowed, rings=False, stretches=())

    def step(self, state: AccuracyState, window: AccuracyWindow) -> AccuracyState:
        """The state after one more window.

        Raises:
          MonitorError: the state belongs to another source or tolerance, or the window is the one it has just counted.

        """
        same = math.isclose(state.allowed, self.allowed, rel_tol=1e-9)
        require(same, "state", f"be of an allowed accuracy of {self.allowed:.6g}", state.allowed)
        require(window.id != state.window, "window", "be counted once", window.id)
        if window.labelled == 0:
            return dataclasses.replace(state, window=window.id, skipped=state.skipped + 1)
        stretches = _with(state.stretches, window)
        right = np.array([each.right for each in stretches])
        wrong = np.array([each.labelled for each in stretches]) - right
        if state.rings and _log_capital(right, wrong, self.allowed).max() >= math.log(_RECOVERED):
            return dataclasses.replace(self.start(), window=window.id, windows=state.windows + 1, skipped=state.skipped)
        capital = _log_capital(wrong, right, 1 - self.allowed)
        worst = int(capital.argmax())
        rings = state.rings or capital[worst] >= math.log(self.run_length)
        begun = rings and not state.rings
        return AccuracyState(
            window=window.id,
            windows=state.windows + 1,
            skipped=state.skipped,
            since=stretches[worst].since,
            accuracy=stretches[worst].right / stretches[worst].labelled,
            highest=1 - _lower_bound(wrong[worst], right[worst], self.run_length),
            allowed=self.allowed,
            rings=bool(rings),
            stretches=(stretches[worst],) if begun else stretches,
        )

    def follow(self, history: Iterable[AccuracyWindow]) -> list[AccuracyState]:
        """The state after each of the windows since the last reset, in their order. Raises `MonitorError` as `step`."""
        states, state = [], self.start()
        for window in history:
            state = self.step(state, window)
            states.append(state)
        return states


def _with(stretches: Sequence[Stretch], window: AccuracyWindow) -> tuple[Stretch, ...]:
    """Every stretch with the window added, and the one that begins with it; of old ones only those that are kept."""
    number = stretches[-1].number + 1 if stretches else 0
    longer = [
        Stretch(each.number, each.since, each.right + window.right, each.labelled + window.labelled)
        for each in stretches
        if _is_kept(each.number, number - each.number)
    ]
    return (*longer, Stretch(number, window.id, window.right, window.labelled))


def _is_kept(number: int, age: int) -> bool:
    """Those of the last 16 windows, then every second, every fourth ...: twice as old, half as dense. 0 always is."""
    return age < _ALL_KEPT or number % (1 << ((2 * age // _ALL_KEPT).bit_length() - 1)) == 0


def _log_capital(hits: Floats, misses: Floats, chance: float) -> Floats:
    """Log of the capital against the chance of a hit being at most `chance`, for each number of hits and misses."""
    first, second = 1 + _PRIOR * chance, 1 + _PRIOR * (1 - chance)
    with np.errstate(divide="ignore"):  # hits far below chance: a capital of 0
        won = _log_mass(hits + first, misses + second, chance) - _log_mass(first, second, chance)
    return np.asarray(won - hits * np.log(chance) - misses * np.log1p(-chance))


def _log_mass(first: Any, second: Any, start: float) -> Any:
    """Log of the integral of x^(first - 1) (1 - x)^(second - 1) from `start` to 1."""
    return special.betaln(first, second) + np.log(special.betaincc(first, second, start))


def _lower_bound(hits: float, misses: float, capital: float) -> float:
    """The largest chance of a hit against which so much capital was made; 0 where none."""
    often = hits / (hits + misses)
    counts = np.array([hits]), np.array([misses])

    def missing(chance: float) -> float:
        return float(_log_capital(*counts, chance)[0]) - math.log(capital)

    least = 1e-9
    if often <= least or missing(least) < 0:
        return 0.0
    highest = min(often, 1 - 1e-12)
    return float(optimize.brentq(missing, least, highest, xtol=1e-12)) if missing(highest) < 0 else highest
