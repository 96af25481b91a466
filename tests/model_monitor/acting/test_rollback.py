"""An earlier version becomes the newest again: which one, whole or not at all, and said where it came from."""

import os
from pathlib import Path

import pytest

from components.common import baseline_bundle
from components.common.errors import MonitorError
from components.common.object_store.places import copy_here, copy_out
from model_monitor.acting import copied_version, rollback
from tests.support.pushed_version import write_version


@pytest.fixture
def serving(tmp_path):
    folder = tmp_path / "serving"
    for number in (3, 5, 8):
        version = Path(write_version(folder, number))
        (version / "saved_model.pb").write_bytes(b"model %d" % number)
        (version / "variables").mkdir()
        (version / "variables" / "data").write_bytes(b"weights %d" % number)
    return folder


def go_back(serving, version="", now=100.0):
    return rollback.roll_back(str(serving), *rollback.choose(str(serving), version), lambda: now)


def content(folder) -> dict[str, bytes]:
    files = [path for path in Path(folder).rglob("*") if path.is_file() and path.name != "manifest.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_version_before_is_the_newest_again_under_a_new_number(serving):
    done = go_back(serving)
    assert (done.version, done.folder) == (100, str(serving / "100"))
    newest = baseline_bundle.newest(str(serving))
    assert newest.version_dir == done.folder
    assert (newest.manifest.model_version, newest.manifest.copied_from) == (100, str(serving / "5"))
    assert content(done.folder) == content(serving / "5")
    assert content(serving / "8")["saved_model.pb"] == b"model 8"  # what was served stays to be looked into


def test_any_earlier_version_can_be_named(serving):
    assert go_back(serving, "3").of.version_dir == str(serving / "3")


def test_going_back_twice_goes_further_back_and_never_forth(serving):
    go_back(serving)
    assert go_back(serving, now=50.0).version == 101  # the clock was set back
    newest = baseline_bundle.newest(str(serving))
    assert newest.manifest.copied_from == str(serving / "3")
    with pytest.raises(MonitorError, match=r"no version before 101 .*: it is version 3 again"):
        go_back(serving)


def test_a_copy_of_a_copy_goes_back_to_what_was_pushed(serving):
    first = go_back(serving, "3")
    go_back(serving, "8", now=101)
    second = go_back(serving, str(first.version), now=102)
    assert rollback.origin(baseline_bundle.read(second.folder)) == str(serving / "3")


def test_the_next_push_is_judged_against_it(serving):
    done = go_back(serving)
    assert baseline_bundle.choose_baseline(str(serving), "another key") == done.folder


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("8", "Version 8 is the newest"),
        ("4", r"one of the earlier versions .*The last of them: 3, 5\. Received: '4'"),
        ("../3", "one of the earlier versions"),
    ],
)
def test_a_version_that_cannot_be_gone_back_to_is_refused(serving, version, said):
    before = sorted(os.listdir(serving))
    with pytest.raises(MonitorError, match=said):
        go_back(serving, version)
    assert sorted(os.listdir(serving)) == before


def test_a_folder_without_versions_and_one_without_an_earlier_version_are_refused(tmp_path):
    with pytest.raises(MonitorError, match="must hold pushed versions"):
        rollback.choose(str(tmp_path / "serving"))
    write_version(tmp_path / "serving", 3)
    with pytest.raises(MonitorError, match="There is no version before 3"):
        rollback.choose(str(tmp_path / "serving"))


def test_what_was_not_pushed_with_a_bundle_is_no_way_back(serving):
    (serving / "6").mkdir()
    (serving / "6" / "saved_model.pb").touch()
    with pytest.raises(MonitorError, match="has no baseline bundle"):
        go_back(serving)


def test_a_push_in_the_meantime_is_not_undone_unseen(serving):
    chosen = rollback.choose(str(serving))
    write_version(serving, 9)
    with pytest.raises(MonitorError, match="pushed meanwhile"):
        rollback.roll_back(str(serving), *chosen, lambda: 100.0)
    assert [Path(folder).name for folder in baseline_bundle.versions(str(serving))] == ["3", "5", "8", "9"]
    assert not [name for name in os.listdir(serving) if name.startswith(".push-")]


def test_what_cannot_be_read_whole_is_not_published(serving, monkeypatch):
    (serving / "5" / "variables" / "data").chmod(0)
    if os.access(serving / "5" / "variables" / "data", os.R_OK):  # root reads everything
        monkeypatch.setattr(copied_version.shutil, "copytree", _full)
    with pytest.raises(OSError, match=r"data|space"):
        go_back(serving)
    assert [Path(folder).name for folder in baseline_bundle.versions(str(serving))] == ["3", "5", "8"]


def _full(*_arguments, **_options):
    raise OSError(28, "No space left on device")


def test_in_a_store_as_in_a_folder(serving, bucket):
    remote = f"{bucket}/serving"
    for empty in [path for path in serving.rglob("*") if path.is_dir() and not list(path.iterdir())]:
        (empty / "FeatureStats.pb").touch()  # a store has no empty folders
    copy_out(str(serving), remote)
    done = go_back(remote)
    assert (done.folder, done.of.version_dir) == (f"{remote}/100", f"{remote}/5")
    assert baseline_bundle.newest(remote).manifest.copied_from == f"{remote}/5"
    copy_here(remote, str(serving.parent / "copy"))
    assert content(serving.parent / "copy" / "100") == content(serving / "5")
    assert go_back(remote, now=101.0).of.version_dir == f"{remote}/3"
    with pytest.raises(MonitorError, match=r"no version before 101 in s3://.*/serving to go back to: it is version 3"):
        go_back(remote)
