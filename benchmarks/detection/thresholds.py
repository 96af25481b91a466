"""Thresholds by measurement: the score that a share of null windows stays below."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .methods import LEVEL
from .suites import NULL

NULL_PART = "null"


def recalibrated(scores: Sequence[float], level: float = LEVEL) -> float:
    """The value that at most `level` of windows like these exceed, the next one counted as a null window too.

    >>> recalibrated(list(range(99)), 0.05)
    94
    """
    rank = math.ceil((1 - level) * (len(scores) + 1))
    return sorted(scores)[rank - 1] if rank <= len(scores) else math.inf


def null_thresholds(records: Iterable[Mapping[str, Any]], part: str = NULL_PART) -> dict[tuple[str, int], float]:
    """(method, n) -> the score that an alarm must exceed, from all null windows of a part."""
    scores: dict[tuple[str, int], list[float]] = {}
    for record in records:
        if record["part"] == part and record["shift"] == NULL.name:
            scores.setdefault((record["method"], record["size"]), []).extend(record["scores"])
    return {key: recalibrated(found) for key, found in scores.items()}
