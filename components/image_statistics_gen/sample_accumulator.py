"""A mergeable sample of the examples seen so far: those with the smallest hash (bottom-k sampling).

Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches", PODC. Of parts, each part's k smallest hold the k
smallest of all, so order, batches and workers make no difference; and a hash of the content is as good as a draw.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import mmh3
import numpy as np
import numpy.typing as npt

from ..common.statistics.feature_sample import FeatureSample, Hashes
from .prediction_features import Counts, Floats


@dataclass(frozen=True)
class Rows:
    """Examples with all that a sample keeps of them, N rows.

    Attributes:
      hashes: `uint64[N]`, see `hash_examples`.
      ids: `object[N]`, bytes each, b"" for none.
      values: `float32[N, p]`, NaN where missing.
      classes: `int64[N]`, -1 where missing.
      probabilities: `float32[N, K]`, NaN where missing; K = 0 if predictions are not read.
      labels: `int64[N]`, -1 where missing.
      looks: `uint64[N]`, the perceptual hash of the image, 0 where there is none.

    """

    hashes: Hashes
    ids: npt.NDArray[np.object_]
    values: Floats
    classes: Counts
    probabilities: Floats
    labels: Counts
    looks: Hashes

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Rows":
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))


def hash_examples(images: Iterable[bytes | memoryview], ids: Iterable[bytes]) -> Hashes:
    """Of each example the first 64 bits of MurmurHash3 (x64, 128 bits) of its id and, after it, its image's hash.

    b"" stands for an id and an image that an example has not. The hash draws examples and protects nothing: whoever
    chooses what is asked can choose what is sampled, by any hash without a key.
    """
    of = mmh3.mmh3_x64_128_digest
    digests = b"".join([of(name + of(image)) for image, name in zip(images, ids, strict=True)])
    return np.frombuffer(digests, "<u8").reshape(-1, 2)[:, 0].astype(np.uint64)


class SampleAccumulator:
    """The `size` examples with the smallest hash. Never holds more than twice as many and a batch.

    Examples with one hash are taken to be copies of one another: they are in the sample, or out of it, together, but
    for the last place, which goes by their values.
    """

    __slots__ = ("_compact", "_held", "_limit", "_parts", "_size", "population")

    def __init__(self, size: int) -> None:
        self.population = 0
        self._size = size
        self._parts: list[Rows] = []
        self._held = 0
        self._compact = True  # whether there is at most one part, in order and no larger than the sample
        self._limit = np.iinfo(np.uint64).max  # no example above it can be in the sample

    def add(self, rows: Rows) -> None:
        self.population += len(rows.hashes)
        self._keep(rows)

    def merge(self, other: "SampleAccumulator") -> None:
        """Adds what `other`, of the same size and features, has seen. Leaves `other` as it is."""
        self.population += other.population
        for rows in other._parts:
            self._keep(rows)

    def compact(self) -> None:
        """Forgets what cannot be in the sample, and puts the rest in order."""
        if self._compact:
            return
        columns = ([getattr(part, field.name) for part in self._parts] for field in fields(Rows))
        rows = Rows(*(np.concatenate(column) for column in columns))
        rows = rows.take(_order(rows)[: self._size])
        self._parts, self._held, self._compact = [rows], len(rows.hashes), True
        if self._held == self._size:
            self._limit = int(rows.hashes[-1])

    def extract(self, names: Sequence[str], *, predictions: bool) -> FeatureSample:
        """The sample; `names` are those of the values, `predictions` whether the examples had any."""
        self.compact()
        if not self._parts:
            return FeatureSample(tuple(names), np.zeros((0, len(names)), np.float32), 0, ())
        (rows,) = self._parts
        return FeatureSample(
            names=tuple(names),
            values=rows.values,
            population=self.population,
            ids=tuple(name.decode(errors="backslashreplace") for name in rows.ids),
            classes=rows.classes if predictions else None,
            probabilities=rows.probabilities if predictions else None,
            labels=rows.labels if (rows.labels >= 0).any() else None,
            looks=rows.looks,
        )

    def _keep(self, rows: Rows) -> None:
        kept = rows.take(rows.hashes <= np.uint64(self._limit))
        if len(kept.hashes):
            self._parts.append(kept)
            self._held += len(kept.hashes)
            self._compact = False
        if self._held > 2 * self._size:
            self.compact()


def _order(rows: Rows) -> npt.NDArray[np.intp]:
    """By hash; copies by what differs in them."""
    order = np.argsort(rows.hashes, kind="stable")
    hashes = rows.hashes[order]
    if not (hashes[1:] == hashes[:-1]).any():
        return order
    return np.lexsort((rows.looks, rows.labels, rows.classes, *rows.probabilities.T, *rows.values.T, rows.hashes))
