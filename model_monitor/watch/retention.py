"""What is removed of old windows: their examples, and what their runs made of them. What came of them stays.

Of a run, the Examples, the statistics and the page go; the reports of its checks stay, and ML Metadata, so that `why`,
`ui` and the records of windows say what they said. Of the artifacts that are gone ML Metadata says that they are
deleted. What runs to come are compared with, the statistics of the last window that was fine, stays in any case.
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
from ..reading.run_store import Run, open_store, reading
from .journal import JUDGED, Journal, Kept
from .settings import WatchConfig
from .window_files import WindowFiles, size_of

_REMOVED = (roles.LOGS, roles.IMAGE_STATISTICS, roles.REPORT)  # whose artifacts go
_KEPT = "ExampleAnomalies"  # of them, what the verdict rests on
_AT_ONCE = 20  # windows, so that no verdict waits for long
_DAY, _GIGABYTE = 86400.0, 10**9


def size_of_window(config: WatchConfig, number: int, run: Run) -> int:
    """The bytes of a window's examples, and of what its run made of them and may be removed."""
    made = sum(size_of(Path(each.uri)) for each in _artifacts(config, run))
    return size_of(config.windows_path / str(number)) + made


def old(config: WatchConfig, journal: Journal, now: float) -> list[tuple[Kept, str]]:
    """The windows whose examples are to be removed, the oldest first, some at a time, and why."""
    settings, totals = config.watch, journal.totals()
    size, left, fine = totals["size"], totals[JUDGED] - totals["removed"], journal.last_fine()
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
        for window, why in windows:
            size = _remove(config, window)
            journal.removed(window.number, now, f"window {window.number}: {in_words(size)} removed, as {why}")
            freed += size
    return len(windows), freed


def _remove(config: WatchConfig, window: Kept) -> int:
    size = WindowFiles(config.windows_path).remove(window.number)
    run = Run(open_store(config.metadata_path), config.name, window.run_id)
    made = list(_artifacts(config, run))
    _mark(config, made)  # first: what says that it is deleted is not looked for
    for each in made:
        size += size_of(Path(each.uri))
        shutil.rmtree(each.uri, ignore_errors=False)
    return size


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
