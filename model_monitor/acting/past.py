"""The windows that were compared with a version, with their samples, and the version's baseline: what is tuned on."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from components.common import baseline_bundle
from components.common.artifacts.files import DAMAGE, Artifact, Files, local_files, said
from components.common.artifacts.schema import read_schemas
from components.common.artifacts.splits import only_split_folder, split_folders
from components.common.artifacts.statistics import read_sample, read_statistics
from components.common.baseline_bundle import Bundle
from components.common.statistics.feature_sample import FeatureSample
from components.common.statistics.monitored_features import SKEW, binned_features, calibrated_names, capped
from components.common.two_sample.comparison import MAX_ROWS

from ..incidents.actions import What
from ..incidents.listing import listed
from ..incidents.settings import IncidentsConfig
from ..reading import roles
from ..reading.history import History
from ..reading.lineage import makers_of
from ..reading.nodes import Node
from ..reading.run_store import Run
from .tuning import Baseline, PastWindow

Drawn = Callable[[Mapping[str, int | float | str], str], Collection[str]]


@dataclass(frozen=True)
class Past:
    """What there is to tune on.

    Attributes:
      windows: ascending.
      baseline: of the version.
      lost: windows that cannot be tuned on, each with the reason in a sentence.

    """

    windows: tuple[PastWindow, ...]
    baseline: Baseline
    lost: tuple[str, ...]


def past(history: History, bundle: Bundle, drawn: Drawn, newest: int = 0) -> Past:
    """The windows that were compared with a version.

    Args:
      history: of the store with their runs.
      bundle: of the version.
      drawn: the ids of the rows that a `one_example_per` takes of the logs of a run with some parameters.
      newest: how many of the newest windows; 0: all.

    Raises:
      MonitorError: the baseline is damaged.

    """
    marks = marked(history)
    windows, lost = [], []
    for run in history.watched(bundle.version_dir)[-newest:]:
        number = history.verdict(run).span
        try:
            taken = partial(drawn, _reader_of_logs(history, run).parameters)
            windows.append(PastWindow(int(number or 0), _sample(run), marks.get(run.id), taken))
        except (*DAMAGE, OSError) as error:
            lost.append(f"Window {number} is left out: {said(error)}")
    return Past(tuple(windows), baseline_of(bundle), tuple(lost))


def _reader_of_logs(history: History, run: Run) -> Node:
    """What has read a run's logs: an earlier run's node, where they came from the cache. It knows the files."""
    node = run.node(roles.LOGS)
    made = [each.id for each in node.made]
    return next(iter(makers_of(history.store, made).values()), node) if made else node


def marked(history: History) -> dict[int, bool]:
    """Whether a window's incident was marked as real or as a false alarm, by the id of its run; the last mark is it."""
    found: dict[int, bool] = {}
    for incident in listed(history, IncidentsConfig()):
        for action in incident.actions:
            if action.what in (What.REAL, What.FALSE_ALARM):
                found.update({each.run: action.what is What.REAL for each in incident.records})
    return found


def baseline_of(bundle: Bundle) -> Baseline:
    """What windows of a version are compared with, its baseline or the reference in its place.

    Raises:
      MonitorError: it is damaged.

    """
    files = local_files()
    folder = only_split_folder(Artifact(bundle.path(bundle.compared_part)), bundle.held_out_split, files)
    schema = read_schemas(Artifact(os.path.dirname(bundle.path(baseline_bundle.SCHEMA_FILE))), files)[0]
    features = binned_features(read_statistics(folder, files))
    return Baseline(_capped(folder, files), features, tuple(calibrated_names(schema, SKEW)))


def _sample(run: Run) -> FeatureSample:
    folders: Iterable[str] = split_folders(run.node(roles.IMAGE_STATISTICS).output("statistics"), run.files).values()
    return _capped(next(iter(folders)), run.files)


def _capped(folder: str, files: Files) -> FeatureSample:
    return capped(read_sample(folder, files), MAX_ROWS)
