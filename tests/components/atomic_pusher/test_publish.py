"""All or nothing: whatever happens during a push, a watcher sees whole versions only."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.atomic_pusher import publish as module
from components.atomic_pusher.publish import STAGING_PREFIX, publish, publish_bundle
from components.common.errors import MonitorError
from tests.support.warm.starting import warm

FILES = {"a": b"1" * 1000, "sub/b": b"2" * 1000, "sub/deep/c": b"3" * 1000}


def fill(folder: str) -> None:
    for name, content in FILES.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def seal(folder: str, version: int) -> None:
    with open(os.path.join(folder, "number"), "w") as file:
        file.write(str(version))


def push(serving, now: float = 100.0, fill=fill, seal=seal) -> int:
    return publish(str(serving), fill, seal, clock=lambda: now)


def assert_whole(version) -> None:
    for name, content in FILES.items():
        assert (version / name).read_bytes() == content
    assert (version / "number").read_text() == version.name


def seen(serving) -> list[str]:
    return sorted(name for name in os.listdir(serving) if name.isdigit()) if serving.exists() else []


def staged(serving) -> list[str]:
    return [name for name in os.listdir(serving) if name.startswith(STAGING_PREFIX)]


def test_a_version_is_named_by_the_clock(serving):
    assert push(serving, 1234.9) == 1234
    assert_whole(serving / "1234")
    assert staged(serving) == []


@pytest.mark.parametrize(("taken", "now", "version"), [("100", 100, 101), ("500", 100, 501), ("7", 100, 100)])
def test_numbers_only_grow(serving, taken, now, version):
    (serving / taken).mkdir(parents=True)
    (serving / taken / "x").touch()
    assert push(serving, now) == version


def test_what_is_called_by_a_number_that_no_server_reads_is_no_version(serving, caplog):
    for name in ("99999999999999999999", "9223372036854775808"):
        (serving / name).mkdir(parents=True)
    assert [push(serving), push(serving)] == [100, 101]
    assert "9223372036854775808 is no version, for servers read numbers below 2^63 only" in caplog.text


def test_the_last_version_that_there_can_be_is_no_traceback(serving):
    (serving / "9223372036854775806").mkdir(parents=True)
    assert push(serving) == (1 << 63) - 1
    with pytest.raises(MonitorError, match=r"must leave room for a version below 2\^63, and has 9223372036854775807"):
        push(serving)
    assert staged(serving) == []


def test_two_pushes_in_one_second(serving):
    assert [push(serving), push(serving)] == [100, 101]
    assert_whole(serving / "100")
    assert_whole(serving / "101")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_number_taken_at_the_last_moment_is_left_alone(serving, kind):
    sealed = []

    def slow_seal(folder, version):
        seal(folder, version)
        if not sealed:  # somebody else publishes the same number in between
            other = serving / str(version)
            other.mkdir() if kind == "folder" else other.write_text("other")
            if kind == "folder":
                (other / "x").touch()
        sealed.append(version)

    assert push(serving, seal=slow_seal) == 101
    assert sealed == [100, 101]
    assert_whole(serving / "101")
    assert (serving / "100" / "x").exists() if kind == "folder" else (serving / "100").read_text() == "other"


def test_concurrent_pushes_each_get_a_version(serving):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: push(serving), range(24)))
    assert sorted(made) == list(range(100, 124))
    for version in made:
        assert_whole(serving / str(version))
    assert staged(serving) == []


def test_others_can_read_what_is_published(serving):
    before = os.umask(0o022)
    try:
        push(serving)
    finally:
        os.umask(before)
    assert (serving / "100").stat().st_mode & 0o777 == 0o755


CALLS = [(os, "makedirs"), (os, "mkdir"), (os, "fsync"), (os, "rename"), (os, "listdir"), (module.tempfile, "mkdtemp")]


def interrupt(monkeypatch, failing: int | None) -> list[str]:
    """Makes the file-system call of that number fail; returns the names of the calls, as they are made."""
    made: list[str] = []

    def wrap(name, real):
        def call(*args, **kwargs):
            if name == "mkdir" and os.path.isdir(args[0]):  # makedirs asks, and takes any error for "it is there"
                return real(*args, **kwargs)
            made.append(name)
            if len(made) - 1 == failing:
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        return call

    for owner, name in CALLS:
        monkeypatch.setattr(owner, name, wrap(name, getattr(owner, name)))
    return made


def test_a_failure_at_any_step_leaves_the_last_good_version(serving, monkeypatch):
    push(serving)
    with monkeypatch.context() as patch:
        calls = interrupt(patch, None)
        push(serving)
    assert {name for _, name in CALLS} == set(calls)
    published = 0
    for failing in range(len(calls)):
        before = seen(serving)
        with monkeypatch.context() as patch:
            interrupt(patch, failing)
            with pytest.raises(OSError, match="No space left"):
                push(serving)
        published += len(seen(serving)) - len(before)
        for version in seen(serving):
            assert_whole(serving / version)
        assert staged(serving) == []
    assert published == 1, "only the serving folder's own sync comes after the rename"
    assert_whole(serving / str(push(serving)))


def test_an_error_while_filling_publishes_nothing(serving):
    def broken(folder):
        fill(folder)
        raise RuntimeError("the source is gone")

    with pytest.raises(RuntimeError, match="the source is gone"):
        push(serving, fill=broken)
    assert seen(serving) == staged(serving) == []


def test_no_free_number_is_an_error(serving, monkeypatch):
    monkeypatch.setattr(module, "_ATTEMPTS", 3)
    monkeypatch.setattr(module, "_rename", lambda *_: False)
    with pytest.raises(MonitorError, match="free version number"):
        push(serving)


VICTIM = """
import os, sys, time
from components.atomic_pusher.publish import publish

