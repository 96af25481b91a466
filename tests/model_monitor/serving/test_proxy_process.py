"""The command as a process: ended by a signal, killed, and with a process that logs that is killed or cannot write."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
import requests

from components.serving_log_writer.log_files import WRITING
from tests.support.running_proxy import (
    BODY,
    PREDICT,
    SECONDS,
    ProxyCommand,
    ids,
    log_processes,
    records,
    running_proxy,
    until,
)
from tests.support.scripted_server import ScriptedServer, answer


@pytest.fixture
def server():
    server = ScriptedServer()
    server.answers[PREDICT] = answer(b'{"predictions": [[0.25, 0.75]]}')
    yield server
    server.close()


def test_sigterm_answers_what_is_under_way_and_loses_no_record(server, tmp_path):
    came, go = threading.Event(), threading.Event()

    def slow(exchange):
        came.set()
        go.wait(SECONDS)
        exchange.send(answer(b'{"predictions": [[0.25, 0.75]]}'))

    proxy = ProxyCommand(server.url, tmp_path / "logs")
    assert proxy.predict("first") == 200
    server.answers[PREDICT] = slow
    got = []
    waiting = threading.Thread(target=lambda: got.append(proxy.predict("under way")))
    waiting.start()
    assert came.wait(SECONDS)
    proxy.process.terminate()

    def refused():
        try:
            requests.get(proxy.url, timeout=SECONDS)
        except requests.ConnectionError:
            return True
        return False

    until(refused)  # no more are taken, while one is under way
    assert proxy.process.poll() is None
    go.set()
    waiting.join(SECONDS)
    out, _ = proxy.process.communicate(timeout=SECONDS)
    assert (proxy.process.returncode, got) == (0, [200])
    assert ids(tmp_path / "logs") == {"first": 1, "under way": 1}
    assert "2 to log: 2 logged" in out


def test_a_proxy_that_is_killed_under_load_leaves_whole_records_each_once(server, tmp_path):
    logs = tmp_path / "logs"
    proxy = ProxyCommand(server.url, logs, "--file-seconds", "0.01")
    early = [f"early-{number}" for number in range(20)]
    assert [proxy.predict(name) for name in early] == [200] * 20
    until(lambda: "model_monitor_proxy_logged_total 20.0" in proxy.metrics())
    (logger,) = log_processes(proxy.process.pid)
    answered, enough = [], threading.Event()

    def load(worker):
        with contextlib.suppress(requests.ConnectionError):
            for number in range(100_000):
                proxy.predict(f"load-{worker}-{number}")
                answered.append(f"load-{worker}-{number}")
                if len(answered) >= 60:
                    enough.set()

    workers = [threading.Thread(target=load, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    assert enough.wait(SECONDS)
    proxy.process.kill()
    proxy.process.communicate()
    for worker in workers:
        worker.join(SECONDS)
    until(lambda: not Path(f"/proc/{logger}").exists())  # it outlives the proxy and publishes what it was given
    found = ids(logs)
    assert set(found.values()) == {1}
    assert set(early) <= set(found)
    assert set(found) - set(early) <= {f"load-{worker}-{number}" for worker in range(3) for number in range(100_000)}
    assert not list(logs.glob(f"{WRITING}[0-9]*"))


def test_what_waits_for_its_version_outlives_the_proxy(server, tmp_path):
    """The server does not say in time which version answers: that of the records is unknown, and they are there."""
    asked = threading.Event()

    def silent(exchange):
        asked.set()
        exchange.wait_for_end()

    proxy = ProxyCommand(server.url, tmp_path / "logs", "--file-seconds", "0.01")
    assert proxy.predict("known") == 200
    until(lambda: "model_monitor_proxy_logged_total 1.0" in proxy.metrics())
    server.answers["/v1/models/m/metadata"] = silent
    (logger,) = log_processes(proxy.process.pid)
    assert [proxy.predict(f"waiting-{number}") for number in range(3)] == [200] * 3
    assert asked.wait(SECONDS)
    time.sleep(0.2)  # the last of them is on its way to the process that logs
    proxy.process.kill()
    proxy.process.communicate()
    until(lambda: not Path(f"/proc/{logger}").exists())
    assert ids(tmp_path / "logs") == {"known": 1, "waiting-0": 1, "waiting-1": 1, "waiting-2": 1}
    versions = [log.log_metadata.model_spec.version.value for log in records(tmp_path / "logs")]
    assert sorted(versions) == [0, 0, 0, 7]


def test_a_process_that_logs_is_replaced_and_what_it_had_is_salvaged_or_counted(server, tmp_path):
    logs = tmp_path / "logs"
    with running_proxy(logs, server.url, metrics_port=0) as proxy:

        def predict(name):
            headers = {"X-Request-Id": name}
            assert requests.post(proxy.url + PREDICT, json=BODY, headers=headers, timeout=SECONDS).status_code == 200

        predict("before")
        (logger,) = until(lambda: log_processes(os.getpid()))
        until(lambda: any(path.stat().st_size > 10 for path in logs.glob(f"{WRITING}1.*")))  # flushed
        os.kill(logger, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{logger}").exists())  # the proxy knows
        for number in range(3):
            predict(f"after-{number}")
        until(lambda: proxy.metrics()["salvaged_total"] == 1)  # the next one has come up
        counters = proxy.stop()
    found = ids(logs)
    assert set(found.values()) == {1}
    assert found["before"] == 1  # of the hidden file that the killed one left
    assert counters.salvaged == 1
    assert (counters.to_log, counters.pending) == (4, 0)
    assert counters.logged == len(found)
    assert counters.lost["crashed"] == 4 - len(found)


def in_pipe(process: int) -> int:
    """The bytes that a process has not yet read of what it is given."""
    with open(f"/proc/{process}/fd/0", "rb") as pipe:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def no_more_comes(process: int) -> bool:
    before = in_pipe(process)
    time.sleep(0.2)
    return 0 < before == in_pipe(process)


def test_a_process_that_dies_with_the_last_record_of_a_day_is_counted_without_another(server, tmp_path):
    with running_proxy(tmp_path / "logs", server.url, metrics_port=0) as proxy:
        (logger,) = until(lambda: log_processes(os.getpid()))
        os.kill(logger, signal.SIGSTOP)  # what it is given stays in its pipe
        for _ in range(3):
            assert requests.post(proxy.url + PREDICT, json=BODY, timeout=SECONDS).status_code == 200
        until(lambda: proxy.metrics()["to_log_total"] == 3)
        until(lambda: no_more_comes(logger))
        os.kill(logger, signal.SIGKILL)
        until(lambda: proxy.metrics()['lost_total{reason="crashed"}'] == 3)
        counters = proxy.stop()
    assert (counters.to_log, counters.logged, counters.pending) == (3, 0, 0)
    assert not ids(tmp_path / "logs")


def test_logs_that_cannot_be_written_keep_nobody_waiting(server, tmp_path):
    (tmp_path / "logs").write_text("a file in the place of the folder")
    with running_proxy(tmp_path / "logs", server.url) as proxy:
        for _ in range(3):
            assert requests.post(proxy.url + PREDICT, json=BODY, timeout=SECONDS).status_code == 200
        counters = proxy.stop()
    assert (counters.to_log, counters.logged, counters.lost["failed"], counters.pending) == (3, 0, 3, 0)


def test_what_an_earlier_writer_left_is_published(server, tmp_path):
    logs = tmp_path / "logs"
    code = (
        "import os, sys; from components.serving_log_writer.writer import *\n"
        "writer = ServingLogWriter(sys.argv[1], ServedModel('m'), span=1)\n"
        "writer.log({'x': [1]}, {'y': [1.0]}, request_id='left')\n"
        "import time\n"
        "while not any(p.stat().st_size > 10 for p in __import__('pathlib').Path(sys.argv[1]).glob('.writing-1.*')):\n"
        "    time.sleep(0.01)\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(logs)], check=False)
    with running_proxy(logs, server.url) as proxy:
        requests.post(proxy.url + PREDICT, json=BODY, headers={"X-Request-Id": "new"}, timeout=SECONDS)
        counters = proxy.stop()
    assert ids(logs) == {"left": 1, "new": 1}
    assert (counters.to_log, counters.logged, counters.salvaged) == (1, 1, 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "`--upstream` must be given, or --grpc-upstream"),
        (["--upstream", "ftp://x"], "`--upstream` must be the URL of a server"),
        (["--upstream", "http://x:99999"], "`--upstream` must be the URL of a server"),
        (["--grpc-upstream", "http://x:1"], "`--grpc-upstream` must be HOST:PORT"),
        (["--upstream", "http://x", "--sampling-rate", "0"], "`--sampling-rate` must be in (0, 1]"),
        (["--upstream", "http://x", "--serving", "."], "`--serving` must hold a pushed version"),
        (["--upstream", "http://x", "--port", "99999"], "`--port` must be in 0 .. 65535"),
        (["--upstream", "http://x", "--host", "192.0.2.1"], "`--port` must be an address of this machine"),
    ],
)
def test_a_mistake_is_said(options, told, tmp_path, monkeypatch, capsys):
    from model_monitor import cli

    monkeypatch.chdir(tmp_path)
    assert cli.main(["proxy", "--logs", "logs", *options]) == 1
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_port_that_is_taken_is_said(server, tmp_path, capsys):
    from model_monitor import cli

    taken = str(server.port)
    assert cli.main(["proxy", "--logs", str(tmp_path), "--upstream", server.url, "--port", taken]) == 1
    assert "a port that is free" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", ["proxy", "serve"])
def test_without_the_extra_one_sentence_says_what_to_install(command, tmp_path, monkeypatch, capsys):
    from model_monitor import cli

    monkeypatch.setitem(sys.modules, "httptools", None)
    options = {"proxy": ["--logs", "l", "--upstream", "http://x"], "serve": ["--serving", str(tmp_path)]}
    assert cli.main([command, *options[command]]) == 1
    assert "pip install 'tfx-model-monitor[live]'" in capsys.readouterr().err
