"""Shares with the interval that chance leaves them."""

import math
from dataclasses import dataclass

from .errors import require

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below: two-sided 95 %


@dataclass(frozen=True)
class Share:
    """How many of how many, with the ends of the 95 % interval: low <= share <= high, all in [0, 1]."""

    count: int
    total: int
    share: float
    low: float
    high: float

    @staticmethod
    def of(count: int, total: int) -> "Share":
        """The share with its score interval (Wilson, "Probable inference ...", JASA 1927).

        >>> found = Share.of(45, 50)
        >>> round(found.low, 4), found.share, round(found.high, 4)
        (0.7864, 0.9, 0.9565)
        """
        require(total > 0 and 0 <= count <= total, "count", "be in 0 .. total, and total at least 1", (count, total))
        share = count / total
        return Share(count, total, share, *score_interval(share, total))


def score_interval(share: float, total: int) -> tuple[float, float]:
    """The ends of Wilson's interval about `share` of `total`, in [0, 1]; wider than a point at 0 and 1 too.

    >>> [round(end, 4) for end in score_interval(0.0, 1000)]
    [0.0, 0.0038]
    """
    weight = _Z * _Z / total
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return min(max(0.0, middle - half), share), max(min(1.0, middle + half), share)
