"""What was known of a span, and of the spans before it, when it was evaluated; with one way to JSON and back."""

import json
from dataclasses import asdict, dataclass

from ..errors import MonitorError
from ..strict_text import parse_json


@dataclass(frozen=True)
class Seen:
    """An earlier evaluation of the same span, from fewer or other files.

    Attributes:
      examples: how many it had.
      state: what it came to, in a word.
      run: the id of its run in ML Metadata.

    """

    examples: int
    state: str
    run: int


@dataclass(frozen=True)
class SpanHistory:
    """What came before.

    Attributes:
      not_fine: the spans since the last one that was fine, ascending; of several evaluations of one the last counts.
      again: whether there was one that was fine before these.
      incident: whether one of them was known not to be fine: some check failed, whatever else was undecided.
      seen: the last evaluation of this span, where that had other files; None where there was none.

    """

    not_fine: tuple[int, ...] = ()
    again: bool = False
    incident: bool = False
    seen: Seen | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "SpanHistory":
        """Reads what `to_json` wrote; "" is a history of nothing. Raises `MonitorError` for anything else."""
        if not text:
            return NOTHING_KNOWN
        try:
            record = parse_json(text)
            seen = None if record["seen"] is None else Seen(**record["seen"])
            spans = tuple(int(span) for span in record["not_fine"])
            return SpanHistory(spans, record["again"] is True, record["incident"] is True, seen)
        except (KeyError, TypeError, ValueError) as error:
            raise MonitorError(f"`history` must be that of a span as JSON. Received: {text[:60]!r}") from error


NOTHING_KNOWN = SpanHistory()
