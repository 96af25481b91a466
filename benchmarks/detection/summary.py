"""Records -> rates: how often each method, by each of its rules, raised the alarm."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .plan import core_version
from .rates import interval
from .suites import NULL
from .thresholds import null_thresholds

Limits = Mapping[tuple[str, int], float]


@dataclass(frozen=True)
class Rate:
    """`alarms` of `trials`."""

    alarms: int
    trials: int

    @property
    def value(self) -> float:
        return self.alarms / self.trials

    def with_interval(self) -> str:
        low, high = interval(self.alarms, self.trials)
        return f"{100 * self.value:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


@dataclass(frozen=True)
class Rule:
    """When a method's window counts as found.

    Attributes:
      title: What tables call method and rule.
      method: Of `methods.METHODS`.
      threshold: A score that an alarm exceeds; None: the method's own alarm.
      recalibrated: Whether the threshold is the one that 5 % of measured null windows exceed.

    """

    title: str
    method: str
    threshold: float | None = None
    recalibrated: bool = False

    def alarm(self, score: float, own: bool | None, limit: float) -> bool:
        if self.recalibrated:
            return score > limit
        return bool(own) if self.threshold is None else score > self.threshold


RULES = (
    Rule("**ours**", "ours"),
    Rule("BBSDs + KS (also KSDrift on softmax)", "bbsds"),
    Rule("KSDrift, untrained encoder", "untrained_ks"),
    Rule("our features, KS, Bonferroni", "all_features_ks"),
    Rule("prototype: Hotelling T2, recalibrated", "hotelling", recalibrated=True),
    Rule("TFDV default, 0.01", "tfdv", 0.01),
    Rule("TFDV default, 0.1", "tfdv", 0.1),
    Rule("TFDV default, 0.3", "tfdv", 0.3),
    Rule("TFDV default, recalibrated", "tfdv", recalibrated=True),
    Rule("Evidently embedding drift", "evidently"),
    Rule("Evidently, recalibrated", "evidently", recalibrated=True),
    Rule("MMDDrift, untrained encoder", "alibi_mmd"),
)


class Results:
    """All trials of the cache; of our own method those of the present core alone."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        current = f"core {core_version()}"
        kept = [r for r in records if not r["method"].startswith("ours") or r["unit"].endswith(current)]
        self._records = kept
        self._trials: dict[tuple[str, int, str, str], list[tuple[float, bool | None]]] = {}
        for record in kept:
            if "scores" in record:
                key = (record["part"], record["size"], record["shift"], record["method"])
                self._trials.setdefault(key, []).extend(zip(record["scores"], record["alarms"], strict=True))

    def of_part(self, part: str) -> list[Mapping[str, Any]]:
        return [record for record in self._records if record["part"] == part]

    def limits(self, part: str) -> Limits:
        return null_thresholds([record for record in self._records if "scores" in record], part)

    def sizes(self, part: str) -> list[int]:
        return sorted({key[1] for key in self._trials if key[0] == part})

    def rate(self, part: str, size: int, shift: str, rule: Rule, limits: Limits) -> Rate | None:
        """None where there is no trial, or no null window to take a threshold from."""
        found = self._trials.get((part, size, shift, rule.method))
        if not found or (rule.recalibrated and (rule.method, size) not in limits):
            return None
        limit = limits.get((rule.method, size), 0.0)
        return Rate(sum(rule.alarm(score, own, limit) for score, own in found), len(found))

    def pooled(
        self, part: str, size: int, rule: Rule, limits: Limits, choose: Callable[[str], bool] = lambda shift: True
    ) -> Rate | None:
        """Over all shifts of the part but the null one."""
        shifts = {key[2] for key in self._trials if key[:2] == (part, size) and key[2] != NULL.name and choose(key[2])}
        rates = [self.rate(part, size, shift, rule, limits) for shift in sorted(shifts)]
        some = [rate for rate in rates if rate is not None]
        if not some or len(some) < len(rates):
            return None
        return Rate(sum(rate.alarms for rate in some), sum(rate.trials for rate in some))

    def below(self, part: str, size: int, shift: str, method: str, level: float) -> Rate | None:
        """How often the p-value, which is minus the score, was at most `level`."""
        found = self._trials.get((part, size, shift, method))
        return Rate(sum(-score <= level for score, _ in found), len(found)) if found else None
