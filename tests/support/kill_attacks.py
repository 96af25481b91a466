"""Kills at every system call, in a process without TensorFlow, which forks in no time: `python -m` this, name, step.

Prints as JSON how often it was tried, and what did not hold, a sentence each.
"""

import collections
import functools
import json
import mmap
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from components.atomic_pusher.publish import STAGING_PREFIX, publish, publish_bundle
from components.common.artifacts.tfrecord import read_records
from components.serving_log_writer.log_files import WRITING, LogFile, Rotation, SpanFiles
from components.serving_log_writer.salvage import salvage
from components.serving_log_writer.writer import ServedModel, ServingLogWriter
from model_monitor.watch.arriving import Arriving
from model_monitor.watch.collecting import Collector
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import CLOSED, OPEN
from model_monitor.watch.settings import WatchConfig
from tests.support import watched_logs
from tests.support.pushed_files import seal, write_files
from tests.support.system_calls import killed_at

FILES = {"saved_model.pb": b"1" * 5000, "variables/data": b"2" * 70_000, "assets.extra/baseline/manifest.json": b"{}"}
fill = functools.partial(write_files, FILES)
RECORDS = [b"%d" % number * 500 for number in range(5)]
MOST_CALLS = 100_000
Attack = Callable[[Path, int], "tuple[bool, list[str]]"]


def is_whole(version: Path) -> bool:
    return (version / "number").read_text() == version.name and all(
        (version / name).read_bytes() == content for name, content in FILES.items()
    )


def versions(serving: Path) -> list[Path]:
    return [path for path in serving.iterdir() if path.name.isdigit()]


def push(root: Path, number: int) -> tuple[bool, list[str]]:
    """A push that is killed: there is the version of before, or it and a whole new one; the next push cleans up."""
    serving = root / "serving"
    publish(str(serving), fill, seal, lambda: 100.0)
    killed = killed_at(number, lambda: publish(str(serving), fill, seal, lambda: 101.0))
    found = [f"{version} is not whole" for version in versions(serving) if not is_whole(version)]
    before = len(versions(serving))
    publish(str(serving), fill, seal, lambda: 102.0)
    if len(versions(serving)) != before + 1 or any(path.name.startswith(STAGING_PREFIX) for path in serving.iterdir()):
        found.append(f"after the next push there are {sorted(os.listdir(serving))}")
    return killed, found


def adopt(root: Path, number: int) -> tuple[bool, list[str]]:
    """A bundle put beside a served model: there is none or a whole one, and the model is as it was."""
    model = root / "model"
    fill(str(model))
    (model / "assets.extra/baseline/manifest.json").unlink()
    (model / "assets.extra/baseline").rmdir()
    killed = killed_at(number, lambda: publish_bundle(str(model), fill, lambda _: None))
    bundle = model / "assets.extra" / "baseline"
    whole = not bundle.exists() or all((bundle / name).read_bytes() == content for name, content in FILES.items())
    return killed, [] if whole else ["there is a part of a bundle"]


def read(logs: Path) -> list[bytes]:
    """All records that readers can see, and that are whole."""
    records = []
    for path in sorted(logs.glob("[0-9]*/*")):
        with path.open("rb") as file:
            for record in read_records(file):
                records.append(record.data if record.damage is None else b"DAMAGED")
    return records


def repeated(records: list[bytes]) -> list[str]:
    counted = collections.Counter(records).items()
    return [f"{record[:8]!r} is there {count} times" for record, count in counted if count > 1]


def write(root: Path, number: int) -> tuple[bool, list[str]]:
    """Files of logs: what was flushed is there after a salvage, each record once, whole and in order."""
    logs, flushed = root / "logs", mmap.mmap(-1, 1)

    def action() -> None:
        files = SpanFiles(str(logs), Rotation(file_bytes=80))
        for count, record in enumerate(RECORDS, 1):
            files.append(3, record)
            files.flush()
            flushed[0] = count
        files.publish_all()

    killed = killed_at(number, action)
    left = [each for each in salvage(str(logs)) if not each.done]
    records = read(logs)
    found = repeated(records) + [f"{each.file} is not salvaged: {each.reason}" for each in left]
    if records != RECORDS[: len(records)] or len(records) < flushed[0]:
        found.append(f"{flushed[0]} records were flushed, {len(records)} are there")
    return killed, found


