"""The records that other components leave in their artifacts, as far as the page needs them.

They are read by name, so that a page can be made of a record that a later version has added to.
"""

import json
from dataclasses import dataclass
from typing import Any

from ..common.artifacts.files import Files, Given
from ..common.errors import MonitorError, require

REASONS_JSON = "reasons.json"
DRIFT_REPORT_JSON = "drift_report.json"
PERFORMANCE_JSON = "performance.json"
COUNTS_JSON = "counts.json"
DEAD_LETTERS = "dead_letters"
_FORMAT_VERSION = 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A record and the artifact in which it lies."""

    record: Record
    given: Given


def read_json(files: Files, path: str) -> Record:
    """The JSON object in a file. Raises `MonitorError` where there is none."""
    content = files.content(path)
    try:
        record = json.loads(content)
    except ValueError as error:
        raise MonitorError(f"{path} must hold JSON. Received: {error}; it begins {content[:40]!r}") from error
    require(isinstance(record, dict), path, "hold a JSON object", type(record).__name__)
    version = record.get("format_version", _FORMAT_VERSION)
    require(version == _FORMAT_VERSION, f"format_version in {path}", f"be {_FORMAT_VERSION}", version)
    return dict(record)


def beside(files: Files, anomalies: tuple[Given, ...], name: str) -> Given | None:
    """The last of the anomalies artifacts that has a file of this name; folders that cannot be listed have none."""
    for given in reversed(anomalies):
        try:
            present = files.listing(given.uri)
        except MonitorError:  # said where the artifact's own anomalies are read
            continue
        if name in present:
            return given
    return None
