"""How an earlier version would have done on the traffic of the one that is served: the same window, answered anew."""

from rich.console import Console

from components.common.baseline_bundle import NO_VERSION, Bundle
from components.common.span_patterns import SpanLogs
from pipelines.config import MonitoringConfig
from pipelines.progress import Progress

from ..reading.history import History
from ..reading.run_store import open_store
from ..reading.timeline import point_of
from ..reading.window_record import WindowRecord, record_of
from .pipelines import launch

SUFFIX = "-predecessor"  # of the pipeline's name, so that its runs are in no timeline of the served version


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
    own = config.model_copy(update={"name": f"{config.name}{SUFFIX}"})
    arguments = {
        "span": logs.span,
        "pattern": logs.pattern,
        "baseline_uri": bundle.version_dir,
        "model_version": NO_VERSION,
        "rescored": True,
    }
    run = launch(own, "monitoring", arguments, Progress(Console(quiet=True)))
    history = History(open_store(config.metadata_path), own.name)
    return record_of(run, point_of(history, run))
