"""Executions in ML Metadata as the nodes of runs, with what they took and gave."""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact
from components.common.artifacts.properties import scalars
from components.common.errors import MonitorError

from . import kubeflow
from .stores import reading

# Contexts of pipelines and of their runs: TFX's, and Kubeflow's.
CONTEXTS = (("pipeline", "pipeline_run"), (kubeflow.PIPELINE, kubeflow.RUN))
RUN_CONTEXTS = tuple(run for _, run in CONTEXTS)
OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
_INPUTS = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT)
_CHOSEN = (mlmd.Event.INTERNAL_OUTPUT,)
# A query of the graph stops at 100 executions and does not say so (MLMD 1.16).
_EXECUTIONS_A_QUERY = 50


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
    def component(self) -> str:
        """The name of its component; Kubeflow Pipelines notes none, and there it is the node's id, as by default."""
        return self.name if kubeflow.is_type(self.type) else self.type.rpartition(".")[2]

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


def nodes_of(
    store: metadata_store.MetadataStore, executions: Sequence[mlmd.Execution], runs: Mapping[int, int] | None = None
) -> dict[int, Node]:
    """Executions as nodes, with what they took and gave, by the executions' ids; those that are no nodes are left out.

    Args:
      store: of ML Metadata.
      executions: of one run or of several.
      runs: the ids of their runs, by those of the executions, where these are known.

    """
    known, tasks = runs or {}, {each.id for each in executions if kubeflow.is_task(each)}
    wanted = [each for each in executions if each.id in tasks or not kubeflow.is_of_kubeflow(each)]
    if not wanted:
        return {}
    events = reading(lambda: store.get_events_by_execution_ids([each.id for each in wanted]))
    by_kubeflow = {event.artifact_id for event in events if event.execution_id in tasks}
    artifacts = artifacts_by_id(store, {event.artifact_id for event in events}, by_kubeflow)
    contexts = _contexts_of(store, [each.id for each in wanted if each.id not in tasks])
    contexts |= {each: _contexts_of_one(store, each) for each in tasks if each not in known}
    sides = [_by_key(events, kinds, artifacts) for kinds in (_INPUTS, OUTPUTS, _CHOSEN)]
    found: dict[int, Node] = {}
    for each in wanted:
        of_kubeflow, owners = each.id in tasks, contexts.get(each.id, [])
        inputs, outputs, chosen = (side.get(each.id, {}) for side in sides)
        name = kubeflow.name_of(each) if of_kubeflow else _name(each, owners)
        given = kubeflow.without_logs(outputs) if of_kubeflow else outputs
        state = str(mlmd.Execution.State.Name(each.last_known_state))
        found[each.id] = Node(
            name=name,
            state=state,
            cached=state == "CACHED",
            seconds=(each.last_update_time_since_epoch - each.create_time_since_epoch) / 1000,
            parameters=kubeflow.parameters_of(each) if of_kubeflow else _parameters(each),
            outputs={key: [replace(artifact, producer=name) for artifact in made] for key, made in given.items()},
            inputs=inputs,
            chosen=chosen,
            id=each.id,
            type=each.type,
            run=known.get(each.id) or _run_of(owners),
            finished=when(each.last_update_time_since_epoch),
        )
    return found


def artifacts_by_id(
    store: metadata_store.MetadataStore, ids: Iterable[int], by_kubeflow: Collection[int] = ()
) -> dict[int, Artifact]:
    """The artifacts with these ids, some of which Kubeflow Pipelines noted."""
    wanted = sorted(ids)
    found = reading(lambda: store.get_artifacts_by_id(wanted)) if wanted else []
    return {each.id: kubeflow.artifact_of(each) if each.id in by_kubeflow else artifact_of(each) for each in found}


def artifact_of(artifact: mlmd.Artifact) -> Artifact:
    """The record of an artifact."""
    properties = scalars(artifact.properties, artifact.custom_properties)
    return Artifact(artifact.uri, artifact.type, id=artifact.id, properties=properties)


def _parameters(execution: mlmd.Execution) -> dict[str, int | float | str]:
    return scalars(execution.properties, execution.custom_properties)


def _name(execution: mlmd.Execution, contexts: Sequence[mlmd.Context]) -> str:
    """The id of an execution's node: the context of a node is named by the pipeline's name, a dot, and that id."""
    names = {context.type: context.name for context in contexts}
    name = str(names.get("node", "")).removeprefix(f"{names.get('pipeline', '')}.")
    return name or execution.type.rpartition(".")[2] or "?"


def _contexts_of(store: metadata_store.MetadataStore, execution_ids: Sequence[int]) -> dict[int, list[mlmd.Context]]:
    """The contexts of each execution: its pipeline, its run, its node."""
    contexts: dict[int, list[mlmd.Context]] = {}
    for start in range(0, len(execution_ids), _EXECUTIONS_A_QUERY):
        contexts.update(_contexts(store, execution_ids[start : start + _EXECUTIONS_A_QUERY]))
    return contexts | {each: _contexts_of_one(store, each) for each in set(execution_ids) - set(contexts)}


def _contexts_of_one(store: metadata_store.MetadataStore, execution_id: int) -> list[mlmd.Context]:
    return reading(lambda: store.get_contexts_by_execution(execution_id))


def _contexts(store: metadata_store.MetadataStore, execution_ids: Sequence[int]) -> dict[int, list[mlmd.Context]]:
    """The contexts of executions, in one query; none where ML Metadata answers no queries (1.21 has lost them)."""
    options = mlmd.LineageSubgraphQueryOptions(max_num_hops=0)
    options.starting_executions.filter_query = f"id IN ({', '.join(map(str, execution_ids))})"
    try:
        graph = reading(lambda: store.get_lineage_subgraph(options, field_mask_paths=["associations", "contexts"]))
    except MonitorError as error:
        if isinstance(error.__cause__, errors.UnimplementedError):
            return {}
        raise
    contexts = {context.id: context for context in graph.contexts}
    found: dict[int, list[mlmd.Context]] = {}
    for association in graph.associations:
        if association.context_id in contexts:
            found.setdefault(association.execution_id, []).append(contexts[association.context_id])
    return found


def _by_key(
    events: Iterable[mlmd.Event], kinds: Sequence[int], artifacts: Mapping[int, Artifact]
) -> dict[int, dict[str, list[Artifact]]]:
    """The artifacts of each execution's inputs or outputs, by key; none that stands for what was not there."""
    there = {number for number, artifact in artifacts.items() if not artifact.is_none}
    found: dict[int, dict[str, list[Artifact]]] = {}
    for event in events:
        if event.type in kinds and event.artifact_id in there:
            key = next((step.key for step in event.path.steps if step.HasField("key")), "")
            found.setdefault(event.execution_id, {}).setdefault(key, []).append(artifacts[event.artifact_id])
    return found


def _run_of(contexts: Iterable[mlmd.Context]) -> int:
    """The id of the run among the contexts of an execution; 0 where there is none."""
    return next((context.id for context in contexts if context.type in RUN_CONTEXTS), 0)


def when(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
