"""The table at the end of a monitoring run: is this span fine, what changed, and is accuracy degraded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common.artifacts import checks
from components.common.artifacts.anomalies import anomalies_by_split
from components.common.artifacts.files import Artifact, Files
from components.common.errors import MonitorError
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport, Measurement
from components.common.records.log_counts import COUNTS_JSON, read_counts
from components.common.records.performance import PERFORMANCE_JSON, LabelledAccuracy, Performance
from components.common.statistics.monitored_features import short_name_of_test
from components.common.verdict import Outcome
from components.common.verdict_words import COLOURS

from ..reading import roles
from ..reading.history import reference_of
from ..reading.run_store import Run
from ..reading.verdicts import RunVerdict
from .lines import Facts, say
from .parts import MARKS, report_file, times, told

_FEATURES_SHOWN = 5


@dataclass
class Summary:
    """A finished run on one span in a table of at most 100 columns. What cannot be read is a line that says so."""

    run: Run
    verdict: RunVerdict
    log_file: Path

    def __post_init__(self) -> None:
        self._checks = {check.name: check for check in self.verdict.checks}
        self._logs = self.run.node(roles.LOGS).output("anomalies")
        self._drift_artifact = self.run.node(roles.DRIFT).output("anomalies")

    @cached_property
    def _drift(self) -> DriftReport:
        return self.run.files.record(self._drift_artifact.path(DRIFT_REPORT_JSON), DriftReport.from_json)

    @cached_property
    def _performance(self) -> Performance:
        artifact = self.run.node(roles.ACCURACY).output("anomalies")
        return self.run.files.record(artifact.path(PERFORMANCE_JSON), Performance.from_json)

    def show(self, console: Console) -> None:
        facts = Facts()
        rows: dict[str, Callable[[], str]] = {
            "Logs": lambda: _counts(self.run.node(roles.LOGS).output("examples"), self._logs, self.run.files),
            "Log checks": self._log_checks,
            "Compared with": self._compared_with,
            "Data": lambda: self._check(checks.DATA),
            "p-value": self._p_values,
            "Moved most": self._moved_most,
            "Accuracy": lambda: self._check(checks.ACCURACY),
            "Labels": self._labels,
        }
        for name, read in rows.items():
            _add(facts, name, read)
        facts.add("Report", escape(str(report_file(self.run))))
        facts.add("Results", escape(str(self._drift_artifact.path(DRIFT_REPORT_JSON))))
        facts.add("Log", escape(str(self.log_file)))
        facts.add("Time", times(self.run))
        say(console, f"\n[bold {COLOURS[self.verdict.tone]}]{escape(self.verdict.sentence)}[/]\n")
        facts.show(console)

    def _check(self, name: str) -> str:
        check = self._checks[name]
        return f"{MARKS[check.outcome]} {escape(check.reason)}"

    def _log_checks(self) -> str:
        mark = MARKS[self._checks[checks.LOGS].outcome]
        lines = told(each for found in anomalies_by_split(self._logs, self.run.files).values() for each in found)
        return "\n".join(f"{mark} {line}" for line in lines or ["no anomalies"])

    def _labels(self) -> str:
        performance = self._performance
        return _labels(performance.labelled, performance.class_names) if performance.labelled else ""

    def _compared_with(self) -> str:
        baseline = str(self.run.node(roles.BASELINE).output("schema").properties["bundle_uri"])
        held_out = self._drift.baseline.examples if self._drift.baseline else 0
        reference = reference_of(self.run)
        images = f"images of {reference}, for" if reference else "held-out images of"
        lines = [f"{held_out:,} {images} {escape(baseline)}"]
        if self._drift.previous:
            span = self._drift.previous.span
            known = "an earlier span" if span is None else f"span {span}"
            lines.append(f"{self._drift.previous.examples:,} images of {known}")
        else:
            lines.append("no previous span")
        return "\n".join(lines)

    def _p_values(self) -> str:
        """Of each comparison, with the p-value that would be an alarm; the two share the false-alarm rate."""
        parts = [
            f"{value:.2g} {what}, an alarm at {limit:.2g}" for what, (value, limit) in self._drift.comparisons.items()
        ]
        rows = (
            [f"compared {self._drift.window.rows}"] if self._drift.window.sampled < self._drift.window.examples else []
        )
        return "\n".join([*(parts or ["nothing could be compared"]), *rows])

    def _moved_most(self) -> str:
        """The measurement that stands out most, for each of the first features."""
        first: dict[str, Measurement] = {}
        for found in self._drift.measurements:
            if found.threshold is not None:
                first.setdefault(found.feature, found)
        single = [found for feature, found in first.items() if feature]
        return "\n".join(map(_measured, single[:_FEATURES_SHOWN])) or "nothing could be compared"


def _add(facts: Facts, name: str, read: Callable[[], str]) -> None:
    try:
        text = read()
    except MonitorError as error:
        text = f"{MARKS[Outcome.UNDECIDED]} {escape(str(error))}"
    if text:
        facts.add(name, text)


def _counts(examples: Artifact, logs: Artifact, files: Files) -> str:
    counts = files.record(logs.path(COUNTS_JSON), read_counts)
    unused = {
        "broken": counts["records_broken"],
        "of another model version": counts["records_excluded"],
    }
    left_out = "".join(f", {number:,} {what}" for what, number in unused.items() if number)
    subsampled = f", {counts['subsampled']:,} subsampled" if counts["subsampled"] else ""
    beside = f"; {counts['side_files']:,} side files left out" if counts.get("side_files") else ""
    return f"{counts['records']:,} requests{left_out}: {examples.properties['rows']:,} images{subsampled}{beside}"


def _labels(found: LabelledAccuracy, names: Sequence[str]) -> str:
    """What became of the rows of the labels file, and the accuracy of each class."""
    unused = [*found.row_problems.items(), *found.example_problems.items(), ("ids that repeat", found.repeated_ids)]
    counts = "".join(f", {problem.count:,} {name.replace('_', ' ')}" for name, problem in unused if problem.count)
    classes = [
        f"{names[number] if names else number} {accuracy.value:.2f} ({accuracy.low:.2f}-{accuracy.high:.2f})"
        for number, accuracy in enumerate(found.by_class)
        if accuracy
    ]
    lines = ["".join(f"{each:<28}" for each in classes[i : i + 3]).rstrip() for i in range(0, len(classes), 3)]
    return "\n".join([f"{found.rows:,} rows, {found.used:,} used{counts}", *lines])


def _measured(found: Measurement) -> str:
    """A line of fixed columns: the feature, the test, what was measured, what is allowed, and how its mean moved."""
    mark, sign = ("[red]✗[/]", ">") if found.exceeded else ("[green]✓[/]", "<=")
    test = short_name_of_test(found.test)
    mean = ""
    if found.reference_mean is not None and found.window_mean is not None:
        mean = f"mean {found.reference_mean:.3g} -> {found.window_mean:.3g}"
    against = "" if found.comparison == "skew" else ", previous span"
    return f"{mark} {found.feature:<26} {test:<4} {found.measured:.3f} {sign:>2} {found.threshold:.3f}  {mean}{against}"