def write_by_thread(root: Path, number: int) -> tuple[bool, list[str]]:
    """The writer that servers use: what it counts as written is there, and nothing twice."""
    logs, written = root / "logs", mmap.mmap(-1, 1)

    def action() -> None:
        with ServingLogWriter(str(logs), ServedModel("m", 1), span=3, rotation=Rotation(file_bytes=1)) as writer:
            for count in range(1, 4):
                writer.log({"x": [count]}, {"y": [count]}, request_id=str(count), timestamp=1e9)
                written[0] = writer.counts.written
        written[0] = writer.counts.written

    killed = killed_at(number, action)
    left = [each for each in salvage(str(logs)) if not each.done]
    records = read(logs)
    found = repeated(records) + [f"{each.file} is not salvaged: {each.reason}" for each in left]
    if len(records) < written[0] or b"DAMAGED" in records:
        found.append(f"{written[0]} records were written, {len(records)} are there")
    return killed, found


def salvage_killed(root: Path, number: int) -> tuple[bool, list[str]]:
    """A salvage that is killed: the next one has every record, once."""
    logs = root / "logs"
    for span in (3, 4):
        file = LogFile(str(logs), span)
        for record in RECORDS:
            file.append(b"%d" % span + record)
        file.flush()
        file.forget()
    killed = killed_at(number, lambda: salvage(str(logs)))
    salvage(str(logs))
    wanted = [b"%d" % span + record for span in (3, 4) for record in RECORDS]
    hidden = [name for name in os.listdir(logs) if name.startswith(WRITING) and not name.endswith("lock")]
    return killed, [] if read(logs) == wanted and not hidden else [f"{len(read(logs))} records, {hidden} left"]


def take_up(root: Path, number: int) -> tuple[bool, list[str]]:
    """Logs taken up into windows: the next process goes on, and every record is in one window, once."""
    watched = watched_logs.config(root)
    sent: list[bytes] = []
    for span, name in enumerate("abc"):
        sent += watched_logs.requests(name, 4)
        watched_logs.write(root / "logs", f"{span}/part", sent[-4:])
    killed = killed_at(number, lambda: _take_up(watched))
    _take_up(watched)
    journal, found = Journal(watched.watch_path), watched_logs.windows_on_disk(watched)
    counted = {row.window.number: row.window.records for row in journal.windows(OPEN, CLOSED)}
    wrong = [] if counted == {window: len(records) for window, records in found.items()} else [f"{counted} are counted"]
    taken = watched_logs.taken(watched)
    return killed, wrong + ([] if taken == sent else [f"{len(taken)} records are in windows, and {found}"])


def _take_up(watched: WatchConfig) -> None:
    journal = Journal(watched.watch_path)
    collector = Collector(watched, journal)
    settings = watched.watch.model_copy(update={"settle_seconds": 0.0})
    for each in Arriving(watched.serving_logs_path, watched.span_pattern, settings, collector.known).ready():
        collector.take(each)
    journal.close()


ATTACKS: dict[str, Attack] = {
    "push": push, "adopt": adopt, "files": write, "writer": write_by_thread, "salvage": salvage_killed,
    "windows": take_up,
}  # fmt: skip


def kills(attack: Attack, step: int) -> Iterator[tuple[int, list[str]]]:
    """Kills at each `step`-th system call until the action comes to its end; what did not hold, by the number."""
    for number in range(1, MOST_CALLS, step):
        with tempfile.TemporaryDirectory() as root:
            killed, found = attack(Path(root), number)
        if not killed:
            return
        yield number, found


def main() -> None:
    name, step = sys.argv[1], int(sys.argv[2])
    results = list(kills(ATTACKS[name], step))
    broken = [f"call {number}: {text}" for number, found in results for text in found[:1]]
    print(json.dumps({"tried": len(results), "broken": broken}))  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main()
