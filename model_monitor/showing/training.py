"""The table at the end of a training run: what was found, what each gate said, and where things are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.artifacts import evaluation
from components.common.artifacts.anomalies import anomalies_by_split
from components.common.artifacts.files import Artifact, Files
from components.common.artifacts.statistics import statistics_by_split
from components.common.records.decision import REASONS_JSON
from components.common.statistics.monitored_features import corrupt_images, name_of
from components.common.verdict import Check
from components.common.verdict_words import COLOURS

from ..reading import roles
from ..reading.report_sources import class_names
from ..reading.run_store import Run
from ..reading.verdicts import RunVerdict
from .lines import Facts, say
from .parts import MARKS, report_file, times, told

_CLASSES_A_LINE = 5


@dataclass
class Summary:
    """A finished training run, told in a table of at most 100 columns."""

    run: Run
    verdict: RunVerdict
    root: Path
    log_file: Path

    def show(self, console: Console) -> None:
        facts = Facts()
        files = self.run.files
        statistics = statistics_by_split(self.run.node(roles.IMAGE_STATISTICS).output("statistics"), files)
        facts.add("Data", "\n".join(_data(split, s) for split, s in statistics.items()))
        facts.add("Statistics", _features(statistics))
        facts.add("Schema check", _schema_check(self.run.node(roles.DATA_CHECK).output("anomalies"), files))
        facts.add("Baseline", self._baseline())
        evaluated = self.run.node(roles.EVALUATOR).output("evaluation")
        facts.add("Accuracy", _accuracy(evaluated.uri, files, class_names(self.run.nodes, [])))
        facts.add("Gate", "\n".join(map(_check_line, self.verdict.checks)))
        facts.add("Pushed", escape(self.verdict.destination) or "no")
        facts.add("Report", escape(str(report_file(self.run))))
        facts.add("Results", escape(str(self.root)))
        facts.add("Decision", escape(self.run.node(roles.GATE).output("blessing").path(REASONS_JSON)))
        facts.add("Log", escape(str(self.log_file)))
        facts.add("Time", times(self.run))
        say(console, f"\n[bold {COLOURS[self.verdict.tone]}]{escape(self.verdict.sentence)}[/]\n")
        facts.show(console)

    def _baseline(self) -> str:
        node = self.run.nodes.get(roles.BASELINE)
        if node is None or not node.made:
            return "none: there was nothing to compare the model with"
        return escape(str(node.output("model").properties["bundle_uri"]))


def _check_line(check: Check) -> str:
    return f"{MARKS[check.outcome]} {check.title}: {escape(check.reason)}"


def _data(split: str, statistics: statistics_pb2.DatasetFeatureStatistics) -> str:
    return f"{split}: {statistics.num_examples:,} images, {corrupt_images(statistics) or 0:,} corrupt"


def _features(statistics: dict[str, statistics_pb2.DatasetFeatureStatistics]) -> str:
    names = {name_of(f) for s in statistics.values() for f in s.features}
    of_images = sum(name.startswith("image_") for name in names)
    return f"{len(names)} features, {of_images} of them describe the images"


def _schema_check(artifact: Artifact, files: Files) -> str:
    found = {split: told(anomalies) for split, anomalies in anomalies_by_split(artifact, files).items()}
    return "\n".join(f"{split}: {'; '.join(lines) or 'no anomalies'}" for split, lines in found.items())


def _accuracy(folder: str, files: Files, names: Sequence[str]) -> str:
    """Overall accuracy, then each class's, from TFMA's slices by label."""
    found = [
        each for each in evaluation.metrics(folder, files) if each.of in evaluation.CANDIDATE and each.accuracy_name
    ]
    whole = [f"{each.metrics[each.accuracy_name]:.3f} overall" for each in found if not each.key]
    of_label = {each.label: each.metrics[each.accuracy_name] for each in found}
    classes = [f"{name} {of_label[number]:.2f}" for number, name in enumerate(names) if number in of_label]
    lines = ["  ".join(f"{c:<15}" for c in classes[i : i + _CLASSES_A_LINE]).rstrip()
             for i in range(0, len(classes), _CLASSES_A_LINE)]  # fmt: skip
    return "\n".join([*(whole or ["not measured"]), *lines])
