"""The frozen edges of every image property: the same for every data set, so that any two sets of statistics compare.

Each property has anchors, the edges of its coarse buckets: ten of equal width over the range where natural images live
and, out to what the formula can give, a few wide ones for what should not happen. Each bucket is cut into ten bins of
equal width. `docs/decisions/2026-11-24-frozen-edges.md` says why, with the measurements.
"""

import itertools
from functools import cache

import numpy as np

from ..common.image_spec import ImageSpec
from .frozen_histogram import FrozenFeature
from .image_properties import property_names

BINS_PER_BUCKET = 10
PREFIX = "image"  # whatever the image itself is called, so that any two data sets compare
CORRUPT = f"{PREFIX}_corrupt"  # the feature that says whether an image could be read


def _anchors(*parts: tuple[float, ...]) -> tuple[float, ...]:
    """Anchors below, the core as (low, high), anchors above: the core is cut into ten."""
    below, (low, high), above = parts
    return (*below, *np.linspace(low, high, 11).tolist(), *above)


_UNIT = _anchors((0.0, 0.05), (0.1, 0.9), (0.95, 1.0))
_BALANCE = _anchors((-1.0, -0.75), (-0.5, 0.5), (0.75, 1.0))
_SHARE = _anchors((), (0.0, 0.5), (0.75, 1.0))
_DIFFERENCE = _anchors((-1.0, -0.7), (-0.4, 0.4), (0.7, 1.0))

ANCHORS: dict[str, tuple[float, ...]] = {
    "brightness": _UNIT,
    "contrast": _anchors((), (0.0, 0.4), (0.45, 0.5)),
    "dark_fraction": _SHARE,
    "bright_fraction": _SHARE,
    "entropy": _anchors((0.0, 1.0), (2.0, 5.0), ()),
    "sharpness": _anchors((), (0.0, 0.4), (1.2, 4.0)),
    "noise": _anchors((), (0.0, 0.06), (0.25, 1.68)),
    "gradient": _anchors((), (0.0, 0.2), (0.5, 1.42)),
    "edge_density": _anchors((), (0.0, 0.7), (0.85, 1.0)),
    "orientation": _BALANCE,
    "blockiness": _DIFFERENCE,
    "vertical_balance": _BALANCE,
    "asymmetry": _anchors((), (0.0, 0.4), (0.7, 1.0)),
    "border_difference": _DIFFERENCE,
    "border_contrast": _anchors((), (0.0, 0.4), (0.45, 0.5)),
    "border_repeat": _SHARE,
    "red_mean": _UNIT,
    "green_mean": _UNIT,
    "blue_mean": _UNIT,
    "warmth": _DIFFERENCE,
    "tint": _anchors((-0.5, -0.25), (-0.1, 0.15), (0.5, 1.0)),
    "saturation": _anchors((), (0.0, 0.8), (0.9, 1.0)),
    "colourfulness": _anchors((), (0.0, 0.45), (0.9, 1.48)),
    "width": tuple(2.0**n for n in range(17)),
    "height": tuple(2.0**n for n in range(17)),
    "aspect_ratio": (2.0**-16, 2.0**-3, *(2.0 ** (n / 2) for n in range(-4, 5)), 2.0**3, 2.0**16),
}


def image_features(image: ImageSpec) -> dict[str, FrozenFeature]:
    """The feature of every property of such images, by the property: `image_<property>` is its name.

    Width, height and aspect ratio are among them where images may be of any size.

    >>> feature = image_features(ImageSpec(feature="photo", format="encoded", channels=3))["brightness"]
    >>> feature.name, len(feature.edges) - 1, feature.bins_per_bucket
    ('image_brightness', 140, 10)
    """
    return {name: _feature(name) for name in property_names(image.channels, sizes_vary=image.sizes_vary)}


@cache
def _feature(name: str) -> FrozenFeature:
    return FrozenFeature(f"{PREFIX}_{name}", _cut(ANCHORS[name]), BINS_PER_BUCKET)


def corrupt_feature() -> FrozenFeature:
    """`image_corrupt`: 1 for an image that is missing, cannot be read or is of another size, 0 for any other."""
    return FrozenFeature(CORRUPT, (0.0, 0.5, 1.0), integer=True)


def _cut(anchors: tuple[float, ...]) -> tuple[float, ...]:
    bins = [np.linspace(a, b, BINS_PER_BUCKET + 1)[:-1] for a, b in itertools.pairwise(anchors)]
    return (*np.concatenate(bins).tolist(), anchors[-1])
