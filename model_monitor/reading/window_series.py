"""The windows of each model in their order: the records that were kept with the runs, and else what the runs say.

A record is kept as a context of ML Metadata, because not all of it can be read from a run later: when the requests of
the window came, whether it came late, and, once its artifacts are removed, which features had changed.
"""

from dataclasses import dataclass
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.errors import MonitorError

from .history import History
from .run_store import reading
from .timeline import logs_of, point_of
from .window_record import WindowRecord, record_of

WINDOW = "ModelMonitorWindow"  # the type of the contexts


@dataclass(frozen=True)
class Series:
    """The windows of one monitoring pipeline and one folder of logs, ascending; of several runs on one the last."""

    model: str
    logs: str
    records: tuple[WindowRecord, ...]


@dataclass(frozen=True)
class KeptWindow:
    """A record that was kept, and the folder of logs that its window is a span of."""

    logs: str
    record: WindowRecord


def all_series(history: History) -> list[Series]:
    """Every series, that of the newest run first."""
    kept = kept_windows(history.store)
    found: dict[tuple[str, str], dict[int, WindowRecord]] = {}
    for run in history.served:
        if run.id in kept:
            logs, record = kept[run.id].logs, kept[run.id].record
        elif history.verdict(run).span is not None:
            logs, record = logs_of(run), record_of(run, point_of(history, run))
        else:
            continue
        found.setdefault((run.pipeline, logs), {}).setdefault(record.window, record)
    return [Series(*key, tuple(windows[number] for number in sorted(windows))) for key, windows in found.items()]


def kept_windows(store: metadata_store.MetadataStore) -> dict[int, KeptWindow]:
    """The records that were kept, by the ids of their runs. One that is damaged is read from its run again."""
    found: dict[int, KeptWindow] = {}
    for context in reading(lambda: store.get_contexts_by_type(WINDOW)):
        try:
            record = WindowRecord.from_json(context.properties["record"].string_value)
        except MonitorError:
            continue
        found[record.run] = KeptWindow(context.properties["logs"].string_value, record)
    return found


def context_of(logs: Path | str, record: WindowRecord) -> mlmd.Context:
    """What is kept of a window, named by its run."""
    context = mlmd.Context(type=WINDOW, name=f"run {record.run}")
    for name, value in (("model", record.model), ("logs", str(logs)), ("state", record.state.value)):
        context.properties[name].string_value = value
    context.properties["window"].int_value = record.window
    context.properties["record"].string_value = record.to_json()
    return context
