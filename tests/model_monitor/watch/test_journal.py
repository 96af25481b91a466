"""What the journal keeps, and what it refuses."""

import sqlite3
from dataclasses import replace

import pytest

from components.common.errors import MonitorError
from components.common.verdict_words import State
from model_monitor.reading.window_record import WindowRecord
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import CLOSED, JUDGED, OPEN, SET_ASIDE, FileRow, WindowRow
from model_monitor.watch.windows import PASSED_OVER, Moment, Window

FILE = FileRow("1/part-0", 100, 1, 2, 3, records=7)


def window(number: int, *, closed: str = "examples", **facts: object) -> WindowRow:
    return WindowRow(Window(number, 1, False, Moment(1.0, 2.0, "b"), closed=closed, **facts), bundle="/serving/1",
                     files={f"window-{number}.tfrecord": 10})  # fmt: skip


def result(number: int) -> WindowRecord:
    return WindowRecord("m", number, State.FINE, "fine", 1, "r", "1", 10, 1.0)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def test_what_was_taken_up_is_there_after_a_restart(journal, tmp_path):
    rows = [window(1, examples=5, first_request=3.0, until=9.0), window(2, closed="")]
    journal.took(FILE, rows, 50.0)
    again = Journal(tmp_path)
    assert again.files() == {FILE.place: FILE}
    assert again.windows(CLOSED) == [replace(rows[0], state=CLOSED, closed_at=50.0)]
    assert again.windows(OPEN) == [rows[1]]
    assert (again.last_number, again.ends(), again.waiting()) == (2, {1: 9.0}, [1])


def test_a_window_is_judged_once(journal):
    journal.took(None, [window(1), window(2)], 0.0)
    assert (journal.judged(result(2)), journal.judged(result(1))) == (1, 2)
    with pytest.raises(MonitorError, match="Window 2 must not be judged twice"):
        journal.judged(result(2))
    assert [each.window for each in journal.records] == [2, 1]  # in the order in which they were judged
    assert journal.count(JUDGED) == 2


def test_records_are_read_as_a_sequence(journal):
    journal.took(None, [window(number) for number in range(1, 8)], 0.0)
    for number in range(1, 8):
        journal.judged(result(number))
    records = journal.records
    assert (len(records), records[-1].window, records[0].window) == (7, 7, 1)
    assert [each.window for each in records[-3:]] == [5, 6, 7]
    assert [each.window for each in records[::-2]] == [7, 5, 3, 1]
    assert [each.window for each in records.upto(3)] == [1, 2, 3]
    with pytest.raises(IndexError):
        records.upto(3)[3]


def test_what_was_set_aside_can_be_tried_again(journal):
    journal.took(None, [window(1), window(2)], 0.0)
    journal.failed(1, "no disk", aside=False)
    assert (journal.window(1).attempts, journal.count(CLOSED, untried=True)) == (1, 1)
    journal.failed(1, "no disk", aside=True)
    assert [(row.window.number, row.problem) for row in journal.windows(SET_ASIDE)] == [(1, "no disk")]
    assert journal.waiting() == [2]
    with pytest.raises(MonitorError, match=r"set aside: \[1\]. Received: 2"):
        journal.retry(2)
    journal.retry(1)
    assert (journal.waiting(), journal.window(1).attempts) == ([1, 2], 0)


def test_a_new_hook_is_told_of_nothing_before_it(journal):
    journal.took(None, [window(1), window(2)], 0.0)
    assert journal.told("alerts") == 0
    journal.judged(result(1))
    assert (journal.told("alerts"), journal.told("metrics")) == (0, 1)
    journal.tell("alerts", 1)
    assert journal.told("alerts") == 1


def test_totals_are_the_sums_of_all_windows_whatever_became_of_them(journal, tmp_path):
    rows = [window(n, closed="examples" * (n < 6), examples=n, records=2 * n, damaged=1, others=n) for n in range(1, 8)]
    journal.took(None, [replace(row, window=replace(row.window, late=row.window.number == 3)) for row in rows], 0.0)
    journal.took(None, [window(6, examples=60, records=60, damaged=0, others=0)], 0.0)
    for number in (1, 2, 3):
        journal.judged(result(number), size=100)
    journal.failed(4, "", aside=True)
    journal.removed(1, 0.0, "")
    assert journal.totals() == {
        OPEN: 1, CLOSED: 2, JUDGED: 3, SET_ASIDE: 1, PASSED_OVER: 0, "size": 200, "removed": 1,
        "examples": 82, "records": 104, "damaged": 6, "others": 22, "late": 6,
    }  # fmt: skip
    assert [kept.number for kept in journal.oldest(5)] == [2, 3, 4]  # the last of them set aside
    assert Journal(tmp_path).totals() == journal.totals()


def test_a_failing_transaction_leaves_nothing(journal):
    bad = replace(window(2), bundle=None)
    with pytest.raises(sqlite3.IntegrityError):
        journal.took(FILE, [window(1), bad], 0.0)
    assert (journal.files(), journal.last_number) == ({}, 0)


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(b"no journal, " * 100)
    with pytest.raises(MonitorError, match="must be a journal of windows"):
        Journal(tmp_path)


def test_a_journal_of_a_later_format_is_refused(journal, tmp_path):
    database = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(MonitorError, match=r"of format 1\. Received: format 99"):
        Journal(tmp_path)
