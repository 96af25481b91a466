"""One component over data that was made, in this process: COMPONENT FOLDER IMAGES BEAM_RUNNER [BEAM_OPTION ...]."""

import json
import resource
import shutil
import sys
import time
from pathlib import Path

from benchmarks.scale.calls import CALLS
from benchmarks.scale.made import KEPT
from pipelines.beam_runners import beam_options


def main(component: str, data: str, images: str, runner: str, *beam_args: str) -> None:
    output = KEPT / "output"
    shutil.rmtree(output, ignore_errors=True)
    run = CALLS[component](Path(data), output, list(beam_options(runner, beam_args)))  # type: ignore[arg-type]
    cpu, memory, began = _cpu(), _peak(), time.monotonic()
    run()
    took = _cpu() - cpu
    record = {
        "component": component,
        "data": Path(data).name,
        "beam_runner": runner,
        "cpu_s": round(took, 1),
        "images_a_cpu_s": round(int(images) / took),
        "elapsed_s": round(time.monotonic() - began, 1),
        "imports_mb": memory,
        "peak_mb": _peak(),
    }
    print(json.dumps(record))


def _cpu() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _peak() -> int:
    """Megabytes of the largest of them."""
    # `ru_maxrss` of this process counts the memory of the one that started it, too
    told = Path("/proc/self/status").read_text().splitlines()
    (own,) = (int(line.split()[1]) for line in told if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024 // 10**6


if __name__ == "__main__":
    main(*sys.argv[1:])
