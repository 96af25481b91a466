"""What a span of logs held, counted so that nothing gets lost: mergeable, whatever the order."""

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.artifacts.gunzip import Damage
from ..common.artifacts.record_files import Chosen
from ..common.artifacts.tfrecord import Record
from ..common.class_scores import ScoreCounts
from ..common.label_numbering import Agreement
from ..common.records.log_counts import (
    DEAD_LETTERS,  # records with at least one image that is no row, as far as they are kept
)
from .input_checks import Values
from .problems import About, Problem
from .requests import Request, Requests, Row
from .stacking import groups, stacked

# Names of counts. Each record is one of RECORDS_*, each image one of ROWS and the six below it.
RECORDS = "records"
RECORDS_WITH_ROWS = "records_with_rows"
RECORDS_BROKEN = "records_broken"
RECORDS_EXCLUDED = "records_excluded"  # of another model version
IMAGES = "images"  # of records that are not excluded and whose number of images can be told
ROWS = "rows"
IMAGES_BROKEN = "images_broken"
DUPLICATES = "duplicates"
SUBSAMPLED = "subsampled"  # left out by subsampling
WITHOUT_TIMESTAMP = "without_timestamp"  # where rows are subsampled by time
WITHOUT_CLIENT = "without_client"  # where rows are subsampled by client
TORN = "records_torn"  # of the broken ones
TOO_MANY = "over_max_rows"  # left out because the span has more rows than it may have
FILES = "files"  # all but the side files
FILES_NOT_READ = "files_not_read"  # of them
SIDE_FILES = "side_files"
BYTES = "bytes"  # unpacked
BYTES_BROKEN = "bytes_broken"

ALL_COUNTS = (
    FILES, FILES_NOT_READ, SIDE_FILES, BYTES, BYTES_BROKEN,
    RECORDS, RECORDS_WITH_ROWS, RECORDS_BROKEN, TORN, RECORDS_EXCLUDED, DEAD_LETTERS,
    IMAGES, ROWS, IMAGES_BROKEN, DUPLICATES, TOO_MANY, SUBSAMPLED, WITHOUT_TIMESTAMP, WITHOUT_CLIENT,
)  # fmt: skip
NO_VERSION = "unknown"

DAMAGE_PROBLEMS = {
    Damage.TORN: Problem.TORN_RECORD,
    Damage.CORRUPT: Problem.CORRUPT_RECORD,
    Damage.UNREADABLE: Problem.UNREADABLE_FILE,
    Damage.FOREIGN: Problem.NOT_TFRECORDS,
}
_MOST_TOLD = 100  # files that are named


@dataclass(frozen=True)
class Occurrences:
    """How often a problem occurred, and the example with the smallest id: its id, and what was found there."""

    count: int
    example_id: str
    found: str

    def plus(self, other: "Occurrences") -> "Occurrences":
        first = min(self, other, key=lambda one: (one.example_id, one.found))
        return Occurrences(self.count + other.count, first.example_id, first.found)


