"""The smallest window at which a method finds a corruption: sizes upwards until its power passes 0.9."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import trials
from .plan import PARTS, Unit

PART = "severity"
ENOUGH = 0.9


@dataclass(frozen=True)
class SeverityUnit(Unit):
    """A unit of one shift whose `size` is the largest; `limits` has (method, n, score an alarm must exceed)."""

    limits: tuple[tuple[str, int, float], ...] = field(default=(), repr=False)


def is_severity(part: str) -> bool:
    return part == PART


def severity_units(part: str, count: int, limits: Mapping[tuple[str, int], float]) -> list[Unit]:
    """A unit for each shift and group of methods."""
    plan = PARTS[part]
    flat = tuple((method, size, limit) for (method, size), limit in sorted(limits.items()))
    return [
        SeverityUnit(part, plan.reference, max(plan.sizes), 0, count or plan.trials, methods, (shift,), flat)
        for methods in plan.methods
        for shift in plan.shifts()
    ]


def run_severity(unit: Unit, cache: Path) -> list[trials.Record]:
    """Records of each size up to the one at which every method has found enough."""
    limits = {(method, size): limit for method, size, limit in getattr(unit, "limits", ())}
    found: list[trials.Record] = []
    searching = unit.methods
    for size in PARTS[unit.part].sizes:
        if not searching:
            break
        part = Unit(unit.part, unit.reference, size, unit.first, unit.trials, searching, unit.shifts)
        records = [_decided(record, limits) for record in trials.run(part, cache)]
        found += [trials.Record(**{**record.as_json(), "unit": unit.key}) for record in records]  # type: ignore[arg-type]
        strong = {r.method for r in records if sum(map(bool, r.alarms)) >= ENOUGH * len(r.alarms)}
        searching = tuple(method for method in searching if method not in strong)
    return found


def _decided(record: trials.Record, limits: Mapping[tuple[str, int], float]) -> trials.Record:
    """A method without a rule of its own is given the measured threshold."""
    if all(alarm is not None for alarm in record.alarms):
        return record
    limit = limits[record.method, record.size]
    return trials.Record(**{**record.as_json(), "alarms": [score > limit for score in record.scores]})  # type: ignore[arg-type]
