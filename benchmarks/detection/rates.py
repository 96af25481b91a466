"""Rates with exact intervals, in the standard library alone."""

import math
from collections.abc import Callable

CONFIDENCE = 0.95


def interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of Clopper and Pearson 1934 for a rate, "The use of confidence or fiducial limits".

    >>> [round(end, 4) for end in interval(5, 100)]
    [0.0164, 0.1128]
    """
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _root(lambda rate: 1 - binomial_cdf(successes - 1, trials, rate) - tail)
    high = 1.0 if successes == trials else _root(lambda rate: tail - binomial_cdf(successes, trials, rate))
    return low, high


def binomial_cdf(successes: int, trials: int, rate: float) -> float:
    """The chance of at most so many successes.

    >>> round(binomial_cdf(1, 2, 0.5), 6)
    0.75
    """
    if rate <= 0 or rate >= 1:
        return 1.0 if rate <= 0 or successes >= trials else 0.0
    logs = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(rate)
        + (trials - k) * math.log1p(-rate)
        for k in range(successes + 1)
    )
    return min(1.0, math.fsum(math.exp(each) for each in logs))


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function of a rate crosses 0."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
