"""A sample of examples with everything measured of them, one row an example: what tests of whole distributions need and
histograms cannot give, which features move together.

The sample is the examples with the smallest hash of their content (a bottom-k sample), so it depends on which examples
there are and on nothing else: not on their order, nor on how they were spread over files, batches and workers.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..bounded_files import read_bounded
from ..errors import MonitorError, require

FILE_NAME = "FeatureSample.npz"  # in each split of ExampleStatistics, beside FeatureStats.pb
OPTIONAL = ("classes", "probabilities", "labels", "looks")  # arrays that a sample may lack
NO_CLASS = -1  # in classes and labels: this example has none
NO_HASH = 0  # in looks, of an image that is not there, or has the same value everywhere and so looks like nothing

_VERSION = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can name: the same for every file

Floats: TypeAlias = npt.NDArray[np.float32]
Classes: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """The m examples with the smallest hash out of `population`; all of them if they were no more than was asked for.

    Attributes:
      names: The p numeric features, named as in the statistics, for instance image_brightness, prediction_confidence.
      values: [m, p], in the order of `names`; NaN where an example has no such value.
      population: How many examples the sample was drawn from, m or more.
      ids: [m]; "" for an example without an id.
      classes: [m], the predicted class, -1 where there is none; None if predictions were not evaluated.
      probabilities: [m, K], NaN where there are none; None if predictions were not evaluated.
      labels: [m], -1 where there is none; None if no example of the sample has one.
      looks: [m], the perceptual hash of each image, 0 where there is none; None in samples from before there was one.

    Raises:
      MonitorError: the shapes or types do not fit together.

    """

    names: tuple[str, ...]
    values: Floats
    population: int
    ids: tuple[str, ...]
    classes: Classes | None = None
    probabilities: Floats | None = None
    labels: Classes | None = None
    looks: Hashes | None = None

    def __post_init__(self) -> None:
        count = len(self.ids)
        _require_array("values", self.values, np.float32, (count, len(self.names)))
        require(len(set(self.names)) == len(self.names), "names", "all be different", self.names)
        require(self.population >= count, "population", f"be {count} or more, the size of the sample", self.population)
        both = (self.classes is None) == (self.probabilities is None)
        require(both, "classes", "be given together with `probabilities`", self.classes)
        for name, classes in (("classes", self.classes), ("labels", self.labels)):
            if classes is not None:
                _require_array(name, classes, np.int64, (count,))
        if self.looks is not None:
            _require_array("looks", self.looks, np.uint64, (count,))
        if self.probabilities is not None:
            _require_array("probabilities", self.probabilities, np.float32, (count, -1))

    def take(self, rows: Sequence[int], population: int | None = None) -> "FeatureSample":
        """Some rows, in the order of `rows`; `population` is what they stand for, None: themselves alone."""
        chosen = np.asarray(rows, np.int64)
        known = {name: array for name in OPTIONAL if (array := getattr(self, name)) is not None}
        arrays: dict[str, Any] = {name: array[chosen] for name, array in known.items()}
        ids = tuple(self.ids[row] for row in rows)
        size = len(chosen) if population is None else population
        return replace(self, values=self.values[chosen], ids=ids, population=size, **arrays)

    @staticmethod
    def joined(samples: Sequence["FeatureSample"]) -> "FeatureSample":
        """The rows of one sample or more, one after the other; what one of them lacks, all of them do.

        Raises:
          MonitorError: their features differ.

        """
        first = samples[0]
        for each in samples[1:]:
            require(each.names == first.names, "samples", f"be of the features {first.names}", each.names)
        arrays: dict[str, Any] = {}
        for name in OPTIONAL:
            parts = [getattr(each, name) for each in samples]
            arrays[name] = None if any(part is None for part in parts) else np.concatenate(parts)
        return FeatureSample(
            names=first.names,
            values=np.concatenate([each.values for each in samples]),
            population=sum(each.population for each in samples),
            ids=tuple(identity for each in samples for identity in each.ids),
            **arrays,
        )

    def to_bytes(self) -> bytes:
        """The file's content, a NumPy .npz without pickles: equal samples give equal bytes."""
        encoded = [name.encode() for name in self.ids]
        arrays: dict[str, npt.NDArray[Any]] = {
            "version": np.array(_VERSION),
            "names": np.array(self.names, np.str_),
            "values": self.values,
            "population": np.array(self.population, np.int64),
            # not as an array of strings: one long id would make all of them as long
            "ids": np.frombuffer(b"".join(encoded), np.uint8),
            "id_lengths": np.array([len(name) for name in encoded], np.int64),
        }
        optional: dict[str, npt.NDArray[Any] | None] = {
            "classes": self.classes,
            "probabilities": self.probabilities,
            "labels": self.labels,
            "looks": self.looks,
        }
        return _pack(arrays | {name: array for name, array in optional.items() if array is not None})

    @staticmethod
    def from_bytes(content: bytes, source: str = "feature sample") -> "FeatureSample":
        """What `to_bytes` wrote. `source` names the file in messages.

        Raises:
          MonitorError: the content is damaged or is not a feature sample.

        """
        try:
            _require_stored(content)
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return _unpack(dict(file))
        except Exception as error:  # NumPy and zipfile keep no list of what they raise on a damaged file
            rule = "be a complete feature sample, as ImageStatisticsGen writes it"
            raise MonitorError(f"{source} must {rule}. Received: {error}") from error

    def write(self, path: str) -> None:
        """Writes the sample to a local file."""
        with open(path, "wb") as file:
            file.write(self.to_bytes())

    @staticmethod
    def read(path: str) -> "FeatureSample":
        """Reads a sample from a local file.

        Raises:
          MonitorError: the file is missing, damaged or not a feature sample.

        """
        try:
            content = read_bounded(path)
        except OSError as error:
            raise MonitorError(f"{path} must be a readable file. Received: {error.strerror}") from error
        return FeatureSample.from_bytes(content, path)


