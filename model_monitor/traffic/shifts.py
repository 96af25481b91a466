"""Shifts of a data set of images, by name and severity: what a monitor has to notice, made on demand.

    shifted = apply("gaussian_blur", images, labels, severity=3, fraction=0.5, seed=1)

Images are `uint8[N, H, W, C]`, C = 1 (grey) or 3 (red, green, blue), labels whole numbers `[N]`. A shift either changes
pixels or draws other classes; severities are 1 (barely visible) to 5, and `shift_kinds` says what they mean of each.
NumPy, SciPy and Pillow only; `docs/shifts.md` shows all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from components.common.errors import require, require_known

from .image_filters import Images
from .shift_kinds import SHIFTS, PixelChange, Random, Shift

__all__ = ["SEVERITIES", "SHIFTS", "Shift", "Shifted", "ShiftedImages", "apply", "apply_to_each", "draw"]

SEVERITIES = range(1, 6)
Integers: TypeAlias = npt.NDArray[np.integer[Any]]

_PIXELS_AT_ONCE = 1 << 17  # 128 images of 32 x 32: what a step works on then stays in a processor's cache


@dataclass(frozen=True)
class Shifted:
    """A shifted data set of M examples.

    Attributes:
      images: uint8 [M, H, W, C]; of `unit_scale` float32, 0..1 in the shifted rows and 0..255 in the others.
      indices: int64 [M], the row of the source that each example (and so its label) comes from.
      shifted: bool [M], which rows the shift was applied to.

    """

    images: npt.NDArray[Any]
    indices: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ShiftedImages:
    """A shifted data set of M examples whose images need not be of one size.

    Attributes:
      images: [H, W, C] each, uint8; of `unit_scale` float32 in the shifted rows.
      indices, shifted: as in `Shifted`.

    """

    images: list[npt.NDArray[Any]]
    indices: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Plan:
    """Which rows of the source are drawn, which of them are shifted, and where chance goes on from."""

    indices: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]
    random: Random


def apply(  # noqa: PLR0913 - a data set and four settings, all but the data by keyword
    name: str,
    images: Images,
    labels: Integers,
    *,
    severity: int,
    fraction: float = 1.0,
    seed: int = 0,
    count: int | None = None,
) -> Shifted:
    """Applies the shift `name` to a random `fraction` of a data set, or of `count` examples drawn from it.

    The same arguments give the same result. Which examples are drawn and which of them are shifted depends on the seed,
    not on name and severity, and a larger fraction takes in what a smaller one did: results can be compared in pairs.

    Args:
      name: one of `SHIFTS`.
      images: uint8 [N, H, W, C], C = 1 or 3; at least one.
      labels: whole numbers [N].
      severity: 1 to 5.
      fraction: 0 to 1, rounded to a whole number of examples. Of a shift of classes, the proportion that is drawn anew.
      seed: 0 or more.
      count: how many examples, drawn without replacement; None takes all, in order. A shift of classes repeats an
        example only once it has used up the others of its class, so it repeats some where `count` is None.

    Raises:
      MonitorError: an argument breaks these rules; a name that is not known suggests the nearest.

    """
    shift = _shift(name)
    _check(shift, images, labels)
    plan = _plan(shift, labels, severity, fraction, seed, count)
    chosen: npt.NDArray[Any] = images[plan.indices]
    if shift.change_pixels is not None:
        changed = _in_steps(shift.change_pixels, chosen[plan.shifted], shift.amount(severity), plan.random)
        chosen = chosen.astype(changed.dtype, copy=False)
        chosen[plan.shifted] = changed
    return Shifted(chosen, plan.indices, plan.shifted)


def apply_to_each(  # noqa: PLR0913 - as `apply`
    name: str,
    images: Sequence[Images],
    labels: Integers,
    *,
    severity: int,
    fraction: float = 1.0,
    seed: int = 0,
    count: int | None = None,
) -> ShiftedImages:
    """As `apply`, of images uint8 [H, W, C] that need not be of one size; of such as are, the result is the same."""
    shift = _shift(name)
    require(len(labels) == len(images) > 0, "labels", f"be {len(images)} whole numbers, at least one", len(labels))
    for image in images:
        _check(shift, image[np.newaxis], labels[:1])
    plan = _plan(shift, labels, severity, fraction, seed, count)
    chosen: list[npt.NDArray[Any]] = [images[row] for row in plan.indices]
    if shift.change_pixels is not None:
        for rows in _by_shape(chosen, np.flatnonzero(plan.shifted)):
            stacked = np.stack([chosen[row] for row in rows])
            changed = _in_steps(shift.change_pixels, stacked, shift.amount(severity), plan.random)
            for row, image in zip(rows, changed, strict=True):
                chosen[row] = image
    return ShiftedImages(chosen, plan.indices, plan.shifted)


def draw(total: int, count: int | None, seed: int) -> npt.NDArray[np.int64]:
    """The rows that `apply` draws from `total`: `count` of them without replacement, in order; None takes all.

    Raises:
      MonitorError: there are not so many.

    """
    require(count is None or 1 <= count <= total, "count", f"be 1 to {total}, the number of images", count)
    require(seed >= 0, "seed", "be 0 or more", seed)
    if count is None:
        return np.arange(total)
    return np.sort(np.random.default_rng([seed, 0]).choice(total, count, replace=False))


def _shift(name: str) -> Shift:
    require_known(name, SHIFTS, "shift")
    return SHIFTS[name]


def _plan(  # noqa: PLR0913, PLR0917 - as `apply`
    shift: Shift, labels: Integers, severity: int, fraction: float, seed: int, count: int | None
) -> _Plan:
    require(severity in SEVERITIES, "severity", "be 1, 2, 3, 4 or 5", severity)
    require(0 <= fraction <= 1, "fraction", "be 0 to 1", fraction)
    indices = draw(len(labels), count, seed)
    chooser, random = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    shifted = np.zeros(len(indices), np.bool_)
    shifted[chooser.permutation(len(indices))[: round(fraction * len(indices))]] = True
    if shift.change_classes is not None:
        proportions = shift.change_classes(_proportions(labels), shift.amount(severity), random)
        indices[shifted] = _redraw(proportions, labels, indices[~shifted], int(shifted.sum()), random)
    return _Plan(indices, shifted, random)


def _by_shape(images: Sequence[npt.NDArray[Any]], rows: npt.NDArray[np.int64]) -> list[list[int]]:
    """The rows with images of the same shape, together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row in rows.tolist():
        groups.setdefault(images[row].shape, []).append(row)
    return list(groups.values())


