"""The table at the end of a training run: what was found, what each gate said, and where things are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow_model_analysis as tfma
from rich.console import Console
from rich.markup import escape
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.records.decision import REASONS_JSON, Decision
from components.common.verdict import Check, Effect, Outcome

from ..reading.report_sources import class_names
from ..reading.run_store import Artifact, Run
from .lines import Facts, say
from .parts import MARKS, anomalies_of, report_file, split_files, times, told

_CLASSES_A_LINE = 5


@dataclass
class Summary:
    """A finished training run, told in a table of at most 100 columns."""

    run: Run
    root: Path
    log_file: Path

    def __post_init__(self) -> None:
        self._push = self.run.node("AtomicPusher").output("pushed_model").properties
        self._reasons_file = self.run.node("PushGate").output("blessing").path / REASONS_JSON
        self._decision = Decision.from_json(self._reasons_file.read_text())

    @property
    def blessed(self) -> bool:
        """Whether every gate let the model pass."""
        return self._decision.blessed

    @property
    def pushed(self) -> bool:
        """Whether this run's model is in the serving folder: pushed now, or by the earlier run this one repeats."""
        return self._push.get("pushed") == 1 and Path(str(self._push["pushed_destination"])).is_dir()

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        if self.pushed and self.run.node("AtomicPusher").cached:
            return f"Nothing has changed since version {self._push['pushed_version']} was pushed."
        if self.pushed:
            return f"Pushed as version {self._push['pushed_version']}: every gate let it pass."
        if self.blessed:
            version = self._push.get("pushed_version")
            return (
                f"Not pushed: version {version}, which an earlier run pushed and this run repeats, "
                "is gone from the serving folder; `--set cache=false` makes it again."
            )
        reasons = self._blocking_reasons()
        more = f" ({len(reasons) - 1} more below)" if len(reasons) > 1 else ""
        return f"Not pushed: {reasons[0]}{more}."

    def _blocking_reasons(self) -> list[str]:
        """Every finding that blocks, the failed gates' first; a gate without findings gives its reason."""
        order = (Outcome.FAILED, Outcome.UNDECIDED)
        verdicts = [v for outcome in order for v in self._decision.checks if v.outcome is outcome]
        effects = (Effect.FAIL, Effect.UNDECIDED)
        found = [[f.message for f in v.findings if f.effect in effects] or [v.reason] for v in verdicts]
        return [message for messages in found for message in messages] or [self._decision.summary]

    def show(self, console: Console) -> None:
        facts = Facts()
        statistics = _statistics(self.run.node("ImageStatisticsGen").output("statistics"))
        facts.add("Data", "\n".join(_data(split, s) for split, s in statistics.items()))
        facts.add("Statistics", _features(statistics))
        facts.add("Schema check", _schema_check(self.run.node("ExampleValidator").output("anomalies")))
        facts.add("Baseline", self._baseline())
        evaluation = self.run.node("Evaluator").output("evaluation")
        facts.add("Accuracy", _accuracy(evaluation, class_names(self.run.nodes, [])))
        facts.add("Gate", "\n".join(map(_check_line, self._decision.checks)))
        facts.add("Pushed", escape(str(self._push["pushed_destination"])) if self.pushed else "no")
        facts.add("Report", escape(str(report_file(self.run))))
        facts.add("Results", escape(str(self.root)))
        facts.add("Decision", escape(str(self._reasons_file)))
        facts.add("Log", escape(str(self.log_file)))
        facts.add("Time", times(self.run))
        colour = "green" if self.pushed else "red"
        say(console, f"\n[bold {colour}]{escape(self.sentence)}[/]\n")
        facts.show(console)

    def _baseline(self) -> str:
        if "BaselineImporter" not in self.run.nodes:
            return "none: there was nothing to compare the model with"
        return escape(str(self.run.node("BaselineImporter").output("model").properties["bundle_uri"]))


def _check_line(check: Check) -> str:
    return f"{MARKS[check.outcome]} {check.title}: {escape(check.reason)}"


def _statistics(artifact: Artifact) -> dict[str, statistics_pb2.DatasetFeatureStatistics]:
    files = split_files(artifact, "FeatureStats.pb")
    return {n: statistics_pb2.DatasetFeatureStatisticsList.FromString(b).datasets[0] for n, b in files.items()}


def _name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    return feature.name or ".".join(feature.path.step)


def _data(split: str, statistics: statistics_pb2.DatasetFeatureStatistics) -> str:
    corrupt = next((f.num_stats for f in statistics.features if _name(f) == "image_corrupt"), None)
    broken = round(corrupt.mean * statistics.num_examples) if corrupt is not None else 0
    return f"{split}: {statistics.num_examples:,} images, {broken:,} corrupt"


def _features(statistics: dict[str, statistics_pb2.DatasetFeatureStatistics]) -> str:
    names = {_name(f) for s in statistics.values() for f in s.features}
    of_images = sum(name.startswith("image_") for name in names)
    return f"{len(names)} features, {of_images} of them describe the images"


def _schema_check(artifact: Artifact) -> str:
    found = {split: told(anomalies) for split, anomalies in anomalies_of(artifact).items()}
    return "\n".join(f"{split}: {'; '.join(lines) or 'no anomalies'}" for split, lines in found.items())


def _accuracy(artifact: Artifact, names: Sequence[str]) -> str:
    """Overall accuracy, then each class's, from TFMA's slices by label."""
    sliced = dict(tfma.load_eval_result(artifact.uri).slicing_metrics)
    values = {key: metrics[""][""]["accuracy"]["doubleValue"] for key, metrics in sliced.items()}
    classes = [f"{name} {values[(('label', i),)]:.2f}" for i, name in enumerate(names) if (("label", i),) in values]
    lines = ["  ".join(f"{c:<15}" for c in classes[i : i + _CLASSES_A_LINE]).rstrip()
             for i in range(0, len(classes), _CLASSES_A_LINE)]  # fmt: skip
    return "\n".join([f"{values[()]:.3f} overall", *lines])
