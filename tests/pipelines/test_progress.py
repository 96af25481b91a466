"""What is shown while a step runs, on a terminal."""

import io
import sys

from rich.console import Console

from pipelines.progress import Progress, spinner, turning


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def test_what_others_write_meanwhile_stays_theirs():
    """`quiet` sends it to the log; rich would put its own streams in their place, and print it to the terminal."""
    console, streams = terminal(), (sys.stdout, sys.stderr)
    with Progress(console).step("Importing TFX"):
        assert (sys.stdout, sys.stderr) == streams
    assert "Importing TFX ..." in console.file.getvalue()
    assert "✓" in console.file.getvalue()


def test_the_line_says_what_is_going_on_now():
    console = terminal()
    with spinner(console, "first") as shown:
        shown.update(turning("second"), refresh=True)
    assert "first" in console.file.getvalue()
    assert "second" in console.file.getvalue()


def test_without_a_terminal_nothing_is_shown():
    console = Console(file=io.StringIO(), width=80)
    with spinner(console, "first"):
        pass
    assert console.file.getvalue() == ""
