"""What is remembered of the examples seen so far: of their images, of the predictions, and a sample of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.errors import require
from ..common.statistics.feature_sample import FeatureSample
from . import prediction_edges, prediction_features, property_edges
from .image_accumulator import ImageAccumulator, ValueLists, single_values
from .image_decoding import ImageFormat
from .prediction_accumulator import PredictionAccumulator
from .prediction_features import MAX_EMBEDDING, Counts, Floats
from .sample_accumulator import Rows, SampleAccumulator, hash_examples


@dataclass(frozen=True)
class PredictionFormat:
    """Where the predictions are, and how large.

    Attributes:
      key: The feature with the probabilities of the classes.
      classes: How many classes there are, 2 or more; 0 if there is no telling, because no example has probabilities.
      embedding_key: The feature with the embedding; "" for none.
      embedding_size: How many numbers an embedding has, at most 100; 0 if there is none.

    """

    key: str
    classes: int
    embedding_key: str = ""
    embedding_size: int = 0

    def __post_init__(self) -> None:
        rule = "name a feature with the probabilities of two classes or more"
        require(self.classes == 0 or self.classes >= 2, "prediction_key", rule, f"{self.key!r}, {self.classes} value")
        rule = f"name a feature of at most {MAX_EMBEDDING} numbers, a projection"
        received = f"{self.embedding_key!r}, {self.embedding_size} values"
        require(0 <= self.embedding_size <= MAX_EMBEDDING, "embedding_key", rule, received)


@dataclass(frozen=True)
class SampleFormat:
    """How many examples are sampled, 1 or more, and the features with their ids and labels, "" for none."""

    size: int
    id_key: str = ""
    label_key: str = ""


@dataclass(frozen=True)
class DescriptionFormat:
    """All there is to say about how examples are described. `predictions` and `sample` are None where not wanted."""

    image_key: str
    image: ImageFormat
    predictions: PredictionFormat | None = None
    sample: SampleFormat | None = None


@dataclass(frozen=True)
class Batch:
    """What is looked at of N examples.

    Attributes:
      images: The image feature's values of each, None where it has no such feature.
      probabilities: `float32[N, K]`, NaN where missing, K >= 2; `embedding`: `float32[N, D]`.
      ids: bytes of each, b"" where missing; `labels`: `int64[N]`, -1 where missing.

    """

    images: ValueLists
    probabilities: Floats
    embedding: Floats
    ids: Sequence[bytes]
    labels: Counts


class ExampleAccumulator:
    """Statistics of some examples, and a sample of them. `predictions` and `sample` are None where not wanted."""

    __slots__ = ("images", "predictions", "sample")

    def __init__(self, wanted: DescriptionFormat) -> None:
        properties = property_edges.image_features(wanted.image_key, wanted.image)
        self.images = ImageAccumulator(properties, property_edges.corrupt_feature(wanted.image_key))
        self.predictions: PredictionAccumulator | None = None
        if wanted.predictions:
            classes = wanted.predictions.classes
            numbers = prediction_edges.prediction_features(classes, wanted.predictions.embedding_size)
            self.predictions = PredictionAccumulator(numbers, prediction_edges.corrupt_feature(), classes)
        self.sample = SampleAccumulator(wanted.sample.size) if wanted.sample else None

    def add(self, batch: Batch, image_format: ImageFormat) -> None:
        values = [self.images.add(batch.images, image_format)]
        classes = np.full(len(batch.images), prediction_features.NO_CLASS)
        probabilities = np.zeros((len(batch.images), 0), np.float32)
        if self.predictions is not None:
            found = prediction_features.compute(batch.probabilities, batch.embedding)
            values.append(self.predictions.add(found))
            classes, probabilities = found.classes, found.probabilities[:, : len(self.predictions.class_counts)]
        if self.sample is not None:
            hashes = hash_examples([image or b"" for image in single_values(batch.images)], batch.ids)
            self.sample.add(
                Rows(hashes, np.array(batch.ids, object), np.hstack(values), classes, probabilities, batch.labels)
            )

    def merge(self, other: "ExampleAccumulator") -> None:
        """Adds what `other`, of the same format, has seen. Leaves `other` as it is."""
        self.images.merge(other.images)
        if self.predictions is not None and other.predictions is not None:
            self.predictions.merge(other.predictions)
        if self.sample is not None and other.sample is not None:
            self.sample.merge(other.sample)

    def compact(self) -> None:
        """Makes it as small as it can be, to be sent to another worker."""
        if self.sample is not None:
            self.sample.compact()

    def extract_sample(self, wanted: DescriptionFormat) -> FeatureSample | None:
        """The sample, None if none is wanted. Its features are `sample_names(wanted)`."""
        if self.sample is None:
            return None
        return self.sample.extract(sample_names(wanted), predictions=self.predictions is not None)


def sample_names(wanted: DescriptionFormat) -> tuple[str, ...]:
    """The numeric features in the order they have in the sample.

    First the properties of the image, in the order of `docs/image_properties.md`, then `<image_key>_corrupt`; with
    predictions `prediction_confidence`, `_entropy`, `_margin`, `_probability_<k>`, `_embedding_<d>`, `_corrupt`.
    """
    properties = property_edges.image_features(wanted.image_key, wanted.image).values()
    features = [*properties, property_edges.corrupt_feature(wanted.image_key)]
    if wanted.predictions:
        sizes = wanted.predictions.classes, wanted.predictions.embedding_size
        features += [*prediction_edges.prediction_features(*sizes).values(), prediction_edges.corrupt_feature()]
    return tuple(feature.name for feature in features)
