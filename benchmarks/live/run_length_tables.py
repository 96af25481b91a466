"""What `run_lengths` found, as the tables of docs/live_benchmark.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.detection.tables import markdown

from . import harm
from .candidates import CANDIDATES
from .chains import OURS, PLAIN, SINGLE, TOGETHER
from .delays import NOMINAL, SMALL, Plan

Found = Mapping[str, Any]
_TESTS = {
    PLAIN: "CUSUM, baseline taken for exact",
    OURS: "**CUSUM**",
    SINGLE: "single window",
    TOGETHER: "**together**",
}
_CANDIDATES = [candidate.name for candidate in CANDIDATES]
_SUMMARY = ("mean", "median", "twentieth", "worst")


def _multiples(summary: Mapping[str, float]) -> str:
    return " / ".join(f"{summary[name]:.2f}" for name in _SUMMARY)


def run_lengths(found: Found) -> str:
    """Mean run lengths without a drift, as multiples of what was stated."""
    rows = [
        [f"{cell['size']:,} / {cell['reference']:,}", *(_multiples(cell["stated"][name]) for name in _TESTS)]
        for cell in found["clean"]
    ]
    return markdown(["n / N", *_TESTS.values()], rows)


def run_lengths_check(found: Found) -> str:
    """The same for a short budget, by real windows and by the fit."""
    rows = [
        [f"{cell['size']:,} / {cell['reference']:,}", kind, *(_multiples(cell["short"][kind][name]) for name in _TESTS)]
        for cell in found["clean"]
        for kind in ("real", "fitted")
    ]
    return markdown(["n / N", "windows", *_TESTS.values()], rows)


def delays(found: Found) -> str:
    """Windows to the alarm by shift, the soonest found first."""
    return _delays(found["delays"], Plan.length)


def small_drifts(found: Found) -> str:
    """The same of drifts that stay small."""
    return _delays(found["small"], SMALL.length)


def _delays(by_shift: Mapping[str, Mapping[str, float]], length: int) -> str:
    ordered = sorted(by_shift.items(), key=lambda item: item[1][NOMINAL])
    names = [name for name in ordered[0][1] if name not in _CANDIDATES]
    rows = [[shift, *(_delay(delay[name], length) for name in names)] for shift, delay in ordered]
    means = ["mean", *(_delay(float(np.mean([delay[name] for _, delay in ordered])), length) for name in names)]
    return markdown(["shift", *names], [*rows, means])


def _delay(windows: float, length: int) -> str:
    return f"> {length}" if windows > length else f"{windows:.1f}"


def harm_over_time(found: Found) -> str:
    """By shift, when harm begins and when each method rings: the mean, and of how many paths."""
    rows = [_harm_row(shift, paths) for shift, paths in found["harm"].items()]
    return markdown(["shift", "lost in the end", "more than 5 points lost from", *harm.METHODS], rows)


def _harm_row(shift: str, paths: Sequence[Mapping[str, Any]]) -> list[str]:
    begins = paths[0]["harm"]
    lost = f"{100 * float(np.mean([path['lost'] for path in paths])):.1f}"
    rung = [[path[name] for path in paths if path[name] is not None] for name in harm.METHODS]
    cells = [f"{np.mean(each):.0f} ({len(each)} of {len(paths)})" if each else f"never ({len(paths)})" for each in rung]
    return [shift, lost, "never" if begins is None else str(begins), *cells]


def candidates(found: Found) -> str:
    """Windows to the alarm by candidate: the mean over shifts, and that of the soonest and the latest found."""
    rows = []
    for name in _CANDIDATES:
        by_shift = [delay[name] for delay in found["delays"].values()]
        rows.append([name, *(f"{each:.1f}" for each in (np.mean(by_shift), min(by_shift), max(by_shift)))])
    return markdown(["sequential test", "mean", "soonest shift", "latest shift"], rows)


TABLES: Mapping[str, Callable[[Found], str]] = {
    "run_lengths": run_lengths,
    "run_lengths_check": run_lengths_check,
    "delays": delays,
    "small_drifts": small_drifts,
    "harm_over_time": harm_over_time,
    "candidates": candidates,
}
