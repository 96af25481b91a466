"""The counts of a span of serving logs, as ServingLogExampleGen leaves them beside its anomalies."""

from typing import Any

from ..errors import require
from ..strict_text import parse_json

COUNTS_JSON = "counts.json"
DEAD_LETTERS = "dead_letters"  # the folder beside the counts, and the number of what is in it


def read_counts(text: str) -> dict[str, Any]:
    """The counts by their names; `problems` has those of each problem.

    Raises:
      MonitorError: if the text is anything but a JSON object.

    >>> read_counts('{"records": 3}')
    {'records': 3}

    """
    try:
        counts = parse_json(text)
    except ValueError:
        counts = text[:40]
    require(isinstance(counts, dict), "counts", "be a JSON object", counts)
    return dict(counts)


def numbers(counts: dict[str, Any]) -> dict[str, int]:
    """The counts that are one number.

    >>> numbers({"records": 3, "problems": {"no_image": 1}})
    {'records': 3}
    """
    return {name: value for name, value in counts.items() if isinstance(value, int)}
