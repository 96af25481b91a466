"""What `monitor` says of a folder of logs before it judges: what it leaves out, and why."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from components.common.span_patterns import LeftOut

from .lines import say

_NAMED = 3


def say_left_out(left_out: Sequence[LeftOut], console: Console) -> None:
    """A line for each reason to leave things out, with the first of them and how many more there are."""
    by_reason: dict[str, list[str]] = {}
    for each in left_out:
        logs = f" ({each.files} {'log' if each.files == 1 else 'logs'})" if each.files else ""
        by_reason.setdefault(each.why, []).append(each.place + logs)
    for why, places in by_reason.items():
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        say(console, f"Left out, {escape(why)}: {escape(', '.join(places[:_NAMED]) + more)}")