def _require_array(name: str, array: npt.NDArray[Any], kind: type, shape: tuple[int, ...]) -> None:
    """`shape` may hold -1, any number."""
    fits = array.ndim == len(shape) and all(want in (-1, n) for want, n in zip(shape, array.shape, strict=True))
    rule = f"be {np.dtype(kind).name}{list(shape)}"
    require(fits and array.dtype == kind, name, rule, f"{array.dtype.name}{list(array.shape)}")


def _pack(arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """As `np.savez`, which writes the time of day into the file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _EPOCH), "w") as entry:
                np.save(entry, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def _require_stored(content: bytes) -> None:
    """Raises `MonitorError` for arrays that are compressed, as ours are not: they may unpack to any size."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    require(size <= len(content), "the arrays", "be stored as they are", f"{len(content)} bytes for {size}")


def _unpack(arrays: dict[str, npt.NDArray[Any]]) -> FeatureSample:
    version = arrays["version"].item()
    require(version == _VERSION, "version", f"be {_VERSION}", version)
    lengths, blob = arrays["id_lengths"], arrays["ids"].tobytes()
    ends = np.cumsum(lengths)
    whole = bool((lengths >= 0).all()) and (int(ends[-1]) if len(ends) else 0) == len(blob)
    require(whole, "id_lengths", f"add up to the {len(blob)} bytes of the ids", lengths)
    return FeatureSample(
        names=tuple(arrays["names"].tolist()),
        values=arrays["values"],
        population=arrays["population"].item(),
        ids=tuple(blob[end - n : end].decode() for n, end in zip(lengths.tolist(), ends.tolist(), strict=True)),
        classes=arrays.get("classes"),
        probabilities=arrays.get("probabilities"),
        labels=arrays.get("labels"),
        looks=arrays.get("looks"),
    )
