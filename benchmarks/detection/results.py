"""Results on disk: a line a record, whole units only, so that a killed run goes on where it stopped."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]
_DONE = "done"


def append(path: Path, unit: str, records: Iterable[Record]) -> None:
    """Adds a unit's records and, last of all, that it is done."""
    lines = [json.dumps(record) for record in records] + [json.dumps({_DONE: unit})]
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * torn + "\n".join(lines) + "\n")


def read(*paths: Path) -> tuple[set[str], list[Record]]:
    """The units that are done, and their records. What a killed run left of a unit does not count.

    A unit that two processes have run is there once.
    """
    done: set[str] = set()
    seen: dict[tuple[Any, ...], Record] = {}
    for path in paths:
        lines = list(_lines(path)) if path.exists() else []
        ended = {line[_DONE] for line in lines if _DONE in line} - done
        for line in lines:
            if line.get("unit") in ended:
                seen[tuple(line.get(name) for name in ("unit", "size", "shift", "method"))] = line
        done |= ended
    return done, list(seen.values())


def read_all(folder: Path) -> tuple[set[str], list[Record]]:
    """The same of every file of results in the folder."""
    return read(*sorted(folder.glob("*.jsonl")))


def _lines(path: Path) -> Iterable[Record]:
    for text in path.read_text().splitlines():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            continue  # cut short when the run was killed: its unit has no end either, and is run again
