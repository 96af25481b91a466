"""Files into windows: every record in exactly one, whatever fails or is killed meanwhile."""

import collections
import errno
import os
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from components.common.artifacts.gunzip import Damage
from components.serving_log_writer.log_files import LogFile
from model_monitor.watch import window_files
from model_monitor.watch.arriving import Arrived, Arriving
from model_monitor.watch.collecting import Collector, StoppedError, UnreadableError
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import CLOSED, OPEN
from model_monitor.watch.windows import PASSED_OVER
from tests.support.bundles import write_bundle
from tests.support.watched_logs import NOON, SPEC, config, record, requests, taken, windows_on_disk, write


def collect(watched, *, end: bool = False, **arguments: object) -> Collector:
    """Takes up all files that are there, as a process that has just been started."""
    collector = Collector(watched, Journal(watched.watch_path), **arguments)
    for each in arriving(watched, collector).ready():
        collector.take(each)
    if end:
        collector.close_all()
    return collector


def arriving(watched, collector: Collector) -> Arriving:
    settings = watched.watch.model_copy(update={"settle_seconds": 0.0})
    return Arriving(watched.serving_logs_path, watched.span_pattern, settings, collector.known)


def states(watched) -> list[tuple[int, str, int, int]]:
    journal = Journal(watched.watch_path)
    rows = journal.windows(OPEN, CLOSED)
    journal.close()
    return [(row.window.number, row.window.closed, row.window.examples, row.window.records) for row in rows]


def test_records_go_into_windows_in_the_order_of_their_files(tmp_path):
    watched = config(tmp_path)
    first, second = requests("a", 4, images=2), requests("b", 3)
    write(tmp_path / "logs", "7/part-b", first)
    write(tmp_path / "logs", "8/part-a", second)
    collect(watched)
    assert taken(watched) == first + second
    assert states(watched) == [(1, "examples", 6, 3), (2, "examples", 5, 4)]


def test_what_was_taken_up_is_not_taken_up_again(tmp_path):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 7))
    collect(watched)
    collect(watched)
    write(tmp_path / "logs", "1/part-1", requests("b", 2))
    collect(watched)
    assert taken(watched) == requests("a", 7) + requests("b", 2)


def test_hidden_and_side_files_are_left_out(tmp_path):
    watched = config(tmp_path)
    for name in ("_SUCCESS", ".part-0.crc", "part-0.md5", "manifest.json"):
        write(tmp_path / "logs", f"1/{name}", requests(name, 1))
    unfinished = LogFile(str(tmp_path / "logs"), 1)
    unfinished.append(record("a"))
    unfinished.flush()
    collect(watched)
    assert taken(watched) == []
    unfinished.publish()
    collect(watched)
    assert taken(watched) == [record("a")]


def test_a_file_that_grows_gives_what_is_new(tmp_path):
    watched = config(tmp_path)
    whole = requests("a", 6)
    write(tmp_path / "logs", "1/part-0", whole[:4], zipped=False)
    collect(watched)
    write(tmp_path / "logs", "1/part-0", whole, zipped=False)
    collect(watched)
    assert taken(watched) == whole


def test_a_file_that_was_cut_off_and_is_whole_now_loses_nothing(tmp_path):
    watched = config(tmp_path)
    whole = requests("a", 6)
    write(tmp_path / "logs", "1/part-0", whole[:5], zipped=False, cut=9)
    collect(watched)
    write(tmp_path / "logs", "1/part-0", whole, zipped=False)
    collect(watched)
    assert taken(watched) == whole
    assert [each.damage for found in windows_on_disk(watched).values() for each in found if each.damage] == ["torn"]


def test_a_file_that_was_touched_or_moved_to_another_disk_is_the_same(tmp_path):
    watched = config(tmp_path)
    path = write(tmp_path / "logs", "1/part-0", requests("a", 3))
    collect(watched)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    collect(watched)
    assert taken(watched) == requests("a", 3)


def test_another_file_under_an_old_name_is_a_new_one(tmp_path):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 3))
    collect(watched)
    write(tmp_path / "logs", "1/part-0", requests("b", 3))
    collector = collect(watched)
    assert taken(watched) == requests("a", 3) + requests("b", 3)
    assert [kind for _, kind, _ in collector._journal.events()] == ["replaced"]


