"""The loop with an evaluation that takes no time: order, retries, hooks, how it ends. tests/attacks has real ones."""

import contextlib
import errno
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable

import pytest

from components.common.errors import MonitorError
from components.common.verdict_words import EXIT_ERROR, EXIT_FINE, State
from model_monitor.launching import root_lock
from model_monitor.launching.root_lock import RootBusyError
from model_monitor.reading.window_record import WindowRecord
from model_monitor.watch import following
from model_monitor.watch.arriving import Arriving
from model_monitor.watch.collecting import Collector
from model_monitor.watch.following import follow
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import CLOSED, JUDGED, SET_ASIDE
from tests.support.watched_logs import config, requests, taken, write


class Shown:
    """What was told, in order."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.windows: list[int] = []
        self.failures: list[tuple[int, bool]] = []

    def say(self, sentence):
        self.sentences.append(sentence)

    def judged(self, record, row, status):
        self.windows.append(record.window)

    def failed(self, model, row, problem, *, aside):
        self.failures.append((row.window.number, aside))

    def status(self, statuses):
        self.statuses = statuses


class Hook:
    """Remembers what it was told; fails as often as it is to."""

    def __init__(self, name: str, failures: int = 0) -> None:
        self.name, self.failures = name, failures
        self.windows: list[int] = []
        self.closed = 0

    def judged(self, record, records):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no network")
        assert [*records][-1].window == record.window == records[len(records) - 1].window
        self.windows.append(record.window)

    def status(self, status):
        self.last = status

    def closing(self):
        self.closed += 1


def fine(watched, journal, row, decided) -> tuple[WindowRecord, int]:
    number = row.window.number
    return WindowRecord(watched.name, number, State.FINE, "", number, "r", "1", row.window.examples, 0.0), 0


@pytest.fixture
def judge(monkeypatch):
    """Sets what stands in the place of an evaluation."""

    def put(evaluate: Callable[..., tuple[WindowRecord, int]]) -> None:
        monkeypatch.setattr(following, "judge", evaluate)

    put(fine)
    return put


def journal_of(watched) -> Journal:
    return Journal(watched.watch_path)


def run(watched, *hooks: Hook, shown: Shown | None = None, once: bool = True) -> set[int]:
    return follow([watched], lambda _: hooks, shown or Shown(), once=once)


def test_what_is_there_is_judged_in_order_once_and_told_once(tmp_path, judge):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 12))
    hook, shown = Hook("a"), Shown()
    assert run(watched, hook, shown=shown) == {EXIT_FINE}
    assert (shown.windows, hook.windows, hook.closed) == ([1, 2, 3], [1, 2, 3], 1)
    write(tmp_path / "logs", "1/part-1", requests("b", 5))
    new = Hook("new")
    assert run(watched, hook, new) == {EXIT_FINE}
    assert (hook.windows, new.windows) == ([1, 2, 3, 4], [4])
    assert run(watched, hook) == set()
    assert hook.last.totals["judged"] == 4


def test_a_window_that_cannot_be_judged_is_set_aside_and_stops_none_after_it(tmp_path, judge):
    watched = config(tmp_path, attempts=2)
    write(tmp_path / "logs", "1/part-0", requests("a", 15))

    def evaluate(watched, journal, row, decided):
        if row.window.number == 2:
            raise MonitorError("no baseline")
        return fine(watched, journal, row, decided)

    judge(evaluate)
    shown, hook = Shown(), Hook("a")
    assert run(watched, hook, shown=shown) == {EXIT_FINE, EXIT_ERROR}
    assert (shown.failures, shown.windows, hook.windows) == ([(2, False), (2, True)], [1, 3], [1, 3])
    (aside,) = journal_of(watched).windows(SET_ASIDE)
    assert (aside.window.number, aside.problem, aside.attempts) == (2, "no baseline", 2)
    judge(fine)
    journal_of(watched).retry(2)
    assert run(watched, hook) == {EXIT_FINE}
    assert hook.windows == [1, 3, 2]


def test_a_window_that_takes_the_process_with_it_each_time_is_set_aside(tmp_path, judge):
    """Out of memory, say: otherwise whatever starts the process again would do so for ever."""
    watched = config(tmp_path, settle_seconds=0.0)
    write(tmp_path / "logs", "1/part-0", requests("a", 10))
    collector = Collector(watched, journal_of(watched))
    for each in Arriving(watched.serving_logs_path, watched.span_pattern, watched.watch, collector.known).ready():
        collector.take(each)
    for _ in range(21):
        journal_of(watched).begin(1)
    shown = Shown()
    assert run(watched, shown=shown) == {EXIT_FINE, EXIT_ERROR}
    assert (shown.failures, shown.windows) == ([(1, True)], [2])
    (aside,) = journal_of(watched).windows(SET_ASIDE)
    assert aside.problem == "the process ended 21 times in a row while it was evaluated"
    journal_of(watched).retry(1)
    assert run(watched) == {EXIT_FINE}


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("x: database is locked")]
)
def test_what_would_fail_any_window_is_no_windows_fault(tmp_path, judge, monkeypatch, error):
    watched = config(tmp_path, attempts=1)
    write(tmp_path / "logs", "1/part-0", requests("a", 10))
    monkeypatch.setattr(following, "_PLACE_SECONDS", 0.01)
    left = [error] * 3

    def evaluate(watched, journal, row, decided):
        if left:
            journal.begin(row.window.number)
            raise left.pop()
        return fine(watched, journal, row, decided)

    judge(evaluate)
    shown = Shown()
    assert run(watched, shown=shown) == {EXIT_FINE}
    assert journal_of(watched).window(1).begun == 1
    assert (shown.windows, shown.failures, journal_of(watched).window(1).attempts) == ([1, 2], [], 0)
    assert [sentence.split(":")[0] for sentence in shown.sentences] == [  # said once
        "Verdicts on monitoring wait",
        "Verdicts on monitoring go on.",
    ]


def test_another_command_under_the_root_is_waited_for(tmp_path, monkeypatch):
    """The real evaluation, which begins with the lock: it is refused until the other is done."""
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    monkeypatch.setattr(following, "_PLACE_SECONDS", 0.02)
    shown = Shown()
    evaluate, tries = following.judge, []

    def counted(*arguments):
        tries.append(1)
        if len(tries) == 3:
            held.close()
            monkeypatch.setattr(following, "judge", fine)
            return fine(*arguments)
        return evaluate(*arguments)

    monkeypatch.setattr(following, "judge", counted)
    held = root_lock.held(watched.root_path, "train")
    held.__enter__()
    held.close = lambda: held.__exit__(None, None, None)
    assert run(watched, shown=shown) == {EXIT_FINE}
    assert "`model-monitor train`" in shown.sentences[0]
    assert (len(shown.sentences), shown.failures, shown.windows) == (2, [], [1])


def test_a_hook_that_fails_is_told_later_and_nobody_waits_for_it(tmp_path, judge, monkeypatch):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 10))
    bad, good = Hook("bad", failures=1), Hook("good")
    shown = Shown()
    run(watched, bad, good, shown=shown)
    assert (bad.windows, good.windows) == ([], [1, 2])
    assert shown.sentences == ["bad failed: RuntimeError: no network. It is told again."]  # and not before 30 s
    run(watched, bad, good, shown=shown)
    assert (bad.windows, good.windows) == ([1, 2], [1, 2])


def test_two_processes_do_not_watch_one_model(tmp_path, judge):
    watched = config(tmp_path)
    with root_lock.held(watched.watch_path, "watch"), pytest.raises(RootBusyError, match="`model-monitor watch`"):
        run(watched)


def test_a_process_waits_for_the_one_before_it_to_end(tmp_path, judge):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    held = root_lock.held(watched.watch_path, "watch")
    held.__enter__()
    threading.Timer(0.3, held.__exit__, (None, None, None)).start()
    assert follow([watched], lambda _: [], Shown(), once=True, wait=20.0) == {EXIT_FINE}


def test_windows_that_no_journal_knows_are_left_alone(tmp_path, judge):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    run(watched)
    journal = watched.watch_path / "journal.sqlite"
    journal.unlink()
    with pytest.raises(MonitorError, match=r"journal\.sqlite must be there where there are windows"):
        run(watched)
    assert taken(watched) == requests("a", 5)


def test_several_models_are_watched_by_one_process(tmp_path, judge):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    several = [config(tmp_path / "one"), config(tmp_path / "two").model_copy(update={"name": "two"})]
    for each, name in zip(several, "ab", strict=True):
        write(each.serving_logs_path, "1/part-0", requests(name, 10))
    assert follow(several, lambda _: [], Shown(), once=True) == {EXIT_FINE}
    assert [journal_of(each).count(JUDGED) for each in several] == [2, 2]


def test_no_more_windows_wait_than_may(tmp_path, judge):
    watched = config(tmp_path, waiting_windows=2)
    write(tmp_path / "logs", "1/part-0", requests("a", 60))
    waiting = []

    def evaluate(watched, journal, row, decided):
        until(lambda: journal.count(CLOSED) > 1, 0.2)
        waiting.append(journal.count(CLOSED))
        return fine(watched, journal, row, decided)

    judge(evaluate)
    run(watched)
    assert len(waiting) == 12
    assert max(waiting) == 2


def test_what_a_process_has_left_waiting_counts_too(tmp_path, judge):
    """Otherwise each process that is killed soon would leave one more."""
    watched = config(tmp_path, waiting_windows=2)
    for number in range(4):
        write(tmp_path / "logs", f"{number}/part-0", requests(f"{number}", 5))

    def evaluate(watched, journal, row, decided):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.3)
        raise MonitorError("not now")

    judge(evaluate)
    for _ in range(3):
        run(watched, once=False)
    assert journal_of(watched).count(CLOSED, SET_ASIDE) <= 3


# ---- while it runs


def beside(action: Callable[[], None]) -> threading.Thread:
    """Does something beside the loop, and then asks it to end."""

    def act() -> None:
        try:
            action()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def until(holds: Callable[[], bool], seconds: float = 20.0) -> float:
    """Waits for it; how long that took."""
    began = time.monotonic()
    while not holds() and time.monotonic() - began < seconds:
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.mark.parametrize("events", [True, False])
def test_a_file_is_picked_up_within_a_second_of_being_closed(tmp_path, judge, events):
    settle = 60.0 if events else 0.2
    watched = config(tmp_path, file_events=events, poll_seconds=0.2, settle_seconds=settle)
    shown, waits = Shown(), []

    def publish() -> None:
        until(lambda: hasattr(shown, "statuses"))
        for number in range(4):  # in a new folder, and in one that is there
            time.sleep(0.3)
            write(tmp_path / "logs", f"{number // 2}/part-{number}", requests(f"{number}", 5))
            waits.append(until(lambda number=number: len(shown.windows) > number))

    thread = beside(publish)
    run(watched, shown=shown, once=False)
    thread.join()
    assert shown.windows == [1, 2, 3, 4]
    assert max(waits) < 5.0, waits  # 0.02 s and 0.3 s where nothing else runs: this allows for a busy machine
    told = "New files of monitoring are looked for every 0.2 s: `watch.file_events` is off."
    assert shown.sentences == ([] if events else [told])


def test_a_window_is_closed_after_some_minutes(tmp_path, judge):
    watched = config(tmp_path, window_minutes=0.01)
    write(tmp_path / "logs", "1/part-0", requests("a", 2))
    shown = Shown()
    thread = beside(lambda: until(lambda: bool(shown.windows)) and None)
    run(watched, shown=shown, once=False)
    thread.join()
    assert journal_of(watched).window(1).window.closed == "minutes"


def test_an_evaluation_is_finished_within_the_grace_period(tmp_path, judge):
    watched = config(tmp_path, grace_seconds=20.0)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    began = threading.Event()

    def evaluate(watched, journal, row, decided):
        began.set()
        time.sleep(0.5)
        return fine(watched, journal, row, decided)

    judge(evaluate)
    thread = beside(lambda: began.wait(20) and None)
    run(watched, once=False)
    thread.join()
    assert journal_of(watched).count(JUDGED) == 1


def test_an_evaluation_that_takes_longer_is_given_up_and_loses_nothing(tmp_path, judge):
    watched = config(tmp_path, grace_seconds=0.2)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    began = threading.Event()

    def evaluate(watched, journal, row, decided):
        began.set()
        try:
            time.sleep(60)
        except BaseException as error:
            raise RuntimeError("a node failed") from error  # as a library does that catches everything
        raise AssertionError

    judge(evaluate)
    shown, begin = Shown(), time.monotonic()
    thread = beside(lambda: began.wait(20) and None)
    run(watched, shown=shown, once=False)
    thread.join()
    assert time.monotonic() - begin < 20
    assert (shown.failures, shown.sentences) == ([], [shown.sentences[0]])
    assert "given up" in shown.sentences[0]
    assert (journal_of(watched).window(1).attempts, journal_of(watched).count(CLOSED)) == (0, 1)
    judge(fine)
    run(watched)
    assert journal_of(watched).count(JUDGED) == 1


def test_an_evaluation_that_never_returns_is_set_aside_with_its_reason(tmp_path, judge):
    watched = config(tmp_path, evaluation_minutes=0.2 / 60, attempts=2)
    write(tmp_path / "logs", "1/part-0", requests("a", 15))

    def evaluate(watched, journal, row, decided):
        if row.window.number == 2:
            threading.Event().wait()
        return fine(watched, journal, row, decided)

    judge(evaluate)
    shown = Shown()
    assert run(watched, shown=shown) == {EXIT_FINE, EXIT_ERROR}
    assert (shown.failures, shown.windows) == ([(2, False), (2, True)], [1, 3])
    (aside,) = journal_of(watched).windows(SET_ASIDE)
    assert "took longer than `watch.evaluation_minutes`" in aside.problem


def test_an_evaluation_that_heeds_no_interruption_ends_the_process_and_the_next_one_goes_on(tmp_path, judge):
    watched = config(tmp_path, evaluation_minutes=0.2 / 60, attempts=1)
    write(tmp_path / "logs", "1/part-0", requests("a", 15))

    def evaluate(watched, journal, row, decided):
        while row.window.number == 2:
            with contextlib.suppress(BaseException):
                threading.Event().wait()
        return fine(watched, journal, row, decided)

    judge(evaluate)
    child = os.fork()
    if not child:
        try:
            run(watched)
        finally:
            os._exit(EXIT_FINE)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == EXIT_ERROR
    (aside,) = journal_of(watched).windows(SET_ASIDE)
    assert (aside.window.number, aside.attempts) == (2, 1)
    assert "took longer than" in aside.problem
    assert run(watched) == {EXIT_FINE}
    assert [record.window for record in journal_of(watched).records] == [1, 3]


def test_an_interruption_is_taken_for_no_answer(tmp_path, judge):
    """What asks a model or decodes an image catches every `Exception`, and decides by it."""
    watched = config(tmp_path, evaluation_minutes=0.1 / 60, attempts=1)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    broken = []

    def evaluate(watched, journal, row, decided):
        try:
            threading.Event().wait()
        except Exception as error:
            broken.append(error)
        return fine(watched, journal, row, decided)

    judge(evaluate)
    assert run(watched) == {EXIT_ERROR}
    assert (broken, journal_of(watched).count(SET_ASIDE)) == ([], 1)


@pytest.mark.parametrize("swallowed", [False, True])
def test_what_has_a_verdict_is_not_given_up_for_the_time_it_took(tmp_path, judge, swallowed):
    """Else a window would have a verdict and be set aside."""
    watched = config(tmp_path, evaluation_minutes=0.2 / 60, attempts=1)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))

    def evaluate(watched, journal, row, decided):
        if swallowed:
            with contextlib.suppress(BaseException):
                threading.Event().wait()
        decided()
        time.sleep(1.5)  # longer than it takes until an interruption is repeated
        return fine(watched, journal, row, decided)

    judge(evaluate)
    assert run(watched) == {EXIT_FINE}
    assert (journal_of(watched).count(JUDGED), journal_of(watched).count(SET_ASIDE)) == (1, 0)


def test_what_has_a_verdict_does_not_outlast_the_grace_period(tmp_path, judge):
    watched = config(tmp_path, grace_seconds=0.2)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    began = threading.Event()

    def evaluate(watched, journal, row, decided):
        decided()
        began.set()
        threading.Event().wait()

    judge(evaluate)
    thread = beside(lambda: began.wait(20) and None)
    run(watched, once=False)
    thread.join()
    assert journal_of(watched).count(CLOSED) == 1


def test_a_disk_that_is_full_for_a_while_stops_nothing_for_good(tmp_path, judge, monkeypatch):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 10))
    monkeypatch.setattr("model_monitor.watch.taking_up._PAUSE", 0.02)
    took, left = Journal.took, [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("locked")]

    def failing(*arguments):
        if left:
            raise left.pop()
        took(*arguments)

    monkeypatch.setattr(Journal, "took", failing)
    shown = Shown()
    assert run(watched, shown=shown) == {EXIT_FINE}
    assert taken(watched) == requests("a", 10)
    assert [sentence.split(":")[0] for sentence in shown.sentences] == [
        "Windows of monitoring wait",
        "Windows of monitoring wait",
        "Windows of monitoring go on.",
    ]


def test_a_folder_of_logs_that_is_away_for_a_while_stops_nothing_for_good(tmp_path, judge, monkeypatch):
    watched = config(tmp_path, settle_seconds=0.05)
    monkeypatch.setattr("model_monitor.watch.taking_up._PAUSE", 0.05)
    monkeypatch.setattr("model_monitor.watch.arriving._LOOK_SECONDS", 0.2)
    shown = Shown()

    def away() -> None:
        write(tmp_path / "logs", "1/part-0", requests("a", 5))
        until(lambda: bool(shown.windows))  # it was there when the process began, or that would be an error
        (tmp_path / "logs").rename(tmp_path / "away")
        until(lambda: len(shown.sentences) > 0)
        (tmp_path / "logs").mkdir()
        until(lambda: len(shown.sentences) > 1)
        write(tmp_path / "logs", "1/part-1", requests("b", 5))
        until(lambda: len(shown.windows) > 1)

    thread = beside(away)
    run(watched, shown=shown, once=False)
    thread.join()
    assert [sentence.split(":")[0] for sentence in shown.sentences] == [
        "Windows of monitoring wait",
        "Windows of monitoring go on.",
    ]
    assert shown.windows == [1, 2]


def test_a_file_that_nobody_may_read_is_said_once_and_counts_as_an_error(tmp_path, judge):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 5))
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "logs" / "1" / "part-1").symlink_to(tmp_path / "elsewhere")
    shown = Shown()
    assert run(watched, shown=shown) == {EXIT_FINE, EXIT_ERROR}
    (said,) = shown.sentences
    assert "1/part-1 cannot be read" in said
    assert shown.windows == [1]
