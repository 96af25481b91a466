"""64 bits of what an image looks like: images that look nearly the same differ in few of them.

The hash by the discrete cosine transform (Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions"): luma, averaged to 32 x 32, its 8 x 8 lowest frequencies, and of each whether it is above their median.
Noise, JPEG, brightness and small movements change few bits; two images of different things differ in about half.
"""

import numpy as np
import numpy.typing as npt

from ..common.statistics.feature_sample import Hashes
from .image_properties import Images, describe

_FLAT = 1e-6 * 32 * 32  # of the largest coefficient that there can be: below, it is rounding


def compute(images: Images) -> Hashes:
    """The hash of each image of `uint8[N, H, W, C]`, C = 1 or 3, none of them empty: `uint64[N]`."""
    return of_frequencies(describe(images).frequencies)


def of_frequencies(frequencies: npt.NDArray[np.float64]) -> Hashes:
    """The hash of each image of `image_properties.Described.frequencies`, `float64[N, 8, 8]`: `uint64[N]`."""
    found = frequencies.reshape(-1, 64)
    ordered = np.sort(found[:, 1:], axis=1)  # all but the mean
    bits = found > ordered[:, 31:32]  # the median of 63
    bits[:, 0] = False
    bits[np.maximum(ordered[:, -1], -ordered[:, 0]) < _FLAT] = False
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64).reshape(-1)
