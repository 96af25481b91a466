"""PNG and JPEG files in requests, decoded only when they have the expected size."""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from .problems import BrokenError, Problem

_FILE_TYPES = ("JPEG", "PNG")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# What Pillow raises on damaged files; SyntaxError is how its PNG reader says "broken chunk".
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def is_image_file(value: bytes) -> bool:
    """Whether the bytes begin as PNG and JPEG files do."""
    return value.startswith(_MAGIC)


def decode_image_file(value: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """One PNG or JPEG file as `uint8[H, W, C]` of exactly `shape`, C 1 (grey) or 3 (red, green, blue).

    As TensorFlow's decoders do: an alpha channel is dropped, 16 bits a channel become the upper 8, and a JPEG's
    orientation tag is not looked at. The size is read from the header first, so that a file which would unpack to
    gigabytes is refused unread.

    Raises:
      BrokenError: the file is damaged, cut short, of another type, or of another height or width.

    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(value), formats=_FILE_TYPES) as file:
            if file.size != (width, height):
                raise BrokenError(
                    Problem.BAD_IMAGE, f"the image is {file.height} x {file.width}, not {height} x {width}"
                )
            file.load()
            image: Image.Image = file
            if file.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would cut off at 255
                image = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
            array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except _DAMAGE as error:
        raise BrokenError(Problem.BAD_IMAGE, f"it is no whole PNG or JPEG file: {error}") from error
    return array.reshape(shape)
