"""Runs the units that are not done yet, in processes of one thread each."""

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from . import results
from .plan import PARTS, Unit
from .rates import interval
from .severity import is_severity, run_severity, severity_units
from .thresholds import null_thresholds
from .trials import Record, run

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_WAITING = 4  # units handed to the processes ahead of time


def run_part(  # noqa: PLR0913 - what, where, and how much of it
    name: str, cache: Path, results_file: Path, *, trials: int = 0, jobs: int = 1, methods: Sequence[str] = ()
) -> None:
    """Runs what is missing of a part.

    Args:
      name: of `PARTS`.
      cache: with the tables of the data step.
      results_file: is added to; what any file in the cache has is not run again.
      trials: 0 for the part's own number.
      jobs: processes.
      methods: only units that run one of these; all where empty.

    """
    done, records = results.read_all(cache)
    units = _units(name, trials, records)
    wanted = [unit for unit in units if not methods or set(methods) & set(unit.methods)]
    missing = [unit for unit in wanted if unit.key not in done]
    print(f"{name}: {len(wanted) - len(missing)} of {len(wanted)} units are there", flush=True)
    start = time.perf_counter()
    for number, (unit, found) in enumerate(_in_processes(missing, cache, jobs), 1):
        results.append(results_file, unit.key, [record.as_json() for record in found])
        left = (time.perf_counter() - start) / number * (len(missing) - number) / 60
        print(f"{name} {number}/{len(missing)}, {left:.0f} min left: {_summary(unit, found)}", flush=True)


def _units(name: str, trials: int, records: Sequence[results.Record]) -> list[Unit]:
    if is_severity(name):
        return severity_units(name, trials, null_thresholds(records))
    return PARTS[name].units(name, trials)


def execute(unit: Unit, cache: Path) -> list[Record]:
    """One unit, of whatever kind."""
    return run_severity(unit, cache) if is_severity(unit.part) else run(unit, cache)


def _in_processes(units: Sequence[Unit], cache: Path, jobs: int) -> Iterator[tuple[Unit, list[Record]]]:
    """Yields (unit, records) as units end."""
    if jobs == 1:
        for unit in units:
            yield unit, execute(unit, cache)
        return
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # read by the libraries when the processes load them
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running: dict[Future[list[Record]], Unit] = {}
        remaining = iter(units)
        while True:
            for unit in remaining:
                running[pool.submit(execute, unit, cache)] = unit
                if len(running) >= jobs + _WAITING:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def _summary(unit: Unit, found: Sequence[Record]) -> str:
    """What the unit says, in a few words: each method's share of alarms over all its trials."""
    words = [f"n={unit.size}"]
    for method in unit.methods:
        alarms = [a for r in found if r.method == method for a in r.alarms if a is not None]
        if alarms:
            low, high = interval(sum(alarms), len(alarms))
            words.append(f"{method} {sum(alarms) / len(alarms):.3f} ({low:.3f}-{high:.3f})")
    return " ".join(words)
