"""What goes wrong around a watcher that runs: its disk, its store, its clock, its logs, and whom it tells.

One process meets all of it, one after the other. After each fault there is a verdict on what came meanwhile, and in the
end nothing is lost, doubled or uncounted.
"""

import collections
import contextlib
import os
import random
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from components.serving_log_writer.log_files import LogFile
from model_monitor.alerts.outbox import SENT, Outbox
from model_monitor.incidents.course import Steps
from model_monitor.incidents.settings import IncidentsConfig
from model_monitor.reading.stores import LOCKED
from tests.support.grey_traffic import images, request
from tests.support.running_proxy import PREDICT, ProxyCommand, ids, until
from tests.support.scripted_server import ScriptedServer, answer
from tests.support.set_clock import SetClock, compiler
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.started_commands import Command
from tests.support.watched_command import EXAMPLES, Watched
from tests.support.webhook_receiver import SECRET, TAKEN, Receiver

pytestmark = pytest.mark.long

SECONDS = 300.0  # that a verdict may take, on a machine that has much else to do
DISK_MB = 256
HOUR, DAY = 3600.0, 86_400.0
BROKEN = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
# Root reads what nobody may read, unless it goes without this.
AS_OTHERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
SETTINGS = {
    "watch": {"window_minutes": 60.0, "retry_seconds": 1.0},
    "monitor": {"window_size": EXAMPLES, "false_alarm_rate": 0.001, "permutations": 5999},
    "incidents": {"bearable": ""},
    "alerts": {"channels": [{"name": "hook", "type": "webhook", "url": "env:HOOK_URL", "secret": "env:HOOK_SECRET"}]},
}


