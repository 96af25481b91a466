"""What a page is made from: where a run's artifacts are, and what is known of the run. Plain records."""

import io
import json
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import MonitorError, require
from .tfrecord import read_records

SPLIT_PREFIX = "Split-"

# An artifact's properties and custom properties together.
Properties = Mapping[str, int | float | str]


@dataclass(frozen=True)
class Given:
    """An artifact that a page is made from.

    Attributes:
      uri: its folder.
      type: the name of its type.
      producer: the node that made it, "" where that is not known.
      id: in ML Metadata; 0 where it is not known.
      properties: its properties and custom properties.

    """

    uri: str
    type: str = ""
    producer: str = ""
    id: int = 0
    properties: Properties = field(default_factory=dict)

    def path(self, *parts: str) -> str:
        return posixpath.join(self.uri, *parts)


@dataclass(frozen=True)
class NodeFacts:
    """One node of the run: its state, its duration in seconds (None where unknown), its parameters."""

    name: str
    state: str
    seconds: float | None
    parameters: Properties


@dataclass(frozen=True)
class RunFacts:
    """Which run it is, what ran it, and its nodes as far as they are known. `started` is a time for a person."""

    pipeline: str = ""
    run_id: str = ""
    started: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[NodeFacts, ...] = ()


@dataclass(frozen=True)
class Sources:
    """The artifacts of a run by what they are to the page; None or nothing for what the run does not have.

    Attributes:
      statistics: of the window, the examples that were served; None in a training run without serving logs.
      baseline_statistics: of held-out examples scored by the model.
      previous_statistics: of the span before.
      training_statistics: of the data that the model was trained on.
      examples: of the window.
      baseline_examples: the held-out ones; None for those that the bundle of `schema` names.
      anomalies: of every check, with whatever reports lie beside them.
      blessing: what the gate decided.
      objections: what it has against the model, where it leaves no record of its own; known to the command only.
      evaluation: by TFMA.
      pushed_model: what the pusher did.
      schema: from a BaselineImporter; its `bundle_uri` says where the baseline's own evaluation is.
      split, baseline_split: the splits of the window and of the held-out examples.
      class_names: in the order of the classes; empty when they are not known.
      run: the facts.
      missing: what should have been there and was not, a sentence each.

    """

    statistics: Given | None = None
    baseline_statistics: Given | None = None
    previous_statistics: Given | None = None
    training_statistics: Given | None = None
    examples: Given | None = None
    baseline_examples: Given | None = None
    anomalies: tuple[Given, ...] = ()
    blessing: Given | None = None
    objections: tuple[str, ...] = ()
    evaluation: Given | None = None
    pushed_model: Given | None = None
    schema: Given | None = None
    split: str = "serving"
    baseline_split: str = "eval"
    class_names: tuple[str, ...] = ()
    run: RunFacts = RunFacts()
    missing: tuple[str, ...] = ()

    def artifacts(self) -> dict[str, Given]:
        """Every artifact, by its part on the page."""
        names = ("statistics", "baseline_statistics", "previous_statistics", "training_statistics", "examples",
                 "baseline_examples", "blessing", "evaluation", "pushed_model", "schema")  # fmt: skip
        single = {name: getattr(self, name) for name in names}
        several = {f"anomalies of {each.producer or number}": each for number, each in enumerate(self.anomalies, 1)}
        return {name: each for name, each in {**single, **several}.items() if each is not None}

    def class_name(self, number: int) -> str:
        return self.class_names[number] if 0 <= number < len(self.class_names) else f"class {number}"


@dataclass(frozen=True)
class Files:
    """How files are read: `read` gives a file's content, `names` what is in a folder. Both raise `OSError`."""

    read: Callable[[str], bytes]
    names: Callable[[str], list[str]]

    def content(self, path: str) -> bytes:
        """Raises `MonitorError` when the file cannot be read."""
        try:
            return self.read(path)
        except OSError as error:
            raise MonitorError(f"{path} must be a readable file. Received: {error.strerror or error}") from error

    def listing(self, folder: str) -> list[str]:
        """What is in a folder, sorted. Raises `MonitorError` when it cannot be listed."""
        try:
            return sorted(name.rstrip("/") for name in self.names(folder))
        except OSError as error:
            raise MonitorError(f"{folder} must be a readable folder. Received: {error.strerror or error}") from error

    def records(self, path: str) -> Iterator[bytes]:
        """The records of a TFRecord file, gzipped or not. Raises `MonitorError` at the first that is damaged."""
        for record in read_records(io.BytesIO(self.content(path)), strict=True, source=path):
            yield record.data

    def splits(self, artifact: Given) -> list[str]:
        """The splits that an artifact names, and those it has a folder for without naming them."""
        named = json.loads(str(artifact.properties.get("split_names") or "[]"))
        rule = "be a JSON list of names"
        require(isinstance(named, list) and all(isinstance(n, str) for n in named), "split_names", rule, named)
        present = [n[len(SPLIT_PREFIX) :] for n in self.listing(artifact.uri) if n.startswith(SPLIT_PREFIX)]
        return sorted({*named, *present})

    def split_folder(self, artifact: Given, wanted: str) -> str:
        """The folder of a split: the wanted one, or the only one there is."""
        found = self.splits(artifact)
        split = found[0] if len(found) == 1 else wanted
        require(split in found, "split", f"be one of {', '.join(found)} of {artifact.uri}", wanted)
        return artifact.path(SPLIT_PREFIX + split)


def local_files() -> Files:
    """Files of this machine."""
    return Files(_read, os.listdir)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
