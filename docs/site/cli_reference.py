"""Writes the commands and their options into docs/cli.md, from the parsers themselves.

Run it after a change of a command: `python docs/site/cli_reference.py`.
"""

import argparse
import importlib
import re
from pathlib import Path

from model_monitor.cli import COMMANDS

PAGE = Path(__file__).resolve().parents[1] / "cli.md"
MARK = "<!-- From here on written by docs/site/cli_reference.py. -->\n"


def commands() -> str:
    """A section for each command."""
    return "\n".join(_section(name) for name in COMMANDS)


def _section(name: str) -> str:
    module = importlib.import_module(f"model_monitor.commands.{name}")
    parser = argparse.ArgumentParser(prog=f"model-monitor {name}", add_help=False)
    module.add_arguments(parser)
    described = " ".join(module.DESCRIPTION.split())
    return f"## `model-monitor {name}`\n\n{described}\n\n{_table(parser)}"


def _table(parser: argparse.ArgumentParser) -> str:
    rows = [row for action in parser._actions for row in _rows(action)]
    return "\n".join(["| argument | what it is |", "|---|---|", *rows]) + "\n"


def _rows(action: argparse.Action) -> list[str]:
    if isinstance(action, argparse._SubParsersAction):
        told = {each.dest: each.help or "" for each in action._choices_actions}
        inner = [row for sub in action.choices.values() for each in sub._actions[1:] for row in _rows(each)]
        return [*(f"| `{name}` | {_cell(told[name])} |" for name in action.choices), *inner]
    if action.help == argparse.SUPPRESS:  # an old name of another
        return []
    value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
    if action.choices is not None:
        value = "|".join(map(str, action.choices))
    names = action.option_strings or [str(value)]
    shown = ", ".join(f"`{name} {value}`" if action.option_strings and value else f"`{name}`" for name in names)
    needed = " (must be given)" if action.required and action.option_strings else ""
    return [f"| {_cell(shown)} | {_cell(_help(action))}{needed} |"]


def _help(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default}


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def written() -> str:
    """The page as it should be: what people wrote, and the commands."""
    before = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    return f"{before}{MARK}\n{commands()}"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