def test_each_version_has_windows_and_a_baseline_of_its_own(tmp_path):
    watched = config(tmp_path)
    write(
        tmp_path / "logs", "1/part-0", requests("a", 3) + requests("x", 1, version=2) + requests("n", 1, version=None)
    )
    collect(watched)
    assert states(watched) == [(1, "", 3, 5)]  # version 2 was not pushed: the pipeline counts its record as excluded
    write_bundle(tmp_path / "serving" / "2", SPEC)
    write(tmp_path / "logs", "1/part-1", requests("b", 5, version=2))
    collector = collect(watched)
    assert states(watched) == [(1, "superseded", 3, 5), (2, "examples", 5, 5)]
    bundles = [Path(row.bundle).name for row in collector._journal.windows(CLOSED)]
    assert bundles == ["1", "2"]


def test_where_a_bundle_is_named_all_goes_into_its_windows(tmp_path):
    watched = config(tmp_path)
    write_bundle(tmp_path / "serving" / "2", SPEC)
    watched = watched.model_copy(update={"bundle": str(tmp_path / "serving" / "1")})
    write(tmp_path / "logs", "1/part-0", requests("a", 3) + requests("b", 9, version=2))
    collect(watched)
    assert states(watched) == [(1, "", 3, 12)]


DAMAGED = {
    Damage.TORN: lambda whole: whole[:-9],
    Damage.CORRUPT: lambda whole: whole[:500] + b"damage" + whole[506:],
    Damage.FOREIGN: lambda _: b'{"no": "TFRecords"}' * 99,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_damaged_is_in_the_window_as_it_was_in_the_file(tmp_path, damage):
    watched = config(tmp_path)
    path = write(tmp_path / "logs", "1/part-0", requests("a", 4), zipped=False)
    path.write_bytes(DAMAGED[damage](path.read_bytes()))
    write(tmp_path / "logs", "1/part-1", requests("b", 3))
    collector = collect(watched, end=True)
    found = [each for records in windows_on_disk(watched).values() for each in records]
    assert [each.damage for each in found if each.damage] == [damage]
    size = path.stat().st_size
    if damage is Damage.CORRUPT:  # also in bytes, of which not too many may be broken
        kept = sum(len(each) + 16 for each in taken(watched) if each in requests("a", 4))
        assert sum(each.size for each in found if each.damage) == size - kept
    assert sum(row.window.damaged for row in collector._journal.windows(CLOSED)) == 1


def test_the_rest_of_a_damaged_gzip_file_is_known_to_be_unread(tmp_path):
    watched = config(tmp_path)
    path = write(tmp_path / "logs", "1/part-0", requests("a", 40))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\xff" * 40 + content[len(content) // 2 + 40 :])
    collect(watched)
    found = [each for records in windows_on_disk(watched).values() for each in records]
    assert Damage.UNREADABLE in [each.damage for each in found]


def test_a_file_that_cannot_be_read_is_in_nobodys_way(tmp_path):
    watched = config(tmp_path)
    collector = collect(watched)
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "logs" / "1").mkdir()
    (tmp_path / "logs" / "1" / "part-0").symlink_to(tmp_path / "elsewhere")
    (found,) = arriving(watched, collector).ready()
    with pytest.raises(UnreadableError, match="a link out of its folder"):
        collector.take(found)
    collector.recover()
    write(tmp_path / "logs", "1/part-1", requests("a", 1))
    collector.take(arriving(watched, collector).ready()[1])
    assert taken(watched) == requests("a", 1)


def test_reading_waits_while_enough_windows_wait(tmp_path):
    watched = config(tmp_path)
    write(tmp_path / "logs", "1/part-0", requests("a", 23))
    pauses = []

    def may_go_on() -> None:
        pauses.append(len(states(watched)))
        if len(pauses) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        collect(watched, may_go_on=may_go_on)
    assert pauses == [1, 2]
    assert taken(watched) == requests("a", 10)
    collect(watched)
    assert taken(watched) == requests("a", 23)


def test_so_many_records_of_a_file_are_read_as_the_pipeline_reads(tmp_path, monkeypatch):
    watched = config(tmp_path)
    monkeypatch.setattr("model_monitor.watch.collecting.MAX_RECORDS", 12)
    write(tmp_path / "logs", "1/part-0", [b""] * 20)
    collect(watched, end=True)
    assert states(watched) == [(1, "end", 1, 13)]  # an empty record is one of an unknown version
    damages = [each.damage for each in windows_on_disk(watched)[1]]
    assert (damages.count(None), damages.count(Damage.UNREADABLE)) == (12, 1)


