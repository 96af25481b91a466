"""What the kernel tells of a folder's files, by `watchdog`."""

import os
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

_PATIENCE = 5.0  # seconds for its thread to end


def listen(folder: Path, tell: Callable[[str, bool], None]) -> Callable[[], None]:
    """Has `tell` called, by another thread, for each file that appears or changes below a folder.

    Args:
      folder: with all the folders in it, also those that come.
      tell: takes the file's path, and whether it is complete: closed by its writer, or renamed to its name.

    Returns:
      What ends it.

    Raises:
      OSError: the kernel cannot tell: there is no inotify, or no more of it.

    """
    observer = Observer()
    observer.schedule(_Handler(tell), str(folder), recursive=True)
    observer.start()

    def stop() -> None:
        observer.stop()
        observer.join(_PATIENCE)

    return stop


class _Handler(FileSystemEventHandler):
    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("deleted", "opened", "closed_no_write"):
            return
        path = os.fsdecode(event.dest_path or event.src_path)
        if event.is_directory:
            self._tell_all(path)
        else:
            self._tell(path, isinstance(event, FileClosedEvent | FileMovedEvent))

    def _tell_all(self, folder: str) -> None:
        """What is in a folder that has just appeared: it may have come before the kernel was asked about it."""
        for parent, _, names in os.walk(folder):
            for name in names:
                self._tell(os.path.join(parent, name), False)
