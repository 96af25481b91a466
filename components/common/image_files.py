"""PNG and JPEG files to arrays, and back. The one place that hands bytes from outside to an image decoder."""

import io
import struct
import zlib
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels: TypeAlias = npt.NDArray[np.uint8]

# Of the largest image that is decoded, told from the file's header, before its pixels are unpacked. One of a size that
# was asked for may have 192 MiB in colour, one of any size 48 MiB.
MAX_PIXELS = 1 << 26
MAX_PIXELS_OF_ANY_SIZE = 1 << 24
_FILE_TYPES = ("JPEG", "PNG")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# What Pillow raises on damaged files; SyntaxError is how its PNG reader says "broken chunk".
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class ImageFileError(Exception):
    """A file that is no image as it was asked for. Its message is the reason, without the file's name."""


class Header(NamedTuple):
    """What a file says of its image before it is unpacked; `grey` is whether it has no colours."""

    height: int
    width: int
    grey: bool


def header(value: bytes) -> Header | None:
    """The header of a PNG or JPEG file; None for other bytes. The rest of the file may be damaged all the same.

    >>> header(b"no image") is None
    True
    """
    try:
        with Image.open(io.BytesIO(value), formats=_FILE_TYPES) as file:
            return Header(file.height, file.width, file.mode[0] in "1LI")
    except _DAMAGE:
        return None


def is_image_file(value: bytes) -> bool:
    """Whether the bytes begin as PNG and JPEG files do.

    >>> is_image_file(b"plain pixels")
    False
    """
    return value.startswith(_MAGIC)


def decode(value: bytes, channels: int, size: tuple[int, int] | None = None) -> Pixels | None:
    """One PNG or JPEG file as `uint8[H, W, channels]`; None where `decode_or_raise` raises.

    >>> decode(b"no image", 3) is None
    True
    """
    try:
        return decode_or_raise(value, channels, size)
    except ImageFileError:
        return None


def decode_or_raise(value: bytes, channels: int, size: tuple[int, int] | None = None) -> Pixels:
    """One PNG or JPEG file as `uint8[H, W, channels]`.

    As TensorFlow's decoders do: an alpha channel is dropped, 16 bits a channel become the upper 8, and a JPEG's
    orientation tag is not looked at. The size is read from the header first, so that a file that would unpack to
    gigabytes is refused unread.

    Args:
      value: the file.
      channels: 1 (grey) or 3 (red, green, blue); what the file has is converted.
      size: (height, width) that the image must have; None for any up to `MAX_PIXELS_OF_ANY_SIZE`.

    Raises:
      ImageFileError: the file is damaged, cut short, of another type, of another height or width, or too large.

    """
    try:
        with Image.open(io.BytesIO(value), formats=_FILE_TYPES) as file:
            _check_size(file, size)
            file.load()
            image: Image.Image = file
            if file.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would cut off at 255
                image = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
            array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except _DAMAGE as error:
        raise ImageFileError(f"it is no whole PNG or JPEG file: {error}") from error
    return array.reshape(*array.shape[:2], channels)


def encode_png(pixels: Pixels) -> bytes:
    """`uint8[H, W, C]`, C 1 or 3, as a PNG file, without loss; the same bytes for the same pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _check_size(file: Image.Image, size: tuple[int, int] | None) -> None:
    if size is not None and (file.height, file.width) != tuple(size):
        raise ImageFileError(f"the image is {file.height} x {file.width}, not {size[0]} x {size[1]}")
    most = MAX_PIXELS if size is not None else MAX_PIXELS_OF_ANY_SIZE
    if file.height * file.width > most:
        raise ImageFileError(f"the image is {file.height} x {file.width}, more than {most:,} pixels")
