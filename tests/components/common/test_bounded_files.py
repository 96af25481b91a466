"""What is no regular file is not waited for, and nothing is read beyond a size."""

import os
import socket
import threading

import pytest

from components.common import bounded_files
from components.common.bounded_files import blocks, open_regular, read_bounded
from components.common.class_names import read_names
from components.common.errors import MonitorError
from components.common.settings import read_yaml


@pytest.fixture
def odd(tmp_path):
    """What is there under a name and is no file to read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "what"), [("pipe", "a named pipe"), ("folder", "a folder"), ("endless", "a device")]
)  # fmt: skip
@pytest.mark.parametrize(
    "read", [open_regular, lambda path: read_yaml(path, "--config"), lambda path: read_names(path, "x")]
)
def test_what_is_no_regular_file_is_named(odd, name, what, read):
    with pytest.raises(MonitorError, match=f"{name} must be a regular file. Received: {what}"):
        read(odd / name)


@pytest.mark.parametrize("name", ["socket", "loop", "none", "a\0b", "x" * 5_000])
def test_what_cannot_be_opened_is_an_error_that_settings_explain(odd, name):
    with pytest.raises((MonitorError, OSError)):
        open_regular(odd / name)
    with pytest.raises(MonitorError, match="`--config` must be a readable YAML file"):
        read_yaml(odd / name, "--config")


def test_a_large_file_is_refused_with_its_size_and_the_limit(tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1_600_000_000)  # takes no room on the disk
    with pytest.raises(MonitorError, match=r"large must have at most 1\.1 GB to be read\. Received: 1\.6 GB"):
        read_bounded(large)
    with pytest.raises(MonitorError, match=r"large must have at most 1\.0 MB to be read\. Received: 1\.6 GB"):
        read_yaml(large, "--config")
    small = tmp_path / "small"
    small.write_bytes(b"abc")
    assert read_bounded(small, 3) == b"abc"


def test_a_file_that_grows_while_it_is_read_has_an_end(tmp_path, monkeypatch):
    path = tmp_path / "grows"
    path.write_bytes(b"x" * 10)
    stop = threading.Event()

    def grow():
        with path.open("ab", buffering=0) as file:
            while not stop.is_set() and path.stat().st_size < 50_000_000:
                file.write(b"x" * 100_000)

    # as if it had been small when it was looked at
    monkeypatch.setattr(bounded_files, "require_size", lambda file, path, most: None)
    writer = threading.Thread(target=grow)
    writer.start()
    try:
        while path.stat().st_size < 2_000_000:
            pass
        with pytest.raises(MonitorError, match=r"at most 1\.0 MB to be read\. Received: "):
            read_bounded(path, 1_000_000)
        assert sum(map(len, blocks(open_regular(path), 1_500_000))) == 1_500_000
    finally:
        stop.set()
        writer.join()
