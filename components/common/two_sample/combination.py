"""Many statistics, each measured on the observed split and on every permuted one -> one p-value and thresholds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import require

Floats = npt.NDArray[np.float64]

TAIL = 0.1  # the proportion of splits from which the tail of a group's maximum is extrapolated
_TIE = 1e-7  # scores closer than this are ties: rounding must not decide


@dataclass(frozen=True)
class Column:
    """One statistic: `values[0]` is what was observed, the rest are those of the permuted splits. None is below 0.

    Attributes:
      feature: The feature's name, "" for a joint test.
      test: The test's name.
      values: `float64[1 + permutations]`.
      power: The power that makes the statistic's distribution nearly normal (Wilson and Hilferty 1931 for a third).
      rate: The statistic's size under the null is proportional to (1/n + 1/N) to this power.

    """

    feature: str
    test: str
    values: Floats
    power: float
    rate: float


@dataclass
class Group:
    """Statistics of one kind, whose maximum counts.

    Attributes:
      name: What the group is called.
      columns: Its statistics.
      weight: The group's proportion of the false alarms, relative to other groups'. In (0, 1].

    """

    name: str
    columns: list[Column] = field(default_factory=list)
    weight: float = 1.0

    def add(self, feature: str, test: str, values: Floats, *, power: float, rate: float) -> None:
        rule = "be finite: NaN is above no threshold, and would never raise an alarm"
        require(bool(np.isfinite(values).all()), "values", rule, (feature, test))
        self.columns.append(Column(feature, test, values, power, rate))


def joined(parts: Sequence[Sequence[Group]]) -> list[Group]:
    """The same groups, measured on several sets of splits, as one; each has the observed split first."""
    return list(parts[0]) if len(parts) == 1 else [_joined(groups) for groups in zip(*parts, strict=True)]


def _joined(groups: Sequence[Group]) -> Group:
    found = Group(groups[0].name, weight=groups[0].weight)
    for columns in zip(*(group.columns for group in groups), strict=True):
        first, *others = columns
        values = np.concatenate([first.values, *(column.values[1:] for column in others)])
        found.add(first.feature, first.test, values, power=first.power, rate=first.rate)
    return found


@dataclass(frozen=True)
class CheckedColumn:
    """What `TwoSampleTest` says of a column."""

    column: Column
    measured: float
    threshold: float
    p_value: float
    adjusted_p_value: float
    excess: float


@dataclass(frozen=True)
class Combined:
    """The result for all columns together."""

    p_value: float
    alarm: bool
    checks: tuple[CheckedColumn, ...]


class Tail:
    """The monotone map of a group's maximum to -log of its p-value, continued beyond the splits by an exponential.

    Ranks alone cannot tell what is just above all permuted splits from what is far above them, and with several
    groups and few splits every group has a best split. Peaks over a threshold have an exponential tail (Pickands
    1975); its mean is that of the peaks.
    """

    def __init__(self, maxima: Floats) -> None:
        count = len(maxima)
        self._sorted = np.unique(maxima)
        above = count - np.searchsorted(np.sort(maxima), self._sorted, side="left")
        self._scores = -np.log(above / count)
        body = self._sorted[self._scores <= -math.log(TAIL)]
        self._start = float(body[-1])
        self._base = float(self._scores[len(body) - 1])
        peaks = maxima[maxima > self._start] - self._start
        self._mean = float(peaks.mean()) if peaks.size else 1.0

    def score(self, values: Floats) -> Floats:
        """Higher is rarer."""
        body = np.interp(values, self._sorted, self._scores)
        return np.where(values > self._start, self._base + (values - self._start) / self._mean, body)

    def value(self, score: float) -> float:
        """The largest value whose score is at most `score`."""
        if score >= self._base:
            return self._start + (score - self._base) * self._mean
        return float(np.interp(score, self._scores, self._sorted))


def combine(groups: Sequence[Group], false_alarm_rate: float) -> Combined:
    """The family-wise p-value of the observed split over all groups, by the same permuted splits throughout.

    The statistic of a split is the score of its most unusual group, groups weighted; the p-value is the observed one's
    rank among all splits, itself included (Phipson and Smyth 2010), ties counted against it. Thresholds are that
    statistic's critical value carried back through the monotone maps, so that some check exceeds its threshold if and
    only if the p-value is at most the false-alarm rate; where no rank among so few splits is, the critical value is
    extrapolated, and no check exceeds it. Adjusted p-values are those of the single-step maximum
    (Westfall and Young 1993).
    """
    scaled = [_Scaled(group) for group in groups]
    overall = _most_unusual(scaled)
    others = np.sort(overall[1:])
    allowed = math.floor(false_alarm_rate * len(overall) + 1e-9)  # splits as unusual as the observed, itself included
    if allowed:
        critical = float(others[len(others) - allowed]) + _TIE if allowed <= len(others) else math.inf
    else:  # too few splits to tell: what would be unusual enough is extrapolated, and the observed one is not
        critical = max(Tail(others).value(-math.log(false_alarm_rate)), float(overall[0])) + _TIE
    checks = [check for each in scaled for check in each.checks(others, critical)]
    p_value = _rank(others, float(overall[0]))
    return Combined(p_value, any(c.measured > c.threshold for c in checks), tuple(checks))


def family_scores(groups: Sequence[Group]) -> Floats:
    """The statistic of every split, the score of its most unusual group: `[1 + permutations]`. Higher is rarer."""
    return _most_unusual([_Scaled(group) for group in groups])


def _most_unusual(scaled: Sequence["_Scaled"]) -> Floats:
    return np.asarray(np.max([each.scores for each in scaled], axis=0))


class _Scaled:
    """A group's columns brought to one scale, and the scores of its maximum."""

    def __init__(self, group: Group) -> None:
        self.columns = group.columns
        self._raised = np.stack([np.maximum(c.values, 0) ** c.power for c in group.columns], axis=1)
        self._mean = self._raised.mean(axis=0)
        self._spread = self._raised.std(axis=0)
        constant = self._spread <= 1e-9 * np.maximum(self._mean, 1e-30)
        self._spread[constant] = math.inf  # a statistic that never changes says nothing
        self._constant = constant
        self.standard = (self._raised - self._mean) / self._spread
        self.standard[:, constant] = -math.inf
        maxima = self.standard.max(axis=1) if not constant.all() else np.zeros(len(self._raised))
        self._tail = Tail(maxima)
        self._bonus = math.log(group.weight)
        self.scores = self._tail.score(maxima) + self._bonus

    def checks(self, others: Floats, critical: float) -> list[CheckedColumn]:
        """`others`: sorted scores of the permuted splits; `critical`: the score that an alarm has to exceed."""
        limit = self._tail.value(critical - self._bonus) if math.isfinite(critical) else math.inf
        found = []
        for i, column in enumerate(self.columns):
            standard = float(self.standard[0, i])
            score = float(self._tail.score(np.array([standard]))[0]) + self._bonus
            if self._constant[i]:
                score = -math.inf
            measured = float(column.values[0])
            alone = np.sort(self.standard[1:, i])
            found.append(
                CheckedColumn(
                    column,
                    measured,
                    self._threshold(i, limit, measured, score > critical),
                    1.0 if self._constant[i] else _rank(alone, standard),
                    _rank(others, score),
                    self._excess(i, limit),
                )
            )
        return found

    def _threshold(self, i: int, limit: float, measured: float, exceeds: bool) -> float:
        """The value at which the column's score is critical, on the right side of `measured` whatever the rounding."""
        if self._constant[i]:
            return measured
        raised = max(float(self._mean[i] + limit * self._spread[i]), 0.0)
        threshold = raised ** (1 / self.columns[i].power)
        if exceeds:
            return min(threshold, math.nextafter(measured, -math.inf))
        return max(threshold, measured)

    def _excess(self, i: int, limit: float) -> float:
        """Against the spread of the permuted splits alone, which a huge observed value does not widen."""
        if self._constant[i] or not math.isfinite(limit):
            return -math.inf if self._constant[i] or limit > 0 else math.inf
        spread = float(self._raised[1:, i].std()) or float(self._spread[i])
        return float(self._raised[0, i] - (self._mean[i] + limit * self._spread[i])) / spread


def _rank(others: Floats, observed: float) -> float:
    """The proportion of splits at least as large as the observed one, itself included; `others` sorted."""
    above = len(others) - int(np.searchsorted(others, observed - _TIE, side="left"))
    return (1 + above) / (1 + len(others))
