"""What has to be mended in what Kubeflow hands to a container, before anything that was written for TFX can read it.

Everything here is JSON in and JSON out; docs/kubeflow_entrypoint.md says which public issue each mend answers.
"""

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from .executor_input import Artifacts, Declared, ExecutorInput, RuntimeArtifact
from .places import Places

HTML = "system.HTML"  # the type of what Kubeflow's pages show as it is
_PAGE = ".html"
_PAGE_OF_OURS = {"schemaTitle": "components.HtmlReport"}  # the class that TFX then has for it
_VERTEX_NAME = "projects/"  # how names of Vertex AI's resources begin; elsewhere a name is a number, or a key
# What Kubeflow adds to the outputs of every step since 2.5, for its own use.
_LOGS = re.compile(r"executor-logs(-\d+)?")


def mend(given: ExecutorInput, declared: Declared) -> ExecutorInput:
    """The same with the types that the compiler wrote down, without Kubeflow's own outputs, each artifact a folder.

    Args:
      given: as it came.
      declared: what the compiler wrote down; an input that it says nothing of keeps its type.

    """
    outputs = {key: each for key, each in given.outputs.items() if not _LOGS.fullmatch(key)}
    inputs = {
        key: [_typed(_as_folder(one), declared.types.get(key)) for one in each] for key, each in given.inputs.items()
    }
    return replace(given, inputs=inputs, outputs=outputs)


def for_tfx(given: ExecutorInput, places: Places) -> ExecutorInput:
    """The same with every artifact where its copy is, and named so that two artifacts never have one name.

    TFX knows an artifact by a number that it makes of its name. Metadata that names one of the artifacts, such as the
    model that an Evaluator has blessed, names its copy: components compare it with where they find the model.
    """
    taken = {artifact.name for artifact in given.artifacts() if _is_ambiguous(artifact, given)}
    known = {artifact.uri for artifact in given.artifacts()}

    def for_tfx(artifact: RuntimeArtifact) -> RuntimeArtifact:
        return replace(
            artifact,
            uri=places.local(artifact.uri),
            name=artifact.name if artifact.name and artifact.name not in taken else artifact.uri,
            metadata=said_locally(artifact.metadata, places, known),
            type=_PAGE_OF_OURS if artifact.title == HTML else artifact.type,
        )

    def moved(artifacts: Artifacts) -> Artifacts:
        return {key: [for_tfx(each) for each in several] for key, several in artifacts.items()}

    return replace(given, inputs=moved(given.inputs), outputs=moved(given.outputs))


def on_vertex(given: ExecutorInput) -> bool:
    """Whether it is Vertex AI that runs the step: it hands out artifacts that are in its store already."""
    return any(artifact.name.startswith(_VERTEX_NAME) for artifact in given.artifacts())


def said_locally(metadata: Mapping[str, Any], places: Places, known: Collection[str]) -> dict[str, Any]:
    """Metadata with what names one of the known URIs, or a place below one, naming its copy."""

    def said(value: Any) -> Any:
        named = isinstance(value, str) and any(f"{value}/".startswith(f"{uri}/") for uri in known)
        return places.local(value) if named else value

    return {key: said(value) for key, value in metadata.items()}


def said_to_everybody(metadata: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """Metadata with what names a copy naming what it is a copy of: nobody else has the pod's folders."""
    return {key: places.remote(value) if isinstance(value, str) else value for key, value in metadata.items()}


def page_of(title: str, uri: str, names: Collection[str]) -> str:
    """Where the page of an output is, if Kubeflow is to show it; "" where the output is no page.

    Args:
      title: of the output's type. Pages are of `HTML`, whose URI is that of a file.
      uri: of the output's folder.
      names: what is in the folder. What else is there would not be kept, so that only a page alone is one.

    """
    pages = [name for name in names if name.endswith(_PAGE)]
    return posixpath.join(uri, pages[0]) if title == HTML and pages == list(names) and len(pages) == 1 else ""


def _typed(artifact: RuntimeArtifact, kind: Any) -> RuntimeArtifact:
    return replace(artifact, type=kind) if kind else artifact


def _as_folder(artifact: RuntimeArtifact) -> RuntimeArtifact:
    """What is a page to Kubeflow is the folder that holds it to everybody else."""
    return replace(artifact, uri=posixpath.dirname(artifact.uri)) if artifact.uri.endswith(_PAGE) else artifact


def _is_ambiguous(artifact: RuntimeArtifact, given: ExecutorInput) -> bool:
    return any(other.name == artifact.name and other.uri != artifact.uri for other in given.artifacts())
