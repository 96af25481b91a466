"""What a run has to show that another run's can be held against: parameters, counts, checks, accuracy, measurements.

Imports neither TFX nor TensorFlow. What cannot be read is a sentence in `problems`, and is not there otherwise.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from components.common.artifacts import checks, evaluation
from components.common.artifacts.files import Artifact
from components.common.artifacts.sources import Sources
from components.common.artifacts.splits import WHOLE, split_folders
from components.common.artifacts.statistics import read_datasets
from components.common.errors import MonitorError
from components.common.proportion import Proportion
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from components.common.records.log_counts import COUNTS_JSON, numbers, read_counts
from components.common.records.performance import PERFORMANCE_JSON, Performance
from components.common.statistics.monitored_features import corrupt_images
from components.common.strict_text import TextError, parse_json
from components.common.verdict import Check

from ..reading.findings import RunFinding, findings
from ..reading.history import History, baseline_of
from ..reading.report_sources import sources_of
from ..reading.run_store import Run
from ..reading.verdicts import RunVerdict

ESTIMATED, LABELLED, HELD_OUT, BASELINE = "estimated", "by labels", "held out", "baseline"
# Parameters that name the run, or follow from which nodes there are.
_FOLLOWING = ("__execution_result__", "input_fingerprint", "run_key", "connected", "has_previous", "anomalies_sources")
_BYTES = "bytes"  # of the logs, which say nothing of the data
T = TypeVar("T")


@dataclass(frozen=True)
class Figures:
    """What is known of one run.

    Attributes:
      run: the run.
      verdict: what became of it.
      baseline: the folder of the pushed version that it was compared with; "" for none.
      parameters: by node and name; the parts of a parameter that is JSON have names of their own.
      counts: examples, corrupt images, dead letters and the like, by what is counted in and what is counted.
      fingerprints: TFX's of the input files, by the node that read them.
      checks: what each check says.
      findings: of the checks of the model or the data, measurements of features left out.
      accuracy: by how it is known (`ESTIMATED`, `LABELLED`, `HELD_OUT`, `BASELINE`) and the slice, "" for the whole.
      metrics: what else TFMA measured on all held-out examples.
      drift: the report of the comparison of a window; None where nothing was compared.
      problems: what could not be read, a sentence each.

    """

    run: Run
    verdict: RunVerdict
    baseline: str
    parameters: dict[tuple[str, str], str]
    counts: dict[tuple[str, str], int]
    fingerprints: dict[str, str]
    checks: dict[str, Check]
    findings: tuple[RunFinding, ...]
    accuracy: dict[tuple[str, str], Proportion]
    metrics: dict[str, float]
    drift: DriftReport | None
    problems: tuple[str, ...]


def figures_of(history: History, run: Run) -> Figures:
    """Reads what there is of a run."""
    return _Reader(history, run).figures()


def flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    r"""A parameter's parts by their names: those of JSON, and of JSON inside JSON, one by one; the rest as it is.

    >>> dict(flat("custom_config", '{"trainer": "{\\"epochs\\": 4}", "on": true}'))
    {'custom_config.trainer.epochs': '4', 'custom_config.on': 'true'}
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = parse_json(value)
        except TextError:
            yield name, value
            return
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from flat(f"{name}.{key}", part)
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for number, part in enumerate(value):
            yield from flat(f"{name}.{number}", part)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


