"""What could become no row, kept for whoever wants to know why: the bytes, and a line of JSON about each.

For each log file with broken records, or part of a large one, there are two files of the same number of entries in the
same order, `<log file>.dead.tfrecord.gz` (the records as they were found) and `<log file>.dead.jsonl.gz`. Of very many
the first are kept.
"""

import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from typing import IO, Any

from ..common.artifacts.tfrecord import Record, frame
from .problems import Problem

RECORDS_SUFFIX = ".dead.tfrecord.gz"
LINES_SUFFIX = ".dead.jsonl.gz"
MAX_BYTES = 1 << 22  # kept of one record
_MAX_ROWS = 100  # told of one record
MAX_LETTERS = 10_000  # of a part of a log file
MAX_BYTES_OF_FILE = 1 << 28
_LONGEST_NAME = 180  # bytes: a file system takes 255, and there are suffixes


def file_name(log_file: str, first: int = 0) -> str:
    """What the dead letters of a log file are called, suffixes aside: as the file, unless its name is very long.

    Those of a later part of the file have the number of its first record behind the name.

    >>> file_name("part-0"), file_name("part-0", 8000), len(file_name("x" * 255))
    ('part-0', 'part-0.from-8000', 113)
    """
    encoded = os.fsencode(log_file)
    part = f".from-{first}" if first else ""
    if len(encoded) <= _LONGEST_NAME:
        return log_file + part
    return f"{os.fsdecode(encoded[:80])}-{hashlib.blake2b(encoded, digest_size=16).hexdigest()}{part}"


class DeadLetterFile:
    """Writes the dead letters of one log file. Both streams are closed by whoever opened them."""

    def __init__(self, records: IO[bytes], lines: IO[bytes], log_file: str) -> None:
        # without a time of its own, the same logs give the same bytes
        self._records = gzip.GzipFile(fileobj=records, mode="wb", mtime=0, filename="")
        self._lines = gzip.GzipFile(fileobj=lines, mode="wb", mtime=0, filename="")
        self._log_file = log_file
        self._letters = self._bytes = 0

    def add(self, record: Record, broken: Sequence[tuple[int | None, Problem, str]]) -> bool:
        """Adds one record with the row (None: all of it), the problem and the reason of each image that is no row.

        Returns:
          Whether it is kept: not where there are `MAX_LETTERS` or `MAX_BYTES_OF_FILE` already.

        """
        if self._letters >= MAX_LETTERS or self._bytes >= MAX_BYTES_OF_FILE:
            return False
        kept = record.data[:MAX_BYTES]
        self._letters += 1
        self._bytes += len(kept)
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
        return True

    def close(self) -> None:
        self._records.close()
        self._lines.close()
