"""What Google Cloud Storage does otherwise: preconditions by generations, deletions of what is not there."""

from collections.abc import Iterator

import pytest

from components.atomic_pusher.publish import publish
from components.common.baseline_bundle import versions
from components.common.errors import MonitorError
from components.common.object_store import places
from components.common.object_store.address import parse
from components.common.object_store.files import store_files
from components.common.object_store.places import copy_here, copy_out
from tests.support.stores.pushing import FILES, Watcher, fill, seal
from tests.support.stores.running import RunningStore, running_google


@pytest.fixture(scope="module")
def google() -> Iterator[RunningStore]:
    with running_google() as found:
        yield found


@pytest.fixture
def bucket(google, monkeypatch) -> str:
    for key, value in google.environment.items():
        monkeypatch.setenv(key, value)
    return f"gs://{google.make_bucket()}"


def test_a_tree_comes_back_as_it_went(bucket, tmp_path):
    fill(str(tmp_path / "a"))
    copy_out(str(tmp_path / "a"), f"{bucket}/7")
    copy_here(f"{bucket}/7", str(tmp_path / "b"))
    assert {name: (tmp_path / "b" / name).read_bytes() for name in FILES} == FILES
    assert store_files().listing(f"{bucket}/7") == ["assets.extra", "saved_model.pb", "variables"]


def test_a_precondition_is_about_the_generation(bucket):
    store = places.bucket_of(parse(bucket))
    assert store.create("pointer", b"1")
    assert not store.create("pointer", b"2")
    state = store.read("pointer", 10)
    assert store.replace("pointer", b"3", state)
    assert not store.replace("pointer", b"4", state)
    assert store.replace("pointer", b"1", store.read("pointer", 10))
    assert not store.replace("pointer", b"5", state)  # the content of then, and not its generation


def test_what_is_gone_already_is_no_error(bucket):
    store = places.bucket_of(parse(bucket))
    for key in ("a", "b", "c"):
        store.create(key, b"x")
    store.delete(["a", "gone", "b", "c"])
    assert store.names("") == []
    store.delete(["gone"])
    store.delete([])


def test_pushes_come_one_after_the_other(bucket, google):
    serving, watcher = f"{bucket}/serving", Watcher(f"{bucket}/serving", google.environment)
    assert publish(serving, fill, seal, lambda: 100.0) == 100
    assert publish(serving, fill, seal, lambda: 100.0) == 101
    assert (watcher.versions(), watcher.partial(), watcher.left()) == ([100, 101], [], [])
    assert versions(serving) == [f"{serving}/100", f"{serving}/101"]


def test_what_is_missing_is_said(bucket):
    with pytest.raises(MonitorError, match="gs://nowhere must be a bucket that exists"):
        publish("gs://nowhere/serving", fill, seal)
    with pytest.raises(MonitorError, match=r"gs://.*/none must be a readable file. Received: No such file"):
        store_files().content(f"{bucket}/none")
