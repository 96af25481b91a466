"""Commands that outlive whoever started them: one at a time, their end kept, told apart from one that was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from model_monitor.acting import command_runs
from model_monitor.acting.command_runs import BusyError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "retrain"


def start(folder, name="one", *command, **environment):
    return command_runs.start(
        folder, name, command or ("sh", "-c", "echo $INCIDENT; exit 3"), where=folder.parent, environment=environment
    )


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(folder, name="one"):
    until(lambda: not command_runs.read(folder, name).running)
    return command_runs.read(folder, name)


def test_its_output_its_exit_code_and_when_it_ended_are_kept(folder):
    begun = start(folder, INCIDENT="model/7")
    done = ended(folder)
    assert (done.exit_code, done.interrupted, done.output.read_text()) == (3, False, "model/7\n")
    assert begun.began <= done.ended <= time.time()
    assert command_runs.runs(folder) == [done]


def test_two_never_run_at_a_time_and_a_name_never_twice(folder):
    fifo = folder.parent / "end"
    os.mkfifo(fifo)
    start(folder, "one", "sh", "-c", f"read line < {fifo}")
    with pytest.raises(BusyError, match="two never do at a time"):
        start(folder, "two")
    assert command_runs.read(folder, "two") is None
    assert command_runs.read(folder, "one").running
    fifo.write_text("go\n")
    first = ended(folder)
    assert first.exit_code == 0
    assert start(folder, "one") == first  # a watcher that was killed before it knew asks again


def test_a_command_that_is_not_there_is_its_own_kind_of_end(folder):
    start(folder, "one", "no-such-program-anywhere")
    done = ended(folder)
    assert done.exit_code == 127
    assert "no-such-program-anywhere cannot be run: No such file" in done.output.read_text()


def test_it_goes_on_when_whoever_started_it_is_killed(folder):
    fifo = folder.parent / "end"
    os.mkfifo(fifo)
    code = (
        "import os, signal, pathlib; from model_monitor.acting import command_runs; "
        f"command_runs.start(pathlib.Path({str(folder)!r}), 'one', ['sh', '-c', 'read line < {fifo}; exit 5'], "
        f"where=pathlib.Path({str(folder.parent)!r}), environment={{}}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert command_runs.read(folder, "one").running
    fifo.write_text("go\n")
    assert ended(folder).exit_code == 5


def test_one_that_is_killed_with_its_keeper_was_interrupted(folder):
    pids = folder.parent / "pids"
    start(folder, "one", "sh", "-c", f"echo $PPID $$ > {pids}.part; mv {pids}.part {pids}; sleep 600")
    until(pids.exists)
    keeper, command = (int(pid) for pid in pids.read_text().split())
    os.kill(keeper, signal.SIGKILL)
    time.sleep(0.2)
    assert command_runs.read(folder, "one").running  # the command still is
    with pytest.raises(BusyError):
        start(folder, "two")
    os.killpg(os.getpgid(command), signal.SIGKILL)
    done = ended(folder)
    assert (done.interrupted, done.exit_code) == (True, None)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"command": 3}', '{"command": ["a"], "at": "x"}'])
def test_a_record_that_is_damaged_says_where(folder, content):
    start(folder)
    ended(folder)
    (folder / "one" / "started").write_text(content)
    with pytest.raises(MonitorError, match=r"one must hold the record of a command"):
        command_runs.read(folder, "one")


def test_what_cannot_be_started_is_said_before_anything_is_made(folder):
    with pytest.raises(MonitorError, match="name a program"):
        command_runs.start(folder, "one", [], where=folder.parent, environment={})
    with pytest.raises(MonitorError, match="be a folder"):
        command_runs.start(folder, "one", ["true"], where=folder.parent / "nowhere", environment={})
    assert not folder.exists()
