"""What it costs to read the nodes of a run out of ML Metadata, as the store grows.

    python -m benchmarks.live.look_ups [--runs 0 1000 10000] [--times 20]

A store has one run of seven nodes, as our runner notes them, and as many copies of it. What each execution is of is
told by the run's own contexts, and by the same run without them asked by the executions, as of runs of other runners:
by turns, in milliseconds of the processor, the median of the times.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

from benchmarks.live.grown_store import grow
from model_monitor.reading.owners import owners_in, owners_of
from model_monitor.reading.run_store import Run, open_store, runs
from tests.support.metadata_store import StoreWriter

PIPELINE, RUN = "monitoring", "2026-11-28T00:00:00.000000"
NODES = ("BaselineImporter", "PreviousStatistics", "ServingLogExampleGen", "ImageStatisticsGen", "PerformanceEstimator",
         "SkewDriftValidator", "ValidationReport")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[0, 1_000, 10_000], help="copies: %(default)s")
    parser.add_argument("--times", type=int, default=20, help="%(default)s")
    options = parser.parse_args()
    print(
        "| earlier runs | told by the run | asked by executions | all nodes of the run | a run, when all are listed |"
    )
    print("|---|---|---|---|---|")
    for earlier in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "metadata.sqlite"
            write(path)
            grow(path, earlier)
            cells = " | ".join(f"{each:.2f}" for each in measured(path, options.times))
            print(f"| {earlier:,} | {cells} |", flush=True)


def write(path: Path) -> None:
    """A store with one run, each of whose nodes takes what the one before made."""
    writer = StoreWriter(path)
    run = writer.pipeline_run(PIPELINE, RUN)
    made: dict[str, list[mlmd.Artifact]] = {}
    for name in NODES:
        outputs = {"output": [writer.artifact("Examples", f"/artifacts/{name}/{RUN}")]}
        made = run.node(name, f"components.{name}", inputs=made, outputs=outputs)
    run.give_contexts(NODES)
    run.note_nodes(json.dumps(NODES))


def measured(path: Path, times: int) -> list[float]:
    """Milliseconds of the four ways to ask."""
    store = open_store(path)
    context = store.get_context_by_type_and_name("pipeline_run", RUN)
    executions = store.get_executions_by_context(context.id)
    told = owners_in(store, PIPELINE, context, executions)
    if told != owners_of(store, executions):
        raise SystemExit("The run and its executions tell of different nodes")
    there = list(runs(store, PIPELINE))
    ways: list[Callable[[], object]] = [
        lambda: owners_in(store, PIPELINE, context, executions),
        lambda: owners_of(store, executions),
        lambda: Run(store, PIPELINE, RUN).nodes,
    ]
    taken = [[milliseconds(way) for way in ways] for _ in range(times)]
    listed = milliseconds(lambda: [run.nodes for run in there]) / len(there)
    return [*(statistics.median(column) for column in zip(*taken, strict=True)), listed]


def milliseconds(question: Callable[[], object]) -> float:
    began = time.process_time()
    question()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
