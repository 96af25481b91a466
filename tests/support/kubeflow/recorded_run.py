"""A run of kfp.local, which records nothing, written into ML Metadata as Kubeflow Pipelines would have written it.

So that what the tool says of runs on a cluster can be asked of it: `model-monitor why --store ...`.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .containers import LocalRun
from .resolving import run_parameters
from .walk import Json, Run, Started, Task, Walk

_BEGAN = """UPDATE Execution SET create_time_since_epoch = last_update_time_since_epoch - ? WHERE id =
  (SELECT max(execution_id) FROM ExecutionProperty WHERE name = 'task_name' AND string_value = ?)"""


def record(text: str, ran: LocalRun, folder: Path, parameters: Mapping[str, Any] | None = None) -> Path:
    """Records a run that has ended.

    Args:
      text: the compiled pipeline.
      ran: the run.
      folder: where the database is, which is made where it is not there.
      parameters: of the run.

    Returns:
      The database.

    """
    walk = Walk(text, folder)
    started = _Ran(walk, walk.spec, run_parameters(walk.spec, parameters or {}), Run(walk, ran.place.name), ran=ran)
    started.walk()
    _say_seconds(walk.metadata, ran.seconds)
    return walk.metadata


def _say_seconds(metadata: Path, seconds: Mapping[str, float]) -> None:
    """Of the newest execution of each task, when it would have begun: what is recorded here is recorded at the end."""
    with contextlib.closing(sqlite3.connect(metadata)) as database, database:
        for task, took in seconds.items():
            database.execute(_BEGAN, (round(1000 * took), task))


@dataclass
class _Ran(Started):
    """A run whose containers have all ended."""

    ran: LocalRun = field(default_factory=lambda: LocalRun(Path()))

    def _provided(self, name: str, of: str, component: Json) -> Json:
        place = self.ran.place / of[len("comp-") :]
        artifacts = {
            key: {"artifacts": [{"name": key, "uri": str(place / key), "type": each["artifactType"]}]}
            for key, each in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        }
        return {"artifacts": artifacts, "parameters": {}, "outputFile": str(place / "executor_output.json")}

    def _launch(self, made: Task, container: Json) -> None:
        made.code = 0 if Path(made.given["outputs"]["outputFile"]).exists() else 1

    def _upload(self, uri: str) -> None:
        """Nothing: the folder is the store."""
