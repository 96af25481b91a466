"""Several processes at once, some of them killed at any time: `python -m` this, name, rounds, seed.

In a process without TensorFlow, which forks in no time. Prints as JSON how often it was tried and what did not hold.
"""

import json
import mmap
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from components.atomic_pusher.publish import STAGING_PREFIX, publish
from components.serving_log_writer.log_files import Rotation
from components.serving_log_writer.salvage import salvage
from components.serving_log_writer.writer import ServedModel, ServingLogWriter
from tests.support.kill_attacks import fill, is_whole, read, seal, versions

PROCESSES = 4
EACH = 5  # pushes of a process, or records


def start(action: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        action()
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def run(actions: list[Callable[[], object]], chance: random.Random, kills: int) -> list[int]:
    """Runs all at once and kills some of them, at times by chance; gives the exit status of each."""
    children = [start(action) for action in actions]
    for child in children[:kills]:
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
    return [os.waitpid(child, 0)[1] for child in children]


def pushers(root: Path, chance: random.Random) -> list[str]:
    """Pushes of several processes in one second, two of them killed: whole versions only, one for each push."""
    serving, done = root / "serving", mmap.mmap(-1, PROCESSES)

    def push(process: int) -> None:
        for count in range(1, EACH + 1):
            publish(str(serving), fill, seal, lambda: 100.0)
            done[process] = count

    states = run([lambda process=process: push(process) for process in range(PROCESSES)], chance, PROCESSES // 2)
    found = [f"{version} is not whole" for version in versions(serving) if not is_whole(version)]
    found += [f"a push ended with {state}" for state in states if state not in (0, signal.SIGKILL)]
    least, most = sum(done[:]), sum(done[:]) + PROCESSES // 2  # killed between the rename and its being counted
    publish(str(serving), fill, seal, lambda: 100.0)
    if not least < len(versions(serving)) <= most + 1:
        found.append(f"{least} to {most} pushes made {len(versions(serving)) - 1} versions")
    if any(path.name.startswith(STAGING_PREFIX) for path in serving.iterdir()):
        found.append(f"left: {sorted(os.listdir(serving))}")
    return found


def writers(root: Path, chance: random.Random) -> list[str]:
    """Writers of several processes, two of them killed, each salvaging what is left: every record once."""
    logs, written = root / "logs", mmap.mmap(-1, PROCESSES)

    def write(process: int) -> None:
        with ServingLogWriter(str(logs), ServedModel("m", 1), span=3, rotation=Rotation(file_bytes=1)) as writer:
            for count in range(EACH):
                writer.log({"x": [count]}, {}, request_id=f"{process}-{count}", timestamp=1e9)
                time.sleep(0.001)
                written[process] = writer.counts.written
        written[process] = writer.counts.written

    states = run([lambda process=process: write(process) for process in range(PROCESSES)], chance, PROCESSES // 2)
    found = [f"a writer ended with {state}" for state in states if state not in (0, signal.SIGKILL)]
    salvage(str(logs))
    records = read(logs)
    if len(set(records)) != len(records) or b"DAMAGED" in records:
        found.append("a record is there twice, or damaged")
    if len(records) < sum(written[:]):
        found.append(f"{sum(written[:])} records were written, {len(records)} are there")
    if not all(written[process] == EACH for process in range(PROCESSES // 2, PROCESSES)):
        found.append(f"those that were not killed wrote {list(written[:])}")
    return found


ATTACKS = {"pushers": pushers, "writers": writers}


def main() -> None:
    name, rounds = sys.argv[1], int(sys.argv[2])
    chance = random.Random(int(sys.argv[3]))  # noqa: S311 - when to kill, no secret
    broken = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as root:
            broken += [f"round {number}: {text}" for text in ATTACKS[name](Path(root), chance)[:1]]
    print(json.dumps({"tried": rounds, "broken": broken}))  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main()
