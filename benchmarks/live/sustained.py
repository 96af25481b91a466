"""What `model-monitor watch` sustains: its delay under traffic as it comes, and its memory over thousands of windows.

    python -m benchmarks.live.sustained                   # two hours of traffic, 12 times as fast
    python -m benchmarks.live.sustained --speed 0 --windows 10000 --images 50 --batch-size 50 --most-minutes 60

The watcher is the command as people start it, with its journal, its incidents, its metrics and a real ML Metadata, a
process of its own. Logs are written as `ServingLogWriter` publishes them, a file for a tenth of a window, of requests
that the worked example's model has answered before: 2,000 images, the ones that the sample keeps for serving and their
mirror images, drawn anew for each window by the window's number. Traffic comes as the clock says, whatever the watcher
is at; with `--speed 0` as fast as windows are evaluated, a few ahead.

With `--every 1000` a row of the table is printed as soon as so many windows were judged. SIGTERM ends the traffic, and
the rest comes as at the end.

A verdict's delay begins with the publication of the file that has the window's last request and ends with the line
that tells the verdict. CPU seconds and resident memory are the watcher's alone, read after each verdict.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.live.latency import REPOSITORY, SAMPLE, trained
from benchmarks.processor_time import cpu_seconds
from components.common.baseline_bundle import Bundle
from components.serving_log_writer import prediction_log_encoding as encoding
from components.serving_log_writer.log_files import LogFile
from components.serving_log_writer.prediction_log_encoding import ServedModel
from model_monitor.terminal import quiet
from model_monitor.traffic import replay
from pipelines.cifar10 import images as images_of

FILES = 10  # of a window
WINDOWS_A_SPAN = 1000  # of logs: a span is a day by default, and few windows begin one
AHEAD = 6  # windows that are published and not evaluated, where traffic waits for verdicts
SECONDS = 600.0  # that a verdict may take
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Verdict:
    """What is known once a window was judged: when, the watcher's CPU seconds and resident bytes, the store's bytes."""

    window: int
    examples: int
    state: str
    at: float
    cpu: float
    memory: int
    store: int


@dataclass
class Watcher:
    """The command at work, and what it told."""

    process: "subprocess.Popen[str]"
    store: Path
    verdicts: list[Verdict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        """Reads what it tells, until it ends."""
        for line in self.process.stdout or ():
            told, at = json.loads(line), time.time()
            if told["event"] == "judged":
                record = told["record"]
                cpu, memory = _used(self.process.pid)
                store = self.store.stat().st_size
                verdict = Verdict(record["window"], record["examples"], record["state"], at, cpu, memory, store)
                with self.arrived:
                    self.verdicts.append(verdict)
                    self.arrived.notify_all()
            elif told["event"] in ("failed", "set_aside"):
                self.problems.append(line)

    def wait_for(self, count: int) -> None:
        """Returns once so many windows were judged."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(self.verdicts) >= count, SECONDS):
                raise SystemExit(f"No verdict within {SECONDS:g} s; {self.problems[-3:]}")


