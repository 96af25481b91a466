# ruff: noqa: S608 - ids and names are this module's own
"""A store of ML Metadata as it is after many more windows: copies of a run's records, written by SQL."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

Ids = Mapping[int, int]
_COPIED = {  # columns that hold ids, by table; the rest is copied as it is
    "Execution": {"id": "Execution"},
    "ExecutionProperty": {"execution_id": "Execution"},
    "Context": {"id": "Context"},
    "ContextProperty": {"context_id": "Context"},
    "ParentContext": {"context_id": "Context"},
    "Association": {"context_id": "Context", "execution_id": "Execution"},
    "Artifact": {"id": "Artifact"},
    "ArtifactProperty": {"artifact_id": "Artifact"},
    "Attribution": {"context_id": "Context", "artifact_id": "Artifact"},
    "Event": {"artifact_id": "Artifact", "execution_id": "Execution"},
}
_OWN_ID = ("Association", "Attribution", "Event")  # numbered anew


def grow(metadata: Path, runs: int) -> None:
    """Adds `runs` copies of the newest run: executions, their properties, events and contexts, and what they made.

    What runs share stays shared: the pipeline's and the nodes' contexts, those of cached results, and what was cached.
    """
    with closing(sqlite3.connect(metadata)) as database, database:
        run = _newest(database)
        own = _own(database, run)
        rows = {table: _rows(database, table, own) for table in _COPIED}  # once: not all are found by an index
        paths = {row["id"]: _paths(database, row["id"]) for row in rows["Event"]}
        (name,) = database.execute(f"SELECT name FROM Context WHERE id = {run}").fetchone()
        for number in range(runs):
            _copy(database, own, rows, paths, (name, number))


def _newest(database: sqlite3.Connection) -> int:
    """The id of the newest run."""
    (run,) = database.execute(
        "SELECT max(c.id) FROM Context c JOIN Type t ON t.id = c.type_id WHERE t.name = 'pipeline_run'"
    ).fetchone()
    return int(run)


def _own(database: sqlite3.Connection, run: int) -> dict[str, list[int]]:
    """The ids of what belongs to a run alone, by table."""
    executions = _column(database, f"SELECT execution_id FROM Association WHERE context_id = {run}")
    of_run = _listed(executions)
    contexts = _column(
        database,
        f"SELECT context_id FROM Association GROUP BY context_id HAVING min(execution_id IN ({of_run})) = 1",
    )
    artifacts = _column(
        database,
        "SELECT artifact_id FROM Event WHERE type IN (2, 4, 7) GROUP BY artifact_id "
        f"HAVING min(execution_id IN ({of_run})) = 1",
    )
    return {"Execution": executions, "Context": contexts, "Artifact": artifacts}


def _rows(database: sqlite3.Connection, table: str, own: dict[str, list[int]]) -> list[dict[str, Any]]:
    columns = _COPIED[table]
    key = list(columns)[-1] if table in _OWN_ID else next(iter(columns))
    found = database.execute(f"SELECT * FROM {table} WHERE {key} IN ({_listed(own[columns[key]])})")
    names = [each[0] for each in found.description]
    return [dict(zip(names, values, strict=True)) for values in found]


def _paths(database: sqlite3.Connection, event: int) -> list[tuple[Any, ...]]:
    query = f"SELECT is_index_step, step_index, step_key FROM EventPath WHERE event_id = {event}"
    return list(database.execute(query))


def _copy(
    database: sqlite3.Connection,
    own: dict[str, list[int]],
    rows: dict[str, list[dict[str, Any]]],
    paths: dict[int, list[tuple[Any, ...]]],
    copied: tuple[str, int],
) -> None:
    """Adds one copy; `copied` are the name of the run and the number of the copy."""
    ids: dict[str, Ids] = {}
    for table, known in own.items():
        (last,) = database.execute(f"SELECT max(id) FROM {table}").fetchone()
        ids[table] = {old: last + place + 1 for place, old in enumerate(known)}
    for table, columns in _COPIED.items():
        for row in rows[table]:
            copy = {name: value for name, value in row.items() if table not in _OWN_ID or name != "id"}
            copy |= {column: ids[of].get(row[column], row[column]) for column, of in columns.items()}
            copy |= {name: _renamed(row[name], *copied) for name in ("name", "uri") if table in own and row.get(name)}
            marks = ", ".join("?" * len(copy))
            added = database.execute(f"INSERT INTO {table} ({', '.join(copy)}) VALUES ({marks})", list(copy.values()))
            if table == "Event":
                steps = [(added.lastrowid, *path) for path in paths[row["id"]]]
                database.executemany("INSERT INTO EventPath VALUES (?, ?, ?, ?)", steps)


def _renamed(name: str, run: str, number: int) -> str:
    """Of a copy; the contexts of the nodes of a run have its name in theirs."""
    return name.replace(run, f"{run}-{number}") if run in name else f"{name}-{number}"


def _column(database: sqlite3.Connection, query: str) -> list[int]:
    return [row[0] for row in database.execute(query)]


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids))
