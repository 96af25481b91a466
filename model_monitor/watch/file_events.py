"""What the kernel tells of a folder's files, by `watchdog`."""

import os
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from components.serving_log_writer.log_files import WRITING, visible_name

_PATIENCE = 5.0  # seconds for its thread to end
# Not that somebody opens a file or a folder to read it, as this process does with each.
_EVENTS = [DirCreatedEvent, DirMovedEvent, FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileModifiedEvent,
           FileMovedEvent]  # fmt: skip


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
    observer.schedule(_Handler(tell), str(folder), recursive=True, event_filter=_EVENTS)
    observer.start()

    def stop() -> None:
        observer.stop()
        observer.join(_PATIENCE)

    return stop


class _Handler(FileSystemEventHandler):
    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type == "deleted":
            self._tell_published(os.fsdecode(event.src_path))
            return
        path = os.fsdecode(event.dest_path or event.src_path)
        if event.is_directory:
            self._tell_all(path)
        else:
            self._tell(path, isinstance(event, FileClosedEvent | FileMovedEvent))

    def _tell_published(self, gone: str) -> None:
        """A file that `ServingLogWriter` has renamed into a new folder, which the kernel was not asked about yet."""
        if os.path.basename(gone).startswith(WRITING):
            path = os.path.join(os.path.dirname(gone), *visible_name(gone))
            if os.path.isfile(path):
                self._tell(path, True)

    def _tell_all(self, folder: str) -> None:
        """What is in a folder that has just appeared: it may have come before the kernel was asked about it."""
        for parent, _, names in os.walk(folder):
            for name in names:
                self._tell(os.path.join(parent, name), False)
