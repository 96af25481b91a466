"""What became of messages about incidents, as a person or a script reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from ..alerts.outbox import Letter
from .incidents import moment_of
from .lines import say


def show_outbox(counts: Mapping[tuple[str, str], int], dead: Sequence[Letter], more: int, console: Console) -> None:
    """How many messages were sent, wait or are dead letters, by channel; and a line for each dead letter."""
    for channel in dict.fromkeys(channel for channel, _ in counts):
        states = {state: count for (name, state), count in counts.items() if name == channel}
        console.print(f"{channel}: {', '.join(f'{count:,} {state}' for state, count in states.items())}")
    for letter in dead:
        message, reason = letter.message, f"{letter.reason}, {letter.attempts:,} attempts"
        line = f"dead letter of {letter.channel}, {moment_of(letter.created)}: {message.title} ({reason})"
        say(console, escape(line))
    if more:
        console.print(f"[dim]{more:,} more; `--limit 0` lists all[/]")


def outbox_record(counts: Mapping[tuple[str, str], int], dead: Sequence[Letter]) -> dict[str, Any]:
    """The same for JSON."""
    letters = [
        {"channel": each.channel, "id": each.key, "created": each.created, "attempts": each.attempts,
         "reason": each.reason, "kind": each.message.kind, "incident": each.message.incident,
         "window": each.message.window, "title": each.message.title}
        for each in dead
    ]  # fmt: skip
    states = [{"channel": channel, "state": state, "count": count} for (channel, state), count in counts.items()]
    return {"counts": states, "dead_letters": letters}
