"""What Kubeflow Pipelines 2 notes of a run in ML Metadata, as TFX would have noted it.

Nothing is declared there: a task's parameters are one structure, every number is a double, a structure is wrapped once
more, and the types of TFX have a prefix. The state of the root says nothing: it stays RUNNING, or is COMPLETE as soon
as the first task has failed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact
from components.common.artifacts.names import PLANNED_NODES
from components.common.artifacts.properties import scalars
from components.common.strict_text import TextError, parse_json

PIPELINE, RUN = "system.Pipeline", "system.PipelineRun"
ROOT = "pipeline_root"  # a property of a run: the folder that its artifacts are below
_GROUP = "system.DAGExecution"
_TASKS = ("system.ContainerExecution", "system.ImporterExecution", "system.ImporterWorkspaceExecution")
_LOGS = "executor-logs"  # what the container printed, an output of each; later versions add a number
_ITS_OWN = ("display_name", "store_session_info")  # properties of every artifact
_PREFIX = "tfx."
_CUSTOM = "custom:"  # before a custom property that has the name of one of the type's, and counts then
_DEEPEST = 20  # groups inside each other
_EXACT = 1 << 53  # doubles are whole numbers, each of them, up to here


@dataclass(frozen=True)
class Tasks:
    """The executions of a run.

    Attributes:
      names: of those that are nodes, by their ids: the task's, with its group where several tasks have one name.
      planned: the nodes that the run is to have, as JSON; None where whoever compiled the pipeline has not noted them.
      left_out: the names of tasks that a condition did not let run.

    """

    names: Mapping[int, str]
    planned: str | None
    left_out: frozenset[str]


def is_type(execution_type: str) -> bool:
    """Whether Kubeflow Pipelines gives executions this type."""
    return execution_type in (_GROUP, *_TASKS)


def is_of_kubeflow(execution: mlmd.Execution) -> bool:
    """Whether Kubeflow Pipelines noted an execution."""
    return is_type(execution.type)


def is_task(execution: mlmd.Execution) -> bool:
    """Whether it is one of a task that ran, or was to: no group, and none that a condition did not let run."""
    return execution.type in _TASKS and execution.last_known_state != mlmd.Execution.CANCELED


def tasks_of(executions: Sequence[mlmd.Execution]) -> Tasks:
    """Which executions of a run are nodes, and what the run noted of those to come."""
    groups = {each.id: each for each in executions if each.type == _GROUP}
    ran = [each for each in executions if is_task(each)]
    skipped = [each for each in executions if each.type in _TASKS and not is_task(each)]
    owners: dict[str, set[int]] = {}
    for each in ran:
        owners.setdefault(name_of(each), set()).add(_number(each, "parent_dag_id"))
    names = {each.id: _full_name(each, groups) if len(owners[name_of(each)]) > 1 else name_of(each) for each in ran}
    roots = [each for each in groups.values() if not _number(each, "parent_dag_id")]
    planned = [text for root in roots if isinstance(text := parameters_of(root).get(PLANNED_NODES), str)]
    return Tasks(names, planned[0] if planned else None, frozenset(name_of(each) for each in skipped))


def name_of(execution: mlmd.Execution) -> str:
    """The name of a task, with its number where it is one round of a loop."""
    known = execution.custom_properties
    name = known["task_name"].string_value if "task_name" in known else ""
    index = f"[{_number(execution, 'iteration_index')}]" if "iteration_index" in known else ""
    return (name or execution.type.rpartition(".")[2] or "?") + index


def parameters_of(execution: mlmd.Execution) -> dict[str, int | float | str]:
    """The parameters that a task, or a run as a whole, was given."""
    known = execution.custom_properties
    if "inputs" not in known or known["inputs"].WhichOneof("value") != "struct_value":
        return {}
    given = json_format.MessageToDict(known["inputs"].struct_value)
    return {name: _scalar(value) for name, value in given.items() if value is not None}


def artifact_of(artifact: mlmd.Artifact) -> Artifact:
    """The record of an artifact that Kubeflow Pipelines noted."""
    found = scalars(artifact.properties, artifact.custom_properties)
    properties = {name: _unwrapped(value) for name, value in found.items() if name not in _ITS_OWN}
    for name in [name for name in properties if name.startswith(_CUSTOM)]:
        properties[name.removeprefix(_CUSTOM)] = properties.pop(name)
    return Artifact(artifact.uri, artifact.type.removeprefix(_PREFIX), id=artifact.id, properties=properties)


def without_logs(outputs: Mapping[str, list[Artifact]]) -> dict[str, list[Artifact]]:
    """What a node gave, by output, in the order of their names; what it printed is none of it."""
    return {key: outputs[key] for key in sorted(outputs) if not key.startswith(_LOGS)}


def root_of(run: mlmd.Context) -> str:
    """The folder that the artifacts of all runs of all pipelines are below; "" where a run does not say it."""
    known = run.custom_properties
    place = known[ROOT].string_value.partition("?")[0] if ROOT in known else ""
    parts = place.split("/")
    return "/".join(parts[:-2]) if "://" in place and parts[-1] == run.name else ""


def _full_name(execution: mlmd.Execution, groups: Mapping[int, mlmd.Execution]) -> str:
    """The name of a task behind those of the groups that it is in."""
    parts, each = [name_of(execution)], execution
    for _ in range(_DEEPEST):
        parent = groups.get(_number(each, "parent_dag_id"))
        if parent is None or not _number(parent, "parent_dag_id"):
            break
        parts.append(name_of(parent))
        each = parent
    return ".".join(reversed(parts))


def _number(execution: mlmd.Execution, name: str) -> int:
    known = execution.custom_properties
    return int(known[name].int_value) if name in known else 0


def _unwrapped(value: int | float | str) -> int | float | str:
    """A property: whole doubles as the integers that they were, what is wrapped once more without that."""
    if not isinstance(value, str):
        return _scalar(value)
    for wrapper in ("list", "struct"):
        if value.startswith(f'{{"{wrapper}": '):
            try:
                record = parse_json(value)
            except TextError:
                return value  # whoever reads it says what is wrong with it
            if list(record) == [wrapper]:
                return json.dumps(record[wrapper])
    return value


def _scalar(value: Any) -> int | float | str:
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | float | str) else json.dumps(value)
