"""How often the two-sample core raises the alarm where nothing has changed.

    python -m benchmarks.two_sample_rates null --size 100 --reference 2000          # compare: the whole window
    python -m benchmarks.two_sample_rates thresholds --size 100 --reference 2000    # thresholds from the baseline alone
    python -m benchmarks.two_sample_rates repeated --size 200 --reference 2000      # each image logged --copies times

Needs the tables that `python -m benchmarks.detection data` makes. Every trial draws reference and window afresh and
disjoint from the held-out images. Printed are the rates at nominal 1 % and 5 %, each with Wilson's 95 % interval.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.detection.data import table_path
from benchmarks.detection.suites import CLEAN
from benchmarks.detection.table import Table, monitored_features
from components.common.proportion import Proportion
from components.common.two_sample.comparison import Rows, compare, thresholds

RATES = (0.01, 0.05)
Integers = npt.NDArray[np.int64]


def rows_of(table: Table, chosen: Integers) -> Rows:
    return Rows(table.values[chosen], table.classes[chosen])


def null_alarms(table: Table, arguments: argparse.Namespace, trial: int) -> list[bool]:
    """Of a window of images that were drawn like the reference's."""
    rows = np.random.default_rng([trial, arguments.size]).permutation(len(table))
    window, reference = rows[: arguments.size], rows[arguments.size :][: arguments.reference]
    return _judged(rows_of(table, reference), rows_of(table, window), arguments.permutations, trial)


def repeated_alarms(table: Table, arguments: argparse.Namespace, trial: int) -> list[bool]:
    """Of a window in which every image is there several times, as from a client that tries again."""
    rows = np.random.default_rng([trial, arguments.size]).permutation(len(table))
    distinct = arguments.size // arguments.copies
    window, reference = np.repeat(rows[:distinct], arguments.copies), rows[distinct:][: arguments.reference]
    return _judged(rows_of(table, reference), rows_of(table, window), arguments.permutations, trial)


def threshold_alarms(table: Table, arguments: argparse.Namespace, trial: int) -> list[bool]:
    """Of Jensen-Shannon and L-infinity, held against thresholds that do not know the window."""
    rows = np.random.default_rng([trial, arguments.size]).permutation(len(table))
    window, reference = rows[: arguments.size], rows[arguments.size :][: arguments.reference]
    known, features = rows_of(table, reference), monitored_features()
    measured = {
        (check.test, check.feature): check.measured
        for check in compare(features, known, rows_of(table, window), permutations=1).checks
    }
    settings = {"window_size": arguments.size, "permutations": arguments.permutations, "seed": trial}
    found = [thresholds(features, known, false_alarm_rate=rate, **settings) for rate in RATES]
    return [any(measured[key] > limit for key, limit in limits.items()) for limits in found]


def _judged(reference: Rows, window: Rows, permutations: int, seed: int) -> list[bool]:
    p_value = compare(monitored_features(), reference, window, permutations=permutations, seed=seed).p_value
    return [p_value <= rate for rate in RATES]


MEASURES: Mapping[str, Callable[[Table, argparse.Namespace, int], list[bool]]] = {
    "null": null_alarms,
    "thresholds": threshold_alarms,
    "repeated": repeated_alarms,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=list(MEASURES))
    parser.add_argument("--cache", type=Path, default=Path("build/bench"))
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--reference", type=int, default=2000)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--permutations", type=int, default=199)
    arguments = parser.parse_args()
    table = Table.read(table_path(arguments.cache, CLEAN))
    alarms = [MEASURES[arguments.measure](table, arguments, trial) for trial in range(arguments.trials)]
    for rate, count in zip(RATES, np.sum(alarms, axis=0).tolist(), strict=True):
        rate_of = Proportion.of(count, arguments.trials)
        what = f"{arguments.measure}, n = {arguments.size}, reference {arguments.reference}, {arguments.trials} windows"
        print(f"{what}, nominal {rate:.0%}: {rate_of.value:.2%} ({rate_of.low:.2%} to {rate_of.high:.2%})", flush=True)


if __name__ == "__main__":
    main()
