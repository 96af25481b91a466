"""How long the monitor goes without a false alarm, and how soon it notices a slow drift.

    python -m benchmarks.live.run_lengths --quick     # the embedded sample, a minute, with assertions
    python -m benchmarks.live.run_lengths --data data/cifar10 --model runs-full/serving/VERSION

The second measures the held-out images of full CIFAR-10 as `python -m benchmarks.detection data` does (which of its
tables are there is kept) and puts what it finds into docs/live_benchmark.md. Parts that are in the cache are not run
again.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.detection import data, suites
from benchmarks.detection.one_baseline import Population
from benchmarks.detection.pool import held_out, trainer_settings
from benchmarks.detection.quick import quick_model
from benchmarks.detection.table import Table, measure
from benchmarks.detection.tables import put
from model_monitor.traffic import shifts

from . import clean_windows, delays, harm, run_length_tables

PAGE = Path("docs/live_benchmark.md")
RESULTS = "run_lengths.json"
VARIANTS = [suites.CLEAN, *(suites.variant(name, suites.NINE_SEVERITY) for name in suites.NINE)]
SAMPLE = Path("data/cifar10_sample")
QUICK_SHIFT = ("gaussian_blur", 3)
QUICK_DELAYS = delays.Plan(100, 400, baselines=4, paths=4, length=60, null_pairs=(10, 200))
QUICK_HARM = harm.Plan(100, 300, paths=1, length=20, clean_paths=1, clean_length=20)


def run(cache: Path) -> dict[str, Any]:
    """Every part, those of the cache as they are."""
    clean, labels = Table.read(data.table_path(cache, suites.CLEAN)), data.read_labels(cache)
    paths = {name: data.table_path(cache, suites.variant(name, suites.NINE_SEVERITY)) for name in suites.NINE}
    shifted = {name: Table.read(path) for name, path in paths.items()}
    parts: dict[str, Callable[[], Any]] = {
        "clean": lambda: clean_parts(clean),
        "delays": lambda: delays.measure(clean, shifted, delays.Plan()),
        "small": lambda: delays.measure(clean, {name: shifted[name] for name in delays.SLOW}, delays.SMALL),
        "harm": lambda: harm.measure(clean, labels, shifted, harm.Plan()),
    }
    path = cache / RESULTS
    found = json.loads(path.read_text()) if path.exists() else {}
    for name, part in parts.items():
        if name not in found:
            found[name] = part()
            path.write_text(json.dumps(found, indent=1))
            print(f"{name}: done", flush=True)
    return dict(found)


def clean_parts(clean: Table) -> list[dict[str, Any]]:
    """The run lengths without a drift of every pair of sizes."""
    population, found = Population(clean), []
    for size, reference in clean_windows.CELLS:
        scores = clean_windows.scores_of(
            population, size, reference, baselines=clean_windows.BASELINES, windows=clean_windows.WINDOWS
        )
        found.append(clean_windows.measure(scores, size, reference))
        print(f"n = {size}, N = {reference}: {found[-1]['stated']}", flush=True)
    return found


def quick(folder: Path) -> dict[str, Any]:
    """Every part in short, on the embedded sample and a classifier made on the spot."""
    clean, model, rest = quick_model(held_out(folder, trainer_settings("sample")))
    name, severity = QUICK_SHIFT
    images = shifts.apply(name, rest.images, rest.labels, severity=severity, seed=1).images
    shifted = {name: measure(images, *model.predict(images), clean.untrained)}
    scores = clean_windows.scores_of(Population(clean), 100, 400, baselines=30, windows=200)
    return {
        "clean": clean_windows.measure(scores, 100, 400, runs=20),
        "delays": delays.measure(
            clean, shifted, delays.Plan(100, 400, baselines=4, paths=4, length=60, null_pairs=(10, 200))
        ),
        "harm": harm.measure(
            clean, rest.labels, shifted, harm.Plan(100, 300, paths=1, length=20, clean_paths=1, clean_length=20)
        ),
    }


def broken(found: dict[str, Any]) -> list[str]:
    """Which promises the quick run does not see kept."""
    ours, plain = (found["clean"]["short"]["real"][name] for name in ("ours", "plain"))
    drift = found["delays"][QUICK_SHIFT[0]]
    rules = {
        "the worst twentieth of baselines keeps the run length": ours["twentieth"] > 0.8,
        "a CUSUM that takes baselines for exact does not": plain["twentieth"] < 0.6,
        "a slow drift is found": drift["together"] < 50,
        "no accuracy is lost in clean windows": all(found["harm"]["none"][0][name] is None for name in harm.METHODS),
    }
    return [rule for rule, kept in rules.items() if not kept]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live.run_lengths", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="the embedded sample alone")
    parser.add_argument("--cache", type=Path, default=Path("build/bench"), help="tables and results")
    parser.add_argument("--data", type=Path, default=Path("data/cifar10"), help="folder of CIFAR-10 binary files")
    parser.add_argument("--model", type=Path, help="folder of a pushed version, for tables that are not there yet")
    given = parser.parse_args()
    if given.quick:
        found = quick(SAMPLE)
        print(json.dumps(found, indent=1))
        if rules := broken(found):
            raise SystemExit("It does not hold that " + "; ".join(rules))
        return
    if given.model:
        data.fill(given.cache, given.data, "full", given.model, VARIANTS)
    found = run(given.cache)
    put(PAGE, lambda name: run_length_tables.TABLES[name](found))


if __name__ == "__main__":
    main()
