"""What an artifact was made from: ML Metadata's events followed back to the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact
from components.common.artifacts.names import COPIED_FROM

from .run_store import Node, nodes_of, reading

# In which order a node's inputs are followed; what an input is called that is only compared with.
_MAIN_WAY = ("ModelBlessing", "InfraBlessing", "Model", "ModelEvaluation", "ExampleAnomalies", "ExampleStatistics",
             "Examples")  # fmt: skip
_COMPARED = ("baseline", "previous")
_DEEPEST = 30  # steps back; a pipeline has fewer nodes in a row


@dataclass(frozen=True)
class Source:
    """Data or a baseline that nothing in the store went before.

    Attributes:
      node: the node that brought it in.
      artifact: what it gave.
      path: the nodes from the artifact that was asked about to this one, both included.

    """

    node: Node
    artifact: Artifact
    path: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where the data came from: the folder an ExampleGen read, or what was imported; else the artifact itself."""
        for key in ("input_base", "bundle_uri", "statistics_uri", "artifact_uri", "schema_file"):
            if self.node.parameters.get(key):
                return str(self.node.parameters[key])
        return self.artifact.uri

    @property
    def data(self) -> Artifact | None:
        """The examples that the node brought in, of which the artifact may be only what is wrong with them."""
        return next((each for each in self.node.made if each.type == "Examples"), None)

    @property
    def span(self) -> int | None:
        found = (self.data or self.artifact).properties.get("span")
        return None if found is None else int(found)

    @property
    def rows(self) -> int | None:
        """How many examples there are, where the component says so."""
        found = (self.data or self.artifact).properties.get("rows")
        return found if isinstance(found, int) else None

    @property
    def fingerprint(self) -> str:
        """What TFX noted of the input files: their number, bytes and checksums."""
        return str((self.data or self.artifact).properties.get("input_fingerprint", ""))

    @property
    def is_data(self) -> bool:
        return self.data is not None


@dataclass(frozen=True)
class Step:
    """A node on the way back, and what it made of the next."""

    node: Node
    artifact: Artifact


@dataclass(frozen=True)
class Lineage:
    """What an artifact goes back to: the main way, and every source, the nearest first, data before the rest."""

    steps: tuple[Step, ...] = ()
    sources: tuple[Source, ...] = ()


def trace(store: metadata_store.MetadataStore, artifact_id: int, via: str = "") -> Lineage:
    """Follows an artifact back to the data.

    Args:
      store: of ML Metadata.
      artifact_id: the artifact's.
      via: a text; the main way takes the nodes that it names, such as the check that a gate's reason is about.

    """
    makers: dict[int, Node] = {}
    found: list[Source] = []
    paths: dict[int, tuple[str, ...]] = {artifact_id: ()}
    level = [artifact_id]
    for _ in range(_DEEPEST):
        new = makers_of(store, level)
        makers |= new
        before: dict[int, tuple[str, ...]] = {}
        for number, maker in new.items():
            path = (*paths[number], maker.name)
            taken = [each.id for artifacts in maker.inputs.values() for each in artifacts] or _copied(store, maker)
            if not taken:
                found.append(Source(maker, _artifact(maker, number), path))
            before |= {each: path for each in taken if each not in paths and each not in before}
        if not before:
            break
        paths |= before
        level = list(before)
    sources = tuple(sorted(found, key=lambda each: not each.is_data))
    return Lineage(_steps(makers, artifact_id, via), sources)


def _steps(makers: Mapping[int, Node], artifact_id: int, via: str) -> tuple[Step, ...]:
    """The main way back: from a push to the blessing, from that to the model, from that to its examples."""
    steps: list[Step] = []
    number = artifact_id
    while number in makers and len(steps) < _DEEPEST:
        maker = makers[number]
        steps.append(Step(maker, _artifact(maker, number)))
        taken = [(key, each) for key, artifacts in maker.inputs.items() for each in artifacts if each.id in makers]
        ranked = [(*_rank(makers[each.id].name, key, each.type, via), each.id) for key, each in taken]
        if not ranked:
            break
        number = min(ranked)[-1]
    return tuple(steps)


def _rank(maker: str, key: str, kind: str, via: str) -> tuple[bool, bool, int]:
    """How far an input is from the main way: what is only compared with comes last."""
    kinds = _MAIN_WAY.index(kind) if kind in _MAIN_WAY else len(_MAIN_WAY)
    return (not (maker and maker in via), key.startswith(_COMPARED), kinds)


def _artifact(maker: Node, number: int) -> Artifact:
    return next(each for each in maker.made if each.id == number)


def _copied(store: metadata_store.MetadataStore, maker: Node) -> list[int]:
    """The artifact that a StatisticsImporter has copied, where this store knows it."""
    known = (str(each.properties.get(COPIED_FROM, "")) for each in maker.made)
    uri = next(filter(None, known), "") or str(maker.parameters.get("statistics_uri", ""))
    return [each.id for each in reading(lambda: store.get_artifacts_by_uri(uri))] if uri else []


def makers_of(store: metadata_store.MetadataStore, artifact_ids: Sequence[int]) -> dict[int, Node]:
    """The node that made each artifact. One that a later run took from the cache or imported keeps its first maker."""
    events = reading(lambda: store.get_events_by_artifact_ids(list(artifact_ids)))
    first: dict[int, int] = {}
    for event in events:
        if event.type in (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT):
            first[event.artifact_id] = min(event.execution_id, first.get(event.artifact_id, event.execution_id))
    ids = sorted(set(first.values()))
    executions = reading(lambda: store.get_executions_by_id(ids)) if ids else []
    nodes = nodes_of(store, executions)
    return {number: nodes[first[number]] for number in artifact_ids if first.get(number) in nodes}
