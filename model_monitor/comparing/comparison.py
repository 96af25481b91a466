"""Two runs side by side: what they have in common, in what they differ, and by how much more than chance explains."""

import filecmp
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from components.common.artifacts.files import Artifact
from components.common.errors import require
from components.common.proportion import Proportion
from components.common.records.drift_report import DriftReport, Measurement
from components.common.verdict import Check
from components.common.verdict_words import State

from ..reading.findings import RunFinding
from ..reading.history import History
from ..reading.run_store import Node, Run
from .run_figures import BASELINE, ESTIMATED, HELD_OUT, LABELLED, Figures, figures_of

T = TypeVar("T")
Key = TypeVar("Key")
# Parameters of a node that differ where another of the same node does, and say no more than that.
_FOLLOWING = {
    "span": re.compile(r"range_config\.|input_config\.splits\.\d+\.pattern$"),
    "labels_file": re.compile(r"labels_fingerprint$"),
}
_MOST_BYTES = 64 * 2**20  # of an artifact, that its content is compared
# How a run ended, in words, and how another is said to have ended alike.
_STATES = {
    State.PUSHED: ("was pushed", "so was"),
    State.NOT_PUSHED: ("was not pushed", "neither was"),
    State.BLESSED: ("was blessed", "so was"),
    State.NOT_BLESSED: ("was not blessed", "neither was"),
    State.FINE: ("is fine", "so is"),
    State.CHANGED: ("is changed", "so is"),
    State.DEGRADED: ("is degraded", "so is"),
    State.INVALID: ("is invalid", "so is"),
    State.UNDECIDED: ("is undecided", "so is"),
    State.FAILED: ("failed", "so did"),
    State.RUNNING: ("is running", "so is"),
    State.NO_VERDICT: ("has no verdict", "neither has"),
}


@dataclass(frozen=True)
class Pair(Generic[T]):
    """What the first and the second run have of one thing; None where one has nothing of it."""

    first: T | None
    second: T | None

    @property
    def differs(self) -> bool:
        return self.first != self.second

    @property
    def both(self) -> tuple[T | None, T | None]:
        return self.first, self.second