class _Reader:
    """Reads the artifacts of one run, and keeps a list of what could not be read."""

    def __init__(self, history: History, run: Run) -> None:
        self._history = history
        self._run = run
        self._problems: list[str] = []

    def figures(self) -> Figures:
        run = self._run
        performance = self._beside(PERFORMANCE_JSON, Performance.from_json)
        evaluated, metrics = self._evaluation()
        return Figures(
            run=run,
            verdict=self._history.verdict(run),
            baseline=baseline_of(run),
            parameters=self._parameters,
            counts={**self._examples(), **self._log_counts(), **_label_counts(performance)},
            fingerprints=self._fingerprints(),
            checks={check.title: check for check in checks.checks_of(self._sources, run.files)},
            findings=tuple(self._findings()),
            accuracy={**evaluated, **_accuracies(performance)},
            metrics=metrics,
            drift=self._beside(DRIFT_REPORT_JSON, DriftReport.from_json),
            problems=tuple(dict.fromkeys([*self._sources.missing, *self._problems])),  # last: all above may add to it
        )

    def _try(self, read: Callable[[], T], otherwise: T) -> T:
        """What `read` gives, or `otherwise` and a line about why."""
        try:
            return read()
        except MonitorError as error:
            self._problems.append(str(error))
            return otherwise

    @cached_property
    def _sources(self) -> Sources:
        return sources_of(self._run)

    @cached_property
    def _parameters(self) -> dict[tuple[str, str], str]:
        return {
            (node.name, part): text
            for node in self._run.nodes.values()
            for name, value in sorted(node.parameters.items())
            if name not in _FOLLOWING
            for part, text in flat(name, value)
        }

    def _beside(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The last record of this name that lies beside anomalies; None where there is none."""
        found = checks.beside(self._run.files, [each for _, each in self._run.made("ExampleAnomalies")], name)
        return self._try(lambda: self._run.files.record(found.path(name), parse), None) if found else None

    def _examples(self) -> dict[tuple[str, str], int]:
        """Examples and corrupt images of each split that the run evaluated itself."""
        counts: dict[tuple[str, str], int] = {}
        for node, artifact in self._run.made("ExampleStatistics"):
            if not node.inputs:  # what was imported is another run's
                continue
            for split, folder in self._splits(artifact).items():
                if split == WHOLE:  # Transform's, of the same examples
                    continue
                for name, count in self._split_counts(folder).items():
                    counts.setdefault((split, name), count)
        return counts

    def _splits(self, artifact: Artifact) -> dict[str, str]:
        return self._try(lambda: split_folders(artifact, self._run.files), {})

    def _split_counts(self, folder: str) -> dict[str, int]:
        found = self._try(lambda: read_datasets(folder, self._run.files), None)
        if found is None or not found.datasets:
            return {}
        data = found.datasets[0]
        corrupt = corrupt_images(data)
        counts = {"examples": int(data.num_examples)}
        return counts if corrupt is None else {**counts, "corrupt images": corrupt}

    def _log_counts(self) -> dict[tuple[str, str], int]:
        counts = numbers(self._beside(COUNTS_JSON, read_counts) or {})
        return {("logs", key.replace("_", " ")): value for key, value in counts.items() if key != _BYTES}

    def _fingerprints(self) -> dict[str, str]:
        read = [(node, found) for node, found in self._run.made("Examples") if "input_fingerprint" in found.properties]
        return {node.name: str(found.properties["input_fingerprint"]) for node, found in read}

    def _findings(self) -> list[RunFinding]:
        read = lambda: [each for each in findings(self._run) if "outcome" not in each.artifact.properties]  # noqa: E731
        return self._try(read, [])

    def _evaluation(self) -> tuple[dict[tuple[str, str], Proportion], dict[str, float]]:
        """The accuracy of every slice of the held-out examples, and the other metrics of all of them."""
        accuracy: dict[tuple[str, str], Proportion] = {}
        metrics: dict[str, float] = {}
        for _, evaluated in self._run.made("ModelEvaluation"):
            for found in self._slices(evaluated.uri):
                if found.of not in evaluation.CANDIDATE:
                    continue
                if found.accuracy is not None:
                    accuracy[HELD_OUT, self._class_name(found.slice)] = found.accuracy
                if not found.slice:
                    # without a count there is no interval, and the accuracy is told as another metric is
                    told = (evaluation.COUNT, *([found.accuracy_name] if found.accuracy else []))
                    metrics |= {key: each for key, each in found.metrics.items() if key not in told}
        return accuracy, metrics

    def _slices(self, folder: str) -> list[evaluation.SliceMetrics]:
        return self._try(lambda: evaluation.metrics(folder, self._run.files), [])

    def _class_name(self, where: str) -> str:
        """A slice's name, with the class's where it is one by label."""
        told = ("label_key", "spec.label")
        labels = {text for (_, name), text in self._parameters.items() if name.endswith(told) and text}
        column, _, value = where.rpartition(" ")
        return self._sources.class_name(int(value)) if column in labels and value.isdecimal() else where


def _accuracies(performance: Performance | None) -> dict[tuple[str, str], Proportion]:
    """What PerformanceEstimator knows of the window and of the baseline."""
    accuracy: dict[tuple[str, str], Proportion] = {}
    if performance is None:
        return accuracy
    if performance.labelled and performance.labelled.overall:
        accuracy[LABELLED, ""] = performance.labelled.overall
        for number, of_class in enumerate(performance.labelled.by_class):
            name = performance.class_names[number] if number < len(performance.class_names) else f"class {number}"
            if of_class:
                accuracy[LABELLED, name] = of_class
    if performance.estimate:
        accuracy[ESTIMATED, ""] = performance.estimate
    if performance.baseline:
        accuracy[BASELINE, ""] = performance.baseline
    return accuracy


def _label_counts(performance: Performance | None) -> dict[tuple[str, str], int]:
    if performance is None or performance.labelled is None:
        return {}
    return {("labels", "rows"): performance.labelled.rows, ("labels", "used"): performance.labelled.used}