class Traffic:
    """Requests that were answered before, as records; each window draws its own."""

    def __init__(self, bundle: Bundle, options: argparse.Namespace) -> None:
        spec = bundle.manifest.spec
        images, labels = images_of.read(SAMPLE, "serving")
        both = np.concatenate([images, images[:, :, ::-1]])
        source = replay.from_arrays(both, np.concatenate([labels, labels]), spec, "sample")
        model = replay.load(bundle.version_dir)
        signature = model.signature(spec.signatures.serve)
        self._served = ServedModel(replay.MODEL_NAME, bundle.manifest.model_version, signature.name)
        sent = list(replay.send(signature, spec, source, replay.plain(source, None, 0), 100))
        self._inputs, self._outputs = _joined([each.inputs for each in sent]), _joined([each.outputs for each in sent])
        self._rows, self._options = len(both), options

    def window(self, number: int) -> Iterator[list[bytes]]:
        """The records of a window, in as many parts as it has files."""
        chosen = np.random.default_rng(number).choice(self._rows, self._options.images, replace=False)
        requests = np.array_split(chosen, max(1, len(chosen) // self._options.batch_size))
        for part in np.array_split(np.arange(len(requests)), min(FILES, len(requests))):
            yield [self._record(requests[each], f"{number}-{each}") for each in part]

    def _record(self, rows: "np.typing.NDArray[np.int64]", name: str) -> bytes:
        inputs = {key: value[rows] for key, value in self._inputs.items()}
        outputs = {key: value[rows] for key, value in self._outputs.items()}
        log = encoding.predict_log(self._served, inputs, outputs, request_id=name)
        return encoding.metadata(self._served, int(time.time())) + log


def main() -> None:
    options = arguments()
    root = options.root.absolute()
    with quiet(REPOSITORY / "build" / "live-benchmark.log"):
        bundle = trained(root)
        traffic = Traffic(bundle, options)
    place = root / options.name
    shutil.rmtree(place, ignore_errors=True)
    (place / "logs").mkdir(parents=True)
    watcher = start(place, bundle, options)
    listener = threading.Thread(target=watcher.listen, daemon=True)
    listener.start()
    signal.signal(signal.SIGTERM, lambda *_: setattr(options, "most_minutes", 0.0))
    published = played(watcher, traffic, place / "logs", options)
    watcher.process.send_signal(signal.SIGTERM)
    watcher.process.wait(SECONDS)
    listener.join()
    show(watcher, published, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "build" / "live-benchmark")
    parser.add_argument("--name", default="sustained", help="folder under the root, made anew: %(default)s")
    parser.add_argument("--windows", type=int, default=120, help="%(default)s")
    parser.add_argument("--images", type=int, default=1000, help="of a window: %(default)s")
    parser.add_argument("--batch-size", type=int, default=100, help="images a request: %(default)s")
    parser.add_argument("--minutes", type=float, default=1.0, help="of traffic in a window: %(default)s")
    parser.add_argument("--speed", type=float, default=12.0, help="times real time; 0: as fast as it is evaluated")
    parser.add_argument("--keep", type=int, default=100, help="watch.keep_windows: %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the watcher's settings")
    parser.add_argument("--every", type=int, default=0, help="windows a row of the table; 0: a tenth of all")
    parser.add_argument("--most-minutes", type=float, default=600.0, help="after which no window is begun")
    return parser.parse_args()


def start(place: Path, bundle: Bundle, options: argparse.Namespace) -> Watcher:
    """Starts the watcher; its first window will have its imports to wait for."""
    settings = {
        "root": place / "root",
        "serving_logs": place / "logs",
        "bundle": bundle.version_dir,
        "monitor.window_size": options.images,
        "watch.keep_windows": options.keep,
        "metrics.prometheus_port": 0,
    }
    named = [f"{name}={value}" for name, value in settings.items()]
    given = [argument for each in (*named, *options.set) for argument in ("--set", each)]
    command = [sys.executable, "-m", "model_monitor.cli", "watch", "--json", *given]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=place)
    return Watcher(process, place / "root" / "metadata.sqlite")


def played(watcher: Watcher, traffic: Traffic, logs: Path, options: argparse.Namespace) -> dict[int, float]:
    """Publishes the windows, and waits for all verdicts; when the last file of each was published, by its number."""
    published: dict[int, float] = {}
    files: dict[int, list[Path]] = {}
    started, told = time.monotonic(), 0
    pace = 60 * options.minutes / FILES / options.speed if options.speed else 0.0
    begun = 0.0
    for number in range(1, options.windows + 1):
        if time.monotonic() > started + 60 * options.most_minutes:
            break
        while options.every and len(watcher.verdicts) > told + options.every:
            told += options.every
            print(row(watcher.verdicts[: told + 1], told - options.every + 1), flush=True)
        files[number] = []
        for place, records in enumerate(traffic.window(number)):
            if begun:  # the first window has imports to wait for: the clock starts with the second
                due = begun + pace * ((number - 2) * FILES + place)
                time.sleep(max(0.0, due - time.monotonic()))
            files[number].append(_publish(logs, 1 + number // WINDOWS_A_SPAN, records))
        published[number] = time.time()
        if number == 1 or not options.speed:
            watcher.wait_for(1 if number == 1 else number - AHEAD)
        begun = begun or time.monotonic()
        for old in [each for each in files if each <= len(watcher.verdicts) - 1]:
            for path in files.pop(old):
                path.unlink()
    watcher.wait_for(len(published))
    return published


def _publish(logs: Path, span: int, records: list[bytes]) -> Path:
    file = LogFile(str(logs), span)
    before = set(logs.glob(f"{span}/*"))
    for record in records:
        file.append(record)
    file.publish()
    (path,) = set(logs.glob(f"{span}/*")) - before
    return path


def show(watcher: Watcher, published: dict[int, float], options: argparse.Namespace) -> None:
    """What all windows but the first took, and by tenths what each of them did."""
    verdicts = watcher.verdicts
    first, rest = verdicts[0], verdicts[1:]
    delays = np.array([each.at - published[each.window] for each in rest])
    images, cpu, wall = sum(each.examples for each in rest), rest[-1].cpu - first.cpu, rest[-1].at - first.at
    ordered = [each.window for each in verdicts] == sorted(published)
    print(
        f"{len(verdicts):,} windows of {options.images:,} images, {options.batch_size} a request; {wall / 60:.1f} min"
    )
    print(f"each window judged once and in order: {ordered}; problems: {len(watcher.problems)}")
    print(f"states: {dict(zip(*np.unique([each.state for each in verdicts], return_counts=True), strict=True))}")
    print(f"images/s {images / wall:,.0f}, images a CPU second {images / cpu:,.0f}, load {os.getloadavg()[2]:.1f}")
    if options.speed:
        hours = len(rest) * options.minutes / 60
        print(f"{hours:.1f} h of traffic, {options.speed:g} times as fast")
        shown = ", ".join(f"p{each} {np.percentile(delays, each):.1f} s" for each in (50, 90, 99))
        print(f"last request to verdict: {shown}, most {delays.max():.1f} s")
    print(f"\n{'windows':>17}{'CPU s a window':>16}{'MB resident':>13}{'most':>8}{'MB of store':>13}")
    print(f"{1:>17,}{first.cpu:>16.2f}{first.memory / MEGABYTE:>13,.0f}")
    ends = range(options.every, len(verdicts), options.every) if options.every else ()
    parts = np.split(np.arange(1, len(verdicts)), ends) if ends else np.array_split(np.arange(1, len(verdicts)), 10)
    for part in filter(len, parts):
        print(row(verdicts[: part[-1] + 1], part[0]))


def row(verdicts: list[Verdict], begins: int) -> str:
    """A line about the windows from that at `begins` to the last of these: what they cost, and what there was then."""
    here = verdicts[begins:]
    cpu = (here[-1].cpu - verdicts[begins - 1].cpu) / len(here)
    memory = [each.memory / MEGABYTE for each in here]
    span = f"{begins + 1:,} to {len(verdicts):,}"
    store = here[-1].store / MEGABYTE
    return f"{span:>17}{cpu:>16.3f}{np.mean(memory):>13,.0f}{max(memory):>8,.0f}{store:>13,.0f}"


def _used(pid: int) -> tuple[float, int]:
    """The CPU seconds of a process, of all its threads, and its resident bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return cpu_seconds(pid), pages * os.sysconf("SC_PAGE_SIZE")


def _joined(parts: "list[dict[str, np.typing.NDArray[np.generic]]]") -> "dict[str, np.typing.NDArray[np.generic]]":
    return {key: np.concatenate([each[key] for each in parts]) for key in parts[0]}


if __name__ == "__main__":
    main()
