"""What a pattern names besides record files: left out or refused, never waited for."""

import os
import socket

import pytest

from components.common.artifacts.record_files import choose, is_side_file, open_regular


@pytest.mark.parametrize(
    "name",
    [".part-0.tfrecord.crc", ".DS_Store", "_SUCCESS", "_metadata", "_temporary", "part-0.gz.crc", "part-0.md5",
     "part-0.sha256", "manifest", "manifest.json", "MANIFEST", "day.manifest", "part_manifest.json", "Thumbs.db",
     "desktop.ini", ".writing-3.part-a", "._part-0", ".hidden\nname"],
)  # fmt: skip
def test_side_files(name):
    assert is_side_file(name)
    assert is_side_file(f"/logs/3/{name}")


@pytest.mark.parametrize(
    "name",
    ["part-0.tfrecord.gz", "part-0", "manifesto.tfrecord", "crc", "0", "logs.json", "part_0", "a._b", "x.crc.gz"],
)
def test_what_is_no_side_file(name):
    assert not is_side_file(name)


@pytest.fixture
def folder(tmp_path):
    """A span with everything in it that was ever found in one, and what of it is to be read."""
    span = tmp_path / "logs" / "3"
    span.mkdir(parents=True)
    for name in ("part-0", "part-1", ".part-0.crc", "_SUCCESS"):
        (span / name).write_bytes(b"x")
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "logs" / "4").mkdir()
    (tmp_path / "logs" / "4" / "part-9").write_bytes(b"y")
    (span / "inside").symlink_to("part-1")
    (span / "out").symlink_to(tmp_path / "outside")
    (span / "out-beside").symlink_to("../4/part-9")
    (span / "zero").symlink_to("/dev/zero")
    (span / "nothing").symlink_to("nowhere")
    (span / "circle").symlink_to("circle")
    (span / "folder").mkdir()
    os.mkfifo(span / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(span / "socket"))
    server.close()
    return span


def test_only_files_of_the_folder_are_read(folder):
    chosen = choose(str(path) for path in folder.iterdir())
    assert [os.path.basename(path) for path in chosen.files] == ["inside", "part-0", "part-1"]
    assert [os.path.basename(path) for path in chosen.side_files] == [".part-0.crc", "_SUCCESS"]
    refused = {os.path.basename(path): reason for path, reason in chosen.refused.items()}
    outside = folder.parent.parent / "outside"
    assert refused == {
        "circle": "it cannot be found: Too many levels of symbolic links",
        "folder": "a folder",
        "nothing": "it cannot be found: No such file or directory",
        "out": f"a link out of its folder, to {outside}",
        "out-beside": f"a link out of its folder, to {folder.parent / '4' / 'part-9'}",
        "pipe": "a named pipe",
        "socket": "a socket",
        "zero": "a device",
    }
    for path in chosen.files:
        with open_regular(path) as file:
            assert file.read() == b"x"


def test_what_became_something_else_since_is_not_opened(folder):
    for name in choose(str(path) for path in folder.iterdir()).refused:
        with pytest.raises(OSError, match=r"must be a regular file|No such file|Too many levels|No such device"):
            open_regular(name)
    assert len(os.listdir(f"/proc/{os.getpid()}/fd")) < 200  # none is left open


def test_links_out_may_be_allowed(folder):
    chosen = choose([str(folder / "out"), str(folder / "pipe"), str(folder / "zero")], links_out=True)
    assert [os.path.basename(path) for path in chosen.files] == ["out"]
    with open_regular(str(folder / "out"), links_out=True) as file:
        assert file.read() == b"secret"


def test_what_is_elsewhere_is_told_by_its_name():
    chosen = choose(["gs://logs/3/part-0", "gs://logs/3/_SUCCESS"])
    assert (chosen.files, chosen.side_files) == (["gs://logs/3/part-0"], ["gs://logs/3/_SUCCESS"])
