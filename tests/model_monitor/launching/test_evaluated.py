"""Which spans count as evaluated: by their files, and only once the verdict was delivered."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from components.common.records.span_history import Seen, SpanHistory
from model_monitor.launching import evaluated
from model_monitor.launching.evaluated import Evaluation, Evaluations

BUNDLE = "/serving/1"


@pytest.fixture
def known(tmp_path: Path) -> Evaluations:
    (tmp_path / "logs").mkdir()
    return Evaluations(tmp_path / "runs", "monitoring", tmp_path / "logs")


def log(known: Evaluations, name: str, content: bytes = b"log") -> str:
    path = known.logs / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return name


def deliver(known: Evaluations, span: int, files: tuple[str, ...] = (), state: str = "fine", **other) -> Evaluation:
    """An evaluation of these files, told to whoever asked."""
    statistics = known.root / "statistics" / str(span)
    statistics.mkdir(parents=True, exist_ok=True)
    plain = {"bundle": BUNDLE, "run": 10 + span, "run_id": f"r{span}", "examples": 400, "p_value": 0.5}
    made = Evaluation(
        span=span, state=state, statistics=str(statistics), files=known.stamps(files), **{**plain, **other}
    )
    known.deliver(made)
    return made


def test_a_span_is_evaluated_once_its_verdict_was_delivered(known):
    files = (log(known, "3/a"), log(known, "3/b"))
    assert not known.covers(3, files)
    deliver(known, 3, files)
    assert known.covers(3, files)
    assert Evaluations(known.root, "monitoring", known.logs).covers(3, files)
    assert not Evaluations(known.root, "other", known.logs).covers(3, files)
    assert not Evaluations(known.root, "monitoring", known.logs / "3").covers(3, files)


def test_files_that_come_later_make_it_a_span_that_was_not(known):
    first = (log(known, "3/a"),)
    deliver(known, 3, first, state="changed")
    both = (*first, log(known, "3/b"))
    assert not known.covers(3, both)
    assert known.history(3, known.stamps(both)).seen == Seen(examples=400, state="changed", run=13)
    deliver(known, 3, both)
    assert known.covers(3, both)
    assert [each.state for each in known.of(3)] == ["changed", "fine"]
    assert [len(each.files) for each in known.of(3)] == [0, 2]
    assert known.history(3, known.stamps(both)).seen is None


@pytest.mark.parametrize("content", [b"another log", b"LOG"])
def test_a_file_with_another_content_is_another_file(known, content):
    files = (log(known, "3/a"),)
    deliver(known, 3, files)
    log(known, "3/a", content)
    os.utime(known.logs / "3/a", ns=(1, 1))
    assert not known.covers(3, files)


def test_a_file_that_was_only_touched_is_the_same_and_one_that_was_not_is_not_read_again(known, monkeypatch):
    files = (log(known, "3/a"),)
    deliver(known, 3, files)
    os.utime(known.logs / "3/a", ns=(1, 1))
    assert known.covers(3, files)
    deliver(known, 3, files)
    read = []
    monkeypatch.setattr(evaluated, "digest", read.append)
    assert known.covers(3, files)
    assert read == []


def test_files_that_were_deleted_leave_it_evaluated(known):
    files = (log(known, "3/a"), log(known, "3/b"))
    deliver(known, 3, files)
    (known.logs / "3/a").unlink()
    assert known.covers(3, files[1:])


def test_what_is_no_regular_file_is_not_read(known):
    (known.logs / "3").mkdir()
    os.mkfifo(known.logs / "3/pipe")
    (known.logs / "3/zero").symlink_to("/dev/zero")
    assert [each.digest for each in known.stamps(("3/pipe", "3/zero"))] == ["no regular file"] * 2
    assert known.stamps(("3/gone",))[0].digest == "cannot be read: No such file or directory"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format_version": 2, "evaluations": []}', "\x00",
                                     '{"format_version": 1, "evaluations": [{}]}'])  # fmt: skip
def test_a_record_that_cannot_be_read_leaves_its_span_to_be_evaluated_and_is_named(known, content):
    files = (log(known, "3/a"),)
    deliver(known, 3, files)
    (known.folder / "3.json").write_text(content)
    assert not known.covers(3, files)
    assert known.damaged
    assert "span 3 counts as not evaluated" in known.damaged[0]
    deliver(known, 3, files)
    assert known.covers(3, files)


def test_a_kill_within_the_writing_leaves_the_old_record(known):
    files = (log(known, "3/a"),)
    deliver(known, 3, files)
    (known.folder / "3.json.99.part").write_text('{"format')
    assert known.covers(3, files)
    assert [each.span for each in known.before(9)] == [3]


def test_a_folder_that_cannot_be_written_is_an_error_that_names_the_record(known):
    known.root.write_text("a file")
    with pytest.raises(MonitorError, match=r"3\.json must be a file that can be written"):
        known.deliver(replace(EVALUATION, span=3))


EVALUATION = Evaluation(1, BUNDLE, 1, "r", "fine", 1, None, "/nowhere")


def test_drift_is_measured_against_the_last_span_that_was_fine_with_the_same_version(known):
    first, _, _ = (
        deliver(known, 1),
        deliver(known, 2, state="changed"),
        deliver(known, 3, state="undecided", p_value=None),
    )
    other, last = deliver(known, 4, bundle="/serving/2"), deliver(known, 9)
    assert known.to_compare_with(5, BUNDLE, fine=True).statistics == first.statistics
    assert known.to_compare_with(5, "/serving/2", fine=True).statistics == other.statistics
    assert known.to_compare_with(10, BUNDLE, fine=True).statistics == last.statistics
    assert known.to_compare_with(1, BUNDLE, fine=True) is None


def test_or_against_the_previous_one_that_could_be_compared_whatever_it_was(known):
    deliver(known, 1)
    second = deliver(known, 2, state="changed")
    deliver(known, 3, state="undecided", p_value=None)
    assert known.to_compare_with(5, BUNDLE, fine=False).statistics == second.statistics


def test_statistics_that_are_gone_are_compared_with_by_nobody(known):
    first, second = deliver(known, 1), deliver(known, 2)
    Path(second.statistics).rmdir()
    assert known.to_compare_with(5, BUNDLE, fine=True).statistics == first.statistics


def test_of_two_evaluations_of_one_span_the_later_one_counts(known):
    deliver(known, 1)
    deliver(known, 1, state="changed")
    assert known.to_compare_with(2, BUNDLE, fine=True) is None


def test_what_was_not_fine_since_the_last_that_was_is_known(known):
    assert known.history(5, ()) == SpanHistory()
    for span, state in ((1, "fine"), (2, "changed"), (3, "undecided"), (4, "degraded")):
        deliver(known, span, state=state)
    assert known.history(5, ()) == SpanHistory(not_fine=(2, 3, 4), again=True, incident=True)
    assert known.history(2, known.stamps(())) == SpanHistory(again=True)
    deliver(known, 5)
    assert known.history(6, ()) == SpanHistory(again=True)


def test_a_night_without_traffic_is_no_incident(known):
    deliver(known, 1)
    deliver(known, 2, state="undecided")
    assert known.history(3, ()) == SpanHistory(not_fine=(2,), again=True, incident=False)


def test_a_span_that_is_changed_and_whose_accuracy_is_undecided_is_an_incident(known):
    deliver(known, 1)
    deliver(known, 2, state="undecided", besides=("changed",))
    assert known.last(2).besides == ("changed",)
    assert known.history(3, ()) == SpanHistory(not_fine=(2,), again=True, incident=True)
