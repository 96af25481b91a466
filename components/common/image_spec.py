"""How images are stored, and what a served model takes for one: the `image` of a model's spec, usable alone."""

import math
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo
from pydantic import field_validator as validates

from . import class_names, pixel_range
from .pixel_range import PixelRange, Scale
from .settings import Described

_LARGEST_SIDE = 65_535  # pixels, which is JPEG's own limit
_FILE_FORMATS = ("encoded", "jpeg", "png")
_ONE_OF_EACH = (
    "be one {}: what is monitored is one image classifier, which has one image input and one output of scores"
)
# Smallest and largest number of the types that have fewer than a range may ask for.
_LIMITS = {
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    "float16": (-65_504, 65_504),
}
Dtype: TypeAlias = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "bfloat16", "float32", "float64", "string",
]  # fmt: skip
STRING = "string"


def refuse(rule: str) -> NoReturn:
    raise ValueError(f"must {rule}")


def _name(value: Any) -> Any:
    broken = class_names.broken_rule_of_name(value)
    if broken:
        refuse(broken)
    return value


def _one_name(value: Any) -> Any:
    """A name of what an image classifier has one of."""
    if isinstance(value, list | tuple | dict):
        refuse(_ONE_OF_EACH.format("name"))
    return _name(value)


def one_section(value: Any) -> Any:
    if isinstance(value, list | tuple):
        refuse(_ONE_OF_EACH.format("section"))
    return value


def _format(value: Any) -> Any:
    if value not in ("raw", *_FILE_FORMATS):
        refuse("be raw, encoded, jpeg or png (the last three mean the same)")
    return "encoded" if value in _FILE_FORMATS else value


def _channels(value: Any) -> Any:
    if type(value) is not int or value not in (1, 3):
        refuse("be 1 (grey) or 3 (red, green, blue)")
    return value


def _size(value: Any) -> Any:
    pair = isinstance(value, list | tuple) and len(value) == 2
    if not pair or not all(type(each) is int and 1 <= each <= _LARGEST_SIDE for each in value):
        refuse(f"be [height, width], whole numbers from 1 to {_LARGEST_SIDE}, or left out for images of any size")
    return tuple(value)


def _range(value: Any) -> Any:
    if isinstance(value, PixelRange):
        return value
    broken = pixel_range.broken_rule(value)
    if broken:
        refuse(broken)
    return PixelRange.from_setting(value)


def _means(value: Any) -> Any:
    triple = isinstance(value, list | tuple) and len(value) == 3
    if not triple or not all(type(each) in (int, float) and 0 <= each <= 255 for each in value):
        refuse("be the means of red, green and blue, 0 to 255")
    return tuple(float(each) for each in value)


OneName: TypeAlias = Annotated[str, BeforeValidator(_one_name)]
Name: TypeAlias = Annotated[str, BeforeValidator(_name)]


class ImageSpec(Described):
    """How images are stored, and what the served model takes for one. Usable alone, for statistics without a model.

    Attributes:
      feature: the feature of tf.Examples that holds the image.
      format: "raw", uint8 values in row-major order (height, width, channel), or "encoded", a PNG or JPEG file.
      channels: 1 (grey) or 3 (red, green, blue).
      size: (height, width) of every image; None: images of any size.
      input: name of the input of the served signature.
      range: what a numeric input takes for pixels 0..255; of a string input it is 0..255 and says nothing.
      dtype: type of the input; "string": image files or serialised tf.Examples. None: told from signature or log.
      channel_means: mean red, green and blue, 0 to 255, of images in the right order; None: the order is not checked.

    """

    feature: OneName
    format: Annotated[Literal["raw", "encoded"], BeforeValidator(_format)]
    channels: Annotated[Literal[1, 3], BeforeValidator(_channels)]
    size: Annotated[tuple[int, int], BeforeValidator(_size)] | None = None
    input: OneName | None = None
    dtype: Dtype | None = None
    range: Annotated[PixelRange, BeforeValidator(_range), PlainSerializer(lambda pixels: pixels.to_setting())] = (
        PixelRange()
    )
    channel_means: Annotated[tuple[float, float, float], BeforeValidator(_means)] | None = None

    @validates("size", mode="after")
    @classmethod
    def _size_of_raw(cls, size: tuple[int, int] | None, info: ValidationInfo) -> tuple[int, int] | None:
        if size is None and info.data.get("format") == "raw":
            refuse("be given where `format` is raw: bytes do not say how high and wide an image is")
        return size

    @validates("range", mode="after")
    @classmethod
    def _range_of_type(cls, pixels: PixelRange, info: ValidationInfo) -> PixelRange:
        channels, dtype = info.data.get("channels"), info.data.get("dtype") or ""
        if channels is not None and pixels.channels not in (None, channels):
            refuse("have one mean and std where `channels` is 1")
        if dtype == STRING and pixels.scale is not Scale.BYTES:
            refuse("be left out where `dtype` is string: such an input takes image files, not numbers")
        low, high = _LIMITS.get(dtype, (-math.inf, math.inf))
        if not (low <= min(pixels.low) and max(pixels.high) <= high):
            refuse(f"be within {low}..{high} where `dtype` is {dtype}")
        if "int" in dtype and (pixels.mean or pixels.high[0] - pixels.low[0] < 255):
            refuse(f"be [low, high] with 256 whole numbers where `dtype` is {dtype}")
        return pixels

    @validates("channel_means", mode="after")
    @classmethod
    def _means_of_colours(cls, means: Any, info: ValidationInfo) -> Any:
        if means is not None and info.data.get("channels") == 1:
            refuse("be left out for grey images")
        return means

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(height, width, channels), or None for images of any size."""
        return None if self.size is None else (*self.size, self.channels)

    @property
    def sizes_vary(self) -> bool:
        """Whether images may be of any size, so that their size is one of their properties."""
        return self.size is None
