"""Which spans are still being written to."""

import fcntl
import os
from pathlib import Path

from components.serving_log_writer.log_files import LogFile
from model_monitor.launching import spans


def test_a_span_is_being_written_as_long_as_its_writer_lives(tmp_path: Path):
    files = [LogFile(str(tmp_path), 12), LogFile(str(tmp_path), 3)]
    files[0].append(b"record")
    assert spans.being_written(tmp_path) == {3, 12}
    files[0].publish()
    assert spans.being_written(tmp_path) == {3}
    files[1].forget()  # as when its process dies: the file is there still, and the lock is not
    assert spans.being_written(tmp_path) == set()
    assert list(tmp_path.glob(".writing-3.*"))


def test_what_is_no_unfinished_file_keeps_no_span(tmp_path: Path):
    (tmp_path / ".writing-lock").touch()
    (tmp_path / ".writing-5.folder").mkdir()
    os.mkfifo(tmp_path / ".writing-6.pipe")
    (tmp_path / ".writing-7.link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "4").mkdir()
    assert spans.being_written(tmp_path) == {7}  # a link is not followed: as if it were one


def test_looking_takes_the_lock_from_nobody(tmp_path: Path):
    path = tmp_path / ".writing-8.part-host-1-2.tfrecord.gz"
    path.touch()
    assert spans.being_written(tmp_path) == set()
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert spans.being_written(tmp_path) == {8}
