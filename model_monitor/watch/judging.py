"""One window, one run of the monitoring pipeline in this process, one record."""

import errno
from collections.abc import Callable, Iterator

from rich.console import Console

from components.common.span_patterns import DEFAULT_PATTERN, SpanLogs
from pipelines.progress import Progress

from ..launching import monitoring, root_lock
from ..launching.root_lock import RootBusyError
from ..reading.history import History
from ..reading.stores import LOCKED, MLMD_LOCKED, open_store, require_free
from ..reading.timeline import point_of
from ..reading.window_record import WindowRecord, record_of
from .journal import Journal
from .journal_rows import WindowRow
from .retention import size_of_window
from .settings import WatchConfig

_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_WORDS = (LOCKED, MLMD_LOCKED, "database or disk is full", "No space left on device", "Disk quota exceeded")


def judge(
    config: WatchConfig, journal: Journal, row: WindowRow, decided: Callable[[], None]
) -> tuple[WindowRecord, int]:
    """Evaluates a window, or finds the run that has; its verdict counts as delivered when this returns.

    Args:
      config: of the model.
      journal: where it is noted that an evaluation begins.
      row: of the window.
      decided: called when there is a verdict, before anything is done with it.

    Returns:
      What came of it, and how many bytes there are of it and of what the run made, see `retention`.

    Raises:
      RootBusyError: another command works under the root.
      MonitorError: a node of the pipeline failed, or there is no baseline.
      Exception: whatever else comes out of a run.

    """
    number = row.window.number
    # the bundle and the folder of windows stand in the place of what is served and of the logs
    own = {"bundle": row.bundle, "serving_logs": str(config.windows_path), "serving_logs_pattern": DEFAULT_PATTERN}
    config = config.model_copy(update=own)
    files = tuple(f"{number}/{name}" for name in sorted(row.files))
    logs = SpanLogs(number, str(number), None, DEFAULT_PATTERN, files)
    with root_lock.held(config.root_path, "watch"):
        judged = monitoring.finished(config, logs) if row.begun else None
        if judged is None:
            require_free(config.metadata_path)
            journal.begin(number)
            judged = monitoring.judge(config, logs, Progress(Console(quiet=True)))
        decided()
        window = row.window
        known = {"first_request": window.first_request, "last_request": window.last_request, "late": window.late}
        record = record_of(judged.run, point_of(History(open_store(config.metadata_path)), judged.run), **known)
        size = size_of_window(config, number, judged.run, tried=row.attempts > 0 or row.begun > 0)
        last = monitoring.evaluations(config).last(number)
        if last is None or last.run_id != judged.run.run_id:  # last of all: what fails before it has delivered nothing
            monitoring.deliver(config, judged)
    return record, size


def is_of_the_place(error: BaseException) -> bool:
    """Whether an evaluation failed by what would fail any: a full disk, a locked store, another command's lock."""
    return any(
        isinstance(each, RootBusyError)
        or (isinstance(each, OSError) and each.errno in _PLACE)
        or isinstance(each, MemoryError)
        or any(words in str(each) for words in _WORDS)
        for each in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
