"""The kernel of `pixel_kernels` as machine code.

The first compilation takes six seconds of processor time. What it gives is kept beside the file of the kernel, or in
the folder that `NUMBA_CACHE_DIR` names, or in the user's cache, for each kind of processor, and loaded in a tenth of a
second from then on. Where none of these can be written, or what is there is damaged, the process compiles for itself.
"""

import functools
import logging
from collections.abc import Callable

import numba
import numpy as np

from . import pixel_kernels
from .image_properties import FREQUENCIES
from .pixel_kernels import OPTIONS, WAVES, Pixels, Sums

_LUMA, _COLOUR = 16, 7  # how many properties there are of each kind
_SIGNATURE = numba.void(
    numba.types.Array(numba.uint8, 4, "C", readonly=True),  # pixels may lie in bytes, which nobody may change
    *(numba.types.Array(numba.float64, dimensions, "C") for dimensions in (2, 2, 3)),
)


def measure(images: Pixels) -> tuple[Sums, Sums]:
    """What is measured of each image of `uint8[N, H, W, C]`, C-contiguous, C = 1 or 3, no side 0.

    Returns:
      `float64[N, 16 or 23]`, the luma properties and for C = 3 those of colour, in the order of `image_properties`, NaN
      where an image is too small for one; and `float64[N, 8, 8]`, the lowest frequencies of the cosine transform of
      luma, 0 to 1, averaged to 32 x 32 pixels.

    """
    properties = np.empty((len(images), _LUMA + (_COLOUR if images.shape[3] == 3 else 0)))
    frequencies = np.empty((len(images), FREQUENCIES, FREQUENCIES))
    _compiled()(images, WAVES, properties, frequencies)
    return properties, frequencies


@functools.cache
def _compiled() -> Callable[[Pixels, Sums, Sums, Sums], None]:
    """`pixel_kernels.describe`, from the cache where that works."""
    try:
        return numba.njit(_SIGNATURE, cache=True, **OPTIONS)(pixel_kernels.describe)
    except Exception as error:
        logging.getLogger(__name__).warning("pixel kernels are compiled for this process alone: %s", error)
        return numba.njit(_SIGNATURE, **OPTIONS)(pixel_kernels.describe)
