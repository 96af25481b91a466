"""What the page of a past run is made from, read back out of ML Metadata. Imports neither TFX nor TensorFlow."""

from collections.abc import Iterable, Mapping

from components.common.artifacts.files import Artifact
from components.common.artifacts.sources import NodeFacts, RunFacts, Sources
from components.common.errors import MonitorError
from components.common.installed import installed_versions
from components.common.model_spec import ModelSpec
from components.validation_report import build

from . import roles
from .findings import violations
from .run_store import Node, Run
from .verdicts import history_of


def sources_of(found: Run) -> Sources:
    """What the page of a run is made from, by the names of its nodes where they are ours and by types otherwise."""
    nodes = found.nodes
    monitors = roles.LOGS in nodes and roles.BASELINE_STATISTICS not in nodes
    pushed = _first(_by_type(nodes, "PushedModel"))
    anomalies = tuple(given for given in _by_type(nodes, "ExampleAnomalies"))
    importer = _outputs(nodes, roles.BASELINE)
    statistics = {name: _outputs(nodes, name).get("statistics") for name in nodes}
    window = statistics.get(roles.IMAGE_STATISTICS if monitors else roles.SERVING_STATISTICS)
    baseline = (
        importer.get("reference_statistics") or importer.get("baseline_statistics")
        if monitors
        else _pick(statistics, (roles.BASELINE_STATISTICS, roles.IMAGE_STATISTICS))
    )
    earlier = _outputs(nodes, roles.PREVIOUS_STATISTICS)
    served = (roles.SERVING_STATISTICS, roles.BASELINE_STATISTICS)
    others = [name for name in nodes if roles.makes_statistics(name) and name not in served]
    problems: list[str] = [
        _failed(node) for node in nodes.values() if not (node.complete or node.component == roles.GUARD)
    ]
    return Sources(
        statistics=window,
        baseline_statistics=baseline,
        previous_statistics=earlier.get("statistics") or earlier.get("result"),  # TFX's Importer's
        training_statistics=None if monitors else _pick(statistics, others),
        examples=_outputs(nodes, roles.LOGS).get("examples"),
        baseline_examples=None if monitors else _held_out(nodes),
        anomalies=anomalies,
        blessing=_blessing(nodes),
        violations=tuple(each.message for each in violations(found) if each.decided and each.what != "blessing"),
        evaluation=_first(_by_type(nodes, "ModelEvaluation")),
        pushed_model=pushed,
        schema=importer.get("schema"),
        class_names=class_names(nodes, problems),
        spec=_spec(nodes),
        run=RunFacts(
            found.pipeline,
            found.run_id,
            f"{found.started:%Y-%m-%d %H:%M:%S}",
            installed_versions(),
            _facts(nodes.values()),
        ),
        missing=tuple(problems),
        history=history_of(found),
    )


def _held_out(nodes: Mapping[str, Node]) -> Artifact | None:
    """The examples that the baseline's statistics describe, or those with the same ids that were imported."""
    examples = [each for each in _by_type(nodes, "Examples") if each.producer != roles.LOGS]
    imported = [each for each in examples if roles.imports_examples(each.producer)]
    return _first(imported or examples)


def _blessing(nodes: Mapping[str, Node]) -> Artifact | None:
    given = {each.producer: each for each in _by_type(nodes, "ModelBlessing")}
    return _first([*(given.get(name) for name in roles.GATES), *given.values()])


def class_names(nodes: Mapping[str, Node], problems: list[str]) -> tuple[str, ...]:
    """What the first node that was told names of classes was told, in their order; nothing where none was.

    Args:
      nodes: of the run, by name.
      problems: what cannot be read is added here.

    """
    for node in nodes.values():
        try:
            names = _told(node)
        except MonitorError as error:
            problems.append(f"Of the classes that {node.name} was told: {error}")
            continue
        if names:
            return names
    return ()


def _spec(nodes: Mapping[str, Node]) -> ModelSpec | None:
    """The spec that the first node was told whose is a model's and can be read; `class_names` says what cannot."""
    for node in nodes.values():
        text = str(node.parameters.get("spec") or "")
        if '"classes"' in text:  # not of images alone
            try:
                return ModelSpec.from_json(text)
            except MonitorError:
                continue
    return None


def _told(node: Node) -> tuple[str, ...]:
    spec = str(node.parameters.get("spec") or "")
    if '"classes"' in spec:  # not of images alone
        return ModelSpec.from_json(spec).classes
    return build.class_names_of(str(node.parameters.get("class_names") or "[]"))


def _facts(nodes: Iterable[Node]) -> tuple[NodeFacts, ...]:
    return tuple(
        NodeFacts(node.name, node.state, None if node.cached else node.seconds, node.parameters) for node in nodes
    )


def _failed(node: Node) -> str:
    return f"{node.name} did not finish, its state is {node.state.lower()}"


def _by_type(nodes: Mapping[str, Node], kind: str) -> list[Artifact]:
    """Every artifact of a type that the run made, in the order of its nodes."""
    return [
        artifact
        for node in nodes.values()
        for artifacts in node.outputs.values()
        for artifact in artifacts
        if artifact.type == kind
    ]


def _outputs(nodes: Mapping[str, Node], name: str) -> dict[str, Artifact]:
    """The first artifact of each output of a node; nothing for a node that there is not."""
    if name not in nodes:
        return {}
    return {key: artifacts[0] for key, artifacts in nodes[name].outputs.items() if artifacts}


def _pick(given: Mapping[str, Artifact | None], names: Iterable[str]) -> Artifact | None:
    return _first(given.get(name) for name in names)


def _first(given: Iterable[Artifact | None]) -> Artifact | None:
    return next((each for each in given if each is not None), None)
