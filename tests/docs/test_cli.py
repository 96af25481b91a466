"""docs/cli.md has every command and option as the command line itself has them, and what the exit codes mean."""

import importlib.util
import re
from pathlib import Path

from components.common.verdict import Outcome
from model_monitor.commands import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE, exit_code, worst_code
from model_monitor.reading.verdicts import RunVerdict, State

_GOOD, _OPEN = (State.FINE, State.PUSHED, State.BLESSED), (State.UNDECIDED, State.RUNNING, State.NO_VERDICT)
_OUTCOMES = {
    **dict.fromkeys(State, Outcome.FAILED),
    **dict.fromkeys(_GOOD, Outcome.PASSED),
    **dict.fromkeys(_OPEN, Outcome.UNDECIDED),
}
DOCS = Path(__file__).resolve().parents[2] / "docs"


def reference():
    """The script, which is in no package."""
    spec = importlib.util.spec_from_file_location("cli_reference", DOCS / "site" / "cli_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_as_the_commands_are():
    script = reference()
    current = script.PAGE.read_text(encoding="utf-8")
    assert current == script.written(), "python docs/site/cli_reference.py writes it anew"


def test_the_table_of_exit_codes_is_what_verdicts_give():
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    told = {}
    for code, words in re.findall(r"^\| ([012]) \| (.*?) \|", page, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`([a-z_]+)`", words), int(code))
    assert told == {state.value: exit_code(RunVerdict(_OUTCOMES[state], "", "", state)) for state in State}


def test_what_was_pushed_although_a_check_blocks_it_is_not_fine():
    assert exit_code(RunVerdict(Outcome.FAILED, "Pushed although a check blocks it", "", State.PUSHED)) == EXIT_BLOCKED


def test_an_error_is_worse_than_what_is_not_fine():
    assert worst_code([EXIT_FINE, EXIT_BLOCKED, EXIT_ERROR]) == EXIT_ERROR
    assert worst_code([EXIT_FINE, EXIT_BLOCKED]) == EXIT_BLOCKED
    assert worst_code([]) == EXIT_FINE
