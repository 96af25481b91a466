"""Which spans of serving logs there are, which were evaluated, and which one came before. Reads only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.serving_log_writer.log_files import WRITING

from ..reading import roles
from ..reading.run_store import Run, open_store, runs


@dataclass(frozen=True)
class MonitoredSpan:
    """A span that a finished monitoring run has evaluated.

    Attributes:
      span: its number.
      bundle_uri: the pushed version whose baseline it was compared with.
      compared: whether it had enough examples to be compared with anything.
      statistics_uri: the folder of its statistics.

    """

    span: int
    bundle_uri: str
    compared: bool
    statistics_uri: str


def available(logs: Path) -> list[int]:
    """The numbers of the spans in a folder of serving logs, ascending."""
    return sorted(int(child.name) for child in logs.iterdir() if child.is_dir() and child.name.isdecimal())


def being_written(logs: Path) -> set[int]:
    """The spans that a `ServingLogWriter` has an unfinished file for."""
    found = (re.match(rf"{re.escape(WRITING)}([0-9]+)\.", path.name) for path in logs.glob(f"{WRITING}*"))
    return {int(name[1]) for name in found if name}


def monitored(metadata_path: Path, pipeline: str, logs: Path) -> list[MonitoredSpan]:
    """The spans of `logs` that runs of `pipeline` have evaluated to the end, in the order of the runs."""
    if not metadata_path.is_file():
        return []
    found = (_monitored_span(run, logs) for run in runs(open_store(metadata_path), pipeline))
    return [span for span in found if span is not None]


def unseen(present: Sequence[int], seen: Sequence[MonitoredSpan]) -> list[int]:
    """Those spans that no finished run has evaluated, in order."""
    known = {each.span for each in seen}
    return [span for span in present if span not in known]


def previous_statistics(seen: Sequence[MonitoredSpan], span: int, bundle_uri: str) -> str:
    """The statistics of the previous span, or '' where there is none.

    That is the latest earlier one that could be compared, with the same pushed version: another model's answers differ
    without anything having drifted.
    """
    earlier = [s for s in seen if s.span < span and s.bundle_uri == bundle_uri and s.compared]
    if not earlier:
        return ""
    # of several runs on one span, the last: `max` takes the first of equals
    return max(reversed(earlier), key=lambda each: each.span).statistics_uri


def _monitored_span(run: Run, logs: Path) -> MonitoredSpan | None:
    """What a run evaluated; None for one that did not get to the end or that read other logs."""
    nodes = run.nodes
    if not all(name in nodes and nodes[name].complete for name in (*roles.MONITORING, roles.IMAGE_STATISTICS)):
        return None
    source, baseline, validator = nodes[roles.LOGS], nodes[roles.BASELINE], nodes[roles.DRIFT]
    if source.parameters.get("input_base") != str(logs):
        return None
    return MonitoredSpan(
        span=int(source.output("examples").properties["span"]),
        bundle_uri=str(baseline.output("schema").properties["bundle_uri"]),
        compared=float(validator.output("anomalies").properties["p_value"]) >= 0,  # -1 says that nothing was
        statistics_uri=nodes[roles.IMAGE_STATISTICS].output("statistics").uri,
    )
