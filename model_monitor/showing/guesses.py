"""What `model-monitor init` found out about a model, a line a key, and what it asks."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..onboarding.draft import Draft, Question

_LONGEST = 30  # characters of a value


def show_draft(draft: Draft, examples: int, console: Console) -> None:
    """Each key, its value and why, and what came of trying the spec."""
    console.print(f"[bold]Guessed from {examples:,} Examples[/]")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold", max_width=_LONGEST)
    table.add_column(overflow="fold", style="dim")
    for guess in draft.guesses:
        table.add_row(guess.key, escape(_shown(guess.value)), escape(guess.why))
    console.print(table)
    for check in draft.checks:
        console.print(f"Tried: {escape(check)}")


def ask(questions: Sequence[Question], console: Console) -> None:
    """Each question, with the option that answers it for every candidate."""
    for question in questions:
        console.print(f"\n[red]?[/] [bold]{question.key}[/] has to be said: {escape(question.why)}.")
        for value, said in question.candidates.items():
            console.print(f"    {escape(_option(question.key, value))}", soft_wrap=True)
            if said:
                console.print(f"        [dim]{escape(said)}[/]")
    console.print("\nNothing was written. Run the command again with one of these for each.")


def _option(key: str, value: str) -> str:
    return f"--set '{key}={value}'"


def _shown(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
