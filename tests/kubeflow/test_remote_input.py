"""Files of a store that an ExampleGen takes: what is fetched of them, from a server on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from components.common.object_store.address import parse
from components.common.object_store.bucket import bucket_of
from pipelines.runners.kfp.remote_input import RemoteInput
from tests.support.stores.running import RunningStore, running_store


@pytest.fixture(scope="module")
def store() -> Iterator[RunningStore]:
    with running_store() as found:
        yield found


@pytest.fixture
def logs(store: RunningStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two spans, with a file beside them and another folder whose name begins with the same."""
    for key, value in store.environment.items():
        monkeypatch.setenv(key, value)
    address = f"s3://{store.make_bucket()}/logs"
    for name in ("logs/7/a.gz", "logs/7/b.gz", "logs/8/a.gz", "logs/README", "logs-of-others/7/a.gz"):
        assert bucket_of(parse(address)).create(name, name.encode())
    return address


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_have_their_names_sizes_and_times_and_none_its_content(logs: str, tmp_path: Path):
    remote = RemoteInput.outline(logs, tmp_path, ["{SPAN}/*"])
    found = files(tmp_path)
    assert found == {name: bytes(len(f"logs/{name}")) for name in ("7/a.gz", "7/b.gz", "8/a.gz", "README")}
    for name, entry in remote.entries.items():
        assert (tmp_path / name).stat().st_mtime == pytest.approx(entry.changed, abs=1e-3)


def test_what_the_resolved_pattern_names_is_fetched_and_the_rest_is_gone(logs: str, tmp_path: Path):
    remote = RemoteInput.outline(logs, tmp_path, ["{SPAN}/*"])
    before = (tmp_path / "7/a.gz").stat()
    remote.fetch(["7/*"])
    assert files(tmp_path) == {name: f"logs/{name}".encode() for name in ("7/a.gz", "7/b.gz")}
    after = (tmp_path / "7/a.gz").stat()
    assert (after.st_mtime, after.st_size) == (before.st_mtime, before.st_size), "the driver went by them"


def test_only_the_folder_that_patterns_begin_with_is_listed(logs: str, tmp_path: Path):
    assert set(RemoteInput.outline(logs, tmp_path / "7", ["7/*"]).entries) == {"7/a.gz", "7/b.gz"}
    whole = RemoteInput.outline(logs.rpartition("/")[0], tmp_path / "all", ["logs/{SPAN}/a*"])
    whole.fetch(["logs/8/a*"])
    assert files(tmp_path / "all") == {"logs/8/a.gz": b"logs/8/a.gz"}


def test_a_folder_that_holds_nothing_is_said(logs: str, tmp_path: Path):
    with pytest.raises(MonitorError, match="`input_base` must be a folder of a store that holds what the patterns"):
        RemoteInput.outline(f"{logs}/nothing", tmp_path, ["*"])
