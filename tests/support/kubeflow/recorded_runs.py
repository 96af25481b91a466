"""Runs of this machine's store as Kubeflow Pipelines would have recorded them, with their files in an object store."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.artifacts.files import Artifact, Files, local_files
from components.common.errors import MonitorError
from model_monitor.reading.run_store import Node, Run, open_store, runs
from tests.support.kubeflow.recorder import LOG_SCHEMA, Recorder, RunRecorder

BUCKET = "mlpipeline"
ROOT = f"minio://{BUCKET}/v2/artifacts"
SERVING = f"minio://{BUCKET}/serving"
# TFX's types have a prefix there, and ours have their own already; the properties are those that every artifact has.
_OF_TFX = ("tfx_version", "is_external", "name", "producer_component")
_TEXT = re.compile(r".*\.(json|html|txt|pbtxt)")


@dataclass(frozen=True)
class Recorded:
    """Where the runs are.

    Attributes:
      recorder: what wrote them, whose store has them.
      objects: a folder that stands for the object store: what is `minio://bucket/key` is `minio/bucket/key` in it.
      places: the addresses of what was in folders of this machine.

    """

    recorder: Recorder
    objects: Path
    places: Mapping[str, str]

    @property
    def files(self) -> Files:
        """How the artifacts are read: from the folder, and nothing else of this machine."""
        return folder_files(self.objects)

    def path(self, address: str) -> Path:
        """Where an object is in the folder."""
        return self.objects / address.replace("://", "/")


def folder_files(objects: Path) -> Files:
    """Files of an object store that is a folder."""
    local = local_files()

    def at(address: str) -> str:
        if "://" not in address or ".." in address:
            raise MonitorError(f"{address} must be an address. Received: another place")
        return str(objects / address.replace("://", "/"))

    return Files(
        read=lambda address, most: local.read(at(address), most),
        names=lambda address: local.names(at(address)),
        remote=True,
        there=lambda address: local.there(at(address)),
        count=lambda address: local.count(at(address)),
        local=False,
    )


def recorded(local: Path, serving: Path, recorder: Recorder, objects: Path) -> Recorded:
    """Records every run of a store of this machine, the oldest first.

    Args:
      local: the store's file.
      serving: the folder that versions were pushed into, which is in the object store then; it need not be there.
      recorder: writes them.
      objects: a folder for what is in the object store.

    """
    places = {str(serving): SERVING}
    known: dict[int, int] = {}  # the ids of artifacts, by those that they have on this machine
    executions: dict[int, int] = {}  # the execution that first gave an artifact, likewise
    for run in runs(open_store(local)):
        _record(run, recorder.run(run.pipeline, run.run_id), places, known, executions)
    for here, address in places.items():
        _copy(Path(here), objects / address.replace("://", "/"), places)
    return Recorded(recorder, objects, places)


def _record(
    run: Run, recorder: RunRecorder, places: dict[str, str], known: dict[int, int], executions: dict[int, int]
) -> None:
    for node in run.nodes.values():
        inputs = {key: [known[each.id] for each in taken] for key, taken in node.inputs.items()}
        parameters = {key: _moved(value, places) for key, value in node.parameters.items() if not key.startswith("__")}
        cached = executions[node.made[0].id] if node.cached and node.made else 0
        task = recorder.container(node.name, parameters=parameters, inputs=inputs, fingerprint="f", cached=cached)
        if cached:
            known |= _ids(node, task.given)
            continue
        task.begin()
        if node.state == "FAILED":
            task.fail()
        elif node.complete:
            task.complete(_outputs(node, f"{recorder.root}/{node.name}/{uuid.uuid4()}", places, recorder))
            known |= _ids(node, task.given)
            executions |= dict.fromkeys((each.id for each in node.made), task.id)


def _outputs(node: Node, place: str, places: dict[str, str], recorder: RunRecorder) -> dict[str, list[dict[str, Any]]]:
    """What a node gave, as the launcher has it."""
    for key, artifacts in node.outputs.items():
        for number, artifact in enumerate(artifacts):
            places.setdefault(artifact.uri, f"{place}/{key}" + (f"-{number}" if number else ""))
    outputs = {key: [_runtime(artifact, places) for artifact in made] for key, made in node.outputs.items()}
    if recorder.recorder.from_version("2.5.0"):
        outputs["executor-logs"] = [{"uri": f"{place}/executor-logs", "type": {"instanceSchema": LOG_SCHEMA}}]
    return outputs


def _runtime(artifact: Artifact, places: Mapping[str, str]) -> dict[str, Any]:
    title = artifact.type if "." in artifact.type else f"tfx.{artifact.type}"
    metadata = {key: _moved(value, places) for key, value in artifact.properties.items() if key not in _OF_TFX}
    return {"uri": places[artifact.uri], "type": {"instanceSchema": f"title: {title}\n"}, "metadata": metadata}


def _ids(node: Node, given: Mapping[str, list[int]]) -> dict[int, int]:
    pairs = [zip(made, given[key], strict=True) for key, made in node.outputs.items()]
    return {artifact.id: number for each in pairs for artifact, number in each}


def _moved(value: Any, places: Mapping[str, str]) -> Any:
    """A text with the addresses of what it names."""
    if isinstance(value, str):
        for here in sorted(places, key=len, reverse=True):
            value = value.replace(here, places[here])
    return value


def _copy(source: Path, target: Path, places: Mapping[str, str]) -> None:
    """Copies files: an object store has no empty folders."""
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        if path.is_file():
            there = target / path.relative_to(source)
            there.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes()
            if _TEXT.fullmatch(path.name):
                content = _moved(content.decode(errors="surrogateescape"), places).encode(errors="surrogateescape")
            there.write_bytes(content)
