"""The images of one request: is their type, shape, scale and channel order what the model takes?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.image_files import ImageFileError, decode_or_raise, is_image_file
from ..common.image_spec import STRING, ImageSpec
from ..common.pixel_range import PixelRange, Scale
from .image_shapes import as_batch
from .problems import BrokenError, Problem
from .tensor_decoding import Array, decode_numbers, decode_strings, dtype_name, shape_of

_BYTES = PixelRange()  # what image files and raw bytes hold
_SCALES = {
    Scale.UNIT: Problem.SCALED_TO_1,
    Scale.SIGNED: Problem.SCALED_SIGNED,
    Scale.STANDARDISED: Problem.STANDARDISED,
    Scale.BYTES: Problem.SCALED_TO_255,
}

Pixels = npt.NDArray[np.uint8]
Flag = tuple[Problem, str]
# Parses a serialised tf.Example; None if it cannot be parsed.
ParseExample = Callable[[bytes], Any]
MAX_IMAGES = 1 << 14  # of a request
# Of all image files of a request together: unpacked, each may have a thousand times its bytes.
MAX_VALUES_OF_FILES = 1 << 28


@dataclass(frozen=True)
class Values:
    """The smallest and the largest of the numbers of some images, and how many images these were."""

    images: int = 0
    low: float = math.inf
    high: float = -math.inf

    def __add__(self, other: "Values") -> "Values":
        return Values(self.images + other.images, min(self.low, other.low), max(self.high, other.high))


@dataclass
class Images:
    """The images of one request.

    Attributes:
      count: how many there are.
      pixels: uint8 [H, W, C] by row; a row that is not there has become no image.
      files: the PNG or JPEG file by row, of those that came as one.
      flags: the problems of each row that has any, with what was found; a missing row always has one.
      values: of the images that came as numbers, before they became pixels.

    """

    count: int
    pixels: dict[int, Pixels] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    flags: dict[int, list[Flag]] = field(default_factory=dict)
    values: Values = field(default_factory=Values)

    def flag(self, row: int, problem: Problem, found: str) -> None:
        self.flags.setdefault(row, []).append((problem, found))

    def flag_all(self, problem: Problem, found: str) -> None:
        for row in range(self.count):
            self.flag(row, problem, found)


def scale_problem(scale: Scale) -> Problem:
    """The problem that images on this scale are, where the model takes another."""
    return _SCALES[scale]


def images_of_tensor(
    proto: Any, name: str, image: ImageSpec, parse_example: ParseExample, *, serialised: bool
) -> Images:
    """The images of a Predict request's input tensor: numbers, or strings that are each an image.

    Args:
      proto: a TensorProto.
      name: of the input.
      image: what is expected.
      parse_example: for strings that are serialised tf.Examples.
      serialised: whether strings are tf.Examples before they are anything else.

    Raises:
      BrokenError: none of the images can become a row.

    """
    dtype = dtype_name(proto)
    if dtype == STRING:
        values = decode_strings(proto)
        if not values:
            raise BrokenError(Problem.NO_IMAGE, f"input {name!r} holds no strings")
        images = _gather(values, lambda value: _image_of_string(value, image, parse_example, serialised=serialised))
    else:
        batch = as_batch(shape_of(proto), image, name)
        _require_few(batch[0])
        images = images_of_array(decode_numbers(proto, math.prod(batch[1:])).reshape(batch), dtype, image.range)
    if image.dtype not in (None, dtype) and not serialised:
        images.flag_all(Problem.WRONG_DTYPE, f"input {name!r} must be {image.dtype}, and is {dtype}")
    return images


def images_of_examples(examples: Sequence[Any], image: ImageSpec) -> Images:
    """The images of tf.Examples, each in a feature: bytes (raw, PNG or JPEG), floats or integers.

    Raises:
      BrokenError: there is no example.

    """
    if not examples:
        raise BrokenError(Problem.NO_IMAGE, "the request must hold tf.Examples, and holds none")
    return _gather(examples, lambda example: _image_of_example(example, image))


def images_of_array(array: Array, dtype: str, pixel_range: PixelRange) -> Images:
    """Numbers [B, H, W, C] in the model's range as what it saw, in uint8. `dtype` is what was received."""
    low, high = pixel_range.extremes(array)
    finite = (np.isfinite(low) & np.isfinite(high)).all(axis=1)
    pixels = pixel_range.to_pixels(array)
    images = Images(len(array), pixels={int(row): pixels[row] for row in np.flatnonzero(finite)})
    if finite.any():
        images.values = Values(int(finite.sum()), float(low[finite].min()), float(high[finite].max()))
    if array.dtype == np.uint8 and pixel_range == _BYTES and (high > 1).all():
        return images  # by far the commonest, and nothing can be wrong with the values
    for row in np.flatnonzero(~finite):
        images.flag(int(row), Problem.NOT_FINITE, f"{dtype} values {_between(low[row], high[row])}")
    named = ~finite
    for scale, rows in pixel_range.wrong_scales(low, high, floats=array.dtype.kind == "f").items():
        _flag_scale(
            images,
            _SCALES[scale],
            rows & ~named,
            (low, high),
            f"{dtype} values {{}}, where the model takes {pixel_range}",
        )
        named = named | rows
    outside = ~named & ~pixel_range.inside(low, high)
    _flag_scale(
        images, Problem.OUT_OF_RANGE, outside, (low, high), f"{dtype} values {{}}, where the model takes {pixel_range}"
    )
    return images


