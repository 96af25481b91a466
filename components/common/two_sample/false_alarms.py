"""How many permutations a false-alarm rate needs, and what rates there are."""

import math
from typing import Any

from ..errors import require


def least_permutations(false_alarm_rate: float) -> int:
    """The fewest permutations that can raise an alarm where skew and drift have half of the rate each.

    The p-value of so many permutations is at least 1 / (permutations + 1).

    >>> least_permutations(0.01), least_permutations(0.05)
    (199, 39)
    """
    return math.ceil(2 / false_alarm_rate - 1e-6) - 1


def require_rate(false_alarm_rate: Any, permutations: int) -> None:
    """Raises `MonitorError` unless the rate is in (0, 0.5] and there are enough permutations for it."""
    number = isinstance(false_alarm_rate, int | float) and not isinstance(false_alarm_rate, bool)
    require(number and 0 < false_alarm_rate <= 0.5, "false_alarm_rate", "be in (0, 0.5]", false_alarm_rate)
    least = least_permutations(false_alarm_rate)
    rule = f"be at least {least} for a rate of {false_alarm_rate}"
    require(permutations >= least, "permutations", rule, permutations)
