"""The command and its server: where it listens, what it prints, what it imports, and a store that is being written."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from model_monitor import cli
from model_monitor.commands import ui
from model_monitor.ui import server
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site
from tests.support.interrupting import interruptible
from tests.support.printed import words

REPOSITORY = Path(__file__).resolve().parents[3]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis")


def fetch(url, host=None):
    """The status of an address, and the page."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", parts.path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@contextlib.contextmanager
def running(*arguments):
    """The command as a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "model_monitor.cli", "ui", "--port", "0", *map(str, arguments)]
    with (
        interruptible(),
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield process, process.stdout.readline().strip()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
        finally:
            process.kill()


@pytest.mark.prints
def test_it_says_where_it_is_answers_and_stops_quietly(told):
    with running("--metadata", told.metadata) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert fetch(url)[0] == 200
        assert fetch(url, host="evil.example")[0] == 421
        assert process.stdout.readline() == "Ctrl-C stops it.\n"  # here, for it may be in the reader's buffer already
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_nothing_heavy_is_imported_for_any_page(fresh):
    code = f"""
import sys
from pathlib import Path
from werkzeug.test import Client
from model_monitor import cli
from model_monitor.ui.app import Application
from model_monitor.ui.pages import Site
metadata = Path({str(fresh.metadata)!r})
client = Client(Application(Site(metadata, metadata.parent)))
paths = ["/"] + [f"/runs/{{n}}{{end}}" for n in {[run.id for run in fresh.history().runs]} for end in ("", "/report")]
paths += [f"/artifacts/{{n}}" for n in range(1, 20)]
print({{client.get(path).status_code for path in paths}}, [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{200} []"


def test_the_other_commands_import_no_web_server():
    code = "import sys; from model_monitor import cli; cli._parser(); print('werkzeug' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_pages_are_answered_while_runs_are_written(fresh):
    from .conftest import Pages

    pages = Pages(fresh.metadata)
    stop = threading.Event()
    written = []

    def write():
        for number in range(40):
            if stop.is_set():
                return
            fresh.story.span(f"busy-{number}", 100 + number)
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answers = [pages.ask("/").status_code for _ in range(8)]
    finally:
        stop.set()
        writer.join()
    assert set(answers) == {200}
    assert f">{100 + written[-1]}</a>" in pages.text("/")


@contextlib.contextmanager
def answering(told, monkeypatch, seconds=0.3, most=256):
    """A server in this process with short patience, and the address of it."""
    monkeypatch.setitem(server.SECONDS, server.Stage.ASKING, seconds)
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", most)
    application = Application(Site(told.metadata, told.root), hosts=hosts_for("127.0.0.1"))
    listening = server.listen(application, "127.0.0.1", 0)
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield "127.0.0.1", listening.port
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def ended(connection):
    """Whether the other side ends a connection, within ten seconds, without having answered."""
    connection.settimeout(10)
    with contextlib.suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
def test_idle_and_half_sent_connections_end(told, monkeypatch, sent):
    with answering(told, monkeypatch) as place, socket.create_connection(place) as waiting:
        waiting.sendall(sent)
        assert ended(waiting)


def test_a_request_that_comes_byte_by_byte_is_not_waited_for(told, monkeypatch):
    with answering(told, monkeypatch) as place, socket.create_connection(place) as slow:
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            slow.sendall(b"GET / HTTP/1.1\r\n")
            while time.monotonic() - started < 10:
                slow.sendall(b"X: y\r\n"[:1])  # never as long silent as one is allowed to be
                time.sleep(0.05)
        assert time.monotonic() - started < 8


def test_pages_are_answered_while_all_places_are_taken_by_who_asks_nothing(told, monkeypatch):
    with answering(told, monkeypatch, seconds=60, most=20) as place, contextlib.ExitStack() as idle:
        for _ in range(60):
            idle.enter_context(socket.create_connection(place))
        assert fetch(f"http://127.0.0.1:{place[1]}/static/ui.css")[0] == 200


def test_two_hundred_requests_at_once_are_answered(told, monkeypatch):
    run = told.history().runs[0].id
    paths = ["static/ui.css", "static/ui.js", f"runs/{run}/report", "nothing"]
    with answering(told, monkeypatch, seconds=60) as place, ThreadPoolExecutor(200) as clients:
        url = f"http://127.0.0.1:{place[1]}/"
        answers = list(clients.map(lambda number: fetch(url + paths[number % 4])[0], range(200)))
    assert answers == [200, 200, 200, 404] * 50


def test_no_page_waits_for_another_one(told, monkeypatch):
    held, seen = threading.Event(), threading.Event()

    def slow(*arguments, **options):
        seen.set()
        assert held.wait(60)
        return "slow"

    monkeypatch.setattr("model_monitor.ui.pages.home", slow)
    with answering(told, monkeypatch) as place, ThreadPoolExecutor(1) as client:
        url = f"http://127.0.0.1:{place[1]}/"
        waiting = client.submit(fetch, url)
        assert seen.wait(60)
        assert fetch(f"{url}runs/{told.history().runs[0].id}")[0] == 200
        assert not waiting.done()
        held.set()
        assert waiting.result() == (200, "slow")


@pytest.mark.parametrize("request_line", [b"\0\xff\x1b[2J\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                          b"GET " + b"x" * 70_000,
                                          b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"])  # fmt: skip
@pytest.mark.prints
def test_what_is_no_request_says_nothing_on_the_terminal(told, monkeypatch, capfd, request_line):
    with answering(told, monkeypatch) as place:
        with socket.create_connection(place) as odd, contextlib.suppress(ConnectionError):
            odd.sendall(request_line)
            odd.settimeout(10)
            while odd.recv(4096):
                pass
        assert fetch(f"http://127.0.0.1:{place[1]}/static/ui.js")[0] == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port", "65536"], "`--port` must be in 0 .. 65535. Received: 65536"),
        (["--host", ""], "`--host` must be an address or a name of this machine. Received: ''"),
        (["--host", "unix:///tmp/socket"], "`--host` must be an address or a name of this machine"),
        (["--host", "192.0.2.1"], "must be an address of this machine and a port that is free"),
        (["--host", "no.such.host.invalid"], "must be an address of this machine"),
        (["--root", "/nowhere"], "`--root` must be a folder. Received: '/nowhere'"),
        (["--pipeline", "penguins"], "did you mean 'penguin'?"),
        (["--metadata", "/nowhere.sqlite"], "which is not there"),
    ],
)
@pytest.mark.prints
def test_what_cannot_be_is_said_before_anything_is_served(stored, arguments, expected, capfd):
    assert cli.main(["ui", "--metadata", str(stored.metadata), *arguments]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert expected in words(err)
    assert err.startswith("error: ")


def test_it_listens_where_it_is_told_and_port_0_picks_one():
    with contextlib.closing(server.listen(None, "127.0.0.1", 0).socket) as listening:
        host, port = listening.getsockname()
    assert host == "127.0.0.1"
    assert port > 0


@pytest.mark.prints
def test_a_port_that_is_taken_is_an_error(told):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MonitorError, match=rf"Received: 127\.0\.0\.1:{port}, Address already in use"):
            server.listen(None, "127.0.0.1", port)


@pytest.mark.parametrize(
    ("metadata", "root"),
    [("/a/runs/metadata.sqlite", "/a/runs"), ("/a/tfx/metadata/penguin/metadata.db", "/a/tfx"), ("/m.db", "/")],
)
def test_the_root_is_where_the_artifacts_are(metadata, root):
    assert ui.default_root(Path(metadata)) == Path(root)


def test_it_can_be_read_where_only_reading_is_allowed(fresh):
    fresh.metadata.chmod(0o400)
    before = {path: path.stat().st_mtime_ns for path in fresh.metadata.parent.rglob("*") if path.is_file()}
    with running("--metadata", fresh.metadata) as (_, url):
        assert fetch(url)[0] == 200
        assert fetch(f"{url}runs/{fresh.run('span-3').id}/report")[0] == 200
    after = {path: path.stat().st_mtime_ns for path in fresh.metadata.parent.rglob("*") if path.is_file()}
    assert after == before
    assert os.access(fresh.metadata, os.R_OK)
