"""What was tried of settings, as people read it and as a record."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..acting.tuning import AS_THEY_CAME, Setting, Tried
from .lines import say

FORMAT_VERSION = 1
_UNMARKED = (
    "No incident is marked, so nobody knows what was missed: `model-monitor incidents real ID` and `model-monitor "
    "incidents false-alarm ID` say it."
)


def show(tried: Sequence[Tried], now: int, marked: bool, console: Console) -> None:
    """A row a setting, each with its number.

    Args:
      tried: in the order of their numbers, from 1.
      now: the number of the one that windows are judged by now; 0: none of them.
      marked: whether any incident was marked, so that something can be missed.
      console: where to.

    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "rate", "examples", "one per", "features"):
        table.add_column(heading)
    counted = ["windows", "rang", "by chance", *(["caught", "missed", "false"] if marked else [])]
    for heading in counted:
        table.add_column(heading, justify="right")
    for number, each in enumerate(tried, 1):
        style = "bold" if number == now else ""
        table.add_row(str(number), *_words(each.setting), *_counts(each, marked), style=style)
    console.print(table)
    if now:
        say(console, f"[dim]{now} is what windows are judged by now.[/]")
    if not marked:
        say(console, f"[dim]{_UNMARKED}[/]")


def _words(setting: Setting) -> tuple[str, str, str, str]:
    size = "as they came" if setting.window_examples == AS_THEY_CAME else f"{setting.window_examples:,}"
    features = ", ".join(setting.features) or "all"
    return f"{setting.false_alarm_rate:g}", size, escape(setting.one_example_per), escape(features)


def _counts(tried: Tried, marked: bool) -> list[str]:
    found = [f"{tried.pieces:,}", f"{len(tried.rang):,}", f"{tried.expected:.1f}"]
    if marked:
        missed = f"[red]{len(tried.missed):,}[/]" if tried.missed else "0"
        found += [f"{len(tried.caught):,}", missed, f"{tried.false:,}"]
    return found


def record(tried: Sequence[Tried], now: int, marked: bool, lost: Sequence[str]) -> dict[str, Any]:
    """The same as a record."""
    return {
        "format_version": FORMAT_VERSION,
        "now": now or None,
        "marked": marked,
        "left_out": list(lost),
        "tried": [_record(number, each) for number, each in enumerate(tried, 1)],
    }


def _record(number: int, tried: Tried) -> dict[str, Any]:
    setting = tried.setting
    return {
        "number": number,
        "false_alarm_rate": setting.false_alarm_rate,
        "window_examples": None if setting.window_examples == AS_THEY_CAME else setting.window_examples,
        "one_example_per": setting.one_example_per,
        "features": list(setting.features),
        "windows": tried.pieces,
        "rang": [list(numbers) for numbers in tried.rang],
        "by_chance": tried.expected,
        "caught": list(tried.caught),
        "missed": list(tried.missed),
        "false_alarms": tried.false,
    }
