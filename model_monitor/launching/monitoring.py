"""One span of serving logs, one run of the monitoring pipeline, one verdict. Prints nothing and ends no process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, require
from components.common.object_store.address import absolute
from components.common.span_patterns import LeftOut, SpanLogs
from components.serving_log_writer.log_files import WRITING
from pipelines.config import MonitoringConfig, PipelineConfig, load
from pipelines.progress import Progress

from ..reading import roles
from ..reading.history import History, baseline_of
from ..reading.run_store import Run, open_store
from ..reading.stores import is_empty
from ..reading.timeline import logs_of
from ..reading.verdicts import RunVerdict
from . import root_lock, spans, unchanged
from .evaluated import Evaluation, Evaluations, FileStamp
from .pipelines import launch

Configured = TypeVar("Configured", bound=MonitoringConfig)
_NEWEST = 50  # runs that are looked at for one that its starter did not see the end of
REMEMBERED = "monitoring.yaml"  # under the root: what `adopt` has found out for `monitor`


@dataclass(frozen=True)
class Spans:
    """The spans to judge, ascending, and what is left out.

    Attributes:
      chosen: those that were never evaluated, or not with all of their files.
      unfinished: those that are still being written to.
      left_out: what lies beside the spans and is none.
      damaged: records of evaluations that could not be read, as sentences; their spans are evaluated again.

    """

    chosen: tuple[SpanLogs, ...]
    unfinished: tuple[int, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def undecided(self) -> tuple[LeftOut, ...]:
        """What holds logs of a span that nobody evaluates."""
        return tuple(each for each in self.left_out if each.files)


@dataclass(frozen=True)
class Judged:
    """A run on a span, the verdict on it, and what is to be recorded once that was delivered."""

    run: Run
    verdict: RunVerdict
    evaluation: Evaluation


def configuration(file: Path | None, settings: Iterable[str], given: Mapping[str, Any]) -> MonitoringConfig:
    """The settings of a monitoring run, see `configuration_as`."""
    return configuration_as(MonitoringConfig, file, settings, given)


def configuration_as(
    kind: type[Configured], file: Path | None, settings: Iterable[str], given: Mapping[str, Any]
) -> Configured:
    """The settings of monitoring: of a file, else of the one under the root that `adopt` wrote, if it is there.

    Args:
      kind: of configuration: that of a run, or of what starts many.
      file: the settings in YAML.
      settings: `key=value`, which go before the file.
      given: what goes before all of these.

    Raises:
      MonitorError: as `pipelines.config.load`, or the file of labels is not there.

    """
    settings = tuple(settings)
    config = load(kind, file, settings, given)
    note = config.root_path / REMEMBERED
    if file is None and note.is_file():
        config = load(kind, note, settings, given)
    require(not config.labels or Path(config.labels).is_file(), "--labels", "be a file", config.labels)
    return config


def fail_on(config: PipelineConfig, file: Path | None, settings: Iterable[str]) -> tuple[str, ...]:
    """The words of spans that fail, by the settings that `monitor` would go by.

    Args:
      config: of these settings, for the root; of whatever kind.
      file: the settings in YAML, None where there is none.
      settings: `key=value`, which go before all else.

    """
    note = config.root_path / REMEMBERED
    if file is not None or not note.is_file():
        return config.monitor.fail_on
    own = [setting for setting in settings if setting.startswith("monitor.")]
    return load(MonitoringConfig, note, own).monitor.fail_on


def remembered(root: Path) -> str:
    """The folder of the version that `adopt` has made a baseline for; "" where it has for none."""
    note = root / REMEMBERED
    return load(MonitoringConfig, note).bundle if note.is_file() else ""


def monitor_span(
    config: MonitoringConfig, span: int, progress: Progress | None = None, wait: float = 0.0
) -> RunVerdict:
    """Runs the monitoring pipeline on one span. The span counts as evaluated when this returns.

    Args:
      config: the settings.
      span: its number, by the pattern of `config`, whether it was judged before or not.
      progress: shows the steps while they run; None: nothing is shown.
      wait: seconds to wait where another command works under the same root.

    Returns:
      The verdict as `model-monitor why`, the report and the pages give it.

    Raises:
      NodeFailedError: a node of the pipeline failed.
      RootBusyError: another command works under the root.
      MonitorError: there is no such span, or no model with a baseline.

    """
    (logs,) = spans_to_judge(config, span).chosen
    with root_lock.held(config.root_path, "monitor", wait):
        judged = judge(config, logs, progress or Progress(Console(quiet=True)))
        deliver(config, judged)
    return judged.verdict


def judge(config: MonitoringConfig, logs: SpanLogs, progress: Progress) -> Judged:
    """As `monitor_span`, for whoever holds the root and has more to show than the verdict, which then is delivered.

    Where nothing has changed since the span's last run, that run's verdict is given, and nothing is run.
    """
    bundle, known = served(config), evaluations(config)
    last = known.last(logs.span)
    files = known.stamps(logs.files, last)
    fine = config.monitor.drift_against == "last_fine"
    earlier = known.to_compare_with(logs.span, bundle.version_dir, fine=fine)
    arguments = {
        "span": logs.span,
        "pattern": logs.pattern,
        "baseline_uri": bundle.version_dir,
        "model_version": bundle.manifest.model_version,
        "previous_uri": earlier.statistics if earlier else "",
        "previous_span": earlier.span if earlier else None,
        "history": known.history(logs.span, files),
    }
    inputs = unchanged.inputs_of(config, logs, files, bundle, arguments)
    run = unchanged.run_of(config, last, inputs)
    if run is not None:
        with progress.step("Taking the last run") as shown:
            shown.remark = f"nothing has changed since run {run.id}"
        return _judged(config, run, logs.span, bundle.version_dir, files, inputs=inputs)
    run = launch(config, "monitoring", arguments, progress)
    # what changed meanwhile may be in the run or not
    same = inputs == unchanged.inputs_of(config, logs, known.stamps(logs.files), served(config), arguments)
    return _judged(config, run, logs.span, bundle.version_dir, files, inputs=inputs if same else "")


def finished(config: MonitoringConfig, logs: SpanLogs) -> Judged | None:
    """A run on the span that came to its end and was not delivered, as where whoever started it was killed; else None.

    It is the newest on the span under this configuration, was held against the version that is served, and its last
    node, the report, is complete.
    """
    if is_empty(config.metadata_path):
        return None
    history, bundle = History(open_store(config.metadata_path)), served(config).version_dir
    for run in history.runs[:_NEWEST]:
        of_logs = run.pipeline == config.name and logs_of(run) == str(config.serving_logs_path)
        if of_logs and baseline_of(run) == bundle and history.verdict(run).span == logs.span:
            if not any(node.component == roles.REPORT and node.complete for node in run.nodes.values()):
                return None
            known = evaluations(config)
            return _judged(config, run, logs.span, bundle, known.stamps(logs.files, known.last(logs.span)))
    return None


def _judged(  # noqa: PLR0913 - the run, and what it was about
    config: MonitoringConfig, run: Run, span: int, bundle: str, files: tuple[FileStamp, ...], *, inputs: str = ""
) -> Judged:
    says = History(open_store(config.metadata_path)).verdict(run)
    evaluation = Evaluation(
        span=span,
        bundle=bundle,
        run=run.id,
        run_id=run.run_id,
        state=says.state.value,
        examples=int(run.node(roles.LOGS).output("examples").properties["rows"]),
        p_value=says.p_value,
        statistics=run.node(roles.IMAGE_STATISTICS).output("statistics").uri,
        files=files,
        besides=tuple(state.value for state in says.besides),
        inputs=inputs,
    )
    return Judged(run, says, evaluation)


def deliver(config: MonitoringConfig, judged: Judged) -> None:
    """Records that the verdict has reached whoever asked for it. Raises `MonitorError` when that cannot be written."""
    evaluations(config).deliver(judged.evaluation)


def evaluations(config: MonitoringConfig) -> Evaluations:
    """What is recorded of the spans of these logs. Raises `MonitorError` where there is no folder of logs."""
    return Evaluations(config.root_path, config.name, config.serving_logs_path)


def spans_to_judge(config: MonitoringConfig, span: int | None = None) -> Spans:
    """The one span that was asked for, or all of whose files some are not evaluated yet.

    Raises:
      MonitorError: there is no such span, or no folder of serving logs.

    """
    found, known = config.serving_spans, evaluations(config)
    if span is not None:
        chosen = found.span(span)
        present = [each.span for each in found.spans]
        require(chosen is not None, "--span", f"be one of the spans in {known.logs}: {present}", span)
        return Spans((chosen,) if chosen else ())
    unseen = [each for each in found.spans if not known.covers(each.span, each.files)]
    unfinished = spans.being_written(known.logs)
    return Spans(
        chosen=tuple(each for each in unseen if each.span not in unfinished),
        unfinished=tuple(sorted(each.span for each in unseen if each.span in unfinished)),
        left_out=tuple(each for each in found.left_out if not each.place.startswith(WRITING)),
        damaged=tuple(known.damaged),
    )


def served(config: MonitoringConfig) -> Bundle:
    """The bundle of the version that is served: the one that `bundle` names, else the newest in the serving folder.

    Raises:
      MonitorError: there is none, or it is damaged.

    """
    if config.bundle:
        return baseline_bundle.read(absolute(config.bundle))
    bundle = baseline_bundle.newest(config.serving)
    if bundle is None:
        raise MonitorError(
            f"`serving_dir` must hold a pushed version, whose baseline serving is compared with. Received: "
            f"{config.serving!r}, where nothing was pushed yet (`model-monitor train` does, and "
            "`model-monitor adopt` makes a baseline for a model that is served already)"
        )
    return bundle
