"""Words and figures as people read them, the same in the terminal and on pages."""

import datetime
import os
import re
from pathlib import Path

from components.common.pages.parts import cut
from components.common.verdict_words import State

from ..reading.artifact_tables.table import Cell
from ..reading.origins import count_nodes
from ..reading.run_store import Run
from ..reading.verdicts import RunVerdict

_SHORT = 60  # characters of a reason in a list
_SPLIT = re.compile(r"split:([^,]*),num_files:(\d+),total_bytes:(\d+)")


def short(says: RunVerdict) -> str:
    """A verdict in a few words."""
    state = says.state.words
    if says.span is not None:
        p_value = f", p = {says.p_value:.2g}" if says.p_value is not None else ""
        return f"span {says.span} {state}{p_value}"
    if says.state is State.PUSHED:
        return f"pushed {says.version}"
    if says.state is State.NO_VERDICT:
        return "no verdict"
    reason = says.reason if len(says.reason) <= _SHORT else says.reason[: _SHORT - 3].rstrip() + "..."
    return reason if says.state is State.FAILED else f"{state}: {reason}"


def brief(says: RunVerdict) -> str:
    """What there is to a verdict besides its state."""
    if says.span is not None:
        return f"span {says.span}" + ("" if says.p_value is None else f", p = {says.p_value:.2g}")
    if says.state is State.PUSHED:
        return f"version {says.version or Path(says.destination).name}"
    return cut(says.reason)


def took(seconds: float) -> str:
    """A duration in two units at most.

    >>> took(0.042), took(75.2), took(7260)
    ('0.0s', '1m 15s', '2h 1m')
    """
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m {rest}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60}m"


def moment(when: datetime.datetime) -> str:
    """A time as a person reads it, in this machine's zone."""
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def nodes_in_words(run: Run) -> str:
    """How many nodes a run has, and which of them did not simply run."""
    counts = count_nodes(run)
    parts = [f"{counts[name]} {name}" for name in ("cached", "failed", "unfinished") if counts[name]]
    return ", ".join([str(sum(counts.values())), *parts])


def cell_text(cell: Cell) -> str:
    """A cell as it is shown: counts with commas, measures with four digits."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else ""
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.4g}" if isinstance(cell, float) else cell


def data_files(fingerprint: str) -> str:
    """TFX's fingerprint of input files in words.

    >>> data_files("split:train,num_files:2,total_bytes:11277137,xor_checksum:1,sum_checksum:1")
    'train: 2 files, 11,277,137 bytes'
    """
    parts = []
    for name, files, size in _SPLIT.findall(fingerprint):
        parts.append(f"{name}: {files} {'file' if files == '1' else 'files'}, {int(size):,} bytes")
    return "; ".join(parts)


def place(uri: str) -> str:
    """Where something is, from here if it is below the working directory."""
    here = f"{os.getcwd()}{os.sep}"
    return uri.removeprefix(here) if uri.startswith(here) and uri != here else uri