def _flag_scale(
    images: Images, problem: Problem, rows: npt.NDArray[np.bool_], extremes: tuple[Array, Array], text: str
) -> None:
    low, high = extremes
    for row in np.flatnonzero(rows):
        images.flag(int(row), problem, text.format(_between(low[row], high[row])))


def _between(low: Array, high: Array) -> str:
    return f"{low.min():.4g} to {high.max():.4g}"


@dataclass(frozen=True)
class _One:
    """One image of several: its pixels and what is wrong with them, and the file it came as."""

    images: Images
    file: bytes | None = None


def _image_of_string(value: bytes, image: ImageSpec, parse_example: ParseExample, *, serialised: bool) -> _One:
    if not serialised and (is_image_file(value) or _is_raw(value, image)):
        return _image_of_bytes(value, image)
    example = parse_example(value)
    if example is None or not example.features.feature:
        kinds = "a tf.Example" if serialised else f"{_kinds_of_bytes(image)} or a tf.Example"
        raise BrokenError(Problem.BAD_IMAGE, f"a string must be {kinds}, and one of {len(value)} bytes is none")
    return _image_of_example(example, image)


def _image_of_example(example: Any, image: ImageSpec) -> _One:
    features, name = example.features.feature, image.feature
    if name not in features:
        names = sorted(features)[:20]
        raise BrokenError(Problem.BAD_IMAGE, f"the tf.Example must have the feature {name!r}, and has {names}")
    feature = features[name]
    kind = feature.WhichOneof("kind")
    if kind == "bytes_list" and len(feature.bytes_list.value) == 1:
        return _image_of_bytes(feature.bytes_list.value[0], image)
    held = len(getattr(feature, kind).value) if kind else 0
    if kind == "bytes_list" or image.shape is None or held != math.prod(image.shape):
        wanted = "one bytes value" if image.shape is None else f"one bytes value or {math.prod(image.shape)} numbers"
        raise BrokenError(Problem.BAD_IMAGE, f"feature {name!r} must hold {wanted}, and holds {held} values ({kind})")
    shape = (1, *image.shape)
    if kind == "int64_list":  # the only integers that a tf.Example has: these are pixels
        return _One(_images_of_pixels(np.array(feature.int64_list.value, np.int64).reshape(shape), "int64"))
    numbers = np.array(feature.float_list.value, np.float32).reshape(shape)
    images = images_of_array(numbers, "float32", image.range)
    if image.dtype not in (None, "float32", STRING):
        images.flag_all(Problem.WRONG_DTYPE, f"feature {name!r} must be {image.dtype}, and is float32")
    return _One(images)


def _image_of_bytes(value: bytes, image: ImageSpec) -> _One:
    if is_image_file(value):
        try:
            pixels = decode_or_raise(value, image.channels, image.size)
        except ImageFileError as error:
            raise BrokenError(Problem.BAD_IMAGE, str(error)) from error
        return _One(_images_of_pixels(pixels[np.newaxis], "uint8"), value)
    if image.shape is None or not _is_raw(value, image):
        wanted = _kinds_of_bytes(image)
        raise BrokenError(Problem.BAD_IMAGE, f"an image must be {wanted}, and one of {len(value)} bytes is none")
    return _One(_images_of_pixels(np.frombuffer(value, np.uint8).reshape(1, *image.shape), "uint8"))


def _images_of_pixels(array: Array, dtype: str) -> Images:
    """Of pixels 0..255, whatever range a numeric input has: their values say nothing of that."""
    images = images_of_array(array, dtype, _BYTES)
    images.values = Values()
    return images


def _is_raw(value: bytes, image: ImageSpec) -> bool:
    return image.shape is not None and len(value) == math.prod(image.shape)


def _kinds_of_bytes(image: ImageSpec) -> str:
    files = "a PNG or JPEG file"
    return files if image.shape is None else f"{files}, {math.prod(image.shape)} raw bytes"


def _gather(values: Sequence[Any], decode: Callable[[Any], _One]) -> Images:
    """The images that `decode` finds in single values."""
    _require_few(len(values))
    images = Images(len(values))
    unpacked = 0
    for row, value in enumerate(values):
        try:
            if unpacked > MAX_VALUES_OF_FILES:
                text = f"the images of the request before it have {unpacked} values, of {MAX_VALUES_OF_FILES} allowed"
                raise BrokenError(Problem.BAD_IMAGE, text)
            one = decode(value)
        except BrokenError as error:
            images.flag(row, error.problem, error.reason)
            continue
        _put(images, row, one)
        unpacked += sum(pixels.size for pixels in one.images.pixels.values())
    return images


def _require_few(images: int) -> None:
    if images > MAX_IMAGES:
        text = f"the request has {images} images; at most {MAX_IMAGES} may be in one"
        raise BrokenError(Problem.TOO_MANY_IMAGES, text)


def _put(images: Images, row: int, one: _One) -> None:
    if one.images.pixels:
        images.pixels[row] = one.images.pixels[0]
    if one.images.flags:
        images.flags[row] = one.images.flags[0]
    if one.file is not None:
        images.files[row] = one.file
    images.values += one.images.values
