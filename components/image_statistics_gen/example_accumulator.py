"""What is remembered of the examples seen so far: of their images, of the predictions, and a sample of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.errors import require
from ..common.image_spec import ImageSpec
from ..common.model_spec import ModelSpec
from ..common.statistics.feature_sample import FeatureSample
from ..common.statistics.usability import Reasons
from . import prediction_edges, prediction_features, property_edges
from .image_accumulator import ImageAccumulator, ValueLists, single_values
from .prediction_accumulator import PredictionAccumulator
from .prediction_features import MAX_EMBEDDING, Counts, Floats
from .sample_accumulator import Rows, SampleAccumulator, hash_examples
from .scores import Scores


@dataclass(frozen=True)
class DescriptionFormat:
    """What is described of examples.

    Attributes:
      image: their images.
      model: the model whose predictions they hold; None: images alone are described.
      embedding_size: How many numbers an embedding has, at most 100; 0 if there is none.
      sample_size: How many examples are sampled; 0: no sample.

    """

    image: ImageSpec
    model: ModelSpec | None = None
    embedding_size: int = 0
    sample_size: int = 0

    def __post_init__(self) -> None:
        if self.embedding_size:
            rule = f"name an output of at most {MAX_EMBEDDING} numbers, a projection"
            received = f"{self.embedding_key!r}, {self.embedding_size} values"
            require(0 <= self.embedding_size <= MAX_EMBEDDING, "outputs.embedding", rule, received)

    @staticmethod
    def of(spec: ModelSpec | ImageSpec, *, embedding_size: int = 0, sample_size: int = 0) -> "DescriptionFormat":
        """Of images and predictions, or of images alone."""
        if isinstance(spec, ImageSpec):
            return DescriptionFormat(spec, sample_size=sample_size)
        return DescriptionFormat(spec.image, spec, embedding_size, sample_size)

    @property
    def embedding_key(self) -> str:
        return (self.model.outputs.embedding or "") if self.model else ""

    @property
    def id_key(self) -> str:
        return (self.model.id or "") if self.model else ""

    @property
    def label_key(self) -> str:
        return (self.model.label or "") if self.model else ""

    @property
    def described(self) -> frozenset[str]:
        """The features of the examples that are described here, so that nobody else need do it."""
        scores = self.model.outputs.scores if self.model else ""
        return frozenset([self.image.feature, scores, self.embedding_key]) - {""}

    @property
    def columns(self) -> frozenset[str]:
        """The features of the examples that are read: beside those `described`, ids and labels for the sample."""
        return self.described | (frozenset([self.id_key, self.label_key]) - {""})


@dataclass(frozen=True)
class Batch:
    """What is read of N examples.

    Attributes:
      images: The image feature's values of each, None where it has no such feature.
      scores: of each; None where only images are described.
      embedding: `float32[N, D]`, NaN where missing.
      ids: bytes of each, b"" where missing; `labels`: `int64[N]`, -1 where missing or no class.
      unknown_labels: labels that mean no class.

    """

    images: ValueLists
    scores: Scores | None
    embedding: Floats
    ids: Sequence[bytes]
    labels: Counts
    unknown_labels: Reasons


class ExampleAccumulator:
    """Statistics of some examples, and a sample of them. `predictions` and `sample` are None where not wanted."""

    __slots__ = ("images", "predictions", "sample", "unknown_labels")

    def __init__(self, wanted: DescriptionFormat) -> None:
        self.images = ImageAccumulator(property_edges.image_features(wanted.image), property_edges.corrupt_feature())
        self.predictions: PredictionAccumulator | None = None
        if wanted.model:
            classes = wanted.model.num_classes
            numbers = prediction_edges.prediction_features(classes, wanted.embedding_size)
            self.predictions = PredictionAccumulator(numbers, prediction_edges.corrupt_feature(), classes)
        self.unknown_labels = Reasons()
        self.sample = SampleAccumulator(wanted.sample_size) if wanted.sample_size else None

    def add(self, batch: Batch, image: ImageSpec) -> None:
        seen = self.images.add(batch.images, image)
        values = [seen.values]
        classes = np.full(len(batch.images), prediction_features.NO_CLASS)
        probabilities = np.zeros((len(batch.images), 0), np.float32)
        if self.predictions is not None and batch.scores is not None:
            predictions = prediction_features.compute(batch.scores.probabilities, batch.embedding)
            values.append(self.predictions.add(predictions, batch.scores))
            classes, probabilities = predictions.classes, predictions.probabilities
        self.unknown_labels.merge(batch.unknown_labels)
        if self.sample is not None:
            hashes = hash_examples([image or b"" for image in single_values(batch.images)], batch.ids)
            self.sample.add(
                Rows(
                    hashes,
                    np.array(batch.ids, object),
                    np.hstack(values),
                    classes,
                    probabilities,
                    batch.labels,
                    seen.looks,
                )
            )

    def merge(self, other: "ExampleAccumulator") -> None:
        """Adds what `other`, of the same format, has seen. Leaves `other` as it is."""
        self.images.merge(other.images)
        self.unknown_labels.merge(other.unknown_labels)
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

    First the properties of the image, in the order of `docs/image_properties.md`, then `image_corrupt`; with
    predictions `prediction_confidence`, `_entropy`, `_margin`, `_probability_<k>`, `_embedding_<d>`, `_corrupt`.
    """
    features = [*property_edges.image_features(wanted.image).values(), property_edges.corrupt_feature()]
    if wanted.model:
        sizes = wanted.model.num_classes, wanted.embedding_size
        features += [*prediction_edges.prediction_features(*sizes).values(), prediction_edges.corrupt_feature()]
    return tuple(feature.name for feature in features)
