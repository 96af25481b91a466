"""Have the images changed, or only the classes they are of? It decides which label-free estimate is believed."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_CLIP = 4.0  # standard deviations; further out is no further from the classes
_RIDGE = 0.05  # in units of a standardised feature's variance: brightness is a sum of the channel means


def unexplained_move(known: Floats, known_classes: Rows, window: Floats, window_classes: Rows) -> float:
    """How far the window's features lie from what its predicted classes explain, beyond chance.

    The held-out examples are weighted so that their predicted classes are as frequent as the window's. Where only the
    classes changed, features of images of one class are as they were, and the weighted means agree. Returned is the
    squared Mahalanobis distance between the means (Mahalanobis 1936), less its expectation under chance, at least 0:
    about 0 where only classes changed, 1 where the means are a standard deviation apart; infinity where no class of the
    window was predicted for any held-out example.

    Args:
      known: features of the held-out examples, [m, p], NaN where missing.
      known_classes: their predicted classes, [m], 0 or more.
      window: features of the window, [n, p].
      window_classes: its predicted classes, [n].

    """
    weights = _weights(known_classes, window_classes)
    if not weights.any():
        return float("inf")  # nothing like it was held out
    known, window = _standardised(known, window)
    mean = weights @ known
    centred = known - mean
    values, vectors = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    values = np.maximum(values, 0)
    gap = (window.mean(axis=0) - mean) @ vectors
    chance = (values / (values + _RIDGE)).sum() * (1 / len(window) + np.square(weights).sum())
    return max(float((np.square(gap) / (values + _RIDGE)).sum() - chance), 0.0)


def _weights(known_classes: Rows, window_classes: Rows) -> Floats:
    """Of the held-out examples, with sum 1; all 0 where no class of the window is among theirs."""
    count = int(max(known_classes.max(), window_classes.max())) + 1
    proportions = [np.bincount(classes, minlength=count) / len(classes) for classes in (known_classes, window_classes)]
    ratio = np.divide(proportions[1], proportions[0], out=np.zeros(count), where=proportions[0] > 0)
    weights = ratio[known_classes]
    return np.asarray(weights / max(weights.sum(), np.finfo(np.float64).tiny))


def _standardised(known: Floats, window: Floats) -> tuple[Floats, Floats]:
    """Both in the held-out examples' units: mean 0, variance 1, cut off at 4; missing values have 0."""
    present = np.isfinite(known)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, known, 0).sum(axis=0) / count
    spread = np.sqrt(np.square(np.where(present, known - mean, 0)).sum(axis=0) / count)
    scale = np.where(spread > 0, spread, 1)
    first, second = (np.clip(np.nan_to_num((each - mean) / scale), -_CLIP, _CLIP) for each in (known, window))
    return first, second
