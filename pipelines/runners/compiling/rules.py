"""What a pipeline must not have to run on Kubeflow Pipelines, said before it is compiled and not by a pod.

Each rule is of something that TFX compiles and that then fails in every run, or that TFX refuses with words of its own.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfx.components import InfraValidator
from tfx.components.distribution_validator.component import DistributionValidator
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.experimental.conditionals import conditional
from tfx.dsl.placeholder.placeholder import Placeholder
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.types import artifact, channel_utils
from tfx.types.channel import Channel
from tfx.utils import import_utils, name_utils

from components.common.errors import MonitorError
from pipelines.config import PIPELINE_NAME

# How TFX writes a runtime parameter into a text, where nothing puts a value in its place.
_INSIDE = '"__class__": "RuntimeParameter"'
_MODULE_KEYS = ("module_file", "module_path")
Rule = Callable[[BaseNode], Iterator[str]]


@dataclass(frozen=True)
class Violation:
    """What a node breaks: `rule` goes behind "must"."""

    node: str
    rule: str

    def __str__(self) -> str:
        return f"{self.node} must {self.rule}"


def refuse(violations: list[Violation]) -> None:
    """Raises `MonitorError` with every violation, unless there is none."""
    if violations:
        said = "\n".join(f"  {each}" for each in violations)
        raise MonitorError(f"The pipeline cannot run on Kubeflow Pipelines:\n{said}")


def violations_of(pipeline: Pipeline) -> list[Violation]:
    """What breaks a rule in a pipeline, as the functions `create_pipeline` give it."""
    found = [Violation(node.id, broken) for node in pipeline.components for rule in _RULES for broken in rule(node)]
    name = pipeline.pipeline_info.pipeline_name
    if not re.match(PIPELINE_NAME, name):
        found.append(Violation(f"the pipeline {name!r}", "have a name of lower case letters, digits and hyphens"))
    return [*found, *_conditions(pipeline), *_parameters(pipeline)]


def runtime_parameters(pipeline: Pipeline) -> dict[str, RuntimeParameter]:
    """The parameters that a run of the pipeline can say anew, by name."""
    return {value.name: value for _, value in _given_parameters(pipeline)}


def _kinds(node: BaseNode) -> Iterator[str]:
    if isinstance(node, Resolver):
        yield (
            "not be a Resolver, which open-source Kubeflow Pipelines does not run: what it would find is imported by "
            "its URI, a runtime parameter, as BaselineImporter does"
        )
    elif isinstance(node, InfraValidator):
        yield "not be an InfraValidator, which TFX does not compile: PushGate asks the model in its stead"
    elif isinstance(node, DistributionValidator):
        yield (
            "not be TFX's DistributionValidator, which fails in every run there, for its configuration arrives as "
            "text: SkewDriftValidator takes its place"
        )


def _driver(node: BaseNode) -> Iterator[str]:
    driver = getattr(node, "DRIVER_CLASS", None)
    if isinstance(node, BaseComponent) and not str(getattr(driver, "__module__", "tfx.")).startswith("tfx."):
        yield f"have no driver of its own, which is not run there. Received: {name_utils.get_full_name(driver)}"


def _executor(node: BaseNode) -> Iterator[str]:
    spec = node.executor_spec
    if not isinstance(spec, ExecutorClassSpec):
        return
    path = name_utils.get_full_name(spec.executor_class, strict_check=False)
    try:
        found = import_utils.import_class_by_path(path)
    except (ImportError, AttributeError, ValueError):
        found = None
    if found is not spec.executor_class or path.startswith("__main__."):
        yield f"have an executor that can be imported by its name, from the image. Received: {path}"


def _modules(node: BaseNode) -> Iterator[str]:
    for key in _MODULE_KEYS:
        if node.exec_properties.get(key):
            yield (
                f"have no `{key}`, of which TFX makes a package in a folder of the machine that compiles: name the "
                f"function, such as `run_fn`, by a module in the image. Received: {node.exec_properties[key]!r}"
            )


def _types(node: BaseNode) -> Iterator[str]:
    for key, channel in (*node.inputs.items(), *node.outputs.items()):
        if not isinstance(channel, Channel):
            yield f"have one channel as input `{key}`: those of several nodes cannot be joined there"
        elif broken := _broken_type(channel.type):
            yield f"have a type of artifact for `{key}` that {broken}. Received: {channel.type.TYPE_NAME}"


def _broken_type(kind: type[artifact.Artifact]) -> str:
    if compiler_utils.get_artifact_title(kind) != "tfx.Artifact":  # one that Kubeflow's compiler knows
        return ""
    try:
        compiler_utils.get_artifact_schema(kind)
    except ValueError:
        return "is named as package.Class, with one dot and letters, digits and hyphens"
    if kind.PROPERTIES:
        return "has no PROPERTIES: custom properties take their place"
    try:
        found = import_utils.import_class_by_path(kind.TYPE_NAME)
    except (ImportError, AttributeError):
        found = None
    return "" if found is kind else "can be imported by its name"


def _properties(node: BaseNode) -> Iterator[str]:
    declared: Mapping[str, Any] = getattr(getattr(node, "spec", None), "PARAMETERS", {})
    for key, value in node.exec_properties.items():
        if key in declared and declared[key].use_proto and value is not None:
            yield f"not have `{key}` declared with `use_proto`, which TFX does not compile"
        elif isinstance(value, Placeholder):
            yield (
                f"not have an output of another node as `{key}`: TFX names its producer wrongly, and the run is refused"
            )
        elif isinstance(value, str) and _INSIDE in value:
            yield f"not have a runtime parameter inside the text of `{key}`: there nothing puts a value in its place"


def _conditions(pipeline: Pipeline) -> Iterator[Violation]:
    for node in pipeline.components:
        try:
            predicates = conditional.get_predicates(node, pipeline.dsl_context_registry)
        except ValueError:
            yield Violation(node.id, "be made for this pipeline: TFX knows it as a node of another")
            continue
        for predicate in predicates:
            try:
                keys = compiler_keys(predicate)
                compiler_utils.placeholder_to_cel(channel_utils.encode_placeholder_with_channels(predicate, keys))
            except (ValueError, NotImplementedError) as error:
                rule = "have conditions on properties of artifacts, not on their values: TFX compiles no others"
                yield Violation(node.id, f"{rule}. Received: {error}")


def compiler_keys(predicate: Placeholder) -> Callable[[Channel], str]:
    """Names for the channels of a condition, which are only tried out."""
    channels = list(channel_utils.get_dependent_channels(predicate))
    return lambda channel: f"input_{channels.index(channel)}"


def _parameters(pipeline: Pipeline) -> Iterator[Violation]:
    first: dict[str, RuntimeParameter] = {}
    for node, value in _given_parameters(pipeline):
        known = first.setdefault(value.name, value)
        if (known.default, known.ptype) != (value.default, value.ptype):
            rule = f"have the runtime parameter `{value.name}` with the default and the type that it has elsewhere"
            yield Violation(node, f"{rule}. Received: {value.default!r} and {known.default!r}")


def _given_parameters(pipeline: Pipeline) -> Iterator[tuple[str, RuntimeParameter]]:
    for node in pipeline.components:
        for value in node.exec_properties.values():
            if isinstance(value, RuntimeParameter):
                yield node.id, value


_RULES: tuple[Rule, ...] = (_kinds, _driver, _executor, _modules, _types, _properties)
