"""A push to an object store: what is written in which order, who wins, what is left. tests/attacks has the attacks."""

import json

import pytest

from components.atomic_pusher import remote_folder
from components.atomic_pusher.publish import publish, publish_bundle
from components.common.errors import MonitorError
from components.common.object_store import places
from components.common.object_store.address import parse
from tests.support.stores.proxy import Act, store_proxy
from tests.support.stores.pushing import FILES, Push, Watcher, fill, seal
from tests.support.stores.running import environment

OVERHEAD = 21  # requests of a push besides one for each file, as docs/push_to_stores.md says


@pytest.fixture
def serving(bucket) -> str:
    return f"{bucket}/models/serving"


@pytest.fixture
def watcher(serving, store) -> Watcher:
    return Watcher(serving, store.environment)


def push(serving: str, now: float = 100.0, fill=fill, seal=seal) -> int:
    return publish(serving, fill, seal, clock=lambda: now)


def test_a_version_is_whole_and_the_newest(serving, watcher):
    assert push(serving, 1234.9) == 1234
    assert push(f"{serving}/", 1235) == 1235
    assert (watcher.versions(), watcher.partial(), watcher.left()) == ([1234, 1235], [], [])
    assert (watcher.pointer()["version"], watcher.pointer()["next"]) == (1235, None)


def test_a_bucket_itself_can_be_a_serving_folder(bucket, store):
    assert push(bucket) == 100
    assert places.names(bucket) == ["100", "newest.json"]


def test_numbers_only_grow(serving, watcher):
    bucket = places.bucket_of(parse(serving))
    bucket.create("models/serving/500/anything", b"x")
    assert push(serving) == 501
    bucket.delete(f"models/serving/501/{name}" for name in (*FILES, "number"))
    assert push(serving) == 502  # the pointer names 501
    assert watcher.versions() == [502]


def test_the_file_by_which_servers_see_a_version_is_the_last(serving, store, monkeypatch):
    with store_proxy(store.port) as proxy:
        for key, value in environment(proxy.port).items():
            monkeypatch.setenv(key, value)
        push(serving)
        written = [request.path.split("/models/serving/")[-1] for request in proxy.requests if request.method == "PUT"]
        assert len(proxy.requests) == len(FILES) + 1 + OVERHEAD
    version = [name for name in written if name.startswith("100/")]
    assert sorted(version) == sorted(f"100/{name}" for name in (*FILES, "number"))
    assert written[-3:] == ["newest.json", "100/saved_model.pb", "newest.json"]


def test_of_two_pushes_at_once_one_wins_and_the_other_says_so(serving, watcher):
    def overtaken(folder: str, number: int) -> None:
        seal(folder, number)
        if number == 100:
            assert push(serving) == 101

    with pytest.raises(
        MonitorError, match=r"somebody else meanwhile: version 101 is the newest, .* Nothing of this push"
    ):
        push(serving, seal=overtaken)
    assert (watcher.versions(), watcher.partial(), watcher.left()) == ([101], [], [])


def test_a_push_that_has_won_and_was_not_told_is_no_lost_one(serving, store, watcher):
    """The answer to the write that decides gets lost, and another push is made before this one asks again."""
    decided = []

    def plan(request) -> Act:
        return (
            Act.LOSE
            if request.method == "PUT" and request.path.endswith("newest.json") and not decided
            else Act.FORWARD
        )

    def after(request) -> None:
        if request.method == "PUT" and request.path.endswith("newest.json") and not decided:
            decided.append(publish(serving, fill, seal, lambda: 100.0))

    with store_proxy(store.port, plan, after) as proxy:
        came = Push(serving, environment(proxy.port), 100.0).end()
    assert (came.version, decided) == (100, [101])
    assert (watcher.versions(), watcher.partial(), watcher.left()) == ([100, 101], [], [])


def test_a_number_is_nobody_elses_though_the_claim_on_it_is_gone(serving, store, watcher):
    """A push that has looked for a free number before another one is made, which gets that number."""

    def overtaken(request) -> Act:
        if request.method == "PUT" and not watcher.versions():
            assert publish(serving, fill, seal, lambda: 100.0) == 100
        return Act.FORWARD

    with store_proxy(store.port, overtaken) as proxy:
        came = Push(serving, environment(proxy.port), 100.0).end()
    assert "version 100 is the newest" in came.said
    assert (watcher.versions(), watcher.partial(), watcher.left()) == ([100], [], [])


def test_a_store_that_heeds_no_preconditions_is_refused(serving, store, watcher, monkeypatch):
    for unheeded in ("if-none-match", "if-match"):
        with store_proxy(store.port, unheeded=[unheeded]) as proxy:
            for key, value in environment(proxy.port).items():
                monkeypatch.setenv(key, value)
            with pytest.raises(MonitorError, match="must be in a store that heeds If-None-Match and If-Match"):
                push(serving)
        assert (watcher.versions(), watcher.left(), watcher.pointer()) == ([], [], {})


@pytest.mark.parametrize("where", ["fill", "seal"])
def test_what_fails_on_this_machine_leaves_nothing_there(serving, watcher, where):
    def fails(*_) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        push(serving, **{where: fails})
    assert (watcher.versions(), watcher.left(), watcher.pointer()) == ([], [], {})


def test_what_holds_no_model_is_not_pushed(serving, watcher):
    with pytest.raises(MonitorError, match=r"hold a SavedModel \(saved_model.pb or saved_model.pbtxt\)"):
        push(serving, fill=lambda folder: None)
    assert (watcher.versions(), watcher.left()) == ([], [])


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"version": "1", "next": null, "push": "a", "at": ""}',
     b'{"version": true, "next": null, "push": "a", "at": ""}', b'{"version": 1}'],
)  # fmt: skip
def test_a_damaged_pointer_is_named_and_nothing_is_pushed(serving, watcher, content):
    bucket = places.bucket_of(parse(serving))
    bucket.create("models/serving/newest.json", content)
    with pytest.raises(MonitorError, match=r"s3://.*/newest.json`? (is damaged|must hold)"):
        push(serving)
    assert (watcher.versions(), watcher.left()) == ([], [])


def test_a_version_that_was_decided_on_and_is_gone_is_in_nobodys_way(serving, watcher):
    bucket = places.bucket_of(parse(serving))
    pointer = remote_folder.Pointer(None, 100, "theirs", "2026-11-27T00:00:00+00:00")
    bucket.create("models/serving/newest.json", pointer.to_bytes())
    assert push(serving) == 101
    assert (watcher.versions(), watcher.partial(), watcher.left()) == ([101], [], [])


def test_a_pointer_there_and_back():
    pointer = remote_folder.Pointer(7, None, "a", "2026-11-27T00:00:00+00:00")
    assert remote_folder.Pointer.from_bytes(pointer.to_bytes(), "f") == pointer
    assert list(json.loads(pointer.to_bytes())) == ["version", "next", "push", "at"]


def test_a_missing_bucket_is_said(bucket):
    with pytest.raises(MonitorError, match="s3://nowhere must be a bucket that exists"):
        push("s3://nowhere/serving")


def test_a_bundle_is_put_beside_a_version_of_this_machine_only(serving):
    with pytest.raises(MonitorError, match=r"`version_dir` must be a folder of this machine.*push it again"):
        publish_bundle(f"{serving}/7", fill, lambda _: None)
