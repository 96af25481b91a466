"""One command at a time under a root: refused or waited for as told, by processes that live and die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from model_monitor.launching import root_lock
from model_monitor.launching.root_lock import LOCK, RootBusyError, held

HOLD = """
import sys, time
from pathlib import Path
from model_monitor.launching.root_lock import held
with held(Path(sys.argv[1]), "train"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path: Path):
    """A process that holds the root, for so many seconds."""
    started: list[subprocess.Popen] = []

    def start(seconds: float) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, str(tmp_path), str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def test_a_second_command_is_refused_and_told_by_whom(tmp_path: Path, holder):
    process = holder(60)
    with pytest.raises(RootBusyError) as caught, held(tmp_path, "monitor"):
        pass
    assert f"{tmp_path} is in use: `model-monitor train`, process {process.pid}, since 20" in str(caught.value)
    assert "`--wait SECONDS` waits for it" in str(caught.value)
    assert caught.value.holder.pid == process.pid


def test_it_waits_as_long_as_it_is_told_and_says_so_once(tmp_path: Path, holder):
    process, told = holder(0.7), []
    started = time.monotonic()
    with held(tmp_path, "monitor", 30, told.append):
        assert process.wait(10) == 0
        assert time.monotonic() - started < 20
    assert [each.pid for each in told] == [process.pid]


def test_waiting_ends_in_an_error_when_it_was_not_long_enough(tmp_path: Path, holder):
    holder(60)
    with pytest.raises(RootBusyError, match=r"is in use after 0\.3 s of waiting"), held(tmp_path, "monitor", 0.3):
        pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_its_holder_lets_go_of_it_and_the_file_that_is_left_does_not_matter(tmp_path, holder, number):
    process = holder(60)
    process.send_signal(number)
    process.wait()
    assert str(process.pid) in (tmp_path / LOCK).read_text()
    with held(tmp_path, "monitor"):
        assert str(os.getpid()) in (tmp_path / LOCK).read_text()
    assert (tmp_path / LOCK).read_text() == ""


def test_an_error_inside_lets_go_of_it(tmp_path: Path):
    with pytest.raises(KeyError), held(tmp_path, "monitor"):
        raise KeyError
    with held(tmp_path, "monitor"):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\x00"])
def test_a_record_that_cannot_be_read_keeps_nobody(tmp_path: Path, content: str):
    (tmp_path / LOCK).write_text(content)
    assert root_lock._holder(tmp_path) is None
    with held(tmp_path, "monitor"):
        pass


@pytest.mark.parametrize("wait", [-1.0, float("nan")])
def test_a_time_that_is_none_is_refused(tmp_path: Path, wait: float):
    with pytest.raises(MonitorError, match="`--wait` must be 0 or more seconds"), held(tmp_path, "monitor", wait):
        pass


def test_a_root_that_is_none_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(MonitorError, match="`root` must be a folder that can be written to"),
        held(tmp_path / "file", "monitor"),
    ):
        pass
