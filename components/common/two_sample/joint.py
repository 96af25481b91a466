"""Tests of all features together: they find what moves every feature a little, or a few examples a lot.

All are Hotelling's T2 (1931) of columns made of the features, with a ridge: squared length of the difference of the two
sides' means, in the coordinates in which the pool's covariance is the unit matrix. What differs is the columns.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from .columns import clipped, indicators, normal_scores, products, standardised
from .combination import Group
from .permutations import Permutations

Floats = npt.NDArray[np.float64]

LOCATION = "hotelling_t2"  # normal scores of all features; with "_" and a word, of the features named so
SPREAD = "squared_residuals"
INTERACTION = "interactions"

SECOND_ORDER_WEIGHT = 1 / 3  # what they alone find is rarer than what means show (docs/decisions: joint tests)

# Least ridges, in units of a standardised column's variance; with few rows the ridge is columns / rows, about what the
# smallest eigenvalues of a sample covariance are wrong by.
_LOCATION_RIDGE = 1e-3
_RESIDUAL_RIDGE = 1e-2
_SQUARES_RIDGE = 0.1
_RESIDUAL_LIMIT = 8.0  # standard deviations; an example further out counts as that far


def joint_statistics(
    names: Sequence[str],
    values: npt.NDArray[np.float32],
    codes: npt.NDArray[np.int64] | None,
    splits: Permutations,
) -> list[Group]:
    """The joint tests on the observed split and every permuted one, of `values[rows, features]` and class codes."""
    blocks = joint_columns(values, codes)
    gaps = _gaps(blocks, splits)
    parts = name_parts(names)
    found = {name: hotelling(columns, gaps[name], least_ridge(name)) for name, columns in blocks.items()}
    for word, kept in parts.items():
        found[f"{LOCATION}_{word}"] = hotelling(blocks[LOCATION][:, kept], gaps[LOCATION][:, kept], _LOCATION_RIDGE)
    return joint_groups(found, parts)


def joint_columns(values: npt.NDArray[np.float32], codes: npt.NDArray[np.int64] | None) -> dict[str, Floats]:
    """The columns of the tests that are of all features, by the test: `[rows, q]` each, with mean 0."""
    extra = indicators(values, codes)
    scores = np.concatenate([standardised(normal_scores(values)), extra], axis=1)
    linear = np.concatenate([standardised(clipped(values)), extra], axis=1)
    squares = np.square(np.clip(residuals(linear), -_RESIDUAL_LIMIT, _RESIDUAL_LIMIT))
    return {
        LOCATION: scores,
        SPREAD: standardised(squares),
        INTERACTION: np.concatenate([linear, standardised(products(linear))], axis=1),
    }


def joint_groups(found: Mapping[str, Floats], parts: Collection[str]) -> list[Group]:
    """A group of its own for each joint test's statistics; `parts` are the words of `name_parts`."""
    weights = {SPREAD: SECOND_ORDER_WEIGHT, INTERACTION: SECOND_ORDER_WEIGHT}
    weights |= {f"{LOCATION}_{word}": min(1.0, 2 / len(parts)) for word in parts}
    groups = [Group(name, weight=weights.get(name, 1.0)) for name in found]
    for group in groups:
        group.add("", group.name, found[group.name], power=1 / 3, rate=1.0)
    return groups


def least_ridge(test: str) -> float:
    """The ridge of a joint test whose rows are many."""
    return _SQUARES_RIDGE if test in (SPREAD, INTERACTION) else _LOCATION_RIDGE


def name_parts(names: Sequence[str]) -> dict[str, list[int]]:
    """Features whose names have the first word in common, by that word, unless it is one word throughout.

    A shift of few features is found earlier among few; features that are named alike tend to move alike.

    >>> name_parts(["image_noise", "prediction_margin", "image_warmth"])
    {'image': [0, 2]}
    >>> name_parts(["image_noise", "image_warmth"])
    {}
    """
    parts: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        parts.setdefault(name.split("_")[0], []).append(i)
    return {word: kept for word, kept in parts.items() if 1 < len(kept) < len(names)}


def hotelling(columns: Floats, gaps: Floats, least_ridge: float) -> Floats:
    """T2 of every line of `gaps[splits, q]`, differences of the means of `columns[rows, q]`: `[splits]`."""
    return np.square(gaps @ whitening(columns, least_ridge, len(columns))).sum(axis=1)


def whitening(columns: Floats, least_ridge: float, rows: int) -> Floats:
    """`[q, q]`: what differences of means are multiplied by so that T2 is their squared length.

    The ridge is that of `rows` rows, of which `columns` may be another number.
    """
    values, vectors, _ = _covariance(columns, least_ridge)
    return np.asarray(vectors / np.sqrt(values + max(least_ridge, columns.shape[1] / rows)))


def residuals(columns: Floats) -> Floats:
    """What the other columns do not explain of each, in standard deviations: `columns` times their precision matrix."""
    values, vectors, ridge = _covariance(columns, _RESIDUAL_RIDGE)
    return standardised(columns @ ((vectors / (values + ridge)) @ vectors.T))


def _covariance(columns: Floats, least_ridge: float) -> tuple[Floats, Floats, float]:
    """Eigenvalues and eigenvectors of the covariance of columns with mean 0, and the ridge to add to the former."""
    rows, count = columns.shape
    values, vectors = np.linalg.eigh(columns.T @ columns / rows)
    return np.maximum(values, 0), vectors, max(least_ridge, count / rows)


def _gaps(blocks: dict[str, Floats], splits: Permutations) -> dict[str, Floats]:
    """Mean of the window less mean of the reference, for columns with mean 0 over the pool."""
    sums = splits.sums(np.concatenate(list(blocks.values()), axis=1))
    sums *= 1 / splits.window + 1 / (splits.rows - splits.window)
    ends = np.cumsum([columns.shape[1] for columns in blocks.values()])
    return dict(zip(blocks, np.split(sums, ends[:-1], axis=1), strict=True))
