"""When a file is complete and how new ones are noticed, without a loop."""

import errno
import os
import sys
import time
from dataclasses import replace

import pytest

from model_monitor.watch import arriving
from model_monitor.watch.arriving import Arriving
from tests.support.watched_logs import config, requests, write


def start(watched, **settings: object) -> Arriving:
    found = Arriving(
        watched.serving_logs_path, watched.span_pattern, watched.watch.model_copy(update=settings), known={}
    )
    found.start(lambda: None)
    return found


def ready(found: Arriving) -> list[str]:
    return [each.row.place for each in found.ready()]


@pytest.fixture
def watched(tmp_path):
    return config(tmp_path)


def test_an_old_file_is_complete_and_a_new_one_once_it_has_settled(tmp_path, watched):
    for name in ("old", "new"):
        write(tmp_path / "logs", f"1/{name}", requests(name, 1))
    os.utime(tmp_path / "logs" / "1" / "old", (1e9, 1e9))
    found = start(watched, file_events=False, settle_seconds=0.2)
    assert ready(found) == ["1/old"]
    assert found.expected(()) == 2
    time.sleep(0.21)
    assert ready(found) == ["1/old", "1/new"]


def test_a_file_that_is_being_written_to_waits(tmp_path, watched):
    path = write(tmp_path / "logs", "1/part", requests("a", 1))
    found = start(watched, file_events=False, poll_seconds=0.01, settle_seconds=0.3)
    for _ in range(4):
        time.sleep(0.1)
        with path.open("ab") as file:
            file.write(b"x")
        assert ready(found) == []
    time.sleep(0.31)
    assert ready(found) == ["1/part"]


def test_what_was_read_is_not_ready_until_it_changes(tmp_path, watched):
    path = write(tmp_path / "logs", "1/part", requests("a", 1))
    found = start(watched, file_events=False, poll_seconds=0.01, settle_seconds=0.0)
    (each,) = found.ready()
    found.taken(replace(each.row, whole=True))
    time.sleep(0.02)
    assert ready(found) == []
    path.write_bytes(b"more")
    time.sleep(0.02)
    assert ready(found) == ["1/part"]


def test_files_come_in_the_order_of_their_spans_and_times(tmp_path, watched):
    for number, place in enumerate(("2/a", "10/b", "10/a", "1/z")):
        os.utime(write(tmp_path / "logs", place, requests(place, 1)), (1e9 + number, 1e9 + number))
    assert ready(start(watched, file_events=False)) == ["1/z", "2/a", "10/b", "10/a"]


def test_the_kernel_tells_when_a_file_is_complete(tmp_path, watched):
    found = start(watched, settle_seconds=60.0)
    assert found.listening
    assert ready(found) == []
    write(tmp_path / "logs", "1/part", requests("a", 1))  # renamed to its name, in a folder that is new
    (tmp_path / "logs" / "2").mkdir()
    assert until(found, ["1/part"])
    with (tmp_path / "logs" / "2" / "part").open("wb") as file:  # closed by its writer
        file.write(b"x")
        file.flush()
        assert not until(found, ["1/part", "2/part"], seconds=0.3)
    assert until(found, ["1/part", "2/part"])
    found.close()


def until(found: Arriving, places: list[str], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while ready(found) != places and time.monotonic() < end:
        time.sleep(0.01)
    return ready(found) == places


def test_beyond_the_systems_limits_files_are_looked_for(watched, monkeypatch):
    def listen(*_):
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr("model_monitor.watch.file_events.listen", listen)
    assert start(watched).told_by == "looked for every 2 s: the kernel does not tell: inotify watch limit reached"


def test_without_the_extra_files_are_looked_for(watched, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_monitor.watch.file_events", None)
    monkeypatch.setitem(sys.modules, "watchdog", None)
    assert "not installed (the extra `live` has it)" in start(watched).told_by


def test_what_was_read_long_ago_and_is_gone_is_forgotten_unless_the_folder_is_away(tmp_path, watched):
    found = start(watched, file_events=False, poll_seconds=0.001, settle_seconds=0.0)
    for name, days in (("old", 40), ("young", 1), ("there", 40)):
        when = time.time() - 86400 * days
        os.utime(write(tmp_path / "logs", f"1/{name}", requests(name, 1)), (when, when))
    for each in found.ready():
        found.taken(replace(each.row, whole=True))
    for name in ("old", "young"):
        (tmp_path / "logs" / "1" / name).unlink()
    time.sleep(0.01)
    assert (ready(found), found.gone()) == ([], ["1/old"])
    (tmp_path / "logs").rename(tmp_path / "away")
    (tmp_path / "logs").mkdir()
    time.sleep(0.01)
    assert (ready(found), found.gone()) == ([], [])


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /mnt/nfs rw shared:2 - nfs4 server:/export rw
41 40 8:2 / /mnt/nfs/local\\040disk rw - ext4 /dev/sdb1 rw
42 22 0:36 / /mnt/bucket rw - fuse.gcsfuse bucket rw
"""


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("/data/logs", ""),
        ("/mnt/nfs/logs", "/mnt/nfs is a file system of kind nfs4"),
        ("/mnt/nfs/local disk/logs", ""),
        ("/mnt/bucket", "/mnt/bucket is a file system of kind fuse.gcsfuse"),
        ("/mnt/bucketful", ""),
    ],
)
def test_changes_by_other_machines_are_looked_for(tmp_path, folder, why):
    (tmp_path / "mounts").write_text(MOUNTS)
    assert arriving._why_no_events(folder, str(tmp_path / "mounts")) == why
