"""A table that any output can be made of."""

from dataclasses import dataclass
from typing import Any

from components.common.artifacts.files import Artifact

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """Rows of cells under names; a cell of None is empty. `problem` stands for a table that could not be read."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    problem: str = ""

    def to_record(self) -> dict[str, Any]:
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True)
class Opened:
    """What was found in an artifact's files, and a sentence for each that could not be read."""

    artifact: Artifact
    tables: tuple[Table, ...]
    problems: tuple[str, ...]
