"""The rows of a journal: files of logs, windows, and windows whose examples may be removed."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.common.strict_text import parse_json

from ..reading.window_record import WindowRecord
from .windows import PASSED_OVER, Moment, Window

OPEN, CLOSED, JUDGED, SET_ASIDE = "open", "closed", "judged", "set aside"  # or `windows.PASSED_OVER`
_OF_WINDOW = ("number", "version", "late", "examples", "records", "others", "damaged", "first_request", "last_request",
              "until", "closed", "first", "last")  # fmt: skip


@dataclass(frozen=True)
class FileRow:
    """A log file, as far as it was taken up.

    Attributes:
      place: below the folder of logs.
      size, changed, device, inode: as the file system had them: bytes, nanoseconds since the epoch, numbers.
      records: how many were taken up, damaged stretches counted as one each.
      whole: whether the file was read to its end.
      torn: whether what was taken up last is a record that the end of the file cuts off.
      digest: of its `size` bytes, where it was read to its end; else "".

    """

    place: str
    size: int
    changed: int
    device: int
    inode: int
    records: int = 0
    whole: bool = False
    torn: bool = False
    digest: str = ""

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What tells, without reading it, that a file is as it was."""
        return self.size, self.changed, self.device, self.inode


@dataclass(frozen=True)
class WindowRow:
    """A window with what became of it.

    Attributes:
      window: what it holds.
      state: `OPEN`, `CLOSED`, `JUDGED`, `SET_ASIDE` or `PASSED_OVER`.
      bundle: folder of the version whose baseline it is compared with.
      files: the files of its folder, by name, and how many bytes of each count.
      closed_at: when it was closed, seconds since the epoch; None while it is open.
      attempts: how often it was tried in vain to evaluate it.
      begun: how many evaluations in a row were begun of which nothing more is known: the process ended meanwhile.
      problem: what the last attempt failed by; "" where there was none.
      record: what came of it; None where it is not judged.
      place: among the judged windows of the model, from 1; None likewise.
      removed: whether its examples were removed since.

    """

    window: Window
    state: str = OPEN
    bundle: str = ""
    files: Mapping[str, int] = field(default_factory=dict)
    closed_at: float | None = None
    attempts: int = 0
    begun: int = 0
    problem: str = ""
    record: WindowRecord | None = None
    place: int | None = None
    removed: bool = False


@dataclass(frozen=True)
class Kept:
    """A window that nothing more becomes of and whose examples are there still.

    Attributes:
      number: of the window.
      run_id: of the run in ML Metadata that its verdict is of; "" where it was set aside or passed over.
      closed_at: when it was closed, seconds since the epoch.
      size: bytes of it that may be removed.
      told: whether every hook was told of it.
      tried: whether there may be runs on it that came to no verdict.

    """

    number: int
    run_id: str
    closed_at: float
    size: int
    told: bool = True
    tried: bool = False


def columns(row: WindowRow, now: float) -> dict[str, Any]:
    window = row.window
    opened = {f"opened_{name}": value for name, value in vars(window.opened).items()}
    plain = {name: getattr(window, name) for name in _OF_WINDOW}
    closed = PASSED_OVER if window.closed == PASSED_OVER else CLOSED
    state = {"state": closed if window.closed else OPEN, "closed_at": now if window.closed else None}
    if window.closed == PASSED_OVER:  # the last that is heard of it; whoever judges another weighs that
        state["size"] = sum(row.files.values())
    return {**plain, **opened, **state, "bundle": row.bundle, "files": json.dumps(dict(row.files))}


def window_row(row: sqlite3.Row) -> WindowRow:
    opened = Moment(row["opened_wall"], row["opened_monotonic"], row["opened_boot"])
    plain = {name: row[name] for name in _OF_WINDOW} | {"late": bool(row["late"])}
    kept = {name: row[name] for name in ("state", "bundle", "closed_at", "attempts", "problem", "place")}
    return WindowRow(
        Window(**plain, opened=opened),
        **kept,
        files=parse_json(row["files"]),
        begun=row["begun"],
        removed=bool(row["removed"]),
        record=None if row["record"] is None else WindowRecord.from_json(row["record"]),
    )


def file_row(row: sqlite3.Row) -> FileRow:
    return FileRow(**{**dict(row), "whole": bool(row["whole"]), "torn": bool(row["torn"])})