def fill(folder):
    for n in range(10):
        with open(os.path.join(folder, f"part{n}"), "wb") as file:
            file.write(b"x" * 100000)
            file.flush()
            if n == 5:
                print(folder, flush=True)
                time.sleep(3600)

publish(sys.argv[1], fill, lambda folder, version: None)
"""


@pytest.fixture
def victim(serving):
    """A process that stops half-way through its copy, for somebody to kill."""
    process = subprocess.Popen([sys.executable, "-c", VICTIM, str(serving)], stdout=subprocess.PIPE, text=True)
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_killed_push_is_never_seen_and_the_next_one_cleans_up(serving, victim):
    push(serving)
    process, folder = victim
    assert os.path.exists(os.path.join(folder, "part5"))
    assert seen(serving) == ["100"]
    # While it lives its staging is not touched, however many pushes go by.
    assert push(serving) == 101
    assert os.path.exists(os.path.join(folder, "part5"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert seen(serving) == ["100", "101"]
    assert len(staged(serving)) == 1
    assert push(serving) == 102
    assert staged(serving) == []
    assert not os.path.exists(folder)


def test_staging_without_a_lock_is_abandoned(serving):
    (serving / f"{STAGING_PREFIX}old" / "version").mkdir(parents=True)
    push(serving)
    assert staged(serving) == []


def test_a_watcher_only_ever_sees_whole_versions(serving):
    """As a model server does: list, and load whatever is a number, while pushes go on."""
    done = threading.Event()
    loaded: set[str] = set()
    errors: list[BaseException] = []

    def watch() -> None:
        while True:
            last = done.is_set()
            try:
                for version in set(seen(serving)) - loaded:
                    assert_whole(serving / version)
                    loaded.add(version)
            except BaseException as error:  # handed to the test
                errors.append(error)
                return
            if last:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(50):
        push(serving)
    done.set()
    watcher.join()
    assert errors == []
    assert len(loaded) == 50


# Beside a version that is served already.


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "my_model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    return folder


def no_check(folder: str) -> None:
    assert set(os.listdir(folder)) == {"a", "sub"}


def bundle_of(version) -> dict[str, bytes]:
    root = version / "assets.extra" / "baseline"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_bundle_appears_beside_the_model_and_nothing_else_changes(served):
    publish_bundle(str(served), fill, no_check)
    assert bundle_of(served) == FILES
    assert (served / "saved_model.pb").read_bytes() == b"graph"
    assert sorted(os.listdir(served)) == ["assets.extra", "saved_model.pb", "variables"]
    assert sorted(os.listdir(served / "assets.extra")) == [".push.lock", "baseline"]


def test_a_bundle_that_is_there_stays_unless_it_is_to_be_replaced(served):
    publish_bundle(str(served), fill, no_check)
    with pytest.raises(MonitorError, match=r"baseline is there already. Say `replace`"):
        publish_bundle(str(served), lambda folder: open(os.path.join(folder, "x"), "w").close(), lambda _: None)
    assert bundle_of(served) == FILES
    publish_bundle(
        str(served), lambda folder: open(os.path.join(folder, "x"), "w").close(), lambda _: None, replace=True
    )
    assert bundle_of(served) == {"x": b""}
    assert sorted(os.listdir(served / "assets.extra")) == [".push.lock", "baseline"]


def failing(folder: str) -> None:
    raise ValueError("no whole bundle")


@pytest.mark.parametrize("steps", [{"fill": failing}, {"check": failing}])
def test_what_fails_leaves_the_bundle_of_before(served, steps):
    publish_bundle(str(served), fill, no_check)
    with pytest.raises(ValueError, match="no whole bundle"):
        publish_bundle(str(served), **{"fill": fill, "check": no_check, **steps}, replace=True)
    assert bundle_of(served) == FILES
    assert staged(served / "assets.extra") == []


def test_a_folder_without_a_model_gets_no_bundle(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MonitorError, match="must hold a SavedModel"):
            publish_bundle(str(folder), fill, no_check)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_is_said(served, monkeypatch):
    def refuse(**named):
        raise PermissionError(13, "Permission denied", named["dir"])

    monkeypatch.setattr(module.tempfile, "mkdtemp", refuse)  # what a read-only folder does to anyone but root
    with pytest.raises(MonitorError, match=r"must be a folder that can be written to.*Permission denied"):
        publish_bundle(str(served), fill, no_check)


def test_of_two_at_the_same_time_one_wins(served):
    def slow(folder: str) -> None:
        fill(folder)
        publish_bundle(str(served), fill, no_check)  # someone else is quicker

    with pytest.raises(MonitorError, match="is there already"):
        publish_bundle(str(served), slow, no_check)
    assert bundle_of(served) == FILES
    assert staged(served / "assets.extra") == []


ADOPTER = """
import os, signal, sys
from components.atomic_pusher import publish

