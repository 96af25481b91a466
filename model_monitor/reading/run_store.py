"""Reading runs back out of ML Metadata. Imports neither TFX nor TensorFlow, and writes nothing.

The nodes of many runs are read in one query, because a query for each node of each run takes seconds where there are
hundreds of runs.
"""

import contextlib
import datetime
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact, Files, local_files
from components.common.artifacts.names import PLANNED_NODES
from components.common.artifacts.properties import scalars
from components.common.errors import MonitorError, require
from components.common.strict_text import TextError, parse_json

RUNS_A_QUERY = 25
_BUSY_SECONDS = 5.0  # how long a store that is locked is waited for
# A query of the graph stops at 100 executions and does not say so (MLMD 1.16).
_EXECUTIONS_A_QUERY = 50
_INPUTS = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT)
_OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
_CHOSEN = (mlmd.Event.INTERNAL_OUTPUT,)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Node:
    """One node's last execution in a run. `cached`: its outputs were taken from an earlier run.

    `parameters` are its execution properties; `id` is its execution's in ML Metadata, `type` its component's, `run`
    the id of its run. `chosen` is what a resolver picked of what there was before: it made none of that.
    """

    name: str
    state: str
    cached: bool
    seconds: float
    parameters: dict[str, int | float | str]
    outputs: dict[str, list[Artifact]]
    inputs: dict[str, list[Artifact]] = field(default_factory=dict)
    chosen: dict[str, list[Artifact]] = field(default_factory=dict)
    id: int = 0
    type: str = ""
    run: int = 0
    finished: datetime.datetime | None = None

    @property
    def complete(self) -> bool:
        return self.state in ("COMPLETE", "CACHED")

    @property
    def made(self) -> list[Artifact]:
        """The artifacts of every output."""
        return [artifact for artifacts in self.outputs.values() for artifact in artifacts]

    def output(self, key: str) -> Artifact:
        """The one artifact of an output. Raises `MonitorError` naming what there is when it is missing."""
        artifacts = self.outputs.get(key, [])
        if len(artifacts) != 1:
            raise MonitorError(f"{self.name} must have one output {key!r}. Received: {sorted(self.outputs)}")
        return artifacts[0]


def open_store(path: str | Path) -> metadata_store.MetadataStore:
    """The ML Metadata store in a SQLite file that is there already, to be read and not written.

    Raises:
      MonitorError: when there is no such file, or it is no such store.

    """
    if not Path(path).is_file():
        raise MonitorError(f"The ML Metadata store must be a SQLite file. Received: {str(path)!r}, which is not there")
    _require_readable(Path(path))
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return reading(lambda: metadata_store.MetadataStore(config), str(path))