@dataclass(frozen=True)
class Difference:
    """The second accuracy less the first, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Accuracies:
    """One accuracy of both runs: how it is known, of which slice ("" for the whole), and by how much it differs."""

    known: str
    slice: str
    values: Pair[Proportion]

    @property
    def difference(self) -> Difference | None:
        first, second = self.values.both
        if first is None or second is None or (self.known == BASELINE and first == second):
            return None
        return difference(first, second)


@dataclass(frozen=True)
class Moved:
    """A feature (or "", all together), the test that finds it most unusual, and what either run's test found."""

    feature: str
    comparison: str
    test: str
    measured: Pair[Measurement]

    @property
    def exceeded(self) -> bool:
        return any(each is not None and each.exceeded for each in self.measured.both)

    @property
    def reference(self) -> str:
        """What the windows were compared with."""
        return next(each.reference for each in self.measured.both if each is not None)

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Sorts alarms first, and then the most unusual."""
        return min((not each.exceeded, *each.rank) for each in self.measured.both if each is not None)


@dataclass(frozen=True)
class Output:
    """An output of a node that both runs have. `same`: whether it holds the same; None where that is not known."""

    key: str
    artifacts: tuple[tuple[Artifact, ...], tuple[Artifact, ...]]
    same: bool | None


@dataclass(frozen=True)
class Comparison:
    """Two runs, the first and the second in the order in which they were named."""

    first: Figures
    second: Figures

    @property
    def sides(self) -> tuple[Figures, Figures]:
        return self.first, self.second

    @property
    def labels(self) -> tuple[str, str]:
        """Short names for the two: by span, where that tells them apart."""
        spans = [side.verdict.span for side in self.sides]
        if None not in spans and spans[0] != spans[1]:
            return f"span {spans[0]}", f"span {spans[1]}"
        return f"run {self.first.run.id}", f"run {self.second.run.id}"

    @property
    def same_pipeline(self) -> bool:
        return self.first.run.pipeline == self.second.run.pipeline

    @property
    def same_baseline(self) -> bool:
        return self.first.baseline == self.second.baseline

    @cached_property
    def nodes(self) -> dict[str, Pair[Node]]:
        """The nodes of either run, in the order in which they ran."""
        return paired(self.first.run.nodes, self.second.run.nodes)

    @property
    def common_nodes(self) -> list[str]:
        return [name for name, pair in self.nodes.items() if None not in pair.both]

    @property
    def only(self) -> tuple[list[str], list[str]]:
        """The nodes that the first alone has, and those that the second alone has."""
        alone = [name for name, pair in self.nodes.items() if pair.second is None]
        return alone, [name for name, pair in self.nodes.items() if pair.first is None]

    @property
    def parameters(self) -> dict[tuple[str, str], Pair[str]]:
        """The parameters, by node and name, in which nodes that both have differ."""
        common = set(self.common_nodes)
        pairs = paired(self.first.parameters, self.second.parameters)
        differing = {key: pair for key, pair in pairs.items() if key[0] in common and pair.differs}
        follows = {key for key in differing for cause, form in _FOLLOWING.items()
                   if (key[0], cause) in differing and form.match(key[1])}  # fmt: skip
        return {key: pair for key, pair in differing.items() if key not in follows}

    @property
    def counts(self) -> dict[tuple[str, str], Pair[int]]:
        """The counts of the data, by what is counted in and what is counted."""
        return paired(self.first.counts, self.second.counts)

    @property
    def same_input(self) -> dict[str, bool]:
        """Whether nodes that read files in both runs read the same: as many, as large, and last changed then."""
        pairs = paired(self.first.fingerprints, self.second.fingerprints)
        return {name: not pair.differs for name, pair in pairs.items() if None not in pair.both}

    @property
    def checks(self) -> dict[str, Pair[Check]]:
        return paired(self.first.checks, self.second.checks)

    @property
    def findings(self) -> list[Pair[RunFinding]]:
        """What checks other than those of single features found, once for both runs where both have it."""
        by_key = [{each.key: each for each in side.findings} for side in self.sides]
        return list(paired(*by_key).values())

    @property
    def accuracies(self) -> list[Accuracies]:
        """The accuracy of the whole and of each slice, by each way of knowing it; the whole first."""
        pairs = paired(self.first.accuracy, self.second.accuracy)
        order = (HELD_OUT, LABELLED, ESTIMATED, BASELINE)
        keys = sorted(pairs, key=lambda key: (order.index(key[0]), key[1] != ""))
        return [Accuracies(known, where, pairs[known, where]) for known, where in keys]

    @property
    def metrics(self) -> dict[str, Pair[float]]:
        return paired(self.first.metrics, self.second.metrics)

    @property
    def p_values(self) -> dict[str, Pair[float | None]]:
        return paired(_p_values(self.first.drift), _p_values(self.second.drift))

    @cached_property
    def moved(self) -> list[Moved]:
        """Every feature that was compared in either run, each by one test, the most unusual first."""
        sides = [_measurements(side.drift) for side in self.sides]
        by_feature: dict[str, list[Moved]] = {}
        for (feature, comparison, test), pair in paired(*sides).items():
            by_feature.setdefault(feature, []).append(Moved(feature, comparison, test, pair))
        return sorted(map(_telling, by_feature.values()), key=lambda each: each.rank)

    def moved_in(self) -> tuple[list[str], list[str], list[str]]:
        """The features with an alarm in both, in the first alone, and in the second alone."""
        changed = [side.drift.changed_features if side.drift else [] for side in self.sides]
        both = [each for each in changed[0] if each in changed[1]]
        first, second = ([each for each in found if each not in both] for found in changed)
        return both, first, second

    @cached_property
    def outputs(self) -> dict[str, list[Output]]:
        """The outputs of the nodes that both runs have, and whether they hold the same."""
        return {
            name: list(_outputs(pair.first, pair.second))
            for name, pair in self.nodes.items()
            if pair.first is not None and pair.second is not None
        }

    @property
    def sentences(self) -> list[str]:
        """What there is to know first: how the two ended, how accurate they are, and what moved."""
        return [self._states(), *self._accuracy_told(), *self._moved_told()]

    def _states(self) -> str:
        (first, second), (state, other) = self.labels, (side.verdict.state for side in self.sides)
        words, echo = _STATES[state]
        end = f"and {echo} {second}" if state is other else f"{second} {_STATES[other][0]}"
        return f"{first[:1].upper()}{first[1:]} {words}, {end}."

    def _accuracy_told(self) -> Iterator[str]:
        """The accuracy of the whole by the best way of knowing it that both have."""
        names = {LABELLED: "Accuracy by labels", HELD_OUT: "Accuracy on held-out examples",
                 ESTIMATED: "Estimated accuracy"}  # fmt: skip
        found = {each.known: less for each in self.accuracies if not each.slice and (less := each.difference)}
        known = next((name for name in names if name in found), None)
        if known is not None:
            explained = "more than chance explains" if found[known].beyond_chance else "no more than chance explains"
            yield f"{names[known]} is {_points(found[known], self.labels[1])}: {explained}."

    def _moved_told(self) -> Iterator[str]:
        if not all(side.drift for side in self.sides):
            return
        places = ("in both", f"in {self.labels[0]} only", f"in {self.labels[1]} only")
        named = [(where, found) for where, found in zip(places, self.moved_in(), strict=True) if found]
        told = [f"{len(found)} {'feature' if len(found) == 1 else 'features'} {where} ({_some(found)})"
                for where, found in named]  # fmt: skip
        yield f"Beyond the threshold: {'; '.join(told) or 'no feature in either'}."


def compare(history: History, first: Run, second: Run) -> Comparison:
    """Two runs side by side.

    Raises:
      MonitorError: if they are one and the same.

    """
    require(first.id != second.id, "RUN RUN", "be two runs", f"run {first.id} twice")
    return Comparison(figures_of(history, first), figures_of(history, second))


def difference(first: Proportion, second: Proportion) -> Difference:
    """The second less the first, the two taken for independent.

    The interval is made from those of the two (Newcombe, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 1998, method 10). On the same examples it is wider than it would have to be.

    >>> found = difference(Proportion(48 / 80, 0.4904, 0.7003), Proportion(56 / 70, 0.6918, 0.8769))
    >>> round(found.value, 2), round(found.low, 3), round(found.high, 3)
    (0.2, 0.052, 0.334)
    """
    less = second.value - first.value
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    return Difference(less, less - below, less + above)


def paired(first: Mapping[Key, T], second: Mapping[Key, T]) -> dict[Key, Pair[T]]:
    """What two mappings have under each key, in the order of the first, then of the second.

    >>> paired({"a": 1, "b": 2}, {"b": 3, "c": 4})["b"].both
    (2, 3)
    """
    return {key: Pair(first.get(key), second.get(key)) for key in dict.fromkeys([*first, *second])}


def same_content(first: Path, second: Path) -> bool | None:
    """Whether two folders hold the same files; None where one is gone, remote, or too large to be looked into."""
    if not (first.is_dir() and second.is_dir()):
        return None
    files = [_sizes(folder) for folder in (first, second)]
    if files[0] != files[1]:
        return False
    if sum(files[0].values()) > _MOST_BYTES:
        return None
    _, unequal, unreadable = filecmp.cmpfiles(first, second, list(files[0]), shallow=False)
    return None if unreadable and not unequal else not unequal


def _sizes(folder: Path) -> dict[str, int]:
    return {str(each.relative_to(folder)): each.stat().st_size for each in sorted(folder.rglob("*")) if each.is_file()}


def _outputs(first: Node, second: Node) -> Iterator[Output]:
    for key, pair in paired(first.outputs, second.outputs).items():
        ours, theirs = tuple(pair.first or ()), tuple(pair.second or ())
        yield Output(key, (ours, theirs), _same(ours, theirs))


def _same(first: Sequence[Artifact], second: Sequence[Artifact]) -> bool | None:
    if [each.id for each in first] == [each.id for each in second]:
        return True
    if len(first) != len(second):
        return False
    pairs = zip(first, second, strict=True)
    found = [ours.uri == theirs.uri or same_content(Path(ours.uri), Path(theirs.uri)) for ours, theirs in pairs]
    return False if False in found else None if None in found else True


def _p_values(drift: DriftReport | None) -> dict[str, float | None]:
    if drift is None:
        return {}
    return {"everything together": drift.p_value, "against the baseline": drift.skew_p_value,
             "against the previous span": drift.drift_p_value, "an alarm at": drift.allowed,
             "false-alarm rate": drift.false_alarm_rate}  # fmt: skip


def _measurements(drift: DriftReport | None) -> dict[tuple[str, str, str], Measurement]:
    """The tests that could raise an alarm, by feature, comparison and test."""
    measurements = drift.measurements if drift else ()
    return {(each.feature, each.comparison, each.test): each for each in measurements if each.threshold is not None}


def _telling(tests: Iterable[Moved]) -> Moved:
    """Of the tests of one feature the most unusual, of those that both runs made where there are any."""
    found = list(tests)
    shared = [each for each in found if None not in each.measured.both]
    return min(shared or found, key=lambda each: each.rank)


def _points(less: Difference, label: str) -> str:
    """A difference in words: its size, of which run, and its interval, in points."""
    value, low, high = (100 * each for each in (less.value, less.low, less.high))
    direction = "higher" if value >= 0 else "lower"
    ends = (low, high) if value >= 0 else (-high, -low)
    return f"{abs(value):.1f} points {direction} in {label} ({ends[0]:.1f} to {ends[1]:.1f})"


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
