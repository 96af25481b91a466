"""How far the label-free estimates of accuracy are from the truth, over corruptions and severities."""

from pathlib import Path
from typing import Any

import numpy as np

from components.performance_estimator.accuracy_estimation import ESTIMATORS, HeldOut, estimate

from . import results
from .data import read_labels, table_path
from .draws import candidates_needed, generator, split, window
from .suites import CLEAN, NULL, Shift, severity_shifts
from .table import Table
from .trials import available

PART = "accuracy"
WINDOW = 2000
HELD_OUT = 5000
DRAWS = 2  # windows of each corruption and severity
_RESAMPLES = 20  # the fewest: intervals are not what is measured


def run(cache: Path, results_file: Path) -> None:
    """One record for each shift, estimator and window that is not there yet."""
    done, _ = results.read_all(cache)
    for shift in [NULL, *severity_shifts()]:
        unit = f"{PART} {shift.name} {','.join(ESTIMATORS)}"
        if unit in done:
            continue
        records = [_measure(cache, shift, draw) for draw in range(DRAWS)]
        results.append(results_file, unit, _records(unit, shift, records))
        print(f"{unit.split(',', maxsplit=1)[0]}: accuracy {records[0]['truth']:.3f}", flush=True)


def _measure(cache: Path, shift: Shift, draw: int) -> dict[str, float]:
    """The true accuracy of a window as `truth`, and what each estimator says of it."""
    clean, labels = Table.read(table_path(cache, CLEAN)), read_labels(cache)
    table = Table.read(table_path(cache, shift.variant))
    needed, among = candidates_needed(shift, WINDOW), available(shift, len(clean))
    chosen, rest = split(generator(PART, draw, needed), len(clean), candidates=needed, among=among, reference=HELD_OUT)
    drawn = window(shift, chosen, labels, WINDOW, generator(PART, draw, shift.name))
    seen = clean.mixed(drawn.rows, table, drawn.shifted)
    known = HeldOut(clean.softmax[rest], labels[rest], clean.looks[rest])
    found = {
        name: estimate(name, known, seen.softmax, features=seen.looks, resamples=_RESAMPLES).value
        for name in ESTIMATORS
    }
    return {"truth": float(np.mean(seen.classes == labels[drawn.rows])), **found}


def _records(unit: str, shift: Shift, found: list[dict[str, float]]) -> list[dict[str, Any]]:
    truth = [each["truth"] for each in found]
    return [
        {
            "unit": unit,
            "part": PART,
            "size": WINDOW,
            "shift": shift.name,
            "method": name,
            "truth": truth,
            "estimates": [each[name] for each in found],
        }
        for name in ESTIMATORS
    ]
