"""The shapes in which a served model may take the images of a spec."""

from collections.abc import Sequence
from typing import TypeAlias

from .image_spec import ImageSpec

Shape: TypeAlias = tuple[int | None, ...]  # None: a dimension of any size


def shapes_of_batches(image: ImageSpec) -> list[Shape]:
    """[batch, H, W, C], of grey images [batch, H, W] too, and [batch, H * W * C] of images of one size."""
    height, width = image.size or (None, None)
    flat = None if height is None or width is None else height * width * image.channels
    grey: list[Shape] = [(None, height, width)] if image.channels == 1 else []
    return [(None, height, width, image.channels), *grey, (None, flat)]


def fits(given: Sequence[int | None], wanted: Shape) -> bool:
    """Whether every dimension but the first, the batch, may be equal; one that is open on either side fits.

    >>> fits((8, 28, 28, 1), (None, None, None, 1)), fits((8, 784), (None, 28, 28, 1))
    (True, False)
    """
    pairs = zip(given[1:], wanted[1:], strict=False)
    return len(given) == len(wanted) and all(None in pair or pair[0] == pair[1] for pair in pairs)


def shown(shape: Sequence[int | None]) -> str:
    """As messages show it, `[?, 28, 28, 1]`."""
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def wanted(image: ImageSpec) -> str:
    """The shapes of batches in words: `[?, 28, 28, 1] or [?, 28, 28] or [?, 784]`."""
    return " or ".join(shown(shape) for shape in shapes_of_batches(image))
