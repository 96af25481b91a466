"""What a classifier said, in numbers: confidence, entropy, margin and class of every prediction of a batch.

Probabilities are `[N, K]`, K the number of classes, and embeddings `[N, D]`; a row of NaN stands for a missing one.
What is computed of a row depends on that row alone, to the last bit, as in `image_properties`.

`docs/prediction_features.md` has the table: formula, range and the kind of shift each feature finds.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..common.certainty import certainty_of
from ..common.class_scores import are_probabilities

Floats: TypeAlias = npt.NDArray[np.float32]
Counts: TypeAlias = npt.NDArray[np.int64]

SCALARS = ("confidence", "entropy", "margin")
MAX_CLASSES_LISTED = 32  # of more classes, single probabilities are no features
MAX_EMBEDDING = 100  # numbers: two digits in a name, and beyond it is not a projection
NO_CLASS = -1


@dataclass(frozen=True)
class Predictions:
    """What is measured of the predictions of N examples.

    Attributes:
      numbers: The numeric features by name, `float32[N]` each, NaN where an example has none.
      classes: `int64[N]`, the most probable class, the first of equals; -1 where the probabilities are corrupt.
      corrupt: `bool[N]`, whether there are no probabilities that deserve the name, see `class_scores`.
      probabilities: `float32[N, K]`, NaN in corrupt rows.

    """

    numbers: dict[str, Floats]
    classes: Counts
    corrupt: npt.NDArray[np.bool_]
    probabilities: Floats


def feature_names(classes: int, embedding_size: int) -> tuple[str, ...]:
    """The names of the numeric features of a model with so many classes and embedding dimensions, in their order.

    >>> feature_names(2, 1)
    ('confidence', 'entropy', 'margin', 'probability_00', 'probability_01', 'embedding_00')
    """
    listed = classes if classes <= MAX_CLASSES_LISTED else 0
    probabilities = tuple(f"probability_{k:02}" for k in range(listed))
    return SCALARS + probabilities + tuple(f"embedding_{d:02}" for d in range(embedding_size))


def compute(probabilities: Floats, embedding: Floats) -> Predictions:
    """Every feature of `probabilities` `[N, K]`, K >= 2, and `embedding` `[N, D]`, D >= 0.

    Corrupt probabilities do not make the embedding missing, nor the other way round. An embedding that is not finite is
    missing as a whole.
    """
    corrupt = ~are_probabilities(probabilities)
    clean = np.where(corrupt[:, None], np.nan, probabilities).astype(np.float32)
    usable = np.asarray(np.isfinite(embedding).all(axis=1))
    projected = np.where(usable[:, None], embedding, np.nan).astype(np.float32)
    certainty = certainty_of(clean)
    columns = (certainty.confidence, certainty.entropy, certainty.margin)
    listed = clean.T if clean.shape[1] <= MAX_CLASSES_LISTED else ()
    names = feature_names(clean.shape[1], projected.shape[1])
    return Predictions(
        numbers=dict(zip(names, (*columns, *listed, *projected.T), strict=True)),
        classes=np.where(corrupt, NO_CLASS, clean.argmax(axis=1)),
        corrupt=corrupt,
        probabilities=clean,
    )
