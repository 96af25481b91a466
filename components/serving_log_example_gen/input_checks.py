"""The images of one request: is their type, shape, scale and channel order what the model was trained on?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.image_files import ImageFileError, decode_or_raise, is_image_file
from .problems import BrokenError, Problem
from .read_options import ReadOptions
from .tensor_decoding import STRING, Array, decode_numbers, decode_strings, dtype_name, shape_of

# Pixels standardised with any usual mean and deviation lie well within; those of a whole image of 0..255 do not.
_STANDARDISED_LIMIT = 20.0

Flag = tuple[Problem, str]
# Parses a serialised tf.Example; None if it cannot be parsed.
ParseExample = Callable[[bytes], Any]


@dataclass
class Images:
    """The images of one request.

    Attributes:
      count: how many there are.
      pixels: uint8 [H, W, C] by row; a row that is not there has become no image.
      flags: the problems of each row that has any, with what was found; a missing row always has one.

    """

    count: int
    pixels: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    flags: dict[int, list[Flag]] = field(default_factory=dict)

    def flag(self, row: int, problem: Problem, found: str) -> None:
        self.flags.setdefault(row, []).append((problem, found))


def images_of_tensor(proto: Any, options: ReadOptions, parse_example: ParseExample, *, serialised: bool) -> Images:
    """The images of a Predict request's input tensor: numbers, or strings that are each an image.

    Args:
      proto: a TensorProto.
      options: what is expected.
      parse_example: for strings that are serialised tf.Examples.
      serialised: whether strings are tf.Examples before they are anything else.

    Raises:
      BrokenError: none of the images can become a row.

    """
    if dtype_name(proto) == STRING:
        return _gather(
            decode_strings(proto),
            lambda value: _image_of_string(value, options, parse_example, serialised=serialised),
            options,
        )
    shape = shape_of(proto)
    check_shape(shape, options.image_shape)
    array = decode_numbers(proto).reshape(-1, *options.image_shape)  # adds the batch dimension where there is none
    return images_of_array(array, dtype_name(proto), options)


def images_of_examples(examples: Sequence[Any], options: ReadOptions) -> Images:
    """The images of tf.Examples, each in a feature: bytes (raw, PNG or JPEG), floats or integers.

    Raises:
      BrokenError: there is no example.

    """
    return _gather(examples, lambda example: _image_of_example(example, options), options)


def check_shape(shape: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    """Checks that a tensor of this shape is a batch of images, or a single one without a batch dimension.

    Raises:
      BrokenError: it is not. Channel before row and column has a name of its own.

    """
    if shape[-3:] == expected and len(shape) in (3, 4):
        if 0 in shape:
            raise BrokenError(Problem.NO_IMAGE, f"the input has the shape {list(shape)}")
        return
    height, width, channels = expected
    found = f"the input has the shape {list(shape)} where [batch, {height}, {width}, {channels}] is expected"
    if shape[-3:] == (channels, height, width) and len(shape) in (3, 4):
        raise BrokenError(Problem.CHANNELS_FIRST, found)
    raise BrokenError(Problem.WRONG_SHAPE, found)


def images_of_array(array: Array, dtype: str, options: ReadOptions) -> Images:
    """Numbers [B, H, W, C] as what the model saw, in uint8: rounded and cut to 0..255. `dtype` is what was received."""
    images = Images(len(array))
    flat = array.reshape(len(array), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    if array.dtype == np.uint8 and (high > 1).all():  # by far the commonest, and nothing can be wrong with the values
        images.pixels = dict(enumerate(array))
    else:
        _add_checked(images, array, low.astype(np.float64), high.astype(np.float64), dtype)
    if dtype != options.image_dtype:
        for row in range(len(array)):
            images.flag(row, Problem.WRONG_DTYPE, f"{dtype} where {options.image_dtype} is expected")
    return images


def _add_checked(
    images: Images, array: Array, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], dtype: str
) -> None:
    """Adds the images that have pixels at all, with what their smallest and largest values say of the scale."""
    finite = np.isfinite(low) & np.isfinite(high)
    pixels = _to_uint8(array, finite)
    for row in np.flatnonzero(finite):
        images.pixels[int(row)] = pixels[row]
    for row in np.flatnonzero(~finite):
        images.flag(int(row), Problem.NOT_FINITE, f"values {low[row]:g} to {high[row]:g}")
    for problem, rows in _scale_problems(low, high, floats=array.dtype.kind == "f"):
        for row in np.flatnonzero(rows & finite):
            images.flag(int(row), problem, f"{dtype} values {low[row]:.4g} to {high[row]:.4g}")


def _to_uint8(array: Array, finite: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    if not finite.all():
        array = np.where(finite[:, np.newaxis, np.newaxis, np.newaxis], array, 0)
    if array.dtype.kind == "f":
        array = np.rint(array)
    return np.clip(array, 0, 255).astype(np.uint8)


def _scale_problems(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], *, floats: bool
) -> Iterator[tuple[Problem, npt.NDArray[np.bool_]]]:
    """Which rows have which problem, told from their extremes; at most one each. A black image has none."""
    negative = low < 0
    within_1 = (low >= -1) & (high <= 1)
    small = (low >= -_STANDARDISED_LIMIT) & (high <= _STANDARDISED_LIMIT) & floats
    yield Problem.SCALED_TO_1, ~negative & within_1 & (high > 0)
    yield Problem.SCALED_SIGNED, negative & within_1
    yield Problem.STANDARDISED, negative & small & ~within_1
    # what rounds to a pixel is one: a resized image may come with 255.3
    yield Problem.OUT_OF_RANGE, ((low < -0.5) & ~within_1 & ~small) | (high > 255.5)


_OneImage = tuple[Array, str]  # [H, W, C] and its type, as received


def _image_of_string(value: bytes, options: ReadOptions, parse_example: ParseExample, *, serialised: bool) -> _OneImage:
    if not serialised and (is_image_file(value) or len(value) == options.values_per_image):
        return _image_of_bytes(value, options)
    example = parse_example(value)
    if example is None or not example.features.feature:
        kinds = "tf.Example" if serialised else f"PNG, JPEG, {options.values_per_image} raw bytes or tf.Example"
        raise BrokenError(Problem.BAD_IMAGE, f"a string of {len(value)} bytes is no {kinds}")
    return _image_of_example(example, options)


def _image_of_example(example: Any, options: ReadOptions) -> _OneImage:
    features = example.features.feature
    if options.image_key not in features:
        raise BrokenError(Problem.BAD_IMAGE, f"the tf.Example has no feature {options.image_key!r}")
    feature = features[options.image_key]
    kind = feature.WhichOneof("kind")
    if kind == "bytes_list" and len(feature.bytes_list.value) == 1:
        return _image_of_bytes(feature.bytes_list.value[0], options)
    held = len(getattr(feature, kind).value) if kind else 0
    if kind == "bytes_list" or held != options.values_per_image:
        raise BrokenError(Problem.BAD_IMAGE, f"feature {options.image_key!r} holds {held} values ({kind})")
    if kind == "int64_list":  # the only integers a tf.Example has, so that their type says nothing
        return np.array(feature.int64_list.value, np.int64).reshape(options.image_shape), options.image_dtype
    return np.array(feature.float_list.value, np.float32).reshape(options.image_shape), "float32"


def _image_of_bytes(value: bytes, options: ReadOptions) -> _OneImage:
    if is_image_file(value):
        height, width, channels = options.image_shape
        try:
            return decode_or_raise(value, channels, (height, width)), options.image_dtype
        except ImageFileError as error:
            raise BrokenError(Problem.BAD_IMAGE, str(error)) from error
    if len(value) != options.values_per_image:
        expected = f"PNG, JPEG or {options.values_per_image} raw bytes"
        raise BrokenError(Problem.BAD_IMAGE, f"{len(value)} bytes are not {expected}")
    return np.frombuffer(value, np.uint8).reshape(options.image_shape), options.image_dtype


def _gather(values: Sequence[Any], decode: Callable[[Any], _OneImage], options: ReadOptions) -> Images:
    """The images that `decode` finds in single values."""
    if not values:
        raise BrokenError(Problem.NO_IMAGE, "the request holds no example")
    images = Images(len(values))
    for row, value in enumerate(values):
        try:
            array, dtype = decode(value)
        except BrokenError as error:
            images.flag(row, error.problem, error.reason)
        else:
            _put(images, row, images_of_array(array[np.newaxis], dtype, options))
    return images


def _put(images: Images, row: int, one: Images) -> None:
    if one.pixels:
        images.pixels[row] = one.pixels[0]
    if one.flags:
        images.flags[row] = one.flags[0]