@dataclass
class Tally:
    """Counts of a part of a span, or of all of it.

    Attributes:
      counts: by the names above.
      problems: by the problem's key.
      versions: counts by model version (text, `NO_VERSION` where the log does not say).
      outputs: records by (number of classes, embedding dimensions) of the response.
      red_less_blue: number, sum and sum of squares of the images' mean red less mean blue, of rightly scaled images.
      values: the numbers that images came as.
      scores: how the model's scores look.
      left_out: why each file was not read, by its name.
      numbering: how often its class ids are those of its scores.

    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[str, Occurrences] = field(default_factory=dict)
    versions: dict[str, Counter[str]] = field(default_factory=dict)
    outputs: Counter[tuple[int, int]] = field(default_factory=Counter)
    red_less_blue: tuple[int, float, float] = (0, 0.0, 0.0)
    values: Values = field(default_factory=Values)
    scores: ScoreCounts = field(default_factory=ScoreCounts)
    numbering: Agreement = field(default_factory=Agreement)
    left_out: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of_files(chosen: Chosen) -> "Tally":
        """The files that are not read."""
        tally = Tally(Counter({FILES: len(chosen.refused), SIDE_FILES: len(chosen.side_files)}))
        tally.left_out = {os.path.basename(path): "a side file" for path in chosen.side_files}
        for path, reason in chosen.refused.items():
            tally.add_unread(os.path.basename(path), reason)
        return tally

    def add_unread(self, name: str, reason: str) -> None:
        """Counts a file that could not, or must not, be read to its end."""
        self.counts[FILES_NOT_READ] += 1
        self.left_out[name] = reason
        self.add_problem(Problem.NOT_READ, os.fsencode(name), reason)

    def add_damage(self, record: Record, identity: bytes) -> Problem:
        """Counts a stretch of a file that holds no readable record."""
        problem = DAMAGE_PROBLEMS[record.damage or Damage.CORRUPT]
        self._count_record(record, NO_VERSION, RECORDS_BROKEN)
        self.counts[TORN] += record.damage is Damage.TORN
        self.add_problem(problem, identity, record.reason)
        return problem

    def add_unparsable(self, record: Record, identity: bytes, reason: str) -> None:
        self._count_record(record, NO_VERSION, RECORDS_BROKEN)
        self.add_problem(Problem.NOT_A_LOG, identity, reason)

    def add_excluded(self, record: Record, version: str) -> None:
        self._count_record(record, version, RECORDS_EXCLUDED)

    def add_request(self, record: Record, request: Request, identity: bytes) -> None:
        """Counts a parsed record and all but its rows, which are counted when they are written."""
        version = version_name(request.origin.model_version)
        self._count_record(record, version, RECORDS_WITH_ROWS if request.rows else RECORDS_BROKEN)
        broken = sum(row is not None for row, _, _ in request.broken) if request.broken else 0
        for counts in (self.counts, self._version(version)):
            counts[IMAGES] += request.images
            counts[IMAGES_BROKEN] += broken
        if request.outputs is not None:
            self.outputs[request.outputs] += 1
        for row, problem, found in request.flags:
            self.add_problem(problem, identity if row is None else request.row_id(row), found)

    def add_numbers(self, requests: Requests) -> None:
        """Counts how the numbers of requests look, which are counted one by one as well."""
        self.values += requests.values
        self.scores += requests.scores
        self.numbering += requests.numbering

    def add_rows(self, name: str, version: str, count: int = 1) -> None:
        """Counts rows under ROWS, DUPLICATES, TOO_MANY, SUBSAMPLED, WITHOUT_TIMESTAMP or WITHOUT_CLIENT."""
        self.counts[name] += count
        self._version(version)[name] += count

    def add_problem(self, problem: Problem, identity: bytes, found: str, count: int = 1) -> None:
        self._merge_problem(problem.key, Occurrences(count, readable(identity), found))

    def add_colours(self, rows: Sequence[Row]) -> None:
        """Counts what the three channels of each row say about their order."""
        differences = [0.0] * len(rows)
        images = [row.pixels[np.newaxis] for row in rows]
        for numbers in groups(
            range(len(rows)), key=lambda number: images[number].shape, size=lambda number: images[number].nbytes
        ):
            for place, difference in zip(numbers, _red_less_blue(stacked([images[n] for n in numbers])), strict=True):
                differences[place] = difference
        number, total, squares = self.red_less_blue
        for difference in differences:  # in the order of the rows, which rounding depends on
            total, squares = total + difference, squares + difference * difference
        self.red_less_blue = (number + len(rows), total, squares)

    def merge(self, other: "Tally") -> None:
        self.counts.update(other.counts)
        self.outputs.update(other.outputs)
        for key, occurrences in other.problems.items():
            self._merge_problem(key, occurrences)
        for version, counts in other.versions.items():
            self._version(version).update(counts)
        self.values += other.values
        self.scores += other.scores
        self.left_out.update(other.left_out)
        self.numbering += other.numbering
        mine, theirs = self.red_less_blue, other.red_less_blue
        self.red_less_blue = (mine[0] + theirs[0], mine[1] + theirs[1], mine[2] + theirs[2])

    def balances(self) -> bool:
        """Whether every record and every image is accounted for exactly once."""
        return all(
            counts[RECORDS] == counts[RECORDS_WITH_ROWS] + counts[RECORDS_BROKEN] + counts[RECORDS_EXCLUDED]
            and counts[IMAGES]
            == counts[ROWS]
            + counts[IMAGES_BROKEN]
            + counts[DUPLICATES]
            + counts[TOO_MANY]
            + counts[SUBSAMPLED]
            + counts[WITHOUT_TIMESTAMP]
            + counts[WITHOUT_CLIENT]
            for counts in (self.counts, sum(self.versions.values(), Counter()))
        )

    def proportion(self, problem: Problem) -> float:
        """The proportion of records, images, responses or rows that have the problem, 0 to 1."""
        whole = self.counts[counted_in(problem)]
        found = self.problems.get(problem.key)
        return min(1.0, found.count / whole) if found and whole else 0.0

    def to_json(self) -> str:
        """All of it, for people and scripts; counts that are 0 too."""
        record: dict[str, Any] = {name: self.counts[name] for name in ALL_COUNTS}
        record["by_model_version"] = {
            version: {name: count for name, count in sorted(counts.items()) if count}
            for version, counts in sorted(self.versions.items())
        }
        by_key = {problem.key: problem for problem in Problem}
        record["problems"] = {
            key: {
                "count": one.count,
                "share": self.proportion(by_key[key]),
                "example_id": one.example_id,
                "found": one.found,
            }
            for key, one in sorted(self.problems.items())
        }
        record["response_sizes"] = [
            {"classes": classes, "embedding": dimensions, RECORDS: count}
            for (classes, dimensions), count in sorted(self.outputs.items())
        ]
        record["left_out"] = dict(sorted(self.left_out.items())[:_MOST_TOLD])
        return json.dumps(record, indent=2) + "\n"

    def _count_record(self, record: Record, version: str, name: str) -> None:
        self.counts[BYTES] += record.size
        for counts in (self.counts, self._version(version)):
            counts[RECORDS] += 1
            counts[name] += 1
        self.counts[BYTES_BROKEN] += record.size if name == RECORDS_BROKEN and record.damage is not Damage.TORN else 0

    def _version(self, version: str) -> Counter[str]:
        counts = self.versions.get(version)
        if counts is None:
            counts = self.versions[version] = Counter()
        return counts

    def _merge_problem(self, key: str, found: Occurrences) -> None:
        known = self.problems.get(key)
        self.problems[key] = found if known is None else known.plus(found)


def merged(tallies: Iterable[Tally]) -> Tally:
    """The sum of all."""
    result = Tally()
    for tally in tallies:
        result.merge(tally)
    return result


def counted_in(problem: Problem) -> str:
    """The name of the count that a problem is a proportion of."""
    return {About.FILE: FILES, About.RECORD: RECORDS}.get(problem.about, IMAGES)


def _red_less_blue(images: npt.NDArray[np.uint8]) -> list[float]:
    """Mean of the first channel less that of the third, of each of `[N, H, W, 3]`."""
    count, height, width, _ = images.shape
    narrow = np.uint32 if height < 1 << 24 else np.int64  # in which as many bytes of 255 have room
    columns = images.reshape(count, height, -1).sum(axis=1, dtype=narrow)  # first, for it is the faster one
    sums = columns.reshape(count, width, 3).sum(axis=1, dtype=np.int64)
    return [red / (height * width) - blue / (height * width) for red, _, blue in sums.tolist()]


def version_name(version: int | None) -> str:
    return NO_VERSION if version is None else str(version)


def readable(identity: bytes) -> str:
    """An id as text; bytes that are no UTF-8 are spelled out."""
    return identity.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class ColourDifference:
    """Mean of the images' red less blue, 0 to 255, and its standard error."""

    mean: float
    error: float

    @staticmethod
    def of(tally: Tally) -> "ColourDifference | None":
        """None for fewer than 30 images, where the error cannot be told well."""
        number, total, squares = tally.red_less_blue
        if number < 30:
            return None
        mean = total / number
        variance = max(0.0, squares / number - mean * mean) * number / (number - 1)
        return ColourDifference(mean, math.sqrt(variance / number))
