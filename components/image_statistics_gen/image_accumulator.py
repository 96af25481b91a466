"""What is remembered of the images seen so far: mergeable, and as small for a million images as for ten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..common.image_spec import ImageSpec
from ..common.statistics.feature_sample import Hashes
from ..common.statistics.usability import Reasons
from . import image_properties, perceptual_hash
from .frozen_histogram import Accumulator, FrozenFeature
from .image_decoding import Bytes, decode, why_corrupt

ValueLists: TypeAlias = Sequence[Sequence[Bytes] | None]


def single_values(lists: ValueLists) -> list[Bytes | None]:
    """The value of each example that has exactly one, None for the others."""
    return [found[0] if found is not None and len(found) == 1 else None for found in lists]


class BytesAccumulator:
    """How many examples have the image feature, how many values each, and how long the values are in bytes."""

    __slots__ = ("max_bytes", "max_values", "min_bytes", "min_values", "non_missing", "total_bytes", "total_values")

    def __init__(self) -> None:
        self.non_missing = self.total_values = self.total_bytes = 0
        self.max_values = self.max_bytes = 0
        self.min_values: float = np.inf
        self.min_bytes: float = np.inf

    def add(self, lists: ValueLists) -> None:
        """Counts a batch: for each example the feature's values, None where it has no such feature."""
        numbers = [len(values) for values in lists if values is not None]
        lengths = [len(value) for values in lists for value in values or ()]
        self.non_missing += len(numbers)
        self.total_values += sum(numbers)
        self.total_bytes += sum(lengths)
        self.max_values = max([self.max_values, *numbers])
        self.max_bytes = max([self.max_bytes, *lengths])
        self.min_values = min([self.min_values, *numbers])
        self.min_bytes = min([self.min_bytes, *lengths])

    def merge(self, other: "BytesAccumulator") -> None:
        self.non_missing += other.non_missing
        self.total_values += other.total_values
        self.total_bytes += other.total_bytes
        self.max_values = max(self.max_values, other.max_values)
        self.max_bytes = max(self.max_bytes, other.max_bytes)
        self.min_values = min(self.min_values, other.min_values)
        self.min_bytes = min(self.min_bytes, other.min_bytes)


@dataclass(frozen=True)
class ImageRows:
    """What is known of N images.

    Attributes:
      values: `float32[N, properties + 1]`: the properties, NaN where there is none, then whether corrupt.
      looks: `uint64[N]`, the perceptual hash, `NO_HASH` where there is none.

    """

    values: image_properties.Floats
    looks: Hashes


class ImageAccumulator:
    """Statistics of the images of some examples. `features` are the properties to keep, by the property's name."""

    __slots__ = ("corrupt", "images", "num_examples", "properties", "reasons")

    def __init__(self, features: Mapping[str, FrozenFeature], corrupt: FrozenFeature) -> None:
        self.num_examples = 0
        self.images = BytesAccumulator()
        self.corrupt = Accumulator(corrupt)
        self.reasons = Reasons()
        self.properties = {name: Accumulator(feature) for name, feature in features.items()}

    def add(self, lists: ValueLists, image: ImageSpec) -> "ImageRows":
        """Adds a batch: for each example the image feature's values, None where it has no such feature.

        An example is corrupt unless it has exactly one value, and that can be read and has the size that `image` gives.
        It then counts in `image_corrupt` and in no property.

        Returns what is known of each.
        """
        self.num_examples += len(lists)
        self.images.add(lists)
        values = np.full((len(lists), len(self.properties) + 1), np.nan, np.float32)
        values[:, -1] = 1
        frequencies = np.zeros((len(lists), image_properties.FREQUENCIES, image_properties.FREQUENCIES))
        for group in decode(single_values(lists), image):
            found = image_properties.describe(group.images)
            values[group.rows, :-1] = found.properties[:, : len(self.properties)]  # the sizes, last, where these vary
            values[group.rows, -1] = 0
            frequencies[group.rows] = found.frequencies
        for column, accumulator in zip(values[:, :-1].T, self.properties.values(), strict=True):
            accumulator.add(column)
        self.corrupt.add(values[:, -1])
        for row in np.flatnonzero(values[:, -1]).tolist():
            self.reasons.add(*why_corrupt(lists[row], image))
        return ImageRows(values, perceptual_hash.of_frequencies(frequencies))

    def merge(self, other: "ImageAccumulator") -> None:
        """Adds what `other`, of the same features, has seen. Leaves `other` as it is."""
        self.num_examples += other.num_examples
        self.images.merge(other.images)
        self.corrupt.merge(other.corrupt)
        self.reasons.merge(other.reasons)
        for name, accumulator in self.properties.items():
            accumulator.merge(other.properties[name])
