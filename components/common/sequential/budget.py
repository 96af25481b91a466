"""How many false alarms are bearable, and what each of the tests that watch a model may have of them.

    budget = Budget.of("1 in 30 days", windows_per_day=24)
    budget.false_alarm_rate      # of the single window: `monitor.false_alarm_rate`
    budget.drift_run_length      # of `cusum.Cusum`
    budget.accuracy_run_length   # of `accuracy.AccuracyFollowed`

docs/false_alarms_over_time.md has what is promised and what was measured.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from ..errors import MonitorError, require
from ..two_sample.false_alarms import GUARANTEED_FACTOR, least_permutations

# What each test has of the false alarms. Delays hardly depend on it: they go with the log of each test's run length.
SINGLE_WINDOW, SLOW_DRIFT, ACCURACY = 0.4, 0.5, 0.1

FEWEST_WINDOWS, MOST_WINDOWS = 10, 100_000
_DAYS = {"second": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "year": 365.0}
_SHORT = {"s": "second", "min": "minute", "h": "hour", "d": "day"}
_WORDS = {"a": 1, "an": 1, "one": 1, "once": 1, "two": 2, "twice": 2, "three": 3}
_UNIT = "|".join([*(f"{name}s?" for name in _DAYS), *_SHORT])
_SPAN = re.compile(rf"(\d+(?:\.\d+)?)?\s*({_UNIT})", re.IGNORECASE)
_STATED = re.compile(
    rf"(\d+|{'|'.join(_WORDS)})(?:\s+false\s+alarms?)?(?:\s+(?:in|per|every|an?))+\s+(.+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Budget:
    """One false alarm in so many windows, from all tests together.

    What is promised holds for 19 of 20 baselines (`GUARANTEED_REFERENCES`), as for the single window. Rates add up,
    however the tests depend on each other, so each test has its part.

    Attributes:
      windows: 10 to 100,000, between two false alarms on average.

    Raises:
      MonitorError: another number of windows.

    """

    windows: float

    def __post_init__(self) -> None:
        number = isinstance(self.windows, int | float) and not isinstance(self.windows, bool)
        rule = f"be {FEWEST_WINDOWS} to {MOST_WINDOWS:,} windows to a false alarm"
        require(number and FEWEST_WINDOWS <= self.windows <= MOST_WINDOWS, "bearable", rule, self.windows)

    @staticmethod
    def of(bearable: str, *, windows_per_day: float | None = None, every: str | None = None) -> "Budget":
        """The budget of a text such as "1 in 30 days", "one a week", "2 per year" or "1 in 500 windows".

        Args:
          bearable: so many false alarms in so much time (seconds, minutes, hours, days, weeks, years), or in so many
            windows.
          windows_per_day: how many windows are judged; above 0.
          every: in place of it, the time between two windows, such as "1 h", "15 min" or "90 seconds".

        Raises:
          MonitorError: a text that says something else, neither or both of the frequencies where one is needed, or a
            budget outside of the bounds above.

        >>> Budget.of("one in 30 days", windows_per_day=24)
        Budget(windows=720.0)
        >>> Budget.of("one a week", windows_per_day=12)
        Budget(windows=84.0)

        """
        rule = 'be a number of false alarms in a time, such as "1 in 30 days", "one a week" or "1 in 500 windows"'
        stated = _STATED.fullmatch(bearable.strip()) if isinstance(bearable, str) else None
        require(stated is not None, "bearable", rule, bearable)
        alarms = _count(stated[1])  # type: ignore[index]
        require(alarms > 0, "bearable", "allow at least one false alarm in its time: no test has none", bearable)
        span = stated[2]  # type: ignore[index]
        counted = re.fullmatch(r"(\d+)\s*windows?", span, re.IGNORECASE)
        if counted:
            return Budget(int(counted[1]) / alarms)
        days = _days(span, "bearable", rule, bearable)
        return Budget(days * _per_day(windows_per_day, every) / alarms)

    @property
    def false_alarm_rate(self) -> float:
        """What `monitor.false_alarm_rate` has to be: of one window alone, skew and drift together.

        The alarm given one baseline has up to 1.5 times this rate for 19 of 20 baselines, which is allowed for.
        """
        return SINGLE_WINDOW / (GUARANTEED_FACTOR * self.windows)

    @property
    def permutations(self) -> int:
        """The fewest with which a single window can raise the alarm at that rate, whatever its size."""
        return least_permutations(self.false_alarm_rate)

    @property
    def drift_run_length(self) -> float:
        """Windows between two false alarms of the sequential test."""
        return self.windows / SLOW_DRIFT

    @property
    def accuracy_run_length(self) -> float:
        """Windows between two false alarms of the accuracy that is followed."""
        return self.windows / ACCURACY


def _count(word: str) -> int:
    return int(word) if word.isdigit() else _WORDS[word.lower()]


def _per_day(windows_per_day: float | None, every: str | None) -> float:
    if (windows_per_day is None) == (every is None):
        given = {"windows_per_day": windows_per_day, "every": every}
        raise MonitorError(f"`windows_per_day` or `every` must say how often there is a window. Received: {given}")
    if every is not None:
        return 1 / _days(every, "every", 'be the time between two windows, such as "1 h" or "15 min"', every)
    number = isinstance(windows_per_day, int | float) and not isinstance(windows_per_day, bool)
    sound = number and 0 < windows_per_day < math.inf  # type: ignore[operator]
    require(sound, "windows_per_day", "be a number above 0", windows_per_day)
    return float(windows_per_day)  # type: ignore[arg-type]


def _days(text: Any, what: str, rule: str, received: Any) -> float:
    """A time such as "30 days", "week" or "90 s", in days; above 0."""
    span = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    require(span is not None, what, rule, received)
    name = span[2].lower()  # type: ignore[index]
    unit = _SHORT.get(name, name.removesuffix("s"))
    days = float(span[1] or 1) * _DAYS[unit]  # type: ignore[index]
    require(days > 0, what, rule, received)
    return days
