"""One span of serving logs, one run of the monitoring pipeline, one verdict. Prints nothing and ends no process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, require
from pipelines.config import MonitoringConfig, load
from pipelines.progress import Progress

from ..reading.history import History
from ..reading.run_store import Run, open_store
from ..reading.verdicts import RunVerdict
from . import spans
from .pipelines import launch

REMEMBERED = "monitoring.yaml"  # under the root: what `adopt` has found out for `monitor`


@dataclass(frozen=True)
class Spans:
    """The spans to judge, ascending, and those that are left out because they are still being written to."""

    chosen: tuple[int, ...]
    unfinished: tuple[int, ...] = ()


def configuration(file: Path | None, settings: Iterable[str], given: Mapping[str, Any]) -> MonitoringConfig:
    """The settings of a monitoring run: of a file, else of the one under the root that `adopt` wrote, if it is there.

    Args:
      file: the settings in YAML.
      settings: `key=value`, which go before the file.
      given: what goes before all of these.

    Raises:
      MonitorError: as `pipelines.config.load`, or the file of labels is not there.

    """
    settings = tuple(settings)
    config = load(MonitoringConfig, file, settings, given)
    note = config.root_path / REMEMBERED
    if file is None and note.is_file():
        config = load(MonitoringConfig, note, settings, given)
    require(not config.labels or Path(config.labels).is_file(), "--labels", "be a file", config.labels)
    return config


def remembered(root: Path) -> str:
    """The folder of the version that `adopt` has made a baseline for; "" where it has for none."""
    note = root / REMEMBERED
    return load(MonitoringConfig, note).bundle if note.is_file() else ""


def monitor_span(config: MonitoringConfig, span: int, progress: Progress | None = None) -> RunVerdict:
    """Runs the monitoring pipeline on one span.

    Args:
      config: the settings.
      span: its number, a folder of `config.serving_logs`, whether it was judged before or not.
      progress: shows the steps while they run; None: nothing is shown.

    Returns:
      The verdict as `model-monitor why`, the report and the pages give it.

    Raises:
      NodeFailedError: a node of the pipeline failed.
      MonitorError: there is no such span, or no model with a baseline.

    """
    return verdict_on(config, run_span(config, span, progress))


def run_span(config: MonitoringConfig, span: int, progress: Progress | None = None) -> Run:
    """As `monitor_span`, and returns the run, for whoever wants to show more of it than its verdict."""
    bundle = served(config)
    spans_to_judge(config, span)
    seen = spans.monitored(config.metadata_path, config.name, config.serving_logs_path)
    arguments = {
        "span": span,
        "baseline_uri": bundle.version_dir,
        "model_version": bundle.manifest.model_version,
        "previous_uri": spans.previous_statistics(seen, span, bundle.version_dir),
    }
    return launch(config, "monitoring", arguments, progress or Progress(Console(quiet=True)))


def verdict_on(config: MonitoringConfig, run: Run) -> RunVerdict:
    """The verdict on a run that `run_span` gave."""
    return History(open_store(config.metadata_path)).verdict(run)


def spans_to_judge(config: MonitoringConfig, span: int | None = None) -> Spans:
    """The one span that was asked for, or all that no finished run has judged yet.

    Raises:
      MonitorError: there is no such span, or no folder of serving logs.

    """
    logs = config.serving_logs_path
    present = spans.available(logs)
    if span is not None:
        require(span in present, "--span", f"be one of the spans in {logs}: {present}", span)
        return Spans((span,))
    unseen = spans.unseen(present, spans.monitored(config.metadata_path, config.name, logs))
    unfinished = spans.being_written(logs)
    return Spans(
        tuple(each for each in unseen if each not in unfinished), tuple(sorted(unfinished.intersection(unseen)))
    )


def served(config: MonitoringConfig) -> Bundle:
    """The bundle of the version that is served: the one that `bundle` names, else the newest in the serving folder.

    Raises:
      MonitorError: there is none, or it is damaged.

    """
    if config.bundle:
        return baseline_bundle.read(str(Path(config.bundle).absolute()))
    bundle = baseline_bundle.newest(str(config.serving_path))
    if bundle is None:
        raise MonitorError(
            f"`serving_dir` must hold a pushed version, whose baseline serving is compared with. Received: "
            f"{str(config.serving_path)!r}, where nothing was pushed yet (`model-monitor train` does, and "
            "`model-monitor adopt` makes a baseline for a model that is served already)"
        )
    return bundle
