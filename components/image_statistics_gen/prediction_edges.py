"""The frozen edges of every prediction feature: the same for every data set and every model.

Probabilities of real classifiers pile up at 0 and 1, and entropy at 0: of equal widths, one bucket would hold nearly
everything. So the anchors of probabilities are spaced in log-odds and those of entropy in its logarithm, closest where
models lie that are neither over- nor underconfident; `docs/prediction_features.md` has the power this gives. Each
bucket is cut into ten bins, equal in the same scale. Embeddings have variance 1 on training data: ten equal buckets
over five standard deviations, and wider ones for tails that are known to be heavy.
"""

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .frozen_histogram import FrozenFeature
from .prediction_features import SCALARS, feature_names

BINS_PER_BUCKET = 10
PREFIX = "prediction"
CORRUPT = "corrupt"
CLASS = f"{PREFIX}_class"  # the categorical feature: the predicted class


def probability_of(bits: float) -> float:
    """The probability whose log-odds to base 2 are `bits`.

    >>> probability_of(0), probability_of(2), probability_of(-math.inf), probability_of(math.inf)
    (0.5, 0.8, 0.0, 1.0)
    """
    return 1.0 if bits == math.inf else 1 / (1 + 2.0 ** min(-bits, 1000)) if bits > -math.inf else 0.0


def _power_of_two(bits: float) -> float:
    return 2.0**bits


def _same(value: float) -> float:
    return value


# By feature: the scale, and the anchors in that scale, the edges of the coarse buckets.
_INFINITY = math.inf
_CONFIDENCE = (-_INFINITY, -3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 9.0, 12.0, 15.0, 18.0, 21.0, _INFINITY)
_MARGIN = (-_INFINITY, -3.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 9.0, 12.0, 15.0, 18.0, 21.0, _INFINITY)
_PROBABILITY = (-_INFINITY, -40.0, -28.0, -20.0, -15.0, -12.0, -10.0, -9.0, -8.0, -7.0, -6.0, -5.0, -3.0, 0.0, 3.0, 6.0)
_ENTROPY = (-_INFINITY, -20.0, -17.0, -14.0, -11.0, -8.0, -5.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 4.0)
_EMBEDDING = (-64.0, -8.0, -4.0, *np.linspace(-2.5, 2.5, 11).tolist(), 4.0, 8.0, 64.0)

Scale = Callable[[float], float]
ANCHORS: dict[str, tuple[Scale, tuple[float, ...]]] = {
    "confidence": (probability_of, _CONFIDENCE),
    "entropy": (_power_of_two, _ENTROPY),
    "margin": (probability_of, _MARGIN),
    "probability": (probability_of, (*_PROBABILITY, 12.0, _INFINITY)),
    "embedding": (_same, _EMBEDDING),
}


def edges_of(kind: str) -> tuple[float, ...]:
    """The edges of the fine bins of a kind of feature, a key of `ANCHORS`; every tenth is that of a bucket."""
    scale, anchors = ANCHORS[kind]
    bins = [_cut(scale, low, high) for low, high in itertools.pairwise(anchors)]
    return (*itertools.chain.from_iterable(bins), scale(anchors[-1]))


def _cut(scale: Scale, low: float, high: float) -> list[float]:
    """The lower edges of the ten bins of a bucket: equal in the scale, or equal in value if it goes out to infinity."""
    if math.isinf(low) or math.isinf(high):
        bounds = 0.0 if low == -math.inf else scale(low), scale(high)
        return np.linspace(*bounds, BINS_PER_BUCKET + 1)[:-1].tolist()
    return [scale(bits) for bits in np.linspace(low, high, BINS_PER_BUCKET + 1)[:-1].tolist()]


def prediction_features(classes: int, embedding_size: int) -> dict[str, FrozenFeature]:
    """The numeric features of a model with so many classes and embedding dimensions, by the name without its prefix.

    >>> feature = prediction_features(10, 0)["confidence"]
    >>> feature.name, len(feature.edges) - 1, feature.bins_per_bucket
    ('prediction_confidence', 150, 10)
    """
    return {name: _feature(name) for name in feature_names(classes, embedding_size)}


@lru_cache(maxsize=4096)
def _feature(name: str) -> FrozenFeature:
    kind = name if name in SCALARS else name.rpartition("_")[0]
    return FrozenFeature(f"{PREFIX}_{name}", edges_of(kind), BINS_PER_BUCKET)


def corrupt_feature() -> FrozenFeature:
    """`prediction_corrupt`: 1 for an example without probabilities that deserve the name, 0 for any other."""
    return FrozenFeature(f"{PREFIX}_{CORRUPT}", (0.0, 0.5, 1.0), integer=True)
