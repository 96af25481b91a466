"""Runs a unit: draws references and windows and asks the methods."""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from .data import CORRUPTED_ROWS, read_labels, table_path
from .draws import Integers, candidates_needed, generator, split, window
from .methods import Verdict, prepare
from .plan import PAIRED, SAME_DRAWS, Unit
from .suites import CLEAN, Shift
from .table import Table


@dataclass(frozen=True)
class Record:
    """The verdicts of one method on one shift, a trial an entry. `alarms` holds None for a method without a rule."""

    unit: str
    part: str
    reference: int
    size: int
    shift: str
    method: str
    scores: list[float]
    alarms: list[bool | None]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def run(unit: Unit, cache: Path) -> list[Record]:
    """All records of a unit."""
    verdicts: dict[tuple[str, str], list[Verdict]] = {}
    for trial in range(unit.first, unit.first + unit.trials):
        for shift, method, verdict in _trial(unit, trial, cache):
            verdicts.setdefault((shift, method), []).append(verdict)
    return [_record(unit, shift, method, found) for (shift, method), found in verdicts.items()]


def _record(unit: Unit, shift: str, method: str, found: list[Verdict]) -> Record:
    scores, alarms = [each.score for each in found], [each.alarm for each in found]
    return Record(unit.key, unit.part, unit.reference, unit.size, shift, method, scores, alarms)


def _trial(unit: Unit, trial: int, cache: Path) -> Iterator[tuple[str, str, Verdict]]:
    clean = _table(cache, CLEAN)

    def needs(shift: Shift) -> tuple[int, int, str]:
        # a small reference is half of the luck: shifts do not share it
        own = shift.name if unit.reference == PAIRED else ""
        return candidates_needed(shift, unit.size), available(shift, len(clean)), own

    for (candidates, among, own), shifts in itertools.groupby(sorted(unit.shifts, key=needs), needs):
        key = (SAME_DRAWS.get(unit.part, unit.part), unit.size, trial)
        rng = generator(*key, candidates, among, own)
        chosen, rest = split(rng, len(clean), candidates=candidates, among=among, reference=_reference_size(unit))
        reference = clean.take(rest)
        judges = {method: prepare(method, reference) for method in unit.methods}
        for shift in shifts:
            table = _window(cache, shift, chosen, unit.size, generator(*key, shift.name))
            seed = int(generator(*key, shift.name, "seed").integers(1 << 31))
            for method, judge in judges.items():
                yield shift.name, method, judge(table, seed)


def _window(cache: Path, shift: Shift, chosen: Integers, size: int, rng: np.random.Generator) -> Table:
    drawn = window(shift, chosen, _labels(cache), size, rng)
    return _table(cache, CLEAN).mixed(drawn.rows, _table(cache, shift.variant), drawn.shifted)


def _reference_size(unit: Unit) -> int:
    return unit.size if unit.reference == PAIRED else unit.reference


def available(shift: Shift, pool: int) -> int:
    """How many of the first rows the shift's table has."""
    return min(pool, CORRUPTED_ROWS) if "-" in shift.variant else pool


@lru_cache(maxsize=12)
def _table(cache: Path, variant: str) -> Table:
    return Table.read(table_path(cache, variant))


@lru_cache(maxsize=1)
def _labels(cache: Path) -> Integers:
    return read_labels(cache)
