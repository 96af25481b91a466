"""The command and its server: where it listens, what it prints, what it imports, and a store that is being written."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from model_monitor import cli
from model_monitor.commands import ui
from model_monitor.ui import server
from tests.support.interrupting import interruptible
from tests.support.printed import words

pytestmark = pytest.mark.prints

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
