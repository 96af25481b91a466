"""The console: other people's output goes to the log file, ours to the terminal."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.markup import escape
from rich.table import Table

from components.common.errors import MonitorError
from model_monitor import terminal
from pipelines import progress
from tests.support import printed

pytestmark = pytest.mark.prints


def test_everything_but_the_console_goes_to_the_log(tmp_path):
    log = tmp_path / "logs" / "run.log"
    code = (
        "import os, sys, pathlib\n"
        "from model_monitor.terminal import quiet\n"
        "with quiet(pathlib.Path(sys.argv[1])) as console:\n"
        "    print('from python'); os.write(2, b'from C++\\n'); console.print('for the person')\n"
        "print('afterwards')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(log)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["for the person", "afterwards"]
    assert done.stderr == ""
    assert sorted(log.read_text().splitlines()) == ["from C++", "from python"]


def test_descriptors_are_given_back(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with terminal.quiet(tmp_path / "log"):
        os.write(1, b"hidden\n")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_step_shows_its_messages_its_mark_and_its_remark():
    out = printed.console()
    shown = progress.Progress(out)
    with shown.step("Trainer") as step:
        logging.getLogger(progress.PROGRESS_LOGGER).info("epoch 1/2")
        step.remark = "from cache"
    with pytest.raises(RuntimeError), shown.step("Evaluator"):
        raise RuntimeError
    message, trainer, evaluator = printed.text_of(out).splitlines()
    assert message.strip() == "epoch 1/2"
    assert trainer.startswith("✓ Trainer")
    assert trainer.endswith("from cache")
    assert evaluator.startswith("✗ Evaluator")


def test_no_colour_where_there_is_no_terminal():
    out = io.StringIO()
    terminal.make_console(out).print("[red]text[/]")
    assert out.getvalue() == "text\n"


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x1b]0;title\x07b", "a\x08\x0db", "a\x9b2Jb", "a\x7fb", "a\u202eb"])
def test_control_characters_in_names_are_shown_and_not_passed_on(text):
    file = io.StringIO()
    console = terminal.make_console(file)
    table = Table(escape(text))
    table.add_row(escape(text))
    console.print(escape(text), soft_wrap=True)
    console.print(table)
    assert [each for each in file.getvalue() if each != "\n" and not each.isprintable()] == []
    assert "\u241b[31mb" in file.getvalue() or "\x1b[31m" not in text


def test_a_root_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for log_file in (tmp_path / "file" / "logs" / "x.log", tmp_path / ("x" * 300) / "x.log", Path("/proc/none/x.log")):
        with pytest.raises(MonitorError, match="`root` must be a folder that can be written"), terminal.quiet(log_file):
            raise AssertionError
