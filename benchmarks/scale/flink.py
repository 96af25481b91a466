"""What components take on a Flink cluster: processor time of the component, of Beam's workers and of Flink's own.

    python -m benchmarks.scale.flink --images 200000 describe convert estimate score evaluate

A job manager and two task managers are started as processes of this machine, as in `make test-flink`, with Python
workers in processes of their own. What a stage is charged with is all that these take from its beginning to its end,
the workers' imports among it.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.processor_time import times
from benchmarks.scale.made import data_for
from tests.support.flink import jars
from tests.support.flink.cluster import Cluster, flink_cluster, process_workers

STAGES = ("describe", "convert", "estimate", "score", "evaluate")
# TFMA's combiners and cloudpickle do not go together (docs/traps.md)
_FOR = {"evaluate": ["--pickle_library=dill"]}


class _Cpu(NamedTuple):
    """Seconds of processor time."""

    workers: float
    flink: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=STAGES)
    parser.add_argument("--images", type=int, default=200_000)
    told = parser.parse_args()
    fetched = jars.fetch()
    for stage in told.stages:
        data = data_for(stage, told.images, 1)
        with tempfile.TemporaryDirectory() as folder, flink_cluster(Path(folder), fetched) as cluster:
            options = [*cluster.beam_args(*process_workers(Path(folder))), *_FOR.get(stage, ())]
            print(json.dumps(_measured(stage, data, told.images, options, cluster)), flush=True)


def _measured(stage: str, data: Path, images: int, options: Sequence[str], cluster: Cluster) -> dict[str, object]:
    before = _cpu(cluster)
    command = [sys.executable, "-m", "benchmarks.scale.measured", stage, str(data), str(images), "local", *options]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=quiet, check=True, stdout=subprocess.PIPE, text=True)
    component = json.loads(done.stdout.splitlines()[-1])
    after = _cpu(cluster)
    return {
        "stage": stage,
        "images": images,
        "component_cpu_s": component["cpu_s"],
        "workers_cpu_s": round(after.workers - before.workers, 1),
        "flink_cpu_s": round(after.flink - before.flink, 1),
        "elapsed_s": component["elapsed_s"],
        "restarts": cluster.restarts(),  # where there are any, work was done twice
    }


def _cpu(cluster: Cluster) -> _Cpu:
    """What the cluster has taken so far. A worker that has ended counts as a child that was waited for."""
    own = workers = 0.0
    for process in (cluster.job_manager, *cluster.task_managers):
        taken, waited = times(process.pid)
        own += taken
        workers += waited + sum(sum(times(child)) for child in _below(process.pid))
    return _Cpu(workers, own)


def _below(pid: int) -> list[int]:
    """The living descendants of a process."""
    found = [pid]
    parents = dict(_parents())
    for each in found:  # which grows
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def _parents() -> Iterator[tuple[int, int]]:
    """Every process with its parent."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
