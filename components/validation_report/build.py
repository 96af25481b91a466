"""Puts the page together from a run's artifacts. What cannot be read becomes a line of the page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from ..common import baseline_bundle
from ..common.artifacts import checks
from ..common.artifacts.anomalies import Anomaly, read_anomalies
from ..common.artifacts.files import DAMAGE, Artifact, Files, said
from ..common.artifacts.names import REFERENCE, REFERENCE_EXAMPLES
from ..common.artifacts.sources import Sources
from ..common.artifacts.splits import only_split_folder, split_folders
from ..common.artifacts.statistics import read_sample, read_statistics
from ..common.errors import MonitorError
from ..common.pages.parts import Chart, Table
from ..common.records.drift_report import DriftReport
from ..common.records.performance import PERFORMANCE_JSON, Performance
from ..common.statistics.feature_sample import FeatureSample
from ..common.strict_text import parse_json
from ..common.verdict import Verdict
from . import accuracy, distributions, facts, image_grid
from .page import Accuracy, ConfusionMatrix, Moved, Page, Strip
from .stored_images import read_images

T = TypeVar("T")
_SEVERITIES = {"ERROR": "✗ error", "WARNING": "! warning"}
_NOT_COMPARED = "Nothing was compared in this run: it has no report of SkewDriftValidator."


def build_page(sources: Sources, files: Files, verdict: Verdict | None = None) -> Page:
    """The page of a run.

    Args:
      sources: its artifacts.
      files: how they are read.
      verdict: where more is known of the run than its artifacts, as in ML Metadata; None: what the artifacts come to.

    """
    return _Builder(sources, files, verdict).page()


def build_strips(sources: Sources, files: Files) -> tuple[tuple[Strip, ...], tuple[str, ...]]:
    """The images of the page of a run, and what could not be read of them. Arguments as of `build_page`."""
    builder = _Builder(sources, files)
    report = builder.report()
    features = distributions.moved_features(report.measurements) if report else []
    return builder.strips(builder.samples(), features), tuple(builder.problems)


@dataclass
class _Builder:
    """Reads each artifact once, and keeps a list of what could not be read."""

    sources: Sources
    files: Files
    verdict: Verdict | None = None
    problems: list[str] = field(default_factory=list)

    def page(self) -> Page:
        sources = self.sources
        self.problems += sources.missing
        found = checks.checks_of(sources, self.files)
        data = {side: s for side, given, split in self._sides() if (s := self._statistics(side, given, split))}
        samples, report = self.samples(), self.report()
        moved, features = self._moved(report, data)
        anomalies, note = self._anomalies()
        counts = self._try("the counts of the logs", lambda: facts.log_counts(sources, self.files)) or ()
        return Page(
            title=f"{'Monitoring' if self._monitors else 'Training'} report",
            subtitle=_subtitle(sources, self._compared(REFERENCE)),
            verdict=self.verdict or checks.verdict_of(sources, found, report.p_value if report else None),
            checks=found,
            moved=moved,
            strips=self.strips(samples, features),
            accuracy=self._accuracy(samples.get("baseline")),
            anomalies=anomalies,
            anomalies_note=note,
            data=(*facts.data_counts(self._described(data)), *counts),
            facts=facts.run_tables(sources),
            problems=tuple(self.problems),  # last: until here, everything may add to it
        )

    def samples(self) -> dict[str, FeatureSample]:
        """Of the baseline and the window, where they can be read."""
        return {side: s for side, given, split in self._sides()[:2] if (s := self._sample(side, given, split))}

    def report(self) -> DriftReport | None:
        return self._try("the comparison", lambda: distributions.report_of(self.sources, self.files))

    @property
    def _monitors(self) -> bool:
        return self.sources.blessing is None

    def _try(self, what: str, read: Callable[[], T]) -> T | None:
        """What `read` gives, or None and a line about why not."""
        try:
            return read()
        except DAMAGE as error:
            self.problems.append(f"Of {what}: {said(error)}")
            return None

    def _sides(self) -> list[tuple[str, Artifact | None, str]]:
        s = self.sources
        return [("baseline", s.baseline_statistics, s.baseline_split), ("window", s.statistics, s.split),
                ("previous", s.previous_statistics, s.split)]  # fmt: skip

    def _statistics(self, side: str, given: Artifact | None, split: str) -> Any:
        if given is None:
            return None
        what = f"the statistics of the {side}"
        return self._try(what, lambda: read_statistics(self._folder(given, split), self.files))

    def _sample(self, side: str, given: Artifact | None, split: str) -> FeatureSample | None:
        if given is None:
            return None
        return self._try(f"the sample of the {side}", lambda: read_sample(self._folder(given, split), self.files))

    def _folder(self, given: Artifact, split: str) -> str:
        return only_split_folder(given, split, self.files)

    def _moved(self, report: DriftReport | None, data: dict[str, Any]) -> tuple[Moved, list[str]]:
        if report is None:
            return Moved(_NOT_COMPARED), []
        names = self.sources.class_names
        moved = self._try("the comparison", lambda: distributions.moved(report, data, names))
        return moved or Moved("What was compared cannot be read."), distributions.moved_features(report.measurements)

    def strips(self, samples: dict[str, FeatureSample], features: Sequence[str]) -> tuple[Strip, ...]:
        baseline = samples.get("baseline")
        if baseline is None:
            return ()
        names = self.sources.class_names
        choices = self._try("the samples", lambda: image_grid.choose(baseline, samples.get("window"), features, names))
        images: dict[bool, dict[str, bytes]] = {}
        sides = ((False, self._held_out(), self.sources.baseline_split, "baseline"),
                 (True, self.sources.examples, self.sources.split, "window"))  # fmt: skip
        for window, given, split, name in sides:
            chosen = {identity for c in choices or () if c.window is window for identity in c.ids}
            wanted = chosen - {""}
            if chosen and not wanted:
                self.problems.append(f"Images of the {name} are not shown: its examples have no ids to find them by")
            elif wanted and given is None:
                self.problems.append(f"Images of the {name} are not shown: the run names no examples of it")
            elif wanted and given is not None:
                images[window] = self._images(given, split, wanted, name)
        stored = self.sources.spec.image if self.sources.spec else None
        strips = self._try("the images", lambda: image_grid.pictures(choices or (), images, stored)) or ()
        if any(images.values()) and not strips:
            self.problems.append("Images are not shown: none of those that were found could be decoded")
        return strips

    def _held_out(self) -> Artifact | None:
        """What the window is compared with: the run's own, those of the reference, or those that the bundle names."""
        if self.sources.baseline_examples is not None or self._manifest is None:
            return self.sources.baseline_examples
        uri = self._compared(REFERENCE_EXAMPLES) or self._manifest.baseline_examples_uri
        return Artifact(uri) if uri else None

    def _compared(self, what: str) -> str:
        """What is said of the windows that this one is compared with; "" where it is with held-out examples."""
        given = self.sources.baseline_statistics
        return str(given.properties.get(what) or "") if given else ""

    @cached_property
    def _manifest(self) -> baseline_bundle.Manifest | None:
        """What the pushed version's bundle says of itself; None where there is none, or it cannot be read."""
        if not self._bundle:
            return None
        path = f"{self._bundle}/{baseline_bundle.MANIFEST_FILE}"
        return self._try(
            "the baseline bundle",
            lambda: baseline_bundle.Manifest.from_json(self.files.content(path).decode(), path),
        )

    @property
    def _bundle(self) -> str:
        """The folder of the bundle of the pushed version that a window is compared with; "" for none."""
        version = self.sources.schema and self.sources.schema.properties.get("bundle_uri")
        return f"{version}/{baseline_bundle.BUNDLE}" if version else ""

    def _images(self, given: Artifact, split: str, wanted: set[str], name: str) -> dict[str, bytes]:
        what = f"the images of the {name}"
        found = self._try(what, lambda: read_images(given, split, wanted, self.files, self.sources.spec)) or {}
        if found and len(found) < len(wanted):
            told = f"{len(found)} of {len(wanted)} were found by their id in {given.known_as}"
            self.problems.append(f"Images of the {name} are not all shown: {told}")
        return found

    def _accuracy(self, baseline: FeatureSample | None) -> Accuracy:
        drawn: list[Chart | None] = []
        sentences: tuple[str, ...] = ()
        by_class: list[accuracy.Row] = []
        source = ""
        performance = self._try("the estimated accuracy", self._performance)
        if performance is not None:
            chart, sentences = accuracy.performance_chart(performance)
            drawn.append(chart)
            by_class = accuracy.classes_of_performance(performance, self.sources.class_name)
            source = "the sampled held-out examples"
        folder = self._evaluation_folder()
        evaluation = (
            self._try("the evaluation", lambda: accuracy.read_evaluation(folder, self.files)) if folder else None
        )
        if evaluation is not None and evaluation.by_label:
            name = self.sources.class_name
            window = [row for row in by_class if row[1] == "window"]
            held_out: list[accuracy.Row] = [(name(number), "baseline", each) for number, each in evaluation.by_label]
            by_class, source = [*held_out, *window], "TFMA, on the held-out examples"
        if by_class:
            drawn.append(accuracy.by_class_chart(by_class, source))
        if baseline is not None:
            drawn.append(self._try("the calibration", lambda: accuracy.calibration_chart(baseline)))
        return Accuracy(
            sentences=sentences,
            charts=tuple(chart for chart in drawn if chart is not None),
            metrics=accuracy.metrics_table(evaluation) if evaluation and evaluation.metrics else None,
            confusion=self._confusion(folder) if evaluation else None,
        )

    def _performance(self) -> Performance | None:
        given = checks.beside(self.files, self.sources.anomalies, PERFORMANCE_JSON)
        if given is None:
            return None
        return self.files.record(given.path(PERFORMANCE_JSON), Performance.from_json)

    def _evaluation_folder(self) -> str:
        """The model's, or that of the pushed version whose baseline a window is compared with; "" for none."""
        if self.sources.evaluation:
            return self.sources.evaluation.uri
        part = baseline_bundle.EVALUATION_DIR
        evaluated = self._manifest is not None and part in self._manifest.parts  # an adopted model was not
        return f"{self._bundle}/{part}" if evaluated else ""

    def _confusion(self, folder: str) -> ConfusionMatrix | None:
        name = self.sources.class_name
        return self._try("the confusion matrix", lambda: accuracy.confusion_matrix(folder, self.files, name))

    def _anomalies(self) -> tuple[Table | None, str]:
        rows: list[tuple[str, ...]] = []
        told: list[str] = []
        evaluated = 0
        for given in self.sources.anomalies:
            name = given.producer or given.known_as
            for split, anomalies in self._anomalies_of(given, f"the anomalies of {name}"):
                evaluated += 1
                new = _rows(f"{name}, {split}", anomalies)
                rows += new
                told += [f"{len(new)} by {name} in split {split}"] if new else []
        if rows:
            columns = ("Found by", "Feature", "Severity", "What", "Details")
            return Table("Anomalies", columns, tuple(rows)), f"{len(rows):,} found: {', '.join(told)}."
        if not evaluated:
            return None, "No anomalies could be read, so nothing can be said of the data's schema."
        return None, f"No anomaly: {evaluated} split{'s' if evaluated > 1 else ''} evaluated."

    def _anomalies_of(self, given: Artifact, what: str) -> Iterator[tuple[str, list[Anomaly]]]:
        """Of each split whose anomalies can be read."""
        for split, folder in self._splits(given, what).items():
            found = self._try(f"{what}, {split}", lambda folder=folder: read_anomalies(given, folder, self.files))  # type: ignore[misc]
            if found is not None:
                yield split, found

    def _splits(self, given: Artifact | None, what: str) -> dict[str, str]:
        """The splits of an artifact that a run may have, with their folders."""
        return {} if given is None else self._try(what, lambda: split_folders(given, self.files)) or {}

    def _described(self, data: dict[str, Any]) -> dict[str, Any]:
        """The statistics whose examples are counted on the page, by what they are called there."""
        compared = self._compared(REFERENCE)
        baseline = f"Baseline: {compared}" if compared else "Held-out baseline"
        names = {"window": "Window", "baseline": baseline, "previous": "Previous span"}
        found = {names[side]: each for side, each in data.items()}
        training = self.sources.training_statistics
        for split in (
            (self._try("the training data", lambda: split_folders(training, self.files)) or ()) if training else ()
        ):
            each = self._statistics(f"split {split}", training, split)
            if each is not None:
                found[f"Data, split {split}"] = each
        return found


def _rows(name: str, anomalies: Sequence[Anomaly]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            each.feature or "the data set",
            _SEVERITIES.get(each.severity, "severity unknown"),
            each.short,
            each.description,
        )
        for each in anomalies
    ]


def _subtitle(sources: Sources, reference: str) -> str:
    run = sources.run
    compared = f"compared with {reference}" if reference else ""
    parts = [run.pipeline, f"run {run.run_id}" if run.run_id else "", run.started, compared]
    return " · ".join(part for part in parts if part)


def class_names_of(text: str) -> tuple[str, ...]:
    """Class names from a JSON list. Raises `MonitorError` for anything else."""
    try:
        names = parse_json(text or "[]")
    except ValueError as error:
        raise MonitorError(f"`class_names` must be a JSON list of names. Received: {text[:60]!r}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise MonitorError(f"`class_names` must be a JSON list of names. Received: {text[:60]!r}")
    return tuple(names)
