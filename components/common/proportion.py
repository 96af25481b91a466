"""Proportions with the interval that chance leaves them."""

import math
from dataclasses import dataclass

from .errors import require

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below: two-sided 95 %


@dataclass(frozen=True)
class Proportion:
    """A proportion with the ends of its 95 % interval: low <= value <= high, all in [0, 1].

    Attributes:
      value: the proportion.
      low, high: the ends; NaN where nothing is known of the interval.
      total: of how many examples; 0 where that is not known.

    """

    value: float
    low: float = math.nan
    high: float = math.nan
    total: int = 0

    @staticmethod
    def of(count: int, total: int) -> "Proportion":
        """`count` of `total` with its score interval.

        >>> right = Proportion.of(45, 50)
        >>> round(right.low, 4), right.value, round(right.high, 4)
        (0.7864, 0.9, 0.9565)
        """
        require(total > 0 and 0 <= count <= total, "count", "be in 0 .. total, and total at least 1", (count, total))
        return Proportion.about(count / total, total)

    @staticmethod
    def about(value: float, total: float) -> "Proportion":
        """`value`, known of `total` examples (which TFMA may have weighted), with its score interval."""
        return Proportion(value, *score_interval(value, total), round(total))

    @property
    def count(self) -> int:
        """How many of `total`."""
        return round(self.value * self.total)

    @property
    def bounded(self) -> bool:
        """Whether its interval is known."""
        return not math.isnan(self.low)

    def __str__(self) -> str:
        """As a person reads it.

        >>> print(Proportion(0.5, 0.41, 0.592)), print(Proportion(0.5))
        0.500 (0.410 to 0.592)
        0.500
        (None, None)
        """
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})" if self.bounded else f"{self.value:.3f}"


def score_interval(value: float, total: float, errors: float = _Z) -> tuple[float, float]:
    """The ends of the score interval (Wilson, "Probable inference ...", JASA 1927) about `value` of `total`, in [0, 1].

    It is wider than a point at 0 and 1 too. `errors` is its half width in standard errors, 1.96 for 95 %.

    >>> [round(end, 4) for end in score_interval(0.0, 1000)]
    [0.0, 0.0038]
    """
    weight = errors * errors / total
    middle = (value + weight / 2) / (1 + weight)
    half = errors / (1 + weight) * math.sqrt(value * (1 - value) / total + weight / (4 * total))
    return min(max(0.0, middle - half), value), max(min(1.0, middle + half), value)
