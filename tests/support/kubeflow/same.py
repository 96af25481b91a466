"""One run on Kubeflow and the same on this machine: what both say of it is compared, to the last digit."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.common.artifacts import evaluation
from components.common.artifacts.files import local_files
from model_monitor.reading import run_store

COUNTED = ("accuracy", "example_count", "worst_class_accuracy")


class OnKubeflow(Protocol):
    """A run that has ended, whoever ran it: a walk, or kfp.local."""

    def folder(self, task: str, key: str) -> Path:
        """Where an artifact is; of a page, its file may be named."""

    def said(self, task: str, key: str) -> dict[str, Any]:
        """The properties of an artifact."""


Ran = TypeVar("Ran", bound=OnKubeflow)


@dataclass(frozen=True)
class Both(Generic[Ran]):
    """One run on Kubeflow and the same on this machine."""

    kubeflow: Ran
    here: run_store.Run

    def files(self, node: str, key: str, *names: str) -> list[Path]:
        """What lies in an artifact, on either side."""
        there = self.kubeflow.folder(node, key)
        there = there.parent if there.suffix == ".html" else there
        return [there.joinpath(*names), Path(self.here.node(node).output(key).uri).joinpath(*names)]

    def properties(self, node: str, key: str, name: str) -> list[Any]:
        """A property of an artifact, on either side."""
        return [self.kubeflow.said(node, key)[name], self.here.node(node).output(key).properties[name]]

    def same(self, node: str, key: str, *names: str, read: Callable[[Path], Any] = Path.read_bytes) -> Any:
        """What both sides say, which is the same."""
        there, here = (read(path) for path in self.files(node, key, *names))
        assert there == here, f"{node} gives another {'/'.join((key, *names))} on Kubeflow and on this machine"
        return there

    def same_of_a_span(self) -> Any:
        """The drift report of a span of serving logs, after all that is said of the span was the same."""
        drift = self.same("SkewDriftValidator", "anomalies", "drift_report.json", read=record)
        self.same("PerformanceEstimator", "anomalies", "performance.json", read=record)
        sentences = self.properties("ValidationReport", "report", "verdict")
        assert sentences[0] == sentences[1]
        for node in ("ServingLogExampleGen", "SkewDriftValidator", "PerformanceEstimator"):
            self.same(node, "anomalies", "Split-serving", "SchemaDiff.pb", read=anomalies)
        return drift


def here(pipeline: Pipeline, metadata: Path) -> run_store.Run:
    """Runs a pipeline on this machine. `metadata` is the database that it names."""
    LocalDagRunner().run(pipeline)
    store = run_store.open_store(metadata)
    return next(iter(run_store.runs(store, pipeline.pipeline_info.pipeline_name, newest_first=True)))


def imported(run: OnKubeflow) -> dict[str, Any]:
    """The nodes that give what a run has read and learnt, under the ids and outputs of those that did.

    How Beam shuffles examples, and so what is learnt, is left to chance.
    """
    said = run.said("Cifar10ExampleGen", "examples")
    examples = Importer(
        source_uri=str(run.folder("Cifar10ExampleGen", "examples")),
        artifact_type=standard_artifacts.Examples,
        properties={"split_names": said["split_names"]},
        custom_properties={key: said[key] for key in ("file_format", "payload_format")},
        output_key="examples",
    )
    model = Importer(
        source_uri=str(run.folder("Trainer", "model")), artifact_type=standard_artifacts.Model, output_key="model"
    )
    return {"example_gen": examples.with_id("Cifar10ExampleGen"), "trainer": model.with_id("Trainer")}


def record(path: Path) -> Any:
    """A record of JSON."""
    return json.loads(path.read_text())


def decision(path: Path) -> Any:
    """What PushGate says, but for where the model is."""
    return {key: value for key, value in record(path).items() if key != "model"}


def anomalies(path: Path) -> anomalies_pb2.Anomalies:
    """The message: its features are in any order in the file."""
    return anomalies_pb2.Anomalies.FromString(path.read_bytes())


def counted(path: Path) -> Any:
    """What TFMA has counted. What it sums up depends in the seventh digit on how Beam cuts the data into batches."""
    found = evaluation.metrics(str(path), local_files())
    return [(each.slice, [each.metrics.get(name) for name in COUNTED]) for each in found]
