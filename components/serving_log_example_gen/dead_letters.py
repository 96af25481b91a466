"""What could become no row, kept for whoever wants to know why: the bytes, and a line of JSON about each.

For each log file with broken records there are two files of the same number of entries in the same order,
`<log file>.dead.tfrecord.gz` (the records as they were found) and `<log file>.dead.jsonl.gz`.
"""

import gzip
import json
from collections.abc import Sequence
from typing import IO, Any

from ..common.artifacts.tfrecord import Record, frame
from .problems import Problem

RECORDS_SUFFIX = ".dead.tfrecord.gz"
LINES_SUFFIX = ".dead.jsonl.gz"
MAX_BYTES = 1 << 22  # kept of one record
_MAX_ROWS = 100  # told of one record


class DeadLetterFile:
    """Writes the dead letters of one log file. Both streams are closed by whoever opened them."""

    def __init__(self, records: IO[bytes], lines: IO[bytes], log_file: str) -> None:
        # without a time of its own, the same logs give the same bytes
        self._records = gzip.GzipFile(fileobj=records, mode="wb", mtime=0, filename="")
        self._lines = gzip.GzipFile(fileobj=lines, mode="wb", mtime=0, filename="")
        self._log_file = log_file

    def add(self, record: Record, broken: Sequence[tuple[int | None, Problem, str]]) -> None:
        """Adds one record with the row (None: all of it), the problem and the reason of each image that is no row."""
        kept = record.data[:MAX_BYTES]
        self._records.write(frame(kept))
        line: dict[str, Any] = {
            "file": self._log_file,
            "record": record.number,
            "size": record.size,
            "kept_bytes": len(kept),
            "images": [
                {"row": row, "problem": problem.key, "reason": reason} for row, problem, reason in broken[:_MAX_ROWS]
            ],
            "broken_images": sum(row is not None for row, _, _ in broken),
        }
        self._lines.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        self._records.close()
        self._lines.close()
