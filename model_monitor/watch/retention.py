"""What is removed of old windows: their examples, and what their runs made of them. What came of them stays.

Of a run, the Examples, the statistics and the page go, also of a run that came to no verdict; the reports of its checks
stay, and ML Metadata, so that `why`, `ui` and the records of windows say what they said. Of the artifacts that are gone
ML Metadata says that they are deleted. What runs to come are compared with, the statistics of the last window that was
fine, stays in any case.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact, is_below
from components.common.bounded_files import in_words

from ..incidents.contexts import Contexts
from ..launching import root_lock
from ..reading import roles
from ..reading.nodes import Node
from ..reading.run_store import Run, open_store, reading, runs
from ..reading.stores import is_empty
from .journal import Journal
from .journal_rows import JUDGED, SET_ASIDE, Kept
from .settings import WatchConfig
from .window_files import WindowFiles, size_of
from .windows import PASSED_OVER

_REMOVED = (roles.LOGS, roles.IMAGE_STATISTICS, roles.REPORT)  # whose artifacts go
_KEPT = "ExampleAnomalies"  # of them, what the verdict rests on
_ENDED = (JUDGED, SET_ASIDE, PASSED_OVER)  # states of windows that nothing more becomes of by itself
_AT_ONCE = 20  # windows, so that no verdict waits for long
_DAY, _GIGABYTE = 86400.0, 10**9


def size_of_window(config: WatchConfig, number: int, run: Run | None, *, tried: bool = False) -> int:
    """The bytes of a window's examples, and of what its runs made of them and may be removed.

    Args:
      config: of its model.
      number: of the window.
      run: that its verdict is of; None: it has none.
      tried: whether there may be others on it.

    """
    its_own = [] if run is None else [run]
    counted = _runs_on(config, {number}).get(number, its_own) if tried else its_own
    made = {each.uri for one in counted for each in _artifacts(config, one)}
    return size_of(config.windows_path / str(number)) + sum(size_of(Path(each)) for each in made)


def old(config: WatchConfig, journal: Journal, now: float) -> list[tuple[Kept, str]]:
    """The windows whose examples are to be removed, the oldest first, some at a time, and why."""
    settings, totals = config.watch, journal.totals()
    size, left, fine = totals["size"], journal.count(*_ENDED) - totals["removed"], journal.last_fine()
    found = []
    for each in journal.oldest(max(0, min(left - 1, _AT_ONCE))):  # the newest one stays whatever the settings say
        if settings.keep_windows is not None and left > settings.keep_windows:
            why = f"`watch.keep_windows` is {settings.keep_windows}"
        elif settings.keep_days is not None and now - each.closed_at > _DAY * settings.keep_days:
            why = f"`watch.keep_days` is {settings.keep_days:g}"
        elif settings.keep_gigabytes is not None and size > _GIGABYTE * settings.keep_gigabytes:
            why = f"`watch.keep_gigabytes` is {settings.keep_gigabytes:g}"
        else:
            break  # those after it are younger
        left -= 1
        if each.number != fine and each.told:
            size -= each.size
            found.append((each, why))
    return found


def sweep(config: WatchConfig, journal: Journal, now: float) -> tuple[int, int]:
    """Removes what is old, some windows at a time; of how many windows, and how many bytes.

    Raises:
      RootBusyError: another command works under the root.
      OSError: something cannot be removed; it is tried again the next time.
      MonitorError: ML Metadata cannot be written.

    """
    windows = old(config, journal, now)
    if not windows:
        return 0, 0
    freed = 0
    with root_lock.held(config.root_path, "watch"):
        tried = _runs_on(config, {window.number for window, _ in windows if window.tried})
        for window, why in windows:
            size = _remove(config, window, tried.get(window.number))
            journal.removed(window.number, now, f"window {window.number}: {in_words(size)} removed, as {why}")
            freed += size
    return len(windows), freed


def _remove(config: WatchConfig, window: Kept, tried: list[Run] | None) -> int:
    """Removes what may be removed of a window and its runs, which are its one unless others were tried."""
    size = WindowFiles(config.windows_path).remove(window.number)
    its_own = [Run(open_store(config.metadata_path), config.name, window.run_id)] if window.run_id else []
    # a run may have taken from the cache what an earlier one on the same window had made
    made = {each.uri: each for run in (its_own if tried is None else tried) for each in _artifacts(config, run)}
    _mark(config, list(made.values()))  # first: what says that it is deleted is not looked for
    left = [folder for run in tried or () for folder in _unfinished(config, run)]
    for folder in [*map(Path, made), *left]:
        size += size_of(folder)
        shutil.rmtree(folder, ignore_errors=False)
    return size


def _unfinished(config: WatchConfig, run: Run) -> Iterator[Path]:
    """What nodes were at work on when they failed or were killed: of that ML Metadata knows no artifact."""
    for name in _REMOVED:
        node = run.nodes.get(name)
        if node is not None and not node.complete:
            yield from (config.artifacts_path / name).glob(f"*/{node.id}")


def _runs_on(config: WatchConfig, numbers: set[int]) -> dict[int, list[Run]]:
    """All runs on some windows, whatever they came to."""
    found: dict[int, list[Run]] = {}
    if not numbers or is_empty(config.metadata_path):
        return found
    for run in runs(open_store(config.metadata_path), config.name):
        node = run.nodes.get(roles.LOGS)
        if node is not None and node.parameters.get("input_base") == str(config.windows_path):
            number = _span(node)
            if number in numbers:
                found.setdefault(number, []).append(run)
    return found


def _span(node: Node) -> int:
    """Which span a node has read; of one whose outputs are from the cache only these say so."""
    said = [node.parameters.get("span"), *(each.properties.get("span") for each in node.made)]
    return next((int(each) for each in said if each), 0)


def _artifacts(config: WatchConfig, run: Run) -> Iterator[Artifact]:
    """What a run made under the root that is removed, as far as it is there."""
    for name in _REMOVED:
        node = run.nodes.get(name)
        for each in node.made if node else ():
            here = is_below(each.uri, str(config.root_path))
            if each.type != _KEPT and here and Path(each.uri).is_dir():
                yield each


def _mark(config: WatchConfig, artifacts: list[Artifact]) -> None:
    store = Contexts(config.metadata_path).store
    found = reading(lambda: store.get_artifacts_by_id([each.id for each in artifacts])) if artifacts else []
    for each in found:
        each.state = mlmd.Artifact.DELETED
    reading(lambda: store.put_artifacts(found), done="written")
