"""Downloads against a real HTTP server on the loopback interface that can be told to misbehave."""

import contextlib
import fcntl
import hashlib
import http.server
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from pipelines.cifar10.download import Limits, download, file_digest

CONTENT = hashlib.shake_256(b"content").digest(700_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at every path except /missing; keeps the Range header of each request."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.understands_range = True
        self.says_length = True
        self.cut_after: list[int] = []  # bytes after which the next connections are cut, one entry a connection
        self.wrong_range = False
        self.fails_from = 10**9  # number of the first request that is answered with an error 500
        self.ranges: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.ranges.append(self.headers["Range"])
        if self.path == "/missing" or len(server.ranges) >= server.fails_from:
            self.send_error(404 if self.path == "/missing" else 500)
            return
        start = 0
        if self.headers["Range"] and server.understands_range:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
            self.send_response(206)
            first = start + 1 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        body = server.content[start:]
        if server.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut_after.pop(0)] if server.cut_after else body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


class Endless(http.server.BaseHTTPRequestHandler):
    """Never comes to an end, in the way that the path says."""

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):  # the other side has gone
            getattr(self, self.path.removeprefix("/"))()

    def body(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(CONTENT)

    def large(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(10**12))
        self.end_headers()
        while True:
            self.wfile.write(CONTENT)

    def slow_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.slowly(CONTENT)

    def slow_status(self) -> None:
        self.slowly(b"HTTP/1.0 200 OK" * 100_000)

    def slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        self.slowly(b"X: y\r\n" * 100_000)

    def redirected(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/slow_body")
        self.end_headers()

    def slowly(self, content: bytes) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(0.02)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def endless() -> Iterator[str]:
    with QuietServer(("127.0.0.1", 0), Endless) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(("way", "received"), [("body", "more"), ("large", "one that is said to have 1000.0 GB")])
def test_what_never_ends_is_given_up_and_nothing_of_it_is_kept(endless, tmp_path, way, received):
    said = f"/{way} could not be downloaded: the file must have at most 2.0 MB. Received: {received}"
    with pytest.raises(MonitorError, match=re.escape(said)):
        download(f"{endless}/{way}", tmp_path / "file", sha256=SHA256, limits=Limits(2_000_000, 60))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["slow_body", "slow_status", "slow_headers", "redirected"])
def test_what_is_too_slow_is_given_up_though_it_never_stops_sending(endless, tmp_path, way):
    started = time.monotonic()
    with pytest.raises(MonitorError, match=r"it must be here within 0\.8 s\. Received: not all"):
        download(f"{endless}/{way}", tmp_path / "file", sha256=SHA256, limits=Limits(2_000_000, 0.8))
    assert time.monotonic() - started < 20
    assert [path.name for path in tmp_path.iterdir()] in ([], ["file.part"])  # what came is continued, and no file yet


def test_what_was_too_slow_goes_on_from_there(endless, server, tmp_path):
    with pytest.raises(MonitorError, match=r"What arrived is kept in .*file\.part"):
        download(f"{endless}/slow_body", tmp_path / "file", sha256=SHA256, limits=Limits(2_000_000, 0.8))
    have = (tmp_path / "file.part").stat().st_size
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == [f"bytes={have}-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def only_file(folder: Path) -> str:
    (path,) = folder.iterdir()
    return path.name


def test_file_arrives_with_progress(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    destination = tmp_path / "new" / "file.bin"
    assert download(server.url, destination, sha256=SHA256, progress=lambda *step: seen.append(step)) == destination
    assert destination.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert only_file(destination.parent) == "file.bin"


def test_md5_and_upper_case_digests(server: Server, tmp_path: Path) -> None:
    download(server.url, tmp_path / "a", md5=hashlib.md5(CONTENT).hexdigest())  # noqa: S324
    download(server.url, tmp_path / "b", sha256=SHA256.upper())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == CONTENT


def test_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == []


def test_wrong_file_that_is_there_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"something else")
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_unknown_length(server: Server, tmp_path: Path) -> None:
    server.says_length = False
    totals: set[int | None] = set()
    download(server.url, tmp_path / "file", sha256=SHA256, progress=lambda _, total: totals.add(total))
    assert totals == {None}


def test_part_of_an_earlier_call_is_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:300_000])
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == ["bytes=300000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert only_file(tmp_path) == "file"


def test_cut_connections_are_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cut_after = [400_000, 100_000]
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == [None, "bytes=400000-", "bytes=500000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_cut_without_an_answer_afterwards_keeps_the_part(server: Server, tmp_path: Path) -> None:
    server.cut_after = [400_000]
    server.fails_from = 2
    with pytest.raises(MonitorError, match=r"http://127.0.0.1:\d+/file could not be downloaded: .* answered 500"):
        download(server.url, tmp_path / "file", sha256=SHA256)
    assert only_file(tmp_path) == "file.part"
    server.fails_from = 10**9
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges[-1] == "bytes=400000-"
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_connections_that_bring_nothing_more_are_given_up(server: Server, tmp_path: Path) -> None:
    server.cut_after = [400_000, 0, 0, 0]
    with pytest.raises(MonitorError, match=r"ended after 400000 of 700001 bytes. What arrived is kept in .*file\.part"):
        download(server.url, tmp_path / "file", sha256=SHA256)
    assert len(server.ranges) == 2


def test_server_that_ignores_range_starts_over(server: Server, tmp_path: Path) -> None:
    server.understands_range = False
    (tmp_path / "file.part").write_bytes(CONTENT[:300_000])
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == ["bytes=300000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_server_that_sends_another_range_is_refused(server: Server, tmp_path: Path) -> None:
    server.wrong_range = True
    (tmp_path / "file.part").write_bytes(CONTENT[:300_000])
    with pytest.raises(MonitorError, match="another range than was asked for"):
        download(server.url, tmp_path / "file", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_complete_part_needs_no_more_bytes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"x" * 300_000, b"x" * 900_000], ids=["shorter", "longer than the file"])
def test_stale_part_is_discarded_and_fetched_afresh(server: Server, tmp_path: Path, stale: bytes) -> None:
    (tmp_path / "file.part").write_bytes(stale)
    download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == [f"bytes={len(stale)}-", None]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_wrong_digest_leaves_nothing_new_behind(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"the one before")
    server.content = CONTENT[:-1] + b"?"
    found = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(MonitorError, match=f"its sha256 must be {SHA256}. Received: {found}"):
        download(server.url, tmp_path / "file", sha256=SHA256)
    assert only_file(tmp_path) == "file"
    assert (tmp_path / "file").read_bytes() == b"the one before"


def test_missing_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="the server answered 404"):
        download(server.url.replace("/file", "/missing"), tmp_path / "file", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_unreachable_server(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # ours, and nobody listens
        with pytest.raises(MonitorError, match=r"could not be downloaded: .*refused"):
            download(f"http://127.0.0.1:{taken.getsockname()[1]}/file", tmp_path / "file", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as silent:
        url = f"http://127.0.0.1:{silent.server_address[1]}/file"  # accepts the connection, nobody answers
        with pytest.raises(MonitorError, match="timed out"):
            download(url, tmp_path / "file", sha256=SHA256, timeout=0.05)


def test_two_downloads_to_one_place(server: Server, tmp_path: Path) -> None:
    with (tmp_path / "file.part").open("wb") as other:
        other.write(CONTENT[:10])
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(MonitorError, match=r"file\.part is being written by another download"):
            download(server.url, tmp_path / "file", sha256=SHA256)
    assert server.ranges == []
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:10]


def test_place_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"a file where a folder is needed")
    with pytest.raises(MonitorError, match=r"could not be written to .*folder/file"):
        download(server.url, tmp_path / "folder" / "file", sha256=SHA256)


@pytest.mark.parametrize(
    ("url", "digests", "message"),
    [
        ("file:///etc/hosts", {"sha256": SHA256}, "`url` must begin with http:// or https://"),
        ("http://127.0.0.1/", {}, "`sha256, md5` must be given, exactly one"),
        ("http://127.0.0.1/", {"sha256": SHA256, "md5": "0" * 32}, "`sha256, md5` must be given, exactly one"),
        ("http://127.0.0.1/", {"sha256": "abc"}, "`sha256` must be 64 hex digits. Received: 'abc'"),
    ],
)
def test_arguments_are_checked(tmp_path: Path, url: str, digests: dict[str, str], message: str) -> None:
    with pytest.raises(MonitorError, match=message):
        download(url, tmp_path / "file", **digests)


def test_file_digest_reads_all_blocks(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert file_digest(tmp_path / "file") == SHA256
