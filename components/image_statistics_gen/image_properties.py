"""What an image looks like, in numbers: brightness, sharpness, border and so on for every image of a batch.

Images are `uint8[N, H, W, C]`, C = 1 (grey) or 3 (red, green, blue). Intensities are divided by 255, so black is 0 and
white 1. Each property is `float32[N]`; an image too small for a property to be defined gets NaN there. A property of an
image depends on that image alone, to the last bit: not on its neighbours in the batch, on how a data set is cut into
batches or on the processor, which is what makes statistics of a data set independent of the workers.

`docs/image_properties.md` has the table: formula, range, reference and the kind of shift each property finds.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

LUMA_PROPERTIES = (
    "brightness",
    "contrast",
    "dark_fraction",
    "bright_fraction",
    "entropy",
    "sharpness",
    "noise",
    "gradient",
    "edge_density",
    "orientation",
    "blockiness",
    "vertical_balance",
    "asymmetry",
    "border_difference",
    "border_contrast",
    "border_repeat",
)
COLOUR_PROPERTIES = (
    "red_mean",
    "green_mean",
    "blue_mean",
    "warmth",
    "tint",
    "saturation",
    "colourfulness",
)
FREQUENCIES = 8  # a side, that a perceptual hash is made of
SIZE_PROPERTIES = ("width", "height", "aspect_ratio")


def property_names(channels: int, *, sizes_vary: bool = False) -> tuple[str, ...]:
    """The names of the properties of images with `channels` channels (1 or 3), in the order of the tables above.

    >>> len(property_names(3)), len(property_names(1))
    (23, 16)
    """
    colour = COLOUR_PROPERTIES if channels == 3 else ()
    return LUMA_PROPERTIES + colour + (SIZE_PROPERTIES if sizes_vary else ())


@dataclass(frozen=True)
class Described:
    """What one pass over N images finds.

    Attributes:
      properties: `float32[N, P]`, in the order of `property_names(C, sizes_vary=True)`; NaN where an image is too small
        for a property to be defined.
      frequencies: `float64[N, 8, 8]`, what a perceptual hash is made of (`perceptual_hash.of_frequencies`).

    """

    properties: Floats
    frequencies: npt.NDArray[np.float64]


def compute(images: Images) -> dict[str, Floats]:
    """Every luma property of `uint8[N, H, W, C]`, the colour properties when C = 3, and the sizes: `float32[N]` each.

    Raises:
      ValueError: the array is not `uint8[N, H, W, 1 or 3]` or an image has no pixel.

    """
    names = property_names(images.shape[-1], sizes_vary=True)
    return dict(zip(names, describe(images).properties.T, strict=True))


def describe(images: Images) -> Described:
    """All properties and frequencies of `uint8[N, H, W, C]`, in one pass over their pixels.

    Raises:
      ValueError: the array is not `uint8[N, H, W, 1 or 3]` or an image has no pixel.

    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
        raise ValueError(f"`images` must be uint8[N, H, W, 1 or 3]. Received: {images.dtype}{list(images.shape)}")
    from . import compiled_pixels  # noqa: PLC0415 - loading compiled code takes half a second: for whoever has pixels

    count, height, width, _ = images.shape
    measured, frequencies = compiled_pixels.measure(np.ascontiguousarray(images))
    properties = np.empty((count, measured.shape[1] + len(SIZE_PROPERTIES)), np.float32)
    properties[:, : -len(SIZE_PROPERTIES)] = measured
    properties[:, -len(SIZE_PROPERTIES) :] = width, height, width / height
    return Described(properties, frequencies)
