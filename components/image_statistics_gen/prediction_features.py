"""What a classifier said, in numbers: confidence, entropy, margin and class of every prediction of a batch.

Probabilities are `[N, K]`, K the number of classes, and embeddings `[N, D]`; a row of NaN stands for a missing one.
What is computed of a row depends on that row alone, to the last bit, as in `image_properties`.

`docs/prediction_features.md` has the table: formula, range and the kind of shift each feature finds.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Counts: TypeAlias = npt.NDArray[np.int64]

SCALARS = ("confidence", "entropy", "margin")
MAX_CLASSES_LISTED = 32  # of more classes, single probabilities are no features
MAX_EMBEDDING = 100  # numbers: two digits in a name, and beyond it is not a projection
NO_CLASS = -1
# bfloat16, of 8 bits, is off by at most 2^-9 of each term, and sums of a thousand terms below its smallest by a little.
SUM_TOLERANCE = 0.02


@dataclass(frozen=True)
class Predictions:
    """What is measured of the predictions of N examples.

    Attributes:
      numbers: The numeric features by name, `float32[N]` each, NaN where an example has none.
      classes: `int64[N]`, the most probable class, the first of equals; -1 where the probabilities are corrupt.
      corrupt: `bool[N]`, whether there are no probabilities that deserve the name, see `are_probabilities`.
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
    usable = np.isfinite(embedding).all(axis=1)
    projected = np.where(usable[:, None], embedding, np.nan).astype(np.float32)
    two_largest = np.partition(clean, -2, axis=1)[:, -2:]  # NaN counts as largest; those rows hold nothing else
    columns = (two_largest[:, 1], entropy(clean), two_largest[:, 1] - two_largest[:, 0])
    listed = clean.T if clean.shape[1] <= MAX_CLASSES_LISTED else ()
    names = feature_names(clean.shape[1], projected.shape[1])
    return Predictions(
        numbers=dict(zip(names, (*columns, *listed, *projected.T), strict=True)),
        classes=np.where(corrupt, NO_CLASS, clean.argmax(axis=1)),
        corrupt=corrupt,
        probabilities=clean,
    )


def are_probabilities(rows: Floats) -> npt.NDArray[np.bool_]:
    """Whether each row of `[N, K]` is finite, nowhere negative and adds up to 1 within 0.02."""
    finite = np.isfinite(rows).all(axis=1)
    total = np.where(finite[:, None], rows, 0).sum(axis=1, dtype=np.float64)
    return finite & (np.where(finite[:, None], rows, 0) >= 0).all(axis=1) & (np.abs(total - 1) <= SUM_TOLERANCE)


def entropy(probabilities: Floats) -> Floats:
    """Shannon's entropy in bits of each row of `[N, K]`, 0 to log2 K; NaN for a row of NaN.

    >>> entropy(np.array([[0.5, 0.5, 0], [1, 0, 0]], np.float32)).tolist()
    [1.0, 0.0]
    """
    wide = probabilities.astype(np.float64, order="C")
    logarithms = np.log2(np.where(wide > 0, wide, 1))  # 0 log 0 is 0
    bits = -(wide * logarithms).sum(axis=1)
    return np.where(bits > 0, bits, bits * 0).astype(np.float32) + np.float32(0)  # not -0, nor below by rounding


def table_of(lengths: Counts, values: Floats, width: int) -> Floats:
    """Lists of numbers, `lengths` of each and `values` of all one after the other, as `[N, width]`.

    A list of another length is a row of NaN.

    >>> table_of(np.array([2, 1, 2]), np.array([1, 2, 3, 4, 5], np.float32), 2).tolist()
    [[1.0, 2.0], [nan, nan], [4.0, 5.0]]
    """
    rows = np.full((len(lengths), width), np.nan, np.float32)
    fits = lengths == width
    starts = (np.cumsum(lengths) - lengths)[fits]
    rows[fits] = values[starts[:, None] + np.arange(width)]
    return rows
