"""What it costs to evaluate a window in a process that has all imports done: CPU seconds by node, and wall time.

    python -m benchmarks.live.latency                          # the embedded sample; trains a model at the first call
    python -m benchmarks.live.latency --windows 130 --shift gaussian_noise --batch-size 1
    python -m benchmarks.live.latency --profile build/live-benchmark/profile

The monitoring pipeline is run as `model-monitor monitor` runs it: TFX's `LocalDagRunner`, a real ML Metadata, the
report included. A window is the 1,000 images that the sample keeps for serving, half of them mirrored, which half by
the window's number; the baseline are 2,000 held-out ones. Windows are scored and logged before the clock starts: it
begins with the window's last request written and ends with the verdict delivered. The first window is left out, which
imports.
"""

import argparse
import contextlib
import cProfile
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console

from benchmarks.live.grown_store import grow
from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.serving_log_writer.writer import ServedModel
from model_monitor.launching import monitoring
from model_monitor.terminal import quiet
from model_monitor.traffic import replay, shifts
from pipelines.cifar10 import images as images_of
from pipelines.config import MonitoringConfig, load
from pipelines.progress import Progress, Step

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "data" / "cifar10_sample"
IMPORTS = "Importing TFX"
AROUND = "around the nodes"
GROWN = 3  # the window before which the store grows: the one before it is the first whose baseline is from the cache


@dataclass
class Cost:
    """What one window cost: CPU seconds by node in the order of the nodes, and wall seconds in all."""

    number: int
    cpu: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    wall: float = 0.0
    state: str = ""
    p_value: float | None = None


class Meter(Progress):
    """Adds the CPU seconds of this process, of all its threads, to the step that is running."""

    def __init__(self, cost: Cost, profiles: Path | None) -> None:
        super().__init__(Console(quiet=True))
        self._cost, self._profiles = cost, profiles

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with profiled(self._profiles, name):
            began = time.process_time()
            yield Step()
            self._cost.cpu[name] = time.process_time() - began


def main() -> None:
    options = arguments()
    root = options.root.absolute()
    with quiet(REPOSITORY / "build" / "live-benchmark.log"):
        bundle = trained(root)
        shutil.rmtree(root / "replayed", ignore_errors=True)
        costs = measured(root / "replayed", bundle, options)
    show(costs[(GROWN if options.runs else 2) - 1 :], options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "build" / "live-benchmark")
    parser.add_argument("--windows", type=int, default=6, help="including the first, which is not shown: %(default)s")
    parser.add_argument(
        "--runs",
        type=int,
        default=0,
        help="that ML Metadata has before the third window, the first shown then: %(default)s",
    )
    parser.add_argument("--images", type=int, default=1000, help="of a window: %(default)s")
    parser.add_argument("--batch-size", type=int, default=100, help="images a request: %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of monitoring")
    parser.add_argument("--shift", choices=sorted(shifts.SHIFTS), help="of every window but the first")
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="write cProfile's files of the last window, one a node"
    )
    return parser.parse_args()


def trained(root: Path) -> Bundle:
    """The baseline bundle of the model under the root, which is trained where there is none."""
    found = baseline_bundle.newest(str(root / "serving"))
    if found is None:
        command = [
            sys.executable,
            "-m",
            "model_monitor.cli",
            "train",
            "--dataset",
            str(SAMPLE),
            "--set",
            f"root={root}",
        ]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        found = baseline_bundle.newest(str(root / "serving"))
    if found is None:
        raise SystemExit(f"The training pipeline has pushed no model; see {root / 'logs'}")
    return found


def measured(root: Path, bundle: Bundle, options: argparse.Namespace) -> list[Cost]:
    """The costs of all windows, under a root of their own."""
    logs = root / "logs"
    logs.mkdir(parents=True)
    spec = bundle.manifest.spec
    images, labels = images_of.read(SAMPLE, "serving")
    model = replay.load(bundle.version_dir)  # kept: its signatures work as long as it is there
    signature = model.signature(spec.signatures.serve)
    settings = {"root": str(root), "serving_logs": str(logs), "bundle": bundle.version_dir}
    costs = []
    for number in range(1, options.windows + 1):
        source = replay.from_arrays(
            _mirrored(images, number)[: options.images], labels[: options.images], spec, "sample"
        )
        window = replay.plain(source, None, number)
        if options.shift and number > 1:
            window = shifts.apply_to_each(options.shift, source.images, source.labels, seed=number, severity=3)
        sent = list(replay.send(signature, spec, source, window, options.batch_size))
        served = ServedModel(replay.MODEL_NAME, bundle.manifest.model_version, signature.name)
        span = number if number < GROWN else number + options.runs
        replay.log(sent, served, logs, span, f"window-{number}")
        profiles = options.profile if number == options.windows else None
        config = load(MonitoringConfig, settings=options.set, overrides=settings)
        if number == GROWN and options.runs:
            grow(config.metadata_path, options.runs)
        costs.append(judged(config, number, span, profiles))
    return costs


def judged(config: MonitoringConfig, number: int, span: int, profiles: Path | None) -> Cost:
    """What the verdict on one window costs."""
    cost = Cost(number)
    cpu, wall = time.process_time(), time.perf_counter()
    (logs,) = monitoring.spans_to_judge(config, span).chosen
    found = monitoring.judge(config, logs, Meter(cost, profiles))
    monitoring.deliver(config, found)
    cost.total, cost.wall = time.process_time() - cpu, time.perf_counter() - wall
    cost.cpu[AROUND] = cost.total - sum(cost.cpu.values())
    cost.state, cost.p_value = found.verdict.state.value, found.verdict.p_value
    return cost


@contextlib.contextmanager
def profiled(folder: Path | None, name: str) -> Iterator[None]:
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    profile = cProfile.Profile(time.process_time)  # on a busy machine the wall clock says little
    with profile:
        yield
    profile.dump_stats(folder / f"{name}.prof")


def show(costs: list[Cost], options: argparse.Namespace) -> None:
    """A line for each node: the median of the windows, the least and the most, in CPU seconds."""
    size = f"{options.images:,} images a window, {options.batch_size} a request"
    print(f"{size}, windows {costs[0].number} to {options.windows}, {options.runs:,} earlier runs\n")
    print(f"{'CPU seconds':<28}{'median':>8}{'least':>8}{'most':>8}")
    for name in [name for name in costs[0].cpu if name != IMPORTS]:
        print(_line(name, [cost.cpu[name] for cost in costs]))
    print(_line("in all", [cost.total for cost in costs]))
    print(f"\n{_line('wall, last request to verdict', [cost.wall for cost in costs])}")
    print("\nverdicts: " + ", ".join(f"{cost.state} (p = {cost.p_value})" for cost in costs[:5]))
    if len(costs) > 10:
        print(
            "\nCPU seconds of windows: " + ", ".join(f"{c.number}: {c.total:.2f}" for c in costs[:: len(costs) // 10])
        )


def _line(name: str, values: list[float]) -> str:
    return f"{name:<28}{median(values):8.3f}{min(values):8.3f}{max(values):8.3f}"


def _mirrored(images: "np.typing.NDArray[np.uint8]", number: int) -> "np.typing.NDArray[np.uint8]":
    half = np.random.default_rng(number).random(len(images)) < 1 / 2
    return np.where(half[:, None, None, None], images[:, :, ::-1], images)


if __name__ == "__main__":
    main()