@dataclass
class Stand:
    """A watcher at work, and what can be done to it."""

    watched: Watched
    receiver: Receiver
    clock: SetClock
    disk: SmallDisk | None
    process: Command = field(init=False)
    sent: "collections.Counter[bytes]" = field(default_factory=collections.Counter)
    windows: int = 0
    examples: int = 0

    def start(self) -> None:
        config = self.watched.folder / f"{self.watched.name}.yaml"
        config.write_text(yaml.safe_dump(SETTINGS))
        environment = {**self.clock.environment, "HOOK_URL": self.receiver.url, "HOOK_SECRET": SECRET}
        before = AS_OTHERS if os.geteuid() == 0 else ()
        arguments = (*self.watched.arguments, "--config", str(config))
        self.process = self.watched.start_alone(*arguments, environment=environment, before=before)
        assert self.process.wait_for("Log:"), self.process.text

    def window(self, count: int = EXAMPLES, *, dark: bool = False, mode: int = 0o644) -> Path:
        """Has the logs of a window come, or a part of one; the file, as if the disk's clock were the process's."""
        self.windows += 1
        moment = self.clock.now()
        record = request(str(self.windows), images(count, self.windows, dark=dark), moment)
        self.sent[record] += 1
        self.examples += count
        file = LogFile(str(self.watched.folder / "aside"), self.windows)
        file.append(record)
        file.publish()
        (made,) = (self.watched.folder / "aside" / str(self.windows)).iterdir()
        os.utime(made, (moment, moment))
        made.chmod(mode)
        path = self.watched.logs / str(self.windows) / made.name
        path.parent.mkdir()
        return made.rename(path)

    @property
    def judged(self) -> int:
        """How many verdicts it has told of."""
        return self.process.text.count(" examples  ")

    def says(self, words: str, before: int = 0) -> None:
        """Waits until it has said so once more than before."""
        self.comes_to(lambda: self.said(words) > before)

    def said(self, words: str) -> int:
        return self.process.text.count(words)

    def comes_to(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.process.poll() is None, self.process.text
            assert time.monotonic() < deadline, self.process.text
            time.sleep(0.02)

    def judges(self, count: int) -> None:
        self.comes_to(lambda: self.judged >= count)

    def complaints(self) -> list[str]:
        """What was lost, doubled or not counted, of records, verdicts and messages."""
        found = self.watched.complaints(self.sent, self.examples)
        with contextlib.closing(self.watched.journal()) as journal:
            steps = Steps(IncidentsConfig(bearable=""))
            changes = [change for record in journal.records if (change := steps.take(record)) is not None]
        with contextlib.closing(Outbox(self.watched.root / "alerts")) as outbox:
            counts = outbox.counts()
        expected = [(change.kind.value, change.window) for change in changes]
        if self.receiver.taken != expected or counts != {("hook", SENT): len(expected)}:
            found.append(f"told {self.receiver.taken}, counted {counts}, where there was {expected}")
        return found


def store_is_locked(stand: Stand, _: random.Random) -> None:
    """ML Metadata is locked by somebody while a window waits."""
    said, judged = stand.said(LOCKED), stand.judged
    with contextlib.closing(sqlite3.connect(stand.watched.root / "metadata.sqlite", timeout=60)) as store:
        store.execute("BEGIN EXCLUSIVE")
        stand.window()
        stand.says(LOCKED, said)
        assert stand.judged == judged
        store.rollback()
    stand.judges(judged + 1)


def webhook_is_down(stand: Stand, chance: random.Random) -> None:
    """Nobody answers for an hour of the process's clock, in which an incident begins and ends."""
    tried, taken, judged = len(stand.receiver.requests), len(stand.receiver.taken), stand.judged
    stand.receiver.answers[:] = [BROKEN]
    stand.window(dark=True)
    stand.judges(judged + 1)
    stand.window()
    stand.judges(judged + 2)
    until(lambda: len(stand.receiver.requests) > tried, SECONDS)  # it was tried
    end = stand.clock.now() + HOUR
    while stand.clock.now() < end:
        stand.clock.set(chance.uniform(60, 600))
        time.sleep(1.0)  # a look into the outbox
    stand.receiver.answers[:] = [TAKEN]
    stand.clock.set(HOUR)
    until(lambda: [kind for kind, _ in stand.receiver.taken[taken:]] == ["opened", "closed"], SECONDS)


def disk_is_full(stand: Stand, _: random.Random) -> None:
    """The disk that the root is on has no room for a window, and has it again."""
    assert stand.disk is not None
    said, judged = stand.said("No space left on device"), stand.judged
    with stand.disk.full():
        stand.window()
        stand.says("No space left on device", said)
        assert stand.judged == judged
    stand.judges(judged + 1)


def clock_goes_forward(stand: Stand, chance: random.Random) -> None:
    """A window that is half full is neither closed nor late when the clock is set forward."""
    judged = stand.judged
    stand.window(EXAMPLES // 2)
    until(lambda: stand.watched.in_windows().total() == stand.windows, SECONDS)
    stand.clock.set(chance.uniform(1, 400) * DAY)
    time.sleep(1.5)  # twice as long as a loop idles
    assert stand.judged == judged
    stand.window(EXAMPLES // 2)
    stand.judges(judged + 1)


def clock_goes_back(stand: Stand, chance: random.Random) -> None:
    """What comes after the clock was set back is not late, and the watcher does not wait for the time that was."""
    judged = stand.judged
    stand.window()
    stand.judges(judged + 1)
    stand.clock.set(-chance.uniform(1, 400) * DAY)
    stand.window()
    stand.judges(judged + 2)


def file_is_unreadable(stand: Stand, _: random.Random) -> None:
    """A file that may not be read keeps none of the others waiting, and is read when it may."""
    said, judged = stand.said("cannot be read"), stand.judged
    path = stand.window(mode=0)
    stand.says("cannot be read", said)
    stand.window()
    stand.judges(judged + 1)
    path.chmod(0o644)
    stand.judges(judged + 2)


FAULTS = (store_is_locked, webhook_is_down, disk_is_full, clock_goes_forward, clock_goes_back, file_is_unreadable)


def meet(stand: Stand, chance: random.Random, rounds: int) -> "collections.Counter[str]":
    """Each fault so often, in an order that is drawn; how often each was."""
    counts: collections.Counter[str] = collections.Counter()
    stand.window()
    stand.judges(1)
    for _ in range(rounds):
        for fault in chance.sample(FAULTS, len(FAULTS)):
            if stand.disk is not None or fault is not disk_is_full:
                fault(stand, chance)
                counts[fault.__name__] += 1
    return counts


@pytest.mark.skipif(compiler() is None, reason="no compiler makes the clock that is set")
def test_whatever_goes_wrong_around_a_watcher_nothing_is_lost(watched: Watched, tries, report, tell, tmp_path):
    receiver, clock, chance = Receiver(), SetClock(tmp_path), random.Random(4)  # noqa: S311 - can be repeated
    with contextlib.closing(receiver), small_disk(tmp_path / "disk", DISK_MB) as disk:
        if isinstance(disk, str):
            tell(disk)
        else:
            watched.place = disk.folder / "root"
        stand = Stand(watched, receiver, clock, None if isinstance(disk, str) else disk)
        stand.start()
        try:
            counts = meet(stand, chance, tries(1, 8))
            stand.process.process.send_signal(signal.SIGTERM)
            assert stand.process.end()[0] == 0, stand.process.text
            complaints = stand.complaints()
        finally:
            stand.process.kill()
        assert not complaints, (complaints, stand.process.text)
    for name, count in sorted(counts.items()):
        report(f"watch: {name.replace('_', ' ')}", count, count)


def test_a_proxy_whose_disk_is_full_answers_and_counts_what_it_could_not_log(tell, report, tries, tmp_path):
    server, rounds = ScriptedServer(), tries(1, 20)
    server.answers[PREDICT] = answer(b'{"predictions": [[0.25, 0.75]]}')
    with contextlib.closing(server), small_disk(tmp_path / "disk", 4) as disk:
        if isinstance(disk, str):
            pytest.skip(disk)
        proxy = ProxyCommand(server.url, disk.folder / "logs", "--file-seconds", "0.1")
        sent = 0

        def ask(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                assert proxy.predict(f"r-{sent}") == 200
                sent += 1

        def counted(name: str) -> int:
            return int(float(re.search(rf"^model_monitor_proxy_{name} (\S+)", proxy.metrics(), re.M)[1]))

        for _ in range(rounds):
            ask(20)
            until(lambda: counted("logged_total") + counted('lost_total{reason="failed"}') == sent)
            with disk.full():
                ask(20)
                until(lambda: counted('lost_total{reason="failed"}') + counted("logged_total") == sent)
        ask(20)
        said = proxy.end()
        found = ids(disk.folder / "logs")
    assert set(found.values()) == {1}
    lost = int(re.search(r"(\d+) failed", said)[1])
    report("proxy on a full disk: requests logged once or counted", sent, len(found) + lost)
