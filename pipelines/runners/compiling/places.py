"""Where a compiled pipeline reads and writes besides its root: only where every pod finds the same."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from tfx.components import Pusher
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components import SchemaImporter
from components.common.strict_text import TextError, parse_json
from pipelines.kubeflow_settings import KubeflowConfig, Mount

from .rules import Violation

KFP = "kfp"
VERTEX = "vertex"
TARGETS = (KFP, VERTEX)
# The schemes that pods can read, and the folder that their file system has of one.
_SCHEMES = {KFP: ("gs", "s3", "minio"), VERTEX: ("gs",)}
_VERTEX_FOLDER = "/gcs/"  # where Vertex AI mounts Cloud Storage
_DESTINATION_KEY = "push_destination"  # a PushDestination as JSON, or its folder
_FOLDER = "base_directory"
# Execution properties that name a folder or a file outside the pipeline root.
_PLACES = ("input_base", "bundle_uri", "serving_dir", "statistics_uri", "labels_file", "artifact_uri",
           "published", _DESTINATION_KEY)  # fmt: skip
_WORDS = ("", "none", "newest")  # that are no place
_SHORTEST = 2  # characters of a path that is looked for on this machine: "/" says nothing


def reads_or_writes_outside(node: BaseNode) -> bool:
    """Whether a node's work depends on more than its inputs and properties, or lasts beyond its outputs.

    What it did once is not to be taken from the cache, and it is what needs volumes.
    """
    told = any(node.exec_properties.get(key) not in (None, "") for key in _PLACES)
    brings_in = not node.inputs and bool(node.outputs) and not isinstance(node, SchemaImporter)
    return told or brings_in or isinstance(node, Pusher)


def mounts_of(node: BaseNode, settings: KubeflowConfig) -> list[Mount]:
    """The volumes that a node's step has."""
    outside = reads_or_writes_outside(node)
    return [mount for mount in settings.mounts if (node.id in mount.nodes if mount.nodes else outside)]


def lasting_folders(node: BaseNode, settings: KubeflowConfig, target: str) -> list[str]:
    """The folders that a node's step has and that do not end with it."""
    return [_VERTEX_FOLDER.rstrip("/")] if target == VERTEX else [mount.path for mount in mounts_of(node, settings)]


def violations_of(pipeline: Pipeline, settings: KubeflowConfig, target: str) -> list[Violation]:
    """The places that pods would not find."""
    found = []
    for node in pipeline.components:
        for key, value, what in _constants(node):
            rule = _broken_rule(value, settings, target) if key in _PLACES else _of_this_machine(value, settings)
            found += [Violation(node.id, f"have {what} that {rule}. Received: {value!r}")] if rule else []
    return found


def _constants(node: BaseNode) -> Iterator[tuple[str, str, str]]:
    """The texts that a node is told, those in JSON too, by their keys, and what each is in a sentence.

    Of a runtime parameter it is the default.
    """
    for key, value in node.exec_properties.items():
        later = isinstance(value, RuntimeParameter)
        text = value.default if later else value
        what = f"a `{key}`, by default of the parameter `{value.name}`," if later else f"a `{key}`"
        if isinstance(text, str):
            yield from ((key, each, what) for each in _texts(key, text))


def _texts(key: str, text: str) -> Iterator[str]:
    """The text, or those in it where it is JSON; of a destination the folder alone."""
    if not text.startswith(("{", "[")):
        yield text
        return
    try:
        said = parse_json(text)
    except TextError:
        yield text
        return
    yield from (_folders(said) if key == _DESTINATION_KEY else _leaves(said))


def _folders(destination: Any) -> Iterator[str]:
    kinds = destination.values() if isinstance(destination, Mapping) else ()
    yield from (each[_FOLDER] for each in kinds if isinstance(each, Mapping) and isinstance(each.get(_FOLDER), str))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str):
        yield value


def _broken_rule(place: str, settings: KubeflowConfig, target: str) -> str:
    """The rule that a place breaks, for behind "that"; "" for one that pods find."""
    if place in _WORDS:
        return ""
    schemes = _SCHEMES[target]
    if "://" in place:
        scheme = place.partition("://")[0]
        allowed = ", ".join(f"{each}://" for each in schemes)
        return "" if scheme in schemes else f"begins with one of {allowed}"
    if target == VERTEX:
        return "" if place.startswith(_VERTEX_FOLDER) else "is in Cloud Storage, gs:// or below /gcs"
    if settings.mount_of(place):
        return ""
    return "is in an object store or on a volume of `kubeflow.mounts`: a pod's own file system ends with the pod"


def _of_this_machine(text: str, settings: KubeflowConfig) -> str:
    if len(text) < _SHORTEST or not os.path.isabs(text) or settings.mount_of(text) or "\0" in text:
        return ""
    return "names no file of the machine that compiles, which no pod has" if os.path.lexists(text) else ""
