"""Which windows' examples are removed; tests/attacks removes real ones."""

import pytest

from components.common.errors import MonitorError
from components.common.verdict_words import State
from model_monitor.reading.window_record import WindowRecord
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import WindowRow
from model_monitor.watch.retention import old
from model_monitor.watch.windows import PASSED_OVER, Moment, Window
from tests.support.watched_logs import config

DAY, MEGABYTE = 86400.0, 10**6
NOW = 100 * DAY


@pytest.fixture
def journal(tmp_path):
    """Six windows, closed on six days, of 100 MB each, the last of them now; all but number 2 are changed."""
    journal = Journal(tmp_path / "journal")
    for number in range(1, 7):
        window = Window(number, 1, False, Moment(0.0, 0.0, "b"), closed="examples")
        journal.took(None, [WindowRow(window, bundle="/1")], NOW - DAY * (6 - number))
        state = State.FINE if number == 2 else State.CHANGED
        record = WindowRecord("m", number, state, "", number, f"run-{number}", "1", 10, 0.0)
        journal.judged(record, 100 * MEGABYTE)
    yield journal
    journal.close()


KEEP = {"keep_windows": None, "keep_days": None, "keep_gigabytes": None}


@pytest.mark.parametrize(
    ("settings", "removed"),
    [
        ({}, []),
        ({"keep_windows": 6}, []),
        ({"keep_windows": 3}, [1, 3]),  # what the next run is compared with is of window 2, the last that was fine
        ({"keep_windows": 1}, [1, 3, 4, 5]),
        ({"keep_days": 3.5}, [1]),
        ({"keep_days": 2.5}, [1, 3]),
        ({"keep_days": 0.001}, [1, 3, 4, 5]),  # the newest stays
        ({"keep_gigabytes": 0.55}, [1]),
        ({"keep_gigabytes": 0.35}, [1, 3, 4]),
        ({"keep_gigabytes": 0.001}, [1, 3, 4, 5]),
    ],
)
def test_what_is_old(tmp_path, journal, settings, removed):
    watched = config(tmp_path, **{**KEEP, **settings})
    assert [window.number for window, _ in old(watched, journal, NOW)] == removed


def test_what_was_removed_is_not_looked_at_again_and_is_recorded(tmp_path, journal):
    watched = config(tmp_path, **{**KEEP, "keep_windows": 3})
    ((window, why), *_) = old(watched, journal, NOW)
    assert (window.run_id, window.size, why) == ("run-1", 100 * MEGABYTE, "`watch.keep_windows` is 3")
    journal.removed(1, NOW, "window 1: 100.0 MB removed")
    assert [window.number for window, _ in old(watched, journal, NOW)] == [3]
    assert journal.events() == [(NOW, "removed", "window 1: 100.0 MB removed")]
    assert journal.window(1).removed
    assert len(journal.records) == 6


def test_a_window_waits_for_every_hook(tmp_path, journal):
    watched = config(tmp_path, **{**KEEP, "keep_windows": 1})
    journal.told("alerts")
    journal.tell("alerts", 3)
    assert [window.number for window, _ in old(watched, journal, NOW)] == [1, 3]


def test_windows_without_a_verdict_are_old_as_others_are(tmp_path, journal):
    """Number 7 was set aside after two attempts, 8 passed over, 9 waits, 10 is open; 11 is the newest."""
    for number, closed in ((7, "examples"), (8, PASSED_OVER), (9, "examples"), (10, ""), (11, "examples")):
        window = Window(number, 1, False, Moment(0.0, 0.0, "b"), closed=closed)
        journal.took(None, [WindowRow(window, bundle="/1", files={"a": MEGABYTE})], NOW)
    for aside in (False, True):
        journal.begin(7)
        journal.ended(7)
        journal.failed(7, "no", aside=aside, size=200 * MEGABYTE * aside)
    journal.judged(WindowRecord("m", 11, State.FINE, "", 11, "run-11", "1", 10, 0.0), 100 * MEGABYTE)
    assert journal.totals()["size"] == (600 + 200 + 1 + 100) * MEGABYTE
    watched = config(tmp_path, **{**KEEP, "keep_windows": 1})
    found = [window for window, _ in old(watched, journal, NOW)]
    assert [window.number for window in found] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [(each.run_id, each.size, each.tried) for each in found[-3:]] == [
        ("run-6", 100 * MEGABYTE, False), ("", 200 * MEGABYTE, True), ("", MEGABYTE, False),
    ]  # fmt: skip
    for each in found:
        journal.removed(each.number, NOW, "")
    assert old(watched, journal, NOW) == []
    with pytest.raises(MonitorError, match=r"set aside: \[\]"):  # there is nothing left to be evaluated
        journal.retry(7)
