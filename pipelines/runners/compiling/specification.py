"""What TFX's compiler leaves to be said in a specification: defaults, pages, caching, what steps may take."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components import AtomicPusher, StatisticsPublisher
from components.common.artifacts.names import PLANNED_NODES
from components.common.lasting import VOLUMES_KEY
from pipelines.kubeflow_settings import KubeflowConfig, Resources

from . import rules
from .places import lasting_folders, reads_or_writes_outside
from .rules import Violation

Json = dict[str, Any]
# How Kubeflow's own compiler names components. `kfp.local` takes the first five letters off, whatever they are.
_COMPONENT = "comp-"
_PAGE = ".HtmlReport"  # the end of the type of a page of ours, whose package is named in front
_PAGE_IN_KUBEFLOW = {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}  # what its pages show as it is
# Linux takes no argument of 128 KiB. Beside the constants of a step Kubeflow puts its artifacts into one.
_MOST_TEXT = 100 * 1024


def completed(spec: Json, pipeline: Pipeline, settings: KubeflowConfig, target: str) -> Json:
    """The specification with what is missing in it. It is changed in place."""
    _say_defaults(spec, pipeline)
    executors = spec["deploymentSpec"]["executors"]
    for node in pipeline.components:
        container = executors[executor_label(spec, node)].get("container")
        if container is not None:
            _complete_container(container, settings, node.id)
        if reads_or_writes_outside(node):
            spec["root"]["dag"]["tasks"][node.id].pop("cachingOptions", None)
        _name_pages(spec["components"][node.id], node)
        if isinstance(node, AtomicPusher | StatisticsPublisher):
            _tell(spec, node, VOLUMES_KEY, json.dumps(lasting_folders(node, settings, target)))
    _rename_components(spec)
    _note_nodes(spec, [node.id for node in pipeline.components])
    return spec


def executor_label(spec: Json, node: BaseNode) -> str:
    """The name of a node's executor, by which the second document names it too."""
    named = spec["root"]["dag"]["tasks"][node.id]["componentRef"]["name"]
    return str(spec["components"][named]["executorLabel"])


def violations_of(spec: Json) -> list[Violation]:
    """What TFX has compiled and Kubeflow refuses, or no step could take."""
    tasks = spec["root"]["dag"]["tasks"]
    found = [Violation("the specification", "be of schema 2.1.0")] if spec["schemaVersion"] != "2.1.0" else []
    for name, task in tasks.items():
        lost = sorted(set(_producers(task)) - set(tasks))
        found += [Violation(name, f"take nothing of {each}, which is no node") for each in lost]
        found += [Violation(name, "have constants as schema 2.1 writes them") for _ in _old_constants(task)]
        found += _too_long(name, _texts_of(task))
    for label, executor in spec["deploymentSpec"]["executors"].items():
        if "resolver" in executor:
            found.append(Violation(label, "not be a resolver, which open-source Kubeflow Pipelines does not run"))
        found += _too_long(label, executor.get("container", {}).get("args", []))
    return found


def _note_nodes(spec: Json, nodes: list[str]) -> None:
    """The nodes that a run is to have, as a parameter of it that no node takes: Kubeflow's ML Metadata keeps those.

    Without it a run that was stopped between two nodes looks as if it had come to its end.
    """
    declared = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    declared[PLANNED_NODES] = {
        "parameterType": "STRING",
        "isOptional": True,
        "defaultValue": json.dumps(nodes),
        "description": "Which nodes the run has, for whoever reads it while it runs. Leave it as it is.",
    }


def _say_defaults(spec: Json, pipeline: Pipeline) -> None:
    """TFX writes down the name and the type of a parameter, and neither its default nor its description."""
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, parameter in rules.runtime_parameters(pipeline).items():
        declared[name].update(_said_of(parameter))


def _said_of(parameter: RuntimeParameter) -> Json:
    said: Json = {"description": parameter.description} if parameter.description else {}
    if parameter.default is not None:
        said |= {"defaultValue": parameter.default, "isOptional": True}
    return said


def _complete_container(container: Json, settings: KubeflowConfig, node: str) -> None:
    # Vertex AI would run TFX's driver before a look into the cache; the entry point runs it, and the cache is off.
    container.pop("lifecycle", None)
    if settings.env:
        container["env"] = [{"name": name, "value": value} for name, value in sorted(settings.env.items())]
    if resources := _resources(settings.resources_of(node)):
        container["resources"] = {**resources, **container.get("resources", {})}


def _resources(told: Resources) -> Json:
    limits = {"cpuLimit": told.cpu, "memoryLimit": told.memory_gb}
    found: Json = {key: value for key, value in limits.items() if value is not None}
    if told.accelerator:
        found["accelerator"] = {"type": told.accelerator, "count": str(told.accelerators)}
    return found


def _tell(spec: Json, node: BaseNode, key: str, text: str) -> None:
    """Gives a node one more execution property, which only the compiler knows."""
    declared = spec["components"][node.id]["inputDefinitions"].setdefault("parameters", {})
    declared[key] = {"parameterType": "STRING"}
    told = spec["root"]["dag"]["tasks"][node.id].setdefault("inputs", {}).setdefault("parameters", {})
    told[key] = {"runtimeValue": {"constant": text}}


def _name_pages(component: Json, node: BaseNode) -> None:
    """Gives the pages of a component the type that Kubeflow shows inline."""
    sides = (("inputDefinitions", node.inputs), ("outputDefinitions", node.outputs))
    for side, channels in sides:
        for key, channel in channels.items():
            if channel.type.TYPE_NAME.endswith(_PAGE):
                component[side]["artifacts"][key]["artifactType"] = dict(_PAGE_IN_KUBEFLOW)


def _rename_components(spec: Json) -> None:
    spec["components"] = {f"{_COMPONENT}{name}": each for name, each in spec["components"].items()}
    for task in spec["root"]["dag"]["tasks"].values():
        task["componentRef"]["name"] = f"{_COMPONENT}{task['componentRef']['name']}"


def _producers(task: Json) -> Iterator[str]:
    yield from task.get("dependentTasks", [])
    inputs = task.get("inputs", {})
    for given in (*inputs.get("artifacts", {}).values(), *inputs.get("parameters", {}).values()):
        for kind in ("taskOutputArtifact", "taskOutputParameter"):
            if kind in given:
                yield given[kind]["producerTask"]


def _old_constants(task: Json) -> Iterator[str]:
    for key, given in task.get("inputs", {}).get("parameters", {}).items():
        if "constantValue" in given.get("runtimeValue", {}):
            yield key


def _texts_of(task: Json) -> list[str]:
    """All constants of a task as one text: so they are handed to its container."""
    given: Mapping[str, Json] = task.get("inputs", {}).get("parameters", {})
    return ["".join(str(each.get("runtimeValue", {}).get("constant", "")) for each in given.values())]


def _too_long(name: str, texts: Iterable[str]) -> list[Violation]:
    longest = max((len(text.encode()) for text in texts), default=0)
    if longest <= _MOST_TEXT:
        return []
    rule = f"be told at most {_MOST_TEXT:,} bytes, for Linux takes no longer argument. Received: {longest:,}"
    return [Violation(name, rule)]
