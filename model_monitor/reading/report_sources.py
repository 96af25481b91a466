"""What the page of a past run is made from, read back out of ML Metadata. Imports neither TFX nor TensorFlow."""

from collections.abc import Iterable, Mapping

from components.common.artifacts.files import Given, NodeFacts, RunFacts, Sources
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from components.validation_report import build, facts

from .findings import objections
from .run_store import Artifact, Node, Run

# Nodes by what they are to the page; a pipeline that has others gets a page of what can be told by type.
_WINDOW_STATISTICS = ("ServingStatisticsGen",)
_BASELINE_STATISTICS = ("BaselineStatisticsGen",)
_IMAGE_STATISTICS = ("ImageStatisticsGen",)
_PREVIOUS_STATISTICS = ("PreviousStatistics",)
_IMPORTER = "BaselineImporter"
_LOGS = "ServingLogExampleGen"
_GATES = ("PushGate", "Evaluator")  # whose blessing counts, the first first


def sources_of(found: Run) -> Sources:
    """What the page of a run is made from, by the names of its nodes where they are ours and by types otherwise."""
    nodes = found.nodes
    monitors = _LOGS in nodes and not any(name in nodes for name in _BASELINE_STATISTICS)
    pushed = _first(_by_type(nodes, "PushedModel"))
    anomalies = tuple(given for given in _by_type(nodes, "ExampleAnomalies"))
    importer = _outputs(nodes, _IMPORTER)
    statistics = {name: _outputs(nodes, name).get("statistics") for name in nodes}
    window = _pick(statistics, _IMAGE_STATISTICS if monitors else _WINDOW_STATISTICS)
    baseline = (
        importer.get("baseline_statistics")
        if monitors
        else _pick(statistics, (*_BASELINE_STATISTICS, *_IMAGE_STATISTICS))
    )
    others = [name for name in nodes if "StatisticsGen" in name and name not in
              (*_WINDOW_STATISTICS, *_BASELINE_STATISTICS)]  # fmt: skip
    problems: list[str] = [_failed(node) for node in nodes.values() if not node.complete]
    return Sources(
        statistics=window,
        baseline_statistics=baseline,
        previous_statistics=_first(_outputs(nodes, name).get("result") for name in _PREVIOUS_STATISTICS),
        training_statistics=None if monitors else _pick(statistics, others),
        examples=_outputs(nodes, _LOGS).get("examples"),
        baseline_examples=None if monitors else _held_out(nodes),
        anomalies=anomalies,
        blessing=_blessing(nodes),
        objections=tuple(each.message for each in objections(found) if each.decided and each.what != "blessing"),
        evaluation=_first(_by_type(nodes, "ModelEvaluation")),
        pushed_model=pushed,
        schema=importer.get("schema"),
        class_names=class_names(nodes, problems),
        run=RunFacts(
            found.pipeline,
            found.run_id,
            f"{found.started:%Y-%m-%d %H:%M:%S}",
            facts.installed_versions(),
            _facts(nodes.values()),
        ),
        missing=tuple(problems),
    )


def _held_out(nodes: Mapping[str, Node]) -> Given | None:
    """The examples that the baseline's statistics describe, or those with the same ids that were imported."""
    examples = [each for each in _by_type(nodes, "Examples") if each.producer != _LOGS]
    imported = [each for each in examples if each.producer.endswith("ExampleGen")]
    return _first(imported or examples)


def _blessing(nodes: Mapping[str, Node]) -> Given | None:
    given = {each.producer: each for each in _by_type(nodes, "ModelBlessing")}
    return _first([*(given.get(name) for name in _GATES), *given.values()])


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


def _by_type(nodes: Mapping[str, Node], kind: str) -> list[Given]:
    """Every artifact of a type that the run made, in the order of its nodes."""
    return [
        _given(artifact, node.name)
        for node in nodes.values()
        for artifacts in node.outputs.values()
        for artifact in artifacts
        if artifact.type == kind
    ]


def _outputs(nodes: Mapping[str, Node], name: str) -> dict[str, Given]:
    """The first artifact of each output of a node; nothing for a node that there is not."""
    if name not in nodes:
        return {}
    return {key: _given(artifacts[0], name) for key, artifacts in nodes[name].outputs.items() if artifacts}


def _pick(given: Mapping[str, Given | None], names: Iterable[str]) -> Given | None:
    return _first(given.get(name) for name in names)


def _first(given: Iterable[Given | None]) -> Given | None:
    return next((each for each in given if each is not None), None)


def _given(artifact: Artifact, producer: str) -> Given:
    return Given(artifact.uri, artifact.type, producer, artifact.id, artifact.properties)
