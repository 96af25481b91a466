"""Runs a compiled pipeline as Kubeflow's driver and launcher do, without a cluster: each step is the command of its
container, in a process of its own, with nothing that is shared with any other but the object store.

A folder stands for the store: it knows files and no folders. A pod is a folder too, which is new for each step; the
launcher's `/minio` is in it. What there is of Kubeflow's ML Metadata is real, see `recorder.py`.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from .arithmetic import same_arithmetic
from .recorder import Recorder, RunRecorder
from .resolving import RefusedError, fill_defaults, holds, in_order, is_number, run_parameters

REPOSITORY = Path(__file__).resolve().parents[3]
Json = dict[str, Any]
_LOCAL_FOLDERS = {"gs": "gcs", "minio": "minio", "s3": "s3"}
_LOGS = {"schemaTitle": "system.Artifact"}


@dataclass(frozen=True)
class Dialect:
    """What differs between the versions that there are.

    Attributes:
      version: of Kubeflow Pipelines; "" for kfp.local, which has neither a store of objects nor of metadata.
      salted: whether a task's outputs are in a folder of their own in that of the task.
      logs: the name that the log has in the store, "" where there is none.
      output_file: whether ExecutorOutput is beside the outputs, rather than in a temporary folder.

    """

    version: str
    salted: bool = True
    logs: str = ""
    output_file: bool = False


KFP_2_0_5 = Dialect("2.0.5", salted=False)
KFP_2_5 = Dialect("2.5.0", logs="executor-logs")
KFP_2_14 = Dialect("2.14.4", logs="executor-logs")
KFP_2_17 = Dialect("2.17.0", logs="executor-logs-0", output_file=True)
KFP_LOCAL = Dialect("", salted=False, output_file=True)


class StepError(Exception):
    """The container of a step ended with another code than 0. `task` is what is known of it."""

    def __init__(self, task: "Task") -> None:
        super().__init__(f"{task.name} ended with {task.code}:\n{task.log}")
        self.task = task


@dataclass
class Task:
    """One step of a run: how its container ended, what it wrote to its streams, and the artifacts that it gave."""

    name: str
    code: int | None = None  # None: its condition did not let it run
    log: str = ""
    seconds: float = 0.0
    given: Json = field(default_factory=dict)  # the message ExecutorInput
    outputs: dict[str, list[Json]] = field(default_factory=dict)
    parameters: Json = field(default_factory=dict)  # of its outputs
    ids: dict[str, list[int]] = field(default_factory=dict)  # in ML Metadata

    def output(self, key: str) -> Json:
        """The one artifact of an output."""
        (found,) = self.outputs[key]
        return found


@dataclass
class Run:
    """A run that has ended: its tasks in the order in which they ran."""

    walk: "Walk"
    run_id: str
    tasks: dict[str, Task] = field(default_factory=dict)

    def folder(self, task: str, key: str) -> Path:
        """Where the store has an artifact."""
        return self.walk.stored(self.tasks[task].output(key)["uri"])

    def said(self, task: str, key: str) -> Json:
        """The properties of an artifact."""
        found: Json = self.tasks[task].output(key).get("metadata", {})
        return found


@dataclass(frozen=True)
class Walk:
    """A compiled pipeline, and where it runs.

    Attributes:
      text: the YAML file.
      folder: where everything is kept: the store, the pod, and ML Metadata's database.
      dialect: whose way of running it.
      root: of the pipeline, a URI.
      environment: of every container, besides what every container has.
      commands: a folder for PATH, in which `python` is that of the image.
      image: folders that are importable in the image.

    """

    text: str
    folder: Path
    dialect: Dialect = KFP_2_17
    root: str = "minio://mlpipeline/v2/artifacts"
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: Path = Path(sys.executable).parent
    image: tuple[Path, ...] = (REPOSITORY,)

    @property
    def spec(self) -> Json:
        """The first document, which is the specification."""
        return next(iter(yaml.safe_load_all(self.text)))

    @property
    def metadata(self) -> Path:
        """The database of ML Metadata."""
        return self.folder / "metadata.sqlite"

    @property
    def pod(self) -> Path:
        """The root of the file system of the step that runs."""
        return self.folder / "pod"

    def stored(self, uri: str) -> Path:
        """Where the store keeps what a URI names."""
        return self.folder / "store" / uri.replace("://", "/") if "://" in uri else Path(uri)

    def run(self, parameters: Mapping[str, Any] | None = None, run_id: str = "", *, failing: bool = False) -> Run:
        """Runs the pipeline to its end, or to the first step that fails.

        Args:
          parameters: of the run.
          run_id: its id; "" for a new one.
          failing: whether a step that fails ends the run, which is returned then, rather than being raised.

        Raises:
          RefusedError: what the API server refuses.
          StepError: a step has failed.

        """
        spec = self.spec
        if spec.get("schemaVersion") != "2.1.0" or not spec.get("pipelineInfo", {}).get("name"):
            raise RefusedError("KFP only supports schema version 2.1.0, of a pipeline with a name")
        given = run_parameters(spec, parameters or {})
        started = Started(self, spec, given, Run(self, run_id or str(uuid.uuid4())))
        try:
            started.walk()
        except StepError:
            if not failing:
                raise
        return started.run


@dataclass
class Started:
    """A run while it runs."""

    of: Walk
    spec: Json
    parameters: Json
    run: Run
    recorded: RunRecorder | None = None
    place: str = ""

    def __post_init__(self) -> None:
        name = self.spec["pipelineInfo"]["name"]
        if self.of.dialect.version:
            self.of.folder.mkdir(parents=True, exist_ok=True)
            recorder = Recorder.to_file(self.of.metadata, self.of.dialect.version)
            numbers = {key: float(value) if is_number(value) else value for key, value in self.parameters.items()}
            self.recorded = recorder.run(name, self.run.run_id, root=self.of.root, parameters=numbers)
            self.place = self.recorded.root
        else:
            now = time.strftime("%Y-%m-%d-%H-%M-%S-000000")
            self.place = f"{self.of.folder / 'local'}/{name}-{now}"

    def walk(self) -> None:
        tasks = self.spec["root"]["dag"]["tasks"]
        for name in in_order(tasks):
            upstream = [self.run.tasks[each] for each in tasks[name].get("dependentTasks", [])]
            if any(each.code is None for each in upstream):
                self.run.tasks[name] = Task(name)
                continue
            self._task(name, tasks[name])

    def _task(self, name: str, task: Json) -> None:
        component = self.spec["components"][task["componentRef"]["name"]]
        executor = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        if "importer" in executor:
            self.run.tasks[name] = self._importer(name, component, executor["importer"])
            return
        if "container" not in executor:
            raise RefusedError(f"{name}: non-container and non-importer executor not implemented")
        self._container(name, task, component, executor["container"])

    def _container(self, name: str, task: Json, component: Json, container: Json) -> None:
        """As the driver, and then as the launcher in the pod."""
        parameters, inputs, ids = self._inputs(name, task)
        given: Json = {"inputs": {"parameterValues": parameters, "artifacts": inputs}}
        made = self.run.tasks[name] = Task(name, given=given)
        triggered = holds(task.get("triggerPolicy", {}).get("condition", ""), given)
        recorded = None
        if self.recorded:
            recorded = self.recorded.container(name, parameters=parameters, inputs=ids, triggered=triggered)
        if not triggered:
            return
        given["outputs"] = self._provided(name, task["componentRef"]["name"], component)
        if recorded:
            recorded.begin()
        fill_defaults(given, component)
        self._launch(made, container)
        if made.code:
            if recorded:
                recorded.fail()
            raise StepError(made)
        made.parameters, made.outputs = self._collect(given)
        if recorded:
            made.ids = recorded.complete(made.outputs, made.parameters)

    def _inputs(self, name: str, task: Json) -> tuple[Json, Json, dict[str, list[int]]]:
        """What a task is given: its parameters, its artifacts, and their ids in ML Metadata."""
        given = task.get("inputs", {})
        parameters = {key: self._parameter(name, key, each) for key, each in given.get("parameters", {}).items()}
        artifacts: Json = {}
        ids: dict[str, list[int]] = {}
        for key, each in given.get("artifacts", {}).items():
            if "taskOutputArtifact" not in each:
                raise RefusedError(f"{name}: artifact spec {sorted(each)} of {key} not implemented yet")
            source = each["taskOutputArtifact"]
            producer = self.run.tasks.get(source["producerTask"])
            if producer is None or source["outputArtifactKey"] not in producer.outputs:
                raise RefusedError(f"{name}: cannot find the output artifact {source} of {key}")
            ids[key] = producer.ids.get(source["outputArtifactKey"], [])
            artifacts[key] = {"artifacts": [*self._taken(producer, source["outputArtifactKey"])]}
        return {key: value for key, value in parameters.items() if value is not None}, artifacts, ids

    def _taken(self, producer: Task, key: str) -> Iterator[Json]:
        """The artifacts of an output, as a task that takes them is told of them."""
        if self.recorded:
            for number in producer.ids[key]:
                yield self.recorded.recorder.runtime_artifact(number)
            return
        for each in producer.outputs[key]:
            yield {**each, "type": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}

    def _parameter(self, name: str, key: str, said: Json) -> Any:
        if "componentInputParameter" in said:
            return self.parameters[said["componentInputParameter"]]
        if "taskOutputParameter" in said:
            source = said["taskOutputParameter"]
            return self.run.tasks[source["producerTask"]].parameters[source["outputParameterKey"]]
        value = said.get("runtimeValue", {})
        if "constant" not in value:
            raise RefusedError(f"{name}: param runtime value spec of {key} not implemented: {said}")
        return value["constant"]

    def _provided(self, name: str, of: str, component: Json) -> Json:
        """Where the outputs are to be: as the driver provisions them."""
        dialect, defined = self.of.dialect, component.get("outputDefinitions", {})
        place = f"{self.place}/{name if dialect.version else of[len('comp-') :]}"
        if dialect.salted:
            place = f"{place}/{uuid.uuid4()}"
        artifacts = {
            key: {"artifacts": [{"name": key, "uri": f"{place}/{key}", "type": each["artifactType"]}]}
            for key, each in defined.get("artifacts", {}).items()
        }
        if dialect.logs:
            log = {"name": "executor-logs", "uri": f"{place}/{dialect.logs}", "type": _LOGS}
            artifacts["executor-logs"] = {"artifacts": [log]}
        temporary = str(self.of.pod / "tmp" / "kfp_outputs" / "output_metadata.json")
        beside = f"{self._local(place)}/{'output_metadata' if dialect.version else 'executor_output'}.json"
        file = beside if dialect.output_file else temporary
        parameters = {
            key: {"outputFile": str(self.of.pod / "tmp" / "kfp" / key)} for key in defined.get("parameters", {})
        }
        return {"artifacts": artifacts, "parameters": parameters, "outputFile": file}

    def _local(self, uri: str) -> str:
        """The launcher's path for a URI, in the pod."""
        scheme, separator, rest = uri.partition("://")
        if not separator:
            return uri
        if scheme not in _LOCAL_FOLDERS:
            raise RefusedError(f"failed to generate local path for URI {uri}: unsupported storage scheme")
        return f"{self.of.pod}/{_LOCAL_FOLDERS[scheme]}/{rest}"

    def _launch(self, made: Task, container: Json) -> None:
        """Downloads the inputs, runs the container's command, and keeps what it says."""
        pod = self.of.pod
        shutil.rmtree(pod, ignore_errors=True)
        for folder in ("home", "work", "tmp"):
            (pod / folder).mkdir(parents=True)
        if self.of.dialect.version:
            for several in made.given["inputs"]["artifacts"].values():
                for each in several["artifacts"][:1]:  # the launcher looks at the first
                    self._download(each["uri"])
        for several in made.given["outputs"]["artifacts"].values():
            for each in several["artifacts"]:
                Path(self._local(each["uri"])).parent.mkdir(parents=True, exist_ok=True)
        command = [*container["command"], *container["args"]]
        filled = [part.replace("{{$}}", json.dumps(made.given)) for part in command]
        started = time.monotonic()
        done = subprocess.run(
            filled, cwd=pod / "work", env=self._environment(container), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        made.code, made.log, made.seconds = done.returncode, done.stdout, time.monotonic() - started
        for each in made.given["outputs"]["artifacts"].get("executor-logs", {"artifacts": []})["artifacts"]:
            Path(self._local(each["uri"])).write_text(made.log)

    def _environment(self, container: Json) -> dict[str, str]:
        """What a container has: nothing of the machine that compiled it."""
        pod, of = self.of.pod, self.of
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        # A pod's root is a folder here, which is the one thing that a container has to be told.
        prefix = {"KFP_LOCAL_PREFIX": str(pod)} if of.dialect.version else {}
        return {
            "PATH": f"{of.commands}:{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(pod / "home"),
            "TMPDIR": str(pod / "tmp"), "PYTHONPATH": os.pathsep.join(map(str, of.image)), "LANG": "C.UTF-8",
            "TF_CPP_MIN_LOG_LEVEL": "2", **same_arithmetic(), **prefix, **of.environment, **own,
        }  # fmt: skip

    def _download(self, uri: str) -> None:
        """Every object whose key is that of the URI or below it; of what is not there, nothing."""
        source, target = self.of.stored(uri), Path(self._local(uri))
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file():
                to = target / path.relative_to(source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)

    def _upload(self, uri: str) -> None:
        """Every file, under its key: a folder of no files leaves nothing."""
        source, target = Path(self._local(uri)), self.of.stored(uri)
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file():
                to = target / path.relative_to(source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)

    def _collect(self, given: Json) -> tuple[Json, dict[str, list[Json]]]:
        """What a container has made: its output parameters, and its artifacts merged with what was provisioned."""
        file = Path(given["outputs"]["outputFile"])
        said: Json = {}
        if file.exists():  # strictly, as protojson: what is no field of the message is an error
            message = json_format.Parse(file.read_text(), pb.ExecutorOutput())
            said = json_format.MessageToDict(message)
        outputs = {}
        for key, several in given["outputs"]["artifacts"].items():
            merged = [dict(each) for each in several["artifacts"]]
            for written in said.get("artifacts", {}).get(key, {}).get("artifacts", [])[:1]:
                merged[0]["uri"] = written.get("uri") or merged[0]["uri"]
                merged[0]["metadata"] = {**merged[0].get("metadata", {}), **written.get("metadata", {})}
            outputs[key] = merged
            if self.of.dialect.version:
                for each in merged:
                    self._upload(each["uri"])
        return said.get("parameterValues", {}), outputs

    def _importer(self, name: str, component: Json, importer: Json) -> Task:
        uri = importer["artifactUri"].get("constant", "")
        if uri.partition("://")[0] not in _LOCAL_FOLDERS:
            raise RefusedError(f"{name}: an importer takes gs://, s3:// and minio://. Received: {uri!r}")
        ((key, defined),) = component["outputDefinitions"]["artifacts"].items()
        schema = importer.get("typeSchema") or defined["artifactType"]
        text = schema.get("instanceSchema") or f"title: {schema['schemaTitle']}"
        made = {"name": key, "uri": uri, "type": schema, "metadata": importer.get("metadata", {})}
        task = Task(name, 0, outputs={key: [made]})
        if self.recorded:
            task.ids = {key: [self.recorded.importer(name, key, uri, text, made["metadata"])]}
        return task
