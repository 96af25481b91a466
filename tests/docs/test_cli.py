"""docs/cli.md has every command and option as the command line itself has them, and what the exit codes mean."""

import importlib.util
import re
from pathlib import Path

from components.common.verdict_words import FAIL_ON, MEANINGS, OF_SPANS, Outcome, State, exit_code
from model_monitor.commands import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE, worst_code

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
    assert told == {state.value: exit_code([state], MEANINGS[state].outcome) for state in State}
    assert told == {state.value: MEANINGS[state].exit_code for state in State}


def test_the_words_of_spans_are_explained_as_the_table_has_them():
    """In docs/cli.md, in the glossary, and on the page that says what to do."""
    page = (DOCS / "cli.md").read_text(encoding="utf-8").partition(reference().MARK)[0]
    rows = dict(re.findall(r"^\| `([a-z]+)` \| ([^|]*?) \|", page, re.MULTILINE))
    assert rows == {state.value: MEANINGS[state].means for state in OF_SPANS}
    alarms = (DOCS / "when_it_alarms.md").read_text(encoding="utf-8")
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    for state in FAIL_ON:
        assert f"| **{state.value}** |" in alarms
        assert f"\n| {state.value} |" in glossary


def test_what_was_pushed_although_a_check_blocks_it_is_not_fine():
    assert exit_code([State.PUSHED], Outcome.FAILED) == EXIT_BLOCKED


def test_an_error_is_worse_than_what_is_not_fine():
    assert worst_code([EXIT_FINE, EXIT_BLOCKED, EXIT_ERROR]) == EXIT_ERROR
    assert worst_code([EXIT_FINE, EXIT_BLOCKED]) == EXIT_BLOCKED
    assert worst_code([]) == EXIT_FINE
