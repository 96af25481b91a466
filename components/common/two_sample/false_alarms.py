"""Which p-value raises the alarm, so that its rate holds for one given reference, and the permutations it needs."""

import functools
import math
from collections.abc import Iterable
from typing import Any

import scipy  # which imports `special` when it is used

from ..errors import require

# What is promised of a reference that stays: for this proportion of the references that could have been drawn, the rate
# of false alarms is at most so many times the nominal one.
GUARANTEED_REFERENCES = 0.95
GUARANTEED_FACTOR = 1.5

# From so many examples of a reference on it was measured to hold; below, the worst twentieth had up to so many times
# the nominal rate (docs/detection.md).
MEASURED_FROM, FACTOR_BELOW = 2_000, 1.7

_REPEATED_BELOW = 5  # so many times the p-value that decides

_COLUMNS = (10, 20, 50, 200, 1000)
_RATIOS = tuple(10 ** (step / 20) for step in range(-40, 41))  # of window to reference, 1/100 to 100


def p_value_threshold(false_alarm_rate: float, window: int, reference: int) -> float:
    """The p-value at which a window raises the alarm, where the reference stays the same from window to window.

    A permutation test's rate is exact over references drawn anew. One reference of N examples is off by its own
    sampling error, which each of its windows is measured against: T2 of q independent columns is chi-squared over
    references drawn anew, in units of 1/n + 1/N, and given the reference it is non-central chi-squared in units of 1/n,
    with a non-centrality of n / N times the reference's own chi-squared. The threshold is where the 95th percentile of
    references has 1.5 times the nominal rate, for the q from 10 to 1,000 that needs the least. It depends on n / N
    alone, never exceeds the nominal rate, and stays at its lowest for windows much larger than the reference: there the
    model would let it rise again, since few references ring at all, but those in every window.

    docs/detection.md has the rates that were measured with it.

    Args:
      false_alarm_rate: in (0, 0.5], the nominal rate.
      window: n, how many examples of the window are compared; 1 or more.
      reference: N, how many of the reference.

    >>> [round(p_value_threshold(0.01, n, 2000), 4) for n in (100, 300, 1000, 3000)]
    [0.01, 0.0077, 0.0041, 0.0033]

    """
    ratio = window / reference
    lowest = _lowest(false_alarm_rate)
    return lowest[1] if ratio >= lowest[0] else _at_ratio(false_alarm_rate, ratio)


def caveat(reference: int) -> str:
    """What is not promised of a reference of so few examples, as a sentence without a full stop; "" of a larger one.

    >>> caveat(600)
    'up to 1.7 times as many false alarms as asked for, not 1.5, for 600 examples are fewer than 2,000'
    >>> caveat(2000)
    ''
    """
    if reference >= MEASURED_FROM:
        return ""
    few = f"for {reference:,} examples are fewer than {MEASURED_FROM:,}"
    return f"up to {FACTOR_BELOW:g} times as many false alarms as asked for, not {GUARANTEED_FACTOR:g}, {few}"


def together(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """One p-value and its threshold for several comparisons, each given by its own p-value and threshold.

    Bonferroni, weighted by the thresholds (Genovese, Roeder and Wasserman 2006): the result is a p-value again, and is
    at most its threshold exactly where one of the comparisons' is.

    >>> together([(0.002, 0.001), (0.004, 0.003)])
    (0.00533..., 0.004)
    """
    pairs = list(found)
    threshold = math.fsum(limit for _, limit in pairs)
    if len(pairs) == 1:
        return pairs[0]
    return min(1.0, threshold * min(p_value / limit for p_value, limit in pairs)), threshold


def least_permutations(false_alarm_rate: float) -> int:
    """The fewest permutations that can raise an alarm where skew and drift have half of the rate each.

    The p-value of so many permutations is at least 1 / (permutations + 1), and the threshold for skew is smallest where
    the window is somewhat larger than the reference.

    >>> least_permutations(0.01), least_permutations(0.05)
    (597, 129)
    """
    return math.ceil(1 / _lowest(false_alarm_rate / 2)[1] - 1e-6) - 1


def needs_more_permutations(p_value: float, permutations: int, limit: float) -> bool:
    """Whether a comparison has to be repeated with more permutations before its p-value decides on an alarm.

    Small rates need thousands of permutations, but only the few windows need them that look unusual with fewer. A
    window then rings only where the second p-value is at most the limit, so its rate of false alarms is no higher; one
    that would ring is missed by the first look where five times as many permutations were as unusual as are expected.

    Args:
      p_value: in (0, 1], by so many permutations.
      permutations: of the first look.
      limit: the p-value at which the window rings.

    >>> needs_more_permutations(0.2, 1999, 0.0002), needs_more_permutations(0.001, 1999, 0.0002)
    (False, True)

    """
    finest = 1 / (permutations + 1)
    return limit < 10 * finest and p_value <= _REPEATED_BELOW * max(limit, finest)


def require_rate(false_alarm_rate: Any, permutations: int) -> None:
    """Raises `MonitorError` unless the rate is in (0, 0.5] and there are enough permutations for it."""
    number = isinstance(false_alarm_rate, int | float) and not isinstance(false_alarm_rate, bool)
    require(number and 0 < false_alarm_rate <= 0.5, "false_alarm_rate", "be in (0, 0.5]", false_alarm_rate)
    least = least_permutations(false_alarm_rate)
    rule = f"be at least {least} for a rate of {false_alarm_rate}"
    require(permutations >= least, "permutations", rule, permutations)


@functools.lru_cache(maxsize=256)
def _at_ratio(rate: float, ratio: float) -> float:
    allowed = min(GUARANTEED_FACTOR * rate, GUARANTEED_REFERENCES)
    return min(rate, *(_of_columns(columns, allowed, ratio) for columns in _COLUMNS))


def _of_columns(columns: int, allowed: float, ratio: float) -> float:
    """The rate over references drawn anew where that of the 95th percentile of them is `allowed`."""
    unusual = scipy.special.chdtri(columns, 1 - GUARANTEED_REFERENCES)
    critical = scipy.special.chndtrix(1 - allowed, columns, ratio * unusual)
    return float(scipy.special.chdtrc(columns, critical / (1 + ratio)))


@functools.lru_cache(maxsize=64)
def _lowest(rate: float) -> tuple[float, float]:
    """The ratio of window to reference at which the threshold is lowest, and that threshold."""
    threshold, ratio = min((_at_ratio(rate, ratio), ratio) for ratio in _RATIOS)
    return ratio, threshold
