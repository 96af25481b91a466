"""Writes into ML Metadata what the driver and the launcher of Kubeflow Pipelines 2.0 to 2.17 write, without a cluster.

A run is two contexts and an execution each of its root, of each group of tasks, and of each task. Nothing is declared:
types have a title and no properties, every number is a double, and a structure is wrapped once more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format, struct_pb2
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from ml_metadata.proto import metadata_store_service_pb2 as service

PIPELINE, RUN = "system.Pipeline", "system.PipelineRun"
CONTAINER, DAG, IMPORTER = "system.ContainerExecution", "system.DAGExecution", "system.ImporterExecution"
LOG_SCHEMA = "title: system.Artifact\n"
_STATES = mlmd.Execution.State
_DONE = ("COMPLETE", "CACHED", "CANCELED")
_SESSION = {
    "Provider": "minio",
    "Params": {
        "accessKeyKey": "accesskey",
        "disableSSL": "true",
        "endpoint": "minio-service.kubeflow:9000",
        "forcePathStyle": "true",
        "fromEnv": "false",
        "maxRetries": "5",
        "region": "minio",
        "secretKeyKey": "secretkey",
        "secretName": "mlpipeline-minio-artifact",
    },
}
# An artifact as the launcher has it: `uri`, `metadata`, and `type` with `instanceSchema` or `schemaTitle`.
RuntimeArtifact = Mapping[str, Any]


@dataclass(frozen=True)
class Recorder:
    """What one version of Kubeflow Pipelines writes into a store, which may be a file or a server."""

    store: metadata_store.MetadataStore
    version: str = "2.17.0"

    @staticmethod
    def to_file(path: Path, version: str = "2.17.0") -> "Recorder":
        """Writes into a SQLite file, which is made where it is not there."""
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return Recorder(metadata_store.MetadataStore(config), version)

    @staticmethod
    def in_memory(version: str = "2.17.0") -> "Recorder":
        """Writes into a store that is nowhere else, and gone with this process."""
        config = mlmd.ConnectionConfig()
        config.fake_database.SetInParent()
        return Recorder(metadata_store.MetadataStore(config), version)

    def from_version(self, version: str) -> bool:
        """Whether the version is this one or a later one."""
        return _numbers(self.version) >= _numbers(version)

    def run(
        self,
        pipeline: str,
        run_id: str,
        *,
        root: str = "minio://mlpipeline/v2/artifacts",
        parameters: Mapping[str, Any] | None = None,
        namespace: str = "kubeflow",
    ) -> "RunRecorder":
        """The start of a run, as the driver of its root records it; a run that has begun already, as it is.

        Args:
          pipeline: its name.
          run_id: its id, of which there is no other.
          root: where its artifacts are, below the pipeline's name and the id.
          parameters: those of the run, with the defaults of the pipeline.
          namespace: of Kubernetes.

        """
        place = f"{root.rstrip('/')}/{pipeline}/{run_id}"
        known = {"namespace": namespace, "resource_name": "run-resource", "pipeline_root": place}
        if self.from_version("2.2.0"):
            known["store_session_info"] = json.dumps(_SESSION)
        owner, run = self._context(PIPELINE, pipeline, {}), self._context(RUN, run_id, known)
        if not self.store.get_parent_contexts_by_context(run.id):
            self.store.put_parent_contexts([mlmd.ParentContext(parent_id=owner.id, child_id=run.id)])
        recorded = RunRecorder(self, place, (owner, run))
        there = self.store.get_execution_by_type_and_name(DAG, f"run/{run_id}") if self._knows(DAG) else None
        root = there or recorded._created(DAG, "", 0, parameters=parameters or {}, name=f"run/{run_id}")
        recorded.dag = root.id
        return recorded

    def runtime_artifact(self, artifact_id: int) -> dict[str, Any]:
        """An artifact as the driver gives it to a task that takes it: of no type, and every number a double."""
        (artifact,) = self.store.get_artifacts_by_id([artifact_id])
        values = {**dict(artifact.properties), **dict(artifact.custom_properties)}
        return {
            "name": str(artifact.id),
            "uri": artifact.uri,
            "type": {"instanceSchema": ""},
            "metadata": {key: _plain(value) for key, value in values.items()},
        }

    def outputs_of(self, execution_id: int) -> dict[str, list[int]]:
        """The ids of the artifacts that an execution gave, by output."""
        found: dict[str, list[int]] = {}
        for event in self.store.get_events_by_execution_ids([execution_id]):
            if event.type == mlmd.Event.OUTPUT:
                found.setdefault(event.path.steps[0].key, []).append(event.artifact_id)
        return found

    def _knows(self, kind: str) -> bool:
        return kind in [each.name for each in self.store.get_execution_types()]

    def _context(self, kind: str, name: str, properties: Mapping[str, str]) -> mlmd.Context:
        there = self.store.get_context_by_type_and_name(kind, name)
        if there is None:
            type_id = self.store.put_context_type(mlmd.ContextType(name=kind))
            there = mlmd.Context(type_id=type_id, type=kind, name=name)
            for key, value in properties.items():
                there.custom_properties[key].string_value = value
            (there.id,) = self.store.put_contexts([there])
        return there

    def _put(
        self,
        execution: mlmd.Execution,
        contexts: Sequence[mlmd.Context] = (),
        pairs: Sequence[tuple[mlmd.Artifact | None, mlmd.Event]] = (),
    ) -> mlmd.Execution:
        """The execution as it is in the store then. An artifact that is there already is named by its event alone."""
        request = service.PutExecutionRequest(execution=execution, contexts=contexts)
        for artifact, event in pairs:
            request.artifact_event_pairs.add(artifact=artifact, event=event)
        response = service.PutExecutionResponse()
        self.store._call("PutExecution", request, response)
        (found,) = self.store.get_executions_by_id([response.execution_id])
        return found


@dataclass
class RunRecorder:
    """One run.

    Attributes:
      root: the folder that its artifacts are below.
      contexts: of its pipeline and of itself.
      dag: the id of the execution of its root.

    """

    recorder: Recorder
    root: str
    contexts: tuple[mlmd.Context, mlmd.Context]
    dag: int = 0

    def group(
        self,
        task: str,
        *,
        tasks: int,
        parameters: Mapping[str, Any] | None = None,
        dag: int = 0,
        iteration: int | None = None,
        iterations: int | None = None,
    ) -> int:
        """A group of tasks (a condition, a loop, a pipeline within): the id of its execution, for what is in it.

        Args:
          task: its name.
          tasks: how many are in it.
          parameters: what it is given.
          dag: the id of the group that it is in; 0 for the root.
          iteration: of the loop that it is one round of.
          iterations: how many rounds it has, where it is a loop.

        """
        known: dict[str, int] = {}
        if iterations is not None:
            known["iteration_count"] = iterations
        if self.recorder.from_version("2.4.0"):
            known["total_dag_tasks"] = tasks
        return self._created(DAG, task, dag or self.dag, parameters or {}, iteration=iteration, numbers=known).id

    def container(
        self,
        task: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Sequence[int]] | None = None,
        dag: int = 0,
        iteration: int | None = None,
        triggered: bool = True,
        fingerprint: str = "",
        cached: int = 0,
    ) -> "TaskRecorder":
        """The execution of a task with a container, as its driver records it before there is a pod.

        Args:
          task: its name.
          parameters: what it is given.
          inputs: the ids of the artifacts that it is given, by input.
          dag: the id of the group that it is in; 0 for the root.
          iteration: of the loop that it is in.
          triggered: whether its condition let it run.
          fingerprint: of what it does, where caching is on.
          cached: the id of the execution whose outputs it takes; 0 where it runs.

        """
        known = {"pod_name": "", "pod_uid": "", "namespace": "", "image": ""}
        if cached:
            known["cached_execution_id"] = str(cached)
        if fingerprint:
            known["cache_fingerprint"] = fingerprint
        if self.recorder.from_version("2.17.0"):
            known["driver_logs_uri"] = f"{self.root}/{task}/driver-logs"
            known["store_session_info"] = json.dumps(_SESSION)
        state = "RUNNING" if triggered else "CANCELED"
        execution = self._created(CONTAINER, task, dag or self.dag, parameters or {}, inputs or {}, state=state,
                                  iteration=iteration, texts=known)  # fmt: skip
        recorded = TaskRecorder(self, execution, dag or self.dag)
        if cached and triggered:
            given = self.recorder.outputs_of(cached)
            recorded._publish("CACHED", {key: [(None, number) for number in ids] for key, ids in given.items()})
        return recorded

    def importer(
        self,
        task: str,
        output: str,
        uri: str,
        schema: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        dag: int = 0,
        reimport: bool = False,
    ) -> int:
        """An importer's execution: the id of the artifact, an older one of this pipeline where one is the same.

        Args:
          task: its name.
          output: the key of its output.
          uri: of the artifact.
          schema: of its type, in YAML with a title.
          metadata: of the artifact.
          dag: the id of the group that it is in; 0 for the root.
          reimport: whether a new artifact is made in any case.

        """
        execution = self._created(IMPORTER, task, dag or self.dag, None)
        recorded = TaskRecorder(self, execution, dag or self.dag)
        artifact = self._artifact(uri, schema, metadata or {})
        if self.recorder.from_version("2.2.0"):
            session = {"Provider": uri.partition("://")[0], "Params": {"fromEnv": "true"}}
            artifact.custom_properties["store_session_info"].string_value = json.dumps(session)
        number = 0 if reimport else self._same(artifact)
        (given,) = recorded._publish("COMPLETE", {output: [(None, number) if number else (artifact, 0)]})[output]
        return given

    def _same(self, artifact: mlmd.Artifact) -> int:
        """The id of an artifact of this pipeline that is the same; 0 where there is none."""
        for each in self.recorder.store.get_artifacts_by_uri(artifact.uri):
            same = each.type_id == artifact.type_id and each.state == artifact.state
            known = dict(each.custom_properties)
            if same and all(known.get(key) == value for key, value in artifact.custom_properties.items()):
                owners = self.recorder.store.get_contexts_by_artifact(each.id)
                if self.contexts[0].id in [owner.id for owner in owners]:
                    return each.id
        return 0

    def _artifact(self, uri: str, schema: str, metadata: Mapping[str, Any]) -> mlmd.Artifact:
        type_id = self.recorder.store.put_artifact_type(mlmd.ArtifactType(name=_title(schema)))
        artifact = mlmd.Artifact(type_id=type_id, uri=uri, state=mlmd.Artifact.LIVE)
        for key, value in metadata.items():
            artifact.custom_properties[key].CopyFrom(_value(value))
        return artifact

    def _created(
        self,
        kind: str,
        task: str,
        dag: int,
        parameters: Mapping[str, Any] | None,
        inputs: Mapping[str, Sequence[int]] | None = None,
        *,
        state: str = "RUNNING",
        iteration: int | None = None,
        texts: Mapping[str, str] | None = None,
        numbers: Mapping[str, int] | None = None,
        name: str = "",
    ) -> mlmd.Execution:
        type_id = self.recorder.store.put_execution_type(mlmd.ExecutionType(name=kind))
        execution = mlmd.Execution(type_id=type_id, last_known_state=_STATES.Value(state))
        if name:
            execution.name = name
        for key, text in {"display_name": task, "task_name": task, **(texts or {})}.items():
            execution.custom_properties[key].string_value = text
        known = {"parent_dag_id": dag or None, "iteration_index": iteration, **(numbers or {})}
        for key, number in known.items():
            if number is not None:
                execution.custom_properties[key].int_value = number
        if parameters is not None:
            json_format.ParseDict(dict(parameters), execution.custom_properties["inputs"].struct_value)
        events = [
            (None, _event(mlmd.Event.INPUT, key, number)) for key, ids in (inputs or {}).items() for number in ids
        ]
        return self.recorder._put(execution, self.contexts, events)


@dataclass
class TaskRecorder:
    """The execution of one task. `given` are the ids of the artifacts that it gave, by output."""

    run: RunRecorder
    execution: mlmd.Execution
    dag: int
    given: dict[str, list[int]] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.execution.id)

    def begin(self, pod: str = "pod") -> None:
        """That its launcher runs in a pod."""
        for key, text in (("pod_name", pod), ("pod_uid", f"{pod}-uid"), ("namespace", "kubeflow")):
            self.execution.custom_properties[key].string_value = text
        self.execution.last_known_state = mlmd.Execution.RUNNING
        self.execution = self.run.recorder._put(self.execution)

    def complete(
        self, artifacts: Mapping[str, Sequence[RuntimeArtifact]], parameters: Mapping[str, Any] | None = None
    ) -> dict[str, list[int]]:
        """That its container ended well: the ids of the artifacts that it gave, by output.

        Args:
          artifacts: by output, as they were provisioned and then merged with what the container wrote of them; those
            of logs among them where the version has some.
          parameters: its output parameters.

        """
        given: dict[str, list[tuple[mlmd.Artifact | None, int]]] = {}
        for key, found in artifacts.items():
            given[key] = [(None, self._recorded(key, each)) for each in found]
        return self._publish("COMPLETE", given, parameters or {})

    def fail(self) -> None:
        """That its container did not end well: what it wrote is not recorded."""
        self._publish("FAILED", {})

    def _recorded(self, output: str, given: RuntimeArtifact) -> int:
        """The id of an artifact that is put into the store by itself, as the launcher does after it was uploaded."""
        kind = given.get("type", {})
        schema = kind.get("instanceSchema") or f"title: {kind.get('schemaTitle', '')}"
        artifact = self.run._artifact(given["uri"], schema, given.get("metadata", {}))
        if "display_name" not in artifact.custom_properties:
            artifact.custom_properties["display_name"].string_value = output
        if self.run.recorder.from_version("2.2.0"):
            artifact.custom_properties["store_session_info"].string_value = json.dumps(_SESSION)
        (number,) = self.run.recorder.store.put_artifacts([artifact])
        return int(number)

    def _publish(
        self,
        state: str,
        artifacts: Mapping[str, Sequence[tuple[mlmd.Artifact | None, int]]],
        parameters: Mapping[str, Any] | None = None,
    ) -> dict[str, list[int]]:
        self.execution.last_known_state = _STATES.Value(state)
        if parameters is not None:
            json_format.ParseDict(dict(parameters), self.execution.custom_properties["outputs"].struct_value)
        pairs = [
            (artifact, _event(mlmd.Event.OUTPUT, key, number))
            for key, found in artifacts.items()
            for artifact, number in found
        ]
        self.execution = self.run.recorder._put(self.execution, self.run.contexts, pairs)
        self.given = self.run.recorder.outputs_of(self.id)
        if self.execution.type != IMPORTER:
            self._update_group()
        return self.given

    def _update_group(self) -> None:
        """The state of the group. That of the root is never right: it stays RUNNING, or worse (see below)."""
        recorder = self.run.recorder
        if not recorder.from_version("2.5.0"):
            return
        (group,) = recorder.store.get_executions_by_id([self.dag])
        expected = _number(group, "iteration_count") or _number(group, "total_dag_tasks")
        if expected == 0 and recorder.from_version("2.15.0"):
            return
        # Until then the root was taken for a group of no task: complete when the first of its tasks has failed.
        of_run = recorder.store.get_executions_by_context(self.run.contexts[1].id)
        states = [_STATES.Name(each.last_known_state) for each in of_run if _number(each, "parent_dag_id") == self.dag]
        if sum(state in _DONE for state in states) == expected:
            group.last_known_state = mlmd.Execution.COMPLETE
        elif "FAILED" in states:
            group.last_known_state = mlmd.Execution.FAILED
        recorder._put(group)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _number(execution: mlmd.Execution, name: str) -> int:
    """A number that was noted of an execution; 0 where none was."""
    known = execution.custom_properties
    return int(known[name].int_value) if name in known else 0


def _title(schema: str) -> str:
    """The title of a type's schema: all that Kubeflow Pipelines keeps of it."""
    found = yaml.safe_load(schema)
    if not isinstance(found, dict) or not found.get("title"):
        raise ValueError(f"The schema of an artifact's type must have a title. Received: {schema!r}")
    return str(found["title"])


def _event(kind: int, key: str, artifact_id: int) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    if artifact_id:
        event.artifact_id = artifact_id
    return event


def _value(given: Any) -> mlmd.Value:
    """A value of an artifact's metadata as a property."""
    if isinstance(given, bool):
        return mlmd.Value(int_value=int(given))
    if isinstance(given, int | float):
        return mlmd.Value(double_value=float(given))
    if isinstance(given, str):
        return mlmd.Value(string_value=given)
    if not isinstance(given, list | dict):
        raise ValueError(f"Kubeflow Pipelines does not record a value of type {type(given).__name__}: {given!r}")
    struct = struct_pb2.Struct()
    json_format.ParseDict({"list" if isinstance(given, list) else "struct": given}, struct)
    return mlmd.Value(struct_value=struct)


def _plain(value: mlmd.Value) -> Any:
    """A property as a value of an artifact's metadata."""
    kind = value.WhichOneof("value")
    if kind == "struct_value":
        return json_format.MessageToDict(value.struct_value)
    return float(value.int_value) if kind == "int_value" else getattr(value, kind)
