"""Files on their way to the readers, and what a crash leaves behind at each step of it."""

import gzip
import os
import shutil

import pytest

from components.common.artifacts.tfrecord import frame, read_records
from components.serving_log_writer.log_files import LogFile, Rotation, SpanFiles
from components.serving_log_writer.salvage import salvage

RECORDS = [b"first", b"second" * 1000, b""]


def content(path):
    with open(path, "rb") as file:
        found = list(read_records(file))
    assert not any(record.damage for record in found)
    return [record.data for record in found]


def hidden(logs):
    return sorted(path.name for path in logs.glob(".writing-*") if path.name != ".writing-lock")


@pytest.fixture
def left_behind(tmp_path):
    """The name of a file with `RECORDS` that a killed process was writing, and its path."""
    file = LogFile(str(tmp_path), 3)
    for record in RECORDS:
        file.append(record)
    file.flush()
    file.forget()  # closes it without an end, as a kill does
    [name] = hidden(tmp_path)
    return name, tmp_path / name


def test_a_file_is_hidden_until_it_is_whole(tmp_path):
    file = LogFile(str(tmp_path), 3)
    for record in RECORDS:
        file.append(record)
    file.flush()
    assert not list(tmp_path.glob("*/*"))  # by which TFX looks for spans
    assert len(hidden(tmp_path)) == 1
    path = file.publish()
    assert path == str(tmp_path / "3" / os.path.basename(path))
    assert hidden(tmp_path) == []
    assert content(path) == RECORDS


def test_salvages_whole_records(tmp_path, left_behind):
    [found] = salvage(str(tmp_path))
    assert found.path == str(tmp_path / "3" / left_behind[0].removeprefix(".writing-3."))
    assert content(found.path) == RECORDS
    assert (found.records, "cut off" in found.reason) == (3, True)
    assert hidden(tmp_path) == []
    assert salvage(str(tmp_path)) == []


@pytest.mark.parametrize("size", [0, 5, 20])
def test_a_file_without_a_whole_record_is_removed(tmp_path, left_behind, size):
    os.truncate(left_behind[1], size)
    [found] = salvage(str(tmp_path))
    assert (found.path, found.records) == ("", 0)
    assert os.listdir(tmp_path) == [".writing-lock"]


def test_a_torn_record_is_left_out(tmp_path, left_behind):
    os.truncate(left_behind[1], os.path.getsize(left_behind[1]) - 8)
    [found] = salvage(str(tmp_path))
    assert content(found.path) == RECORDS[: found.records]
    assert 0 < found.records < 3


def test_a_complete_file_that_was_not_renamed_any_more(tmp_path, left_behind):
    with open(left_behind[1], "rb") as file:
        whole = b"".join(map(frame, [record.data for record in read_records(file) if record.damage is None]))
    left_behind[1].write_bytes(gzip.compress(whole))
    [found] = salvage(str(tmp_path))
    assert content(found.path) == RECORDS
    assert found.reason == ""


def test_a_salvage_that_was_killed_is_done_again(tmp_path, left_behind):
    name, path = left_behind
    shutil.copy(path, tmp_path / "original")
    (tmp_path / f"{name}.salvaged").write_bytes(b"half a copy")
    [first] = salvage(str(tmp_path))
    shutil.copy(tmp_path / "original", path)  # as if killed after the copy was published
    [second] = salvage(str(tmp_path))
    assert first == second
    assert content(second.path) == RECORDS
    assert len(os.listdir(tmp_path / "3")) == 1


def test_other_peoples_files_are_left_alone(tmp_path):
    (tmp_path / ".writing-notes.txt").write_text("mine")
    assert salvage(str(tmp_path)) == []
    assert hidden(tmp_path) == [".writing-notes.txt"]
    assert salvage(str(tmp_path / "nowhere")) == []
    assert not (tmp_path / "nowhere").exists()


def test_files_are_published_when_they_are_due(tmp_path):
    now = [100.0]
    files = SpanFiles(str(tmp_path), Rotation(seconds=60), clock=lambda: now[0])
    assert files.seconds_left() is None
    files.append(1, b"a")
    now[0] += 20
    files.append(2, b"b")
    assert files.seconds_left() == 40
    now[0] += 40
    files.publish_due()
    assert files.written == 1
    assert [path.parent.name for path in tmp_path.glob("*/*")] == ["1"]
    assert files.seconds_left() == 20
    files.publish_all()
    assert (files.written, files.failed, files.seconds_left()) == (2, 0, None)


def test_a_file_that_cannot_be_published_fails_with_all_its_records(tmp_path):
    (tmp_path / "1").write_text("a file where the span's folder has to be")
    files = SpanFiles(str(tmp_path), Rotation())
    for span in (1, 1, 2):
        files.append(span, b"a")
    with pytest.raises(FileExistsError):
        files.publish_all()
    assert (files.written, files.failed) == (1, 2)  # one span's trouble is not another's
    assert hidden(tmp_path) == []
