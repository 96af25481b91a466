"""What an artifact was made from: ML Metadata's events followed back to the data."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from .inspect import Artifact, Node, nodes_of, reading

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
        for key in ("input_base", "bundle_uri", "artifact_uri", "schema_file"):
            if self.node.parameters.get(key):
                return str(self.node.parameters[key])
        return self.artifact.uri

    @property
    def span(self) -> int | None:
        return int(self.artifact.properties["span"]) if "span" in self.artifact.properties else None

    @property
    def fingerprint(self) -> str:
        """What TFX noted of the input files: their number, bytes and checksums."""
        return str(self.artifact.properties.get("input_fingerprint", ""))

    @property
    def is_data(self) -> bool:
        return self.artifact.type == "Examples"


def sources(store: metadata_store.MetadataStore, artifact_id: int) -> list[Source]:
    """Everything that an artifact goes back to, the nearest first, data before the rest."""
    found: list[Source] = []
    paths: dict[int, tuple[str, ...]] = {artifact_id: ()}
    level = [artifact_id]
    for _ in range(_DEEPEST):
        makers = _makers(store, level)
        before: dict[int, tuple[str, ...]] = {}
        for number in level:
            maker = makers.get(number)
            if maker is None:
                continue
            path = (*paths[number], maker.name)
            taken = [each.id for artifacts in maker.inputs.values() for each in artifacts]
            if not taken:
                made = next(each for each in maker.made if each.id == number)
                found.append(Source(maker, made, path))
            for each in taken:
                if each not in paths:
                    before.setdefault(each, path)
        if not before:
            break
        paths.update(before)
        level = list(before)
    return sorted(found, key=lambda each: not each.is_data)


def _makers(store: metadata_store.MetadataStore, artifact_ids: Sequence[int]) -> dict[int, Node]:
    """The node that made each artifact. One that a later run took from the cache or imported keeps its first maker."""
    events = reading(lambda: store.get_events_by_artifact_ids(list(artifact_ids)))
    first: dict[int, int] = {}
    for event in events:
        if event.type in (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT):
            first[event.artifact_id] = min(event.execution_id, first.get(event.artifact_id, event.execution_id))
    ids = sorted(set(first.values()))
    executions = reading(lambda: store.get_executions_by_id(ids)) if ids else []
    nodes = nodes_of(store, executions)
    return {artifact: nodes[maker] for artifact, maker in first.items() if maker in nodes}
