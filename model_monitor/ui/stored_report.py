"""The page that a run made of itself, as its pages show it."""

import codecs
from typing import BinaryIO

from components.common.artifacts.files import Files, said
from components.common.bounded_files import open_regular, require_size
from components.common.errors import MonitorError
from components.common.pages.page_artifact import page_of

from ..reading.run_store import Run

_TYPES = ("HtmlReport", "system.HTML")  # ours, which has the other type where Kubeflow is to show it
_BEGINNING = 1 << 16  # bytes of a report that say whether it is text


def file_of(chosen: Run) -> tuple[str | None, str]:
    """The file of the page that a run made of itself; or None, and why there is none where there should be one.

    It is not read whole here: it may be large, and whoever shows it passes it on in blocks.
    """
    reports = [each for node in chosen.nodes.values() for each in node.made if each.type.endswith(_TYPES)]
    if not reports:
        return None, ""
    path = page_of(reports[-1])
    if "://" in path:
        return _stored_there(path, chosen.files)
    try:
        chosen.files.check(path)
        with open_regular(path) as file:
            require_size(file, path, chosen.files.most)
            beginning = file.read(_BEGINNING)
        # a character may be cut at the end of what was read
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except (ValueError, OSError) as error:
        return None, f"The run's own report cannot be shown: {said(error)}"
    if not beginning.strip():
        return None, f"The run's own report, {path}, is empty"
    return path, ""


def _stored_there(path: str, files: Files) -> tuple[str | None, str]:
    """The same of a report in an object store, which is not read for it."""
    try:
        size = files.sizes(path).get("")
    except MonitorError as error:
        return None, f"The run's own report cannot be shown: {error}"
    if not size:
        return None, f"The run's own report, {path}, is empty"
    return (None, f"The run's own report, {path}, is too large") if size > files.most else (path, "")


def _text(content: bytes, path: str) -> str:
    """A report's text. Raises `MonitorError` where it is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MonitorError(f"The run's own report, {path}, must be text. Received: {error}") from error


def content_of(path: str, files: Files) -> str | BinaryIO:
    """The page in this file, open; one in an object store is read whole.

    Raises:
      MonitorError: it cannot be read, or is no text.

    """
    if "://" in path:
        return _text(files.content(path), path)
    try:
        return open_regular(path)
    except OSError as error:
        raise MonitorError(f"The run's own report, {path}, cannot be read: {error.strerror}") from error