def _check(shift: Shift, images: Images, labels: Integers) -> None:
    right = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1:] in ((1,), (3,)) and images.size > 0
    require(right, "images", "be uint8[N, H, W, 1 or 3] with at least one pixel", f"{images.dtype}{list(images.shape)}")
    require(
        not shift.colour_only or images.shape[3] == 3, f"images of {shift.name}", "have 3 channels", images.shape[3]
    )
    whole = labels.shape == images.shape[:1] and np.issubdtype(labels.dtype, np.integer)
    require(whole, "labels", f"be {len(images)} whole numbers", f"{labels.dtype}{list(labels.shape)}")


def _in_steps(change: PixelChange, images: Images, amount: float, random: Random) -> npt.NDArray[Any]:
    step = max(1, _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    # One empty step, where no image is shifted, says what type of array the shift returns.
    starts = range(0, max(1, len(images)), step)
    return np.concatenate([change(images[start : start + step], amount, random) for start in starts])


def _proportions(labels: Integers) -> npt.NDArray[np.float64]:
    """The proportion of each class that occurs, in the order of their numbers."""
    classes, counts = np.unique(labels, return_counts=True)
    require(len(classes) > 1, "labels", "have two classes or more", classes.tolist())
    return counts / len(labels)


def _redraw(
    proportions: npt.NDArray[np.float64], labels: Integers, kept: npt.NDArray[np.int64], count: int, random: Random
) -> npt.NDArray[np.int64]:
    """`count` rows of the source in random order, with classes in these proportions; rows that are `kept` come last."""
    wanted = random.multinomial(count, proportions / proportions.sum())
    used = np.zeros(len(labels), np.bool_)
    used[kept] = True
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return random.permutation(np.concatenate([_draw(*each, used, random) for each in zip(rows, wanted, strict=True)]))


def _draw(
    rows: npt.NDArray[np.int64], count: int, used: npt.NDArray[np.bool_], random: Random
) -> npt.NDArray[np.int64]:
    """`count` of `rows` at random: first those not used, and only then, all in turn, any of them again."""
    order = random.permutation(rows)
    return np.resize(np.concatenate([order[~used[order]], order[used[order]]]), count)
