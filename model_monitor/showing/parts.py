"""What the tables at the end of a training and of a monitoring run have in common."""

import json
import os
from pathlib import Path

from rich.markup import escape
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.common.verdict import Outcome

from ..reading.run_store import Artifact, Run

MARKS = {Outcome.PASSED: "[green]✓[/]", Outcome.FAILED: "[red]✗[/]", Outcome.UNDECIDED: "[yellow]?[/]"}


def place(uri: str) -> str:
    """Where something is, from here if it is below the working directory."""
    here = f"{os.getcwd()}{os.sep}"
    return uri.removeprefix(here) if uri.startswith(here) and uri != here else uri


def split_files(artifact: Artifact, file: str) -> dict[str, bytes]:
    """The bytes of one file of every split of an artifact, by the split's name."""
    names = json.loads(str(artifact.properties["split_names"]))
    return {name: (artifact.path / f"Split-{name}" / file).read_bytes() for name in names}


def anomalies_of(artifact: Artifact) -> dict[str, anomalies_pb2.Anomalies]:
    """The anomalies of every split, by the split's name."""
    return {name: anomalies_pb2.Anomalies.FromString(b) for name, b in split_files(artifact, "SchemaDiff.pb").items()}


def told(anomalies: anomalies_pb2.Anomalies, severity: int | None = None) -> list[str]:
    """A line for each anomaly, of one severity or of all: the feature, if it is about one, and what is wrong."""
    found = [
        (".".join(info.path.step) or key, info)
        for key, info in sorted(anomalies.anomaly_info.items())
        if severity in (None, info.severity)
    ]
    lines = [f"{feature}: {info.short_description}" for feature, info in found]
    dataset = anomalies.dataset_anomaly_info
    if anomalies.HasField("dataset_anomaly_info") and severity in (None, dataset.severity):
        lines.append(dataset.short_description)
    return [escape(line) for line in lines]


def report_file(run: Run) -> Path:
    """The page that the run made of itself."""
    return run.node("ValidationReport").output("report").path / "report.html"


def times(run: Run) -> str:
    """Seconds of every step that ran, and how many did not have to."""
    ran = [node for node in run.nodes.values() if not node.cached]
    parts = [f"{node.name} {node.seconds:.1f}s" for node in ran]
    if from_cache := len(run.nodes) - len(ran):
        parts.append(f"{from_cache} {'step' if from_cache == 1 else 'steps'} from cache")
    return f"{sum(node.seconds for node in ran):.1f} s in all: {', '.join(parts)}"
