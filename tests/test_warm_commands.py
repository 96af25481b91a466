"""A command that a warm Python runs is a process like any other: its own folder, variables, streams and end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.warm import server
from tests.support.warm.starting import REPOSITORY, warm

# Prints once nobody reads any more.
LATE = """-c 'import time; time.sleep(0.3); print(1)' | true; echo ${PIPESTATUS[0]}"""


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("pass", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no')", 1),
        ("raise ValueError('no')", 1),
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_it_ends_as_the_command_does(code: str, ended: int):
    done = warm().call("python", "-c", code)
    assert done.returncode == ended
    assert ("no" in done.stderr) == ("no" in code)


@pytest.mark.parametrize("sent", [b"", b"half of a comm", None])
def test_who_is_killed_at_once_leaves_nothing_running(sent: bytes | None, tmp_path: Path):
    """Before it has said what to run, and before it is told that it runs."""
    code = f"import pathlib, time; time.sleep(1); pathlib.Path({str(tmp_path / 'late')!r}).touch(); time.sleep(60)"
    command = {"folder": "/", "environment": {}, "arguments": ["-c", code]}
    asking, asked = socket.socketpair()
    message = json.dumps(command).encode() + b"\n" if sent is None else sent
    with asking:
        if message:
            socket.send_fds(asking, [message], [0, 1, 2])
    attending = os.fork()
    if not attending:
        server._attend(asked)
        server.run()
        os._exit(9)
    asked.close()
    assert os.waitstatus_to_exitcode(os.waitpid(attending, 0)[1]) == 0
    time.sleep(1.5)
    assert not (tmp_path / "late").exists()


def test_what_python_does_at_its_end_is_done(tmp_path: Path):
    code = """
import atexit, tempfile, threading, time
atexit.register(print, "registered")
print("left in a buffer", end=" ")
folder = tempfile.TemporaryDirectory(dir=".")
threading.Thread(target=lambda: (time.sleep(0.2), print("waited for", end=" "))).start()
raise SystemExit(5)
"""
    done = warm().call("python", "-c", code, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (5, "left in a buffer waited for registered\n", "")
    assert list(tmp_path.iterdir()) == []


def test_who_reads_no_more_is_told_as_python_does(tmp_path: Path):
    done = warm().call("bash", "-c", f"python {LATE}", folder=tmp_path)
    cold = subprocess.run(["bash", "-c", f"{sys.executable} {LATE}"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.split()[-3:]) == (cold.stdout, cold.stderr.split()[-3:])


def test_it_has_the_folder_the_variables_and_the_arguments_of_who_starts_it(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ASKED", "for this")
    (tmp_path / "beside.py").write_text("NAME = 'found'\n")
    (tmp_path / "script.py").write_text(
        "import os, sys, beside; print(os.environ['ASKED'], beside.NAME, *sys.argv[1:])"
    )
    assert warm().call("python", "script.py", "a", "b c", folder=tmp_path).stdout == "for this found a b c\n"
    code = "import os, sys; print(os.getcwd(), sys.argv, 'pytest' in sys.modules)"
    assert warm().call("python", "-c", code, "a", folder=tmp_path).stdout == f"{tmp_path} ['-c', 'a'] False\n"
    (tmp_path / "printing.py").write_text("import sys; print(__name__, sys.argv[1:])")
    assert warm().call("python", "-m", "printing", "x", folder=tmp_path).stdout == "__main__ ['x']\n"


def test_a_shell_runs_it_among_other_commands(tmp_path: Path):
    command = "cd inside && echo 1 | python -c 'print(int(input()) + 1)' > two && model-monitor --help | head -n 1"
    (tmp_path / "inside").mkdir()
    done = warm().call("bash", "-euc", command, folder=tmp_path)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["usage:", "model-monitor"]), done.stderr
    assert (tmp_path / "inside" / "two").read_text() == "2\n"


def test_it_is_found_through_a_link(tmp_path: Path):
    (tmp_path / "bin").symlink_to(warm().commands)
    done = warm().call("bash", "-c", "bin/python -c 'print(1 + 1)'", folder=tmp_path)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_ctrl_c_reaches_it():
    # not one long sleep: a signal that comes right before it begins is handled after it
    code = "import time; print('ready', flush=True)\nwhile True: time.sleep(0.1)"
    command = [str(warm().commands / "python"), "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in said


def test_who_kills_it_kills_the_command(tmp_path: Path):
    code = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"
    command = [str(warm().commands / "python"), "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        number = int(process.stdout.readline())
        process.kill()
        assert process.stdout.read() == ""  # once nobody can write to it any more
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        assert not Path(f"/proc/{number}/cmdline").read_text()


CHARTS = """
import json, sys
from components.common.pages import charts
from components.common.errors import MonitorError
shown = [charts.calibration([(0.5, 0.4, 0.3, 0.5, "é")])]
whole = charts.draw(shown), charts.picture({"a": shown[0]}).hex()
try:
    charts.draw([{**shown[0], "layer": [{"name": "a", "mark": "no such mark"}]}])
except MonitorError as error:
    print(json.dumps([*whole, str(error)]))
print(type(sys.modules["vl_convert"]).__name__, file=sys.stderr)
"""


def test_charts_are_drawn_elsewhere_as_they_are_here():
    there = warm().call("python", "-c", CHARTS)
    here = subprocess.run([sys.executable, "-c", CHARTS], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (here.returncode, here.stderr) == (0, "module\n")
    assert (there.returncode, there.stderr) == (0, "Engine\n")
    assert there.stdout == here.stdout


@pytest.mark.parametrize(
    "sent", [b"", b"half of a", b'{"name": "vega_to_svg"}\n', b'{"name": "x", "spec": {}, "options": {}}\n']
)
def test_charts_are_drawn_for_others_whatever_one_asks_for(sent: bytes):
    folder = os.open(warm().folder, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(f"/proc/self/fd/{folder}/charts")
        asking.sendall(sent)
    os.close(folder)
    test_charts_are_drawn_elsewhere_as_they_are_here()


def test_tfx_is_imported_and_no_other_thread_is_there():
    code = "import os, sys; print('tfx.components' in sys.modules, len(os.listdir('/proc/self/task')))"
    assert warm().call("python", "-c", code).stdout == "True 1\n"