def _require_readable(path: Path) -> None:
    """Raises `MonitorError` when SQLite cannot read a file, or not soon: ML Metadata tries a locked one for 36 s.

    What a process was writing when it was killed in the middle of a commit is taken back, which only somebody who may
    write can do, and ML Metadata, reading, does not. Where there is no such thing nothing is written.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"  # of a file that may not be written SQLite makes that `ro` by itself
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as database:
            database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise MonitorError(f"{path} cannot be read: {error}") from error


def reading(question: Callable[[], Answer], store: str = "the ML Metadata store", done: str = "read") -> Answer:
    """The answer to a question to a store; ML Metadata asks again by itself while another process is writing it.

    Args:
      question: asks it.
      store: what it is called in the error.
      done: what the question does with it, likewise.

    Raises:
      MonitorError: when the store cannot be read.

    """
    try:
        return question()
    except (errors.StatusError, RuntimeError) as error:
        raise MonitorError(f"{store} cannot be {done}: {_brief(error)}") from error


def runs(
    store: metadata_store.MetadataStore, pipeline: str = "", *, newest_first: bool = False, files: Files | None = None
) -> Iterator["Run"]:
    """Every run of a pipeline, or of all pipelines, oldest first unless told otherwise.

    `files` is how the runs' artifacts are read; those of this machine unless told otherwise.
    The nodes of `RUNS_A_QUERY` runs are read together, when those of one of them are first asked for.
    """
    contexts = sorted(_run_contexts(store, pipeline), key=lambda each: each[1].id, reverse=newest_first)
    for start in range(0, len(contexts), RUNS_A_QUERY):
        chunk = contexts[start : start + RUNS_A_QUERY]
        batch = _Batch(store, [context.id for _, context in chunk])
        yield from (Run(store, owner, each.name, context=each, batch=batch, files=files) for owner, each in chunk)


def was_cached(store: metadata_store.MetadataStore, context_type: str, name: str) -> bool:
    """Whether the outputs of the last execution in a context were taken from an earlier run."""
    context = reading(lambda: store.get_context_by_type_and_name(context_type, name))
    found = reading(lambda: store.get_executions_by_context(context.id)) if context is not None else []
    return bool(found) and max(found, key=lambda each: each.id).last_known_state == mlmd.Execution.CACHED


def pipelines(store: metadata_store.MetadataStore) -> list[str]:
    """The names of all pipelines that have run."""
    return sorted(context.name for context in reading(lambda: store.get_contexts_by_type("pipeline")))


class Run:
    """The record of one run of one pipeline.

    Attributes:
      files: how its artifacts are read.

    """

    def __init__(  # noqa: PLR0913 - which run, and three things that whoever reads many knows already
        self,
        store: metadata_store.MetadataStore,
        pipeline: str,
        run_id: str,
        *,
        context: mlmd.Context | None = None,
        batch: "_Batch | None" = None,
        files: Files | None = None,
    ) -> None:
        self.files = files or local_files()
        self._store = store
        self.pipeline = pipeline
        self.run_id = run_id
        self._context = context or self._find_context()
        self._batch = batch or _Batch(store, [self._context.id])

    def _find_context(self) -> mlmd.Context:
        for name in (self.run_id, f"{self.pipeline}.{self.run_id}"):
            context = self._store.get_context_by_type_and_name("pipeline_run", name)
            if context is not None:
                return context
        raise MonitorError(f"There is no run {self.run_id!r} of pipeline {self.pipeline!r} in the store")

    @property
    def id(self) -> int:
        """Of the run in ML Metadata: later runs have larger ones."""
        return int(self._context.id)

    @property
    def started(self) -> datetime.datetime:
        return _when(self._context.create_time_since_epoch)

    @property
    def seconds(self) -> float:
        """From its start to the last thing that any of its nodes did."""
        ends = [node.finished for node in self.nodes.values() if node.finished]
        return max(0.0, (max(ends) - self.started).total_seconds()) if ends else 0.0

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes that have run, in the order they started; read once, when first asked for."""
        return self._batch.nodes(self._context.id)

    def alone(self) -> "Run":
        """The same run, whose nodes are read without those of any other."""
        return Run(self._store, self.pipeline, self.run_id, context=self._context, files=self.files)

    @cached_property
    def unstarted(self) -> list[str]:
        """The nodes that the run is to have and has not started, where its runner has noted them: ours does.

        Raises:
          MonitorError: what is noted is damaged.

        """
        if PLANNED_NODES not in self._context.custom_properties:
            return []
        noted = self._context.custom_properties[PLANNED_NODES].string_value
        try:
            planned = parse_json(noted)
        except TextError:
            planned = None
        rule = "be names of nodes, as JSON"
        require(isinstance(planned, list), f"{PLANNED_NODES} of run {self.run_id}", rule, noted)
        return [str(name) for name in planned if name not in self.nodes]

    def node(self, name: str) -> Node:
        """A node by its id. Raises `MonitorError` listing those there are."""
        nodes = self.nodes
        if name not in nodes:
            raise MonitorError(f"Run {self.run_id} has no node {name!r}. It has: {', '.join(nodes)}")
        return nodes[name]

    def made(self, type_name: str) -> list[tuple[Node, Artifact]]:
        """The artifacts of a type that the run's nodes gave, with the node, in the order of the nodes."""
        return [(node, found) for node in self.nodes.values() for found in node.made if found.type == type_name]


class _Batch:
    """The nodes of several runs, read together when those of one are asked for."""

    def __init__(self, store: metadata_store.MetadataStore, run_ids: Sequence[int]) -> None:
        self._store = store
        self._run_ids = run_ids

    def nodes(self, run_id: int) -> dict[str, Node]:
        return self._nodes.get(run_id, {})

    @cached_property
    def _nodes(self) -> dict[int, dict[str, Node]]:
        executions = {
            run_id: reading(lambda run_id=run_id: self._store.get_executions_by_context(run_id))  # type: ignore[misc]
            for run_id in self._run_ids
        }
        nodes = nodes_of(self._store, [each for found in executions.values() for each in found])
        found: dict[int, dict[str, Node]] = {}
        for run_id, of_run in executions.items():
            tries = sorted(of_run, key=lambda each: each.id)
            # of a node that was tried more than once, the last try, where that ran
            last = {nodes[each.id].name: each.id for each in tries}
            found[run_id] = {nodes[each.id].name: nodes[each.id] for each in tries if each.id in last.values()}
        return found


def nodes_of(store: metadata_store.MetadataStore, executions: Sequence[mlmd.Execution]) -> dict[int, Node]:
    """Executions as nodes, with what they took and gave, by the executions' ids."""
    if not executions:
        return {}
    contexts = _contexts_of(store, [each.id for each in executions])
    events = reading(lambda: store.get_events_by_execution_ids([each.id for each in executions]))
    artifacts = artifacts_by_id(store, {event.artifact_id for event in events})
    sides = [_by_key(events, kinds, artifacts) for kinds in (_INPUTS, _OUTPUTS, _CHOSEN)]
    return {each.id: _node(each, contexts[each.id], *(side.get(each.id, {}) for side in sides)) for each in executions}


