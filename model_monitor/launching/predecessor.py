"""How an earlier version would have done on the traffic of the one that is served: the same window, answered anew."""

from rich.console import Console

from components.common.baseline_bundle import NO_VERSION, Bundle
from components.common.span_patterns import SpanLogs
from pipelines.config import MonitoringConfig
from pipelines.progress import Progress

from ..reading.history import History
from ..reading.roles import PREDECESSOR
from ..reading.run_store import Run, open_store, pipelines
from ..reading.timeline import point_of
from ..reading.window_record import WindowRecord, record_of
from .pipelines import launch


def judge(config: MonitoringConfig, logs: SpanLogs, bundle: Bundle) -> WindowRecord:
    """Runs the monitoring pipeline on a window whose requests an earlier version answers anew.

    Args:
      config: the settings of the served model.
      logs: of the window.
      bundle: of the earlier version.

    Returns:
      The record of the window as that version's.

    Raises:
      NodeFailedError: a node of the pipeline failed.

    """
    places = {"serving_logs": str(getattr(config, "windows_path", config.serving_logs))}
    own = config.model_copy(update={"name": f"{config.name}{PREDECESSOR}", **places})
    arguments = {
        "span": logs.span,
        "pattern": logs.pattern,
        "baseline_uri": bundle.version_dir,
        "model_version": NO_VERSION,
        "rescored": True,
    }
    run = launch(own, "monitoring", arguments, Progress(Console(quiet=True)))
    return _record(History(open_store(config.metadata_path), own.name), run)


def judged(config: MonitoringConfig, bundle: Bundle) -> dict[int, WindowRecord]:
    """The windows that were judged so already with this earlier version, by their numbers."""
    name, store = f"{config.name}{PREDECESSOR}", open_store(config.metadata_path)
    if name not in pipelines(store):
        return {}
    history = History(store, name)
    found = [_record(history, run) for run in history.watched(bundle.version_dir)]
    return {record.window: record for record in found}


def _record(history: History, run: Run) -> WindowRecord:
    return record_of(run, point_of(history, run))