version, kill_at, replace = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
calls = 0

def killing(real):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return call

for name in ("mkdir", "rename", "fsync", "open"):
    setattr(os, name, killing(getattr(os, name)))

def fill(folder):
    for name in ("a", "b"):
        with open(os.path.join(folder, name), "w") as file:
            file.write("new")

publish.publish_bundle(version, fill, lambda folder: None, replace=replace)
"""


@pytest.mark.parametrize("replace", [False, True])
def test_killed_at_any_time_it_leaves_none_or_the_whole(served, replace):
    outcomes = set()
    for kill_at in range(1, 40):
        if replace and not (served / "assets.extra" / "baseline").exists():
            publish_bundle(str(served), fill, no_check)
        killed = warm().call("python", "-c", ADOPTER, str(served), str(kill_at), str(replace))
        assert killed.returncode in (0, -signal.SIGKILL), killed.stderr
        left = bundle_of(served)
        assert left in ({}, {"a": b"new", "b": b"new"}, FILES)
        outcomes.add((killed.returncode, len(left)))
        if killed.returncode == 0:
            break
        if left and not replace:
            shutil.rmtree(served / "assets.extra" / "baseline")
    assert (0, 2) in outcomes
    assert any(code == -signal.SIGKILL for code, _ in outcomes)
    assert staged(served / "assets.extra") == []
