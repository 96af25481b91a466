"""A run of kfp.local, which records nothing, written into ML Metadata as Kubeflow Pipelines would have written it.

So that what the tool says of runs on a cluster can be asked of it: `model-monitor why --store ...`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .containers import LocalRun
from .walk import Json, Run, Task, Walk, _run_parameters, _Started


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
    started = _Ran(walk, walk.spec, _run_parameters(walk.spec, parameters or {}), Run(walk, ran.folder.name), ran=ran)
    started.walk()
    return walk.metadata


@dataclass
class _Ran(_Started):
    """A run whose containers have all ended."""

    ran: LocalRun = field(default_factory=lambda: LocalRun(Path(), ""))

    def _provided(self, name: str, component: Json) -> Json:
        label = next(key for key, each in self.spec["components"].items() if each is component)
        place = self.ran.artifact(label, "")
        artifacts = {
            key: {"artifacts": [{"name": key, "uri": str(place / key), "type": each["artifactType"]}]}
            for key, each in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        }
        return {"artifacts": artifacts, "parameters": {}, "outputFile": str(place / "executor_output.json")}

    def _launch(self, made: Task, container: Json) -> None:
        made.code = 0 if Path(made.given["outputs"]["outputFile"]).exists() else 1

    def _upload(self, uri: str) -> None:
        """Nothing: the folder is the store."""
