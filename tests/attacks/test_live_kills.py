"""Proxies killed under load at random moments: what is logged is whole, once, and all but what came last."""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import requests

from components.serving_log_writer.log_files import WRITING
from tests.support.running_proxy import SECONDS, ProxyCommand, ids, log_processes, until
from tests.support.scripted_server import ScriptedServer, answer

WORKERS = 3


def load(proxy, name, answered):
    with contextlib.suppress(requests.ConnectionError):
        for number in range(100_000):
            if proxy.predict(f"{name}-{number}") == 200:
                answered.append(number)


def killed(server, logs: Path, chance: random.Random, number: int, *, both: bool) -> bool:
    """Kills a proxy, or it and its process that logs, and says whether its logs are what they have to be."""
    proxy = ProxyCommand(server.url, logs, "--file-seconds", str(chance.choice((0.01, 0.2, 60))))
    (logger,) = until(lambda: log_processes(proxy.process.pid))
    answered = [[] for _ in range(WORKERS)]
    names = [f"{number}-{worker}" for worker in range(WORKERS)]
    workers = [threading.Thread(target=load, args=(proxy, *each)) for each in zip(names, answered, strict=True)]
    for worker in workers:
        worker.start()
    until(lambda: all(answered))
    time.sleep(chance.random())
    if both:
        os.kill(logger, signal.SIGKILL)
    proxy.process.kill()
    proxy.process.communicate()
    for worker in workers:
        worker.join(SECONDS)
    until(lambda: not Path(f"/proc/{logger}").exists())
    found = ids(logs)
    mine = [[number for number in range(100_000) if f"{name}-{number}" in found] for name in names]
    once = set(found.values()) <= {1}
    # of each client, in order and without a hole; at most the one request that it heard no answer to is beyond these
    whole = all(numbers == list(range(len(numbers))) for numbers in mine)
    heard = all(len(numbers) <= len(each) + 1 for numbers, each in zip(mine, answered, strict=True))
    left = bool(list(logs.glob(f"{WRITING}[0-9]*")))
    return once and whole and heard and (both or not left)


def test_a_proxy_that_is_killed_under_load(tries, report, tmp_path):
    server = ScriptedServer()
    server.answers["/v1/models/m:predict"] = answer(b'{"predictions": [[0.25, 0.75]]}')
    chance, kills = random.Random(1), tries(2, 120)  # noqa: S311 - an attack that can be repeated
    held = sum(killed(server, tmp_path / "logs", chance, number, both=number % 2 == 1) for number in range(kills))
    server.close()
    report("proxies killed under load, every other one with its process that logs", kills, held)
