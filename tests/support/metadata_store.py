"""Writes ML Metadata stores in the shape that TFX writes, without running a pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.names import NODE_OF_RUN, PLANNED_NODES, node_of_run

Scalar = int | float | str
_INT, _STRING = mlmd.INT, mlmd.STRING
# What TFX declares for its artifact types; everything else is a custom property.
_TYPES: dict[str, dict[str, int]] = {
    "Examples": {"span": _INT, "version": _INT, "split_names": _STRING},
    "ExampleStatistics": {"span": _INT, "split_names": _STRING},
    "ExampleAnomalies": {"span": _INT, "split_names": _STRING},
}
_STATES = mlmd.Execution.State


@dataclass
class StoreWriter:
    """A store in a SQLite file. `pipeline_run` starts a run, whose `node` adds an execution."""

    path: Path
    store: metadata_store.MetadataStore = field(init=False)
    executions: int = field(init=False)

    def __post_init__(self) -> None:
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self.path)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = metadata_store.MetadataStore(config)
        self.executions = len(self.store.get_executions())
        self._contexts: dict[tuple[str, str], mlmd.Context] = {}
        self._type_ids: dict[tuple[str, str], int] = {}

    def pipeline_run(self, pipeline: str, run_id: str) -> "RunWriter":
        owner, run = self._context("pipeline", pipeline), self._context("pipeline_run", run_id)
        self.store.put_parent_contexts([mlmd.ParentContext(parent_id=owner.id, child_id=run.id)])
        return RunWriter(self, pipeline, [owner, run])

    def _context(self, kind: str, name: str) -> mlmd.Context:
        if (kind, name) not in self._contexts:
            context = mlmd.Context(type_id=self._type_id("context", kind), type=kind, name=name)
            there = self.store.get_context_by_type_and_name(kind, name)
            context.id = there.id if there else self.store.put_contexts([context])[0]
            self._contexts[kind, name] = context
        return self._contexts[kind, name]

    def _type_id(self, kind: str, name: str) -> int:
        if (kind, name) not in self._type_ids:
            if kind == "context":
                number = self.store.put_context_type(mlmd.ContextType(name=name))
            elif kind == "execution":
                number = self.store.put_execution_type(mlmd.ExecutionType(name=name))
            else:
                number = self.store.put_artifact_type(mlmd.ArtifactType(name=name, properties=_TYPES.get(name)))
            self._type_ids[kind, name] = number
        return self._type_ids[kind, name]

    def artifact(self, type_name: str, uri: Path | str, **properties: Scalar) -> mlmd.Artifact:
        """An artifact that an output of a node can be; it is in the store once the node is."""
        artifact = mlmd.Artifact(type_id=self._type_id("artifact", type_name), type=type_name, uri=str(uri))
        artifact.state = mlmd.Artifact.LIVE
        for key, value in {**properties, "tfx_version": "1.16.0", "is_external": 0}.items():
            declared = key in _TYPES.get(type_name, {})
            _set((artifact.properties if declared else artifact.custom_properties)[key], value)
        return artifact


@dataclass
class RunWriter:
    """One run of a pipeline."""

    writer: StoreWriter
    pipeline: str
    contexts: list[mlmd.Context]

    def note_nodes(self, names: str) -> None:
        """Notes which nodes the run is to have, as JSON, as the local runner does."""
        run = self.contexts[1]
        run.custom_properties[PLANNED_NODES].string_value = names
        self.writer.store.put_contexts([run])

    def give_contexts(self, names: Sequence[str]) -> None:
        """Gives the first nodes, which have these names, a context each of their own in the run: our runner does."""
        store, run = self.writer.store, self.contexts[1]
        executions = sorted(each.id for each in store.get_executions_by_context(run.id))
        for name, execution in zip(names, executions[: len(names)], strict=True):
            own = self.writer._context(NODE_OF_RUN, node_of_run(self.pipeline, run.name, name))
            store.put_attributions_and_associations([], [mlmd.Association(context_id=own.id, execution_id=execution)])

    def node(
        self,
        name: str,
        component: str = "",
        *,
        inputs: Mapping[str, Sequence[mlmd.Artifact]] | None = None,
        outputs: Mapping[str, Sequence[mlmd.Artifact]] | None = None,
        parameters: Mapping[str, Scalar] | None = None,
        state: str = "COMPLETE",
    ) -> dict[str, list[mlmd.Artifact]]:
        """Adds the execution of a node and returns its outputs, now with ids, so that other nodes can take them."""
        kind = component or f"tfx.components.{name.lower()}.component.{name}"
        type_id = self.writer._type_id("execution", kind)
        execution = mlmd.Execution(type_id=type_id, last_known_state=_STATES.Value(state))
        self.writer.executions += 1
        execution.name = f"{self.contexts[1].name}-{name}-{self.writer.executions}"
        for key, value in (parameters or {}).items():
            _set(execution.custom_properties[key], value)
        pairs = [*_pairs(inputs or {}, mlmd.Event.INPUT), *_pairs(outputs or {}, mlmd.Event.OUTPUT)]
        node = self.writer._context("node", f"{self.pipeline}.{name}")
        cache = self.writer._context("execution_cache", f"{hash((self.pipeline, name)) & 0xFFFFFFFF:064x}")
        _, ids, _ = self.writer.store.put_execution(execution, pairs, [*self.contexts, node, cache])
        for (artifact, _), number in zip(pairs, ids, strict=True):
            artifact.id = number
        return {key: list(artifacts) for key, artifacts in (outputs or {}).items()}


def _pairs(given: Mapping[str, Sequence[mlmd.Artifact]], kind: int) -> list[tuple[mlmd.Artifact, mlmd.Event]]:
    pairs = []
    for key, artifacts in given.items():
        for index, artifact in enumerate(artifacts):
            event = mlmd.Event(type=kind)
            event.path.steps.add().key = key
            event.path.steps.add().index = index
            pairs.append((artifact, event))
    return pairs


def _set(value: mlmd.Value, given: Scalar) -> None:
    kind = "string" if isinstance(given, str) else "double" if isinstance(given, float) else "int"
    setattr(value, f"{kind}_value", given)