# ---- whatever fails


SITES = ("sql", "append", "fsync", "truncate")


class Faults:
    """Fails at the n-th step of a kind that touches the disk: before it, after it, or with a part of it done."""

    def __init__(self, patch: pytest.MonkeyPatch, site: str, countdown: int, *, after: bool) -> None:
        self.site, self.left, self.after = site, countdown, after
        append, fsync, truncate, connect = window_files._append, os.fsync, os.truncate, sqlite3.connect
        faults, self.connections = self, []

        class Connection(sqlite3.Connection):
            def execute(self, *arguments):
                if arguments[0] == "ROLLBACK":  # which SQLite itself does when a process is killed
                    return super().execute(*arguments)
                return faults.step("sql", lambda: super(Connection, self).execute(*arguments))

        def partly(path, pieces):
            half = b"".join(pieces)[: sum(map(len, pieces)) // 2]
            return self.step("append", lambda: append(path, pieces), lambda: append(path, [half]))

        def connected(*arguments, **settings):
            self.connections.append(connect(*arguments, **settings, factory=Connection))
            return self.connections[-1]

        patch.setattr(sqlite3, "connect", connected)
        patch.setattr(window_files, "_append", partly)
        patch.setattr(os, "fsync", lambda *arguments: self.step("fsync", lambda: fsync(*arguments)))
        patch.setattr(os, "truncate", lambda *arguments: self.step("truncate", lambda: truncate(*arguments)))

    def step(self, site, action, part=lambda: None):
        self.left -= site == self.site
        if self.left or site != self.site:
            return action()
        (action if self.after else part)()
        raise OSError(errno.ENOSPC, "No space left on device")


RECORDS = st.tuples(st.sampled_from([1, 1, 1, 2, None]), st.integers(1, 4), st.integers(-40, 40))
FILES = st.lists(st.tuples(st.lists(RECORDS, max_size=12), st.booleans(), st.sampled_from([0, 0, 3])), max_size=4)


FAULTS = st.tuples(st.sampled_from(SITES), st.integers(1, 12), st.booleans(), st.booleans())


@settings(max_examples=80, phases=[Phase.explicit, Phase.generate])  # to make a failure smaller takes minutes
@given(FILES, st.lists(FAULTS, max_size=6))
def test_every_record_is_in_one_window_whatever_fails(files, faults):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        watched = config(root, allowed_lateness_minutes=0.25)
        write_bundle(root / "serving" / "2", SPEC)
        written = []
        for number, (facts, zipped, cut) in enumerate(files):
            records = [
                record(f"{number}/{place}", version=version, images=images, at=NOON + seconds)
                for place, (version, images, seconds) in enumerate(facts)
            ]
            write(root / "logs", f"{number}/part-{number}", records, zipped=zipped, cut=min(cut, 3 * len(records)))
            # without its last three bytes, a plain file lacks its last record, and a gzipped one only its end
            written += records if zipped or not cut else records[:-1]
        for site, countdown, after, killed in faults:
            _with_a_fault(watched, site, countdown, after=after, killed=killed)
        collector = collect(watched, end=True)
        found = collections.Counter(taken(watched))
        assert found == collections.Counter(written)
        on_disk = windows_on_disk(watched)
        done = collector._journal.windows(CLOSED, PASSED_OVER)
        for row in done:
            assert row.window.records == len(on_disk[row.window.number])
            assert row.window.damaged == sum(each.damage is not None for each in on_disk[row.window.number])
            assert row.window.closed == "examples" or row.window.examples < watched.window_examples
        assert sum(row.window.damaged for row in done) == sum(bool(records and cut) for records, _, cut in files)
        assert sorted(on_disk) == [row.window.number for row in done]


def _with_a_fault(watched, site: str, countdown: int, *, after: bool, killed: bool) -> None:
    """Takes up what is there until something fails; what is not killed by that recovers and goes on to the end."""
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults(patch, site, countdown, after=after)
        try:
            collector = Collector(watched, Journal(watched.watch_path))
            for each in arriving(watched, collector).ready():
                _take(collector, each, patch if not killed else None)
        except OSError:
            pass
        for connection in faults.connections:  # as with every process that has ended, whatever holds them here
            connection.close()


def _take(collector: Collector, each: Arrived, patch: pytest.MonkeyPatch | None) -> None:
    try:
        collector.take(each)
    except OSError:
        if patch is None:
            raise
        collector.recover()
        collector.take(replace(each))
