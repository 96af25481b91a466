"""Reading a run back out of ML Metadata. Imports neither TFX nor TensorFlow, and writes nothing."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.validation import MonitorError


@dataclass(frozen=True)
class Artifact:
    """An artifact of a run: its type's name, where it is, and its properties and custom properties together."""

    id: int
    type: str
    uri: str
    properties: dict[str, int | float | str]

    @property
    def path(self) -> Path:
        return Path(self.uri)


@dataclass(frozen=True)
class Node:
    """One node's last execution in a run. `cached`: its outputs were taken from an earlier run."""

    name: str
    state: str
    cached: bool
    seconds: float
    outputs: dict[str, list[Artifact]]

    def output(self, key: str) -> Artifact:
        """The one artifact of an output. Raises `MonitorError` naming what there is when it is missing."""
        artifacts = self.outputs.get(key, [])
        if len(artifacts) != 1:
            raise MonitorError(f"{self.name} must have one output {key!r}. Received: {sorted(self.outputs)}")
        return artifacts[0]


def open_store(path: str | Path) -> metadata_store.MetadataStore:
    """The ML Metadata store in a SQLite file that is there already. Raises `MonitorError` when it is not."""
    if not Path(path).is_file():
        raise MonitorError(f"The ML Metadata store must be a SQLite file. Received: {str(path)!r}, which is not there")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return metadata_store.MetadataStore(config)


class Run:
    """The record of one run of one pipeline."""

    def __init__(self, store: metadata_store.MetadataStore, pipeline: str, run_id: str) -> None:
        self._store = store
        self.pipeline = pipeline
        self.run_id = run_id
        self._context = self._find_context()

    def _find_context(self) -> mlmd.Context:
        for name in (self.run_id, f"{self.pipeline}.{self.run_id}"):
            context = self._store.get_context_by_type_and_name("pipeline_run", name)
            if context is not None:
                return context
        raise MonitorError(f"There is no run {self.run_id!r} of pipeline {self.pipeline!r} in the store")

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes that have run, in the order they started; read once, when first asked for."""
        executions = sorted(self._store.get_executions_by_context(self._context.id), key=lambda e: e.id)
        types = {t.id: t.name for t in self._store.get_execution_types()}
        return {n.name: n for n in (self._node(e, types) for e in executions)}

    def node(self, name: str) -> Node:
        """A node by its id. Raises `MonitorError` listing those there are."""
        nodes = self.nodes
        if name not in nodes:
            raise MonitorError(f"Run {self.run_id} has no node {name!r}. It has: {', '.join(nodes)}")
        return nodes[name]

    def _node(self, execution: mlmd.Execution, types: dict[int, str]) -> Node:
        name = self._node_name(execution) or types.get(execution.type_id, "?")
        state = mlmd.Execution.State.Name(execution.last_known_state)
        seconds = (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
        return Node(name, state, state == "CACHED", seconds, self._outputs(execution.id))

    def _node_name(self, execution: mlmd.Execution) -> str:
        for context in self._store.get_contexts_by_execution(execution.id):
            if context.type == "node":
                return context.name.removeprefix(f"{self.pipeline}.")
        return ""

    def _outputs(self, execution_id: int) -> dict[str, list[Artifact]]:
        outputs: dict[str, list[Artifact]] = {}
        for event in self._store.get_events_by_execution_ids([execution_id]):
            if event.type != mlmd.Event.OUTPUT:
                continue
            key = next((step.key for step in event.path.steps if step.HasField("key")), "")
            outputs.setdefault(key, []).extend(map(_artifact, self._store.get_artifacts_by_id([event.artifact_id])))
        return outputs


def _artifact(artifact: mlmd.Artifact) -> Artifact:
    properties = {}
    for mapping in (artifact.properties, artifact.custom_properties):
        for key, value in mapping.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value"):
                properties[key] = getattr(value, kind)
    return Artifact(artifact.id, artifact.type, artifact.uri, properties)