def runs_that_gave(store: metadata_store.MetadataStore, artifact_id: int) -> set[int]:
    """The ids of the runs in which an execution gave this artifact; empty where there is no such artifact."""
    events = reading(lambda: store.get_events_by_artifact_ids([artifact_id]))
    given = {event.execution_id for event in events if event.type in _OUTPUTS}
    contexts = [reading(lambda each=each: store.get_contexts_by_execution(each)) for each in given]  # type: ignore[misc]
    return {context.id for found in contexts for context in found if context.type == "pipeline_run"}


def artifacts_by_id(store: metadata_store.MetadataStore, ids: Iterable[int]) -> dict[int, Artifact]:
    """The artifacts with these ids."""
    wanted = sorted(ids)
    found = reading(lambda: store.get_artifacts_by_id(wanted)) if wanted else []
    return {each.id: artifact_of(each) for each in found}


def artifact_of(artifact: mlmd.Artifact) -> Artifact:
    """The record of an artifact."""
    properties = scalars(artifact.properties, artifact.custom_properties)
    return Artifact(artifact.uri, artifact.type, id=artifact.id, properties=properties)


def _run_contexts(store: metadata_store.MetadataStore, pipeline: str) -> list[tuple[str, mlmd.Context]]:
    """The contexts of the runs of one pipeline or of all, each with its pipeline's name."""
    owners = reading(lambda: store.get_contexts_by_type("pipeline"))
    found = []
    for owner in owners:
        if pipeline in ("", owner.name):
            children = reading(lambda owner=owner: store.get_children_contexts_by_context(owner.id))  # type: ignore[misc]
            found += [(owner.name, child) for child in children if child.type == "pipeline_run"]
    return found


def _node(
    execution: mlmd.Execution,
    contexts: Sequence[mlmd.Context],
    inputs: dict[str, list[Artifact]],
    outputs: dict[str, list[Artifact]],
    chosen: dict[str, list[Artifact]],
) -> Node:
    """An execution as a node. The context of a node is named by the pipeline's name, a dot, and the node's id."""
    names = {context.type: context.name for context in contexts}
    name = str(names.get("node", "")).removeprefix(f"{names.get('pipeline', '')}.")
    name = name or execution.type.rpartition(".")[2] or "?"
    state = mlmd.Execution.State.Name(execution.last_known_state)
    return Node(
        name=name,
        state=state,
        cached=state == "CACHED",
        seconds=(execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000,
        parameters=scalars(execution.properties, execution.custom_properties),
        outputs={key: [replace(each, producer=name) for each in made] for key, made in outputs.items()},
        inputs=inputs,
        chosen=chosen,
        id=execution.id,
        type=execution.type,
        run=next((context.id for context in contexts if context.type == "pipeline_run"), 0),
        finished=_when(execution.last_update_time_since_epoch),
    )


def _contexts_of(store: metadata_store.MetadataStore, execution_ids: Sequence[int]) -> dict[int, list[mlmd.Context]]:
    """The contexts of each execution: its pipeline, its run, its node."""
    contexts: dict[int, list[mlmd.Context]] = {}
    for start in range(0, len(execution_ids), _EXECUTIONS_A_QUERY):
        contexts.update(_contexts(store, execution_ids[start : start + _EXECUTIONS_A_QUERY]))
    for each in set(execution_ids) - set(contexts):
        contexts[each] = reading(lambda each=each: store.get_contexts_by_execution(each))  # type: ignore[misc]
    return contexts


def _contexts(store: metadata_store.MetadataStore, execution_ids: Sequence[int]) -> dict[int, list[mlmd.Context]]:
    """The contexts of executions, in one query."""
    options = mlmd.LineageSubgraphQueryOptions(max_num_hops=0)
    options.starting_executions.filter_query = f"id IN ({', '.join(map(str, execution_ids))})"
    graph = reading(lambda: store.get_lineage_subgraph(options, field_mask_paths=["associations", "contexts"]))
    contexts = {context.id: context for context in graph.contexts}
    found: dict[int, list[mlmd.Context]] = {}
    for association in graph.associations:
        if association.context_id in contexts:
            found.setdefault(association.execution_id, []).append(contexts[association.context_id])
    return found


def _by_key(
    events: Iterable[mlmd.Event], kinds: Sequence[int], artifacts: Mapping[int, Artifact]
) -> dict[int, dict[str, list[Artifact]]]:
    """The artifacts of each execution's inputs or outputs, by key."""
    found: dict[int, dict[str, list[Artifact]]] = {}
    for event in events:
        if event.type in kinds and event.artifact_id in artifacts:
            key = next((step.key for step in event.path.steps if step.HasField("key")), "")
            found.setdefault(event.execution_id, {}).setdefault(key, []).append(artifacts[event.artifact_id])
    return found


def _when(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
