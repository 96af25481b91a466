"""Executions in ML Metadata as the nodes of runs, with what they took and gave."""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact
from components.common.artifacts.properties import scalars
from components.common.errors import MonitorError

from . import kubeflow
from .owners import Owner, owners_of
from .stores import reading

OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
_INPUTS = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT)
_CHOSEN = (mlmd.Event.INTERNAL_OUTPUT,)


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
    store: metadata_store.MetadataStore,
    executions: Sequence[mlmd.Execution],
    owners: Mapping[int, Owner] | None = None,
) -> dict[int, Node]:
    """Executions as nodes, with what they took and gave, by the executions' ids; those that are no nodes are left out.

    Args:
      store: of ML Metadata.
      executions: of one run or of several.
      owners: by the executions' ids, as far as these are known.

    """
    known, tasks = owners or {}, {each.id for each in executions if kubeflow.is_task(each)}
    wanted = [each for each in executions if each.id in tasks or not kubeflow.is_of_kubeflow(each)]
    if not wanted:
        return {}
    events = reading(lambda: store.get_events_by_execution_ids([each.id for each in wanted]))
    by_kubeflow = {event.artifact_id for event in events if event.execution_id in tasks}
    artifacts = artifacts_by_id(store, {event.artifact_id for event in events}, by_kubeflow)
    asked = owners_of(store, [each for each in wanted if not _is_known(each, known)])
    sides = [_by_key(events, kinds, artifacts) for kinds in (_INPUTS, OUTPUTS, _CHOSEN)]
    found: dict[int, Node] = {}
    for each in wanted:
        of_kubeflow, owner = each.id in tasks, asked.get(each.id) or known[each.id]
        inputs, outputs, chosen = (side.get(each.id, {}) for side in sides)
        name = kubeflow.name_of(each) if of_kubeflow else owner.node
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
            run=known[each.id].run if each.id in known else owner.run,
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


def _is_known(execution: mlmd.Execution, owners: Mapping[int, Owner]) -> bool:
    """Whether nothing needs to be asked: a task of Kubeflow's has the name of its node with it."""
    owner = owners.get(execution.id)
    return owner is not None and (kubeflow.is_task(execution) or owner.node != "")


def _parameters(execution: mlmd.Execution) -> dict[str, int | float | str]:
    return scalars(execution.properties, execution.custom_properties)


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


def when(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
