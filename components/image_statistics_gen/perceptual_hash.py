"""64 bits of what an image looks like: images that look nearly the same differ in few of them.

The hash by the discrete cosine transform (Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions"): luma, averaged to 32 x 32, its 8 x 8 lowest frequencies, and of each whether it is above their median.
Noise, JPEG, brightness and small movements change few bits; two images of different things differ in about half.
"""

import functools
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..common.two_sample.near_duplicates import Hashes
from .image_properties import Images, luma_of

_SIDE = 32
_FREQUENCIES = 8
_AT_ONCE = 512  # images whose float32 planes are held at a time
_FLAT = 1e-6  # of the largest coefficient that there can be: below, it is rounding

Floats: TypeAlias = npt.NDArray[np.float64]


def compute(images: Images) -> Hashes:
    """The hash of each image of `uint8[N, H, W, C]`, C = 1 or 3, none of them empty: `uint64[N]`."""
    parts = [_compute_step(images[start : start + _AT_ONCE]) for start in range(0, len(images), _AT_ONCE)]
    return np.concatenate([*parts, np.zeros(0, np.uint64)])


def _compute_step(images: Images) -> Hashes:
    luma = luma_of(np.ascontiguousarray(np.moveaxis(images, 3, 0))).astype(np.float64)
    rows, columns = _transform(images.shape[1]), _transform(images.shape[2])
    found = (rows @ luma @ columns.T).reshape(len(images), -1)  # a product an image: no other image has a say in it
    varying = found[:, 1:]  # all but the mean
    bits = found > np.median(varying, axis=1, keepdims=True)
    bits[:, 0] = False
    bits[np.abs(varying).max(axis=1) < _FLAT * _SIDE * _SIDE] = False
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64).reshape(-1)


@functools.lru_cache(maxsize=64)
def _transform(size: int) -> Floats:
    """The lowest frequencies of `size` pixels averaged to `_SIDE`: `[_FREQUENCIES, size]`."""
    edges = np.arange(_SIDE + 1)[:, None] * size / _SIDE
    covered = np.diff(np.clip(edges, np.arange(size), np.arange(size) + 1), axis=0) * _SIDE / size
    waves = np.cos(np.pi * np.outer(np.arange(_FREQUENCIES), np.arange(_SIDE) + 0.5) / _SIDE)
    return np.asarray(waves @ covered)
