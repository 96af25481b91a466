"""Server, proxy and watcher killed at random moments: what was answered is logged and judged once, all but the last."""

import collections
import contextlib
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from components.serving_log_writer.log_files import WRITING
from model_monitor.incidents.course import Steps
from model_monitor.incidents.settings import IncidentsConfig
from tests.support.live_system import IMAGES, PARTS, PROXY, SERVER, WATCHER, Client, LiveSystem, listens
from tests.support.running_proxy import SECONDS, ProxyCommand, ids, log_processes, records, until
from tests.support.scripted_server import ScriptedServer, answer
from tests.support.watched_command import Watched, records_in
from tests.support.webhook_receiver import SECRET, Receiver

WORKERS = 3


def load(proxy, name, answered):
    with contextlib.suppress(requests.ConnectionError):
        for number in range(100_000):
            if proxy.predict(f"{name}-{number}") == 200:
                answered.append(number)


def killed(server, logs: Path, chance: random.Random, number: int, *, both: bool) -> str:
    """Kills a proxy, or it and its process that logs; what is wrong with its logs, "" where nothing is."""
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
    beyond = [len(numbers) - len(each) for numbers, each in zip(mine, answered, strict=True)]
    left = bool(list(logs.glob(f"{WRITING}[0-9]*")))
    if not once or not whole or max(beyond) > 1:
        return f"kill {number}: once {once}, without a hole {whole}, beyond what was answered {beyond}"
    # the process that logs, left alone, has what was answered, but for the last answer of each client
    if not both and (left or min(beyond) < -1):
        return f"kill {number}: left hidden {left}, beyond what was answered {beyond}"
    return ""


def test_a_proxy_that_is_killed_under_load(tries, report, tell, tmp_path):
    server = ScriptedServer()
    server.answers["/v1/models/m:predict"] = answer(b'{"predictions": [[0.25, 0.75]]}')
    chance, kills = random.Random(1), tries(2, 120)  # noqa: S311 - an attack that can be repeated
    came = [killed(server, tmp_path / "logs", chance, number, both=number % 2 == 1) for number in range(kills)]
    server.close()
    for wrong in filter(None, came):
        tell(wrong)
    report("proxies killed under load, every other one with its process that logs", kills, came.count(""))


@dataclass
class Played:
    """Attributes:
    kills: by part.
    restarts: how often the server was ended as an upgrade ends it.
    excused: requests that were the last that their client had an answer to when the proxy was killed.

    """

    kills: "collections.Counter[str]" = field(default_factory=collections.Counter)
    restarts: int = 0
    excused: set[str] = field(default_factory=set)


def verdict_comes(watched: Watched) -> None:
    before = watched.verdicts()
    until(lambda: watched.verdicts() != before, 10 * SECONDS)


def play(system: LiveSystem, clients: list[Client], tries) -> Played:
    """Kills one, two or all parts at random moments, again and again, while clients ask."""
    chance, played, rounds = random.Random(6), Played(), 0  # noqa: S311 - an attack that can be repeated
    while played.kills.total() < tries(3, 210):
        for name in PARTS:
            if name not in system.running:
                system.start(name)
        rounds += 1
        for client in clients:
            client.dark = rounds // tries(1, 20) % 2 == 1  # incidents begin and end, and somebody is told
        if rounds % tries(1, 10) == 0:  # now and then it comes to something, whatever the machine has to do
            verdict_comes(system.watched)
        time.sleep(chance.uniform(0, 4))
        chosen = [name for name in PARTS if tries(True, chance.random() < 0.6)]
        for name in chance.sample(chosen, len(chosen)):
            if name == SERVER and tries(False, chance.random() < 0.3):
                until(lambda: listens(system.ports[SERVER]), 10 * SECONDS)  # before, SIGTERM ends it as it ends any
                system.end(name)  # a restart as an upgrade makes it
                played.restarts += 1
                continue
            system.kill(name)
            played.kills[name] += 1
            if name == PROXY:
                played.excused |= {client.id_of(client.answered[-1]) for client in clients if client.answered}
    for client in clients:
        client.end()
    return played


def finish(system: LiveSystem) -> None:
    """Ends all parts as people do, and has the rest judged."""
    if PROXY not in system.running:
        system.start(PROXY)  # publishes what the one before it left
        until(lambda: listens(system.ports[PROXY]), 10 * SECONDS)
    for name in list(system.running):
        system.end(name)
    system.judge_the_rest()


@pytest.mark.long
def test_server_proxy_and_watcher_that_are_killed_lose_and_double_nothing(watched, tries, report, tell, monkeypatch):
    receiver = Receiver()
    monkeypatch.setenv("HOOK_URL", receiver.url)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    system = LiveSystem(watched)
    clients = [Client(number, system.url, 0.5) for number in range(2)]
    for client in clients:
        client.start()
    try:
        played = play(system, clients, tries)
        finish(system)
    finally:
        system.kill_all()
        receiver.close()
    found = ids(watched.logs)
    answered = {client.id_of(number) for client in clients for number in client.answered}
    unnamed = sum(not log.log_metadata.model_spec.HasField("version") for log in records(watched.logs))
    examples = IMAGES * (found.total() - unnamed)
    complaints = watched.complaints(records_in(watched.logs.glob("[0-9]*/*")), examples, unnamed)
    assert not complaints, complaints
    assert set(found.values()) == {1}
    assert set(found) <= {client.id_of(number) for client in clients for number in range(client.sent)}
    assert {status for client in clients for status in client.refused} <= {0, 502}
    lost = answered - set(found)
    tell(
        f"{dict(played.kills)}, {played.restarts} restarts of the server; {len(lost)} answers not logged, {unnamed} "
        "logged without a version, as nobody had asked the server for it yet"
    )
    report("server, proxy and watcher: kills", played.kills.total(), played.kills.total())
    held = len(answered - lost) + len(lost & played.excused)
    report("requests answered: in one judged window each, but the last before a kill", len(answered), held)
    with contextlib.closing(watched.journal()) as journal:
        steps = Steps(IncidentsConfig())
        changes = [change for record in journal.records if (change := steps.take(record)) is not None]
    told = collections.Counter(receiver.taken)
    assert told.total() - len(told) <= played.kills[WATCHER]  # with the same key, by which receivers know it
    expected = {(change.kind.value, change.window) for change in changes}
    assert set(told) <= expected
    report("changes of incidents that were told", len(expected), len(expected & set(told)))
