"""What `watch` prints: a line a window, JSON lines, how it is doing, and what was set aside."""

import io
import json

import pytest
from rich.console import Console

from components.common.proportion import Proportion
from components.common.verdict_words import EXIT_ERROR, EXIT_FINE, State
from model_monitor import cli
from model_monitor.reading.window_record import WindowRecord
from model_monitor.showing.watching import JsonLines, Lines, backlog_of
from model_monitor.watch.hooks import Status
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import WindowRow
from model_monitor.watch.windows import Moment, Window
from tests.support.watched_logs import config

ROW = WindowRow(Window(7, 1, False, Moment(0.0, 0.0, ""), closed="minutes"), bundle="/serving/1")
FINE = WindowRecord("signs", 7, State.FINE, "Span 7 is fine.", 1, "r", "1", 1234, 0.0, p_value=0.31, late=True,
                    estimated=Proportion(0.912))  # fmt: skip
CHANGED = WindowRecord("signs", 8, State.CHANGED, "Span 8 is changed: [blur].", 2, "s", "1", 900, 0.0)


def printed(show) -> str:
    file = io.StringIO()
    show(Console(file=file, width=100))
    return file.getvalue()


def test_a_window_is_a_line():
    def show(console):
        lines = Lines(console, several=True)
        lines.judged(FINE, ROW, Status("signs"))
        lines.judged(CHANGED, ROW, Status("signs"))

    first, second = printed(show).splitlines()
    assert first[8:] == " signs: window 7, late, 1,234 examples  fine       p 0.31  accuracy 0.912 estimated"
    assert second[8:] == " signs: window 8, 900 examples  changed    Span 8 is changed: [blur]."


def test_for_scripts_each_line_is_an_object():
    def show(console):
        lines = JsonLines(console)
        lines.judged(FINE, ROW, Status("signs", lag=2.0))
        lines.failed("signs", ROW, "no baseline", aside=False)
        lines.failed("signs", ROW, "no baseline", aside=True)
        lines.status([Status("signs", waiting=3)])
        lines.say("a disk is full")

    found = [json.loads(line) for line in printed(show).splitlines()]
    assert [each["event"] for each in found] == ["judged", "failed", "set_aside", "status", "said"]
    assert WindowRecord.from_json(json.dumps(found[0]["record"])).window == 7
    assert (found[0]["closed"], found[0]["lag"], found[1]["window"], found[3]["waiting"]) == ("minutes", 2.0, 7, 3)


def test_a_backlog_is_told_in_words():
    status = Status("m", files=2, waiting=1, set_aside=1, lag=75.0, totals={"judged": 1200})
    told = "1,200 judged, 1 window waiting, the oldest for 1m 15s, 2 files to read, 1 set aside"
    assert backlog_of(status) == told
    assert backlog_of(Status("m", waiting=2)) == "0 judged, 2 windows waiting"


@pytest.fixture
def root(tmp_path):
    """A root with a window that was judged and one that was set aside."""
    watched = config(tmp_path)
    journal = Journal(watched.watch_path)
    for number in (7, 8):
        window = Window(number, 1, False, Moment(0.0, 0.0, ""), examples=5, records=5, closed="examples")
        journal.took(None, [WindowRow(window, bundle="/serving/1")], 0.0)
    journal.judged(FINE)
    journal.failed(8, "BaselineImporter failed: no [file]", aside=True)
    journal.note(0.0, "removed", "window 1: 2.0 MB removed")
    journal.close()
    return watched.root


def watch(*arguments: str, root: str) -> int:
    return cli.main(["watch", "--set", f"root={root}", *arguments])


def test_status_says_what_was_set_aside_and_what_was_removed(root, capsys):
    assert watch("--status", root=root) == EXIT_FINE
    out = " ".join(capsys.readouterr().out.split())
    assert "judged 1" in out
    assert "examples 10" in out
    assert "window 8 set aside: BaselineImporter failed: no [file] (`--retry 8`)" in out
    assert "window 1: 2.0 MB removed" in out
    assert watch("--status", "--json", root=root) == EXIT_FINE
    record = json.loads(capsys.readouterr().out)
    assert record["set_aside"] == [{"window": 8, "problem": "BaselineImporter failed: no [file]"}]


def test_what_was_set_aside_can_be_tried_again(root, capsys):
    assert watch("--retry", "7", root=root) == EXIT_ERROR
    assert "set aside: [8]. Received: 7" in capsys.readouterr().err
    assert watch("--retry", "8", root=root) == EXIT_FINE
    assert "Window 8 is evaluated again" in capsys.readouterr().out
    assert watch("--retry", "8", root=root) == EXIT_ERROR


def test_a_root_that_was_never_watched_says_so(tmp_path, capsys):
    assert watch("--status", root=str(tmp_path)) == EXIT_ERROR
    assert "be that of a model that was watched" in capsys.readouterr().err
    assert not (tmp_path / "watch").exists()


def test_without_logs_it_does_not_begin(tmp_path, capsys):
    assert watch("--logs", str(tmp_path / "nowhere"), root=str(tmp_path)) == EXIT_ERROR
    assert "`serving_logs` must be a folder of serving logs" in capsys.readouterr().err
