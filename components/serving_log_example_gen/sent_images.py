"""The images of one request as they lie in its message, in every form that clients send; no number is looked at yet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..common.image_files import ImageFileError, decode_or_raise, is_image_file
from ..common.image_spec import STRING, ImageSpec
from .image_shapes import as_batch
from .problems import BrokenError, Problem
from .tensor_decoding import Array, decode_numbers, decode_strings, dtype_name, shape_of

Flag: TypeAlias = tuple[Problem, str]
# Parses a serialised tf.Example; None if it cannot be parsed.
ParseExample: TypeAlias = Callable[[bytes], Any]
MAX_IMAGES = 1 << 14  # of a request
# Of all image files of a request together: unpacked, each may have a thousand times its bytes.
MAX_VALUES_OF_FILES = 1 << 28


class Stack(NamedTuple):
    """Images of one shape that came as one array.

    Attributes:
      first: the row of the first of them in the request.
      array: their numbers `[N, H, W, C]`.
      dtype: the type that they were received in.
      served: whether these are numbers in the model's range; pixels 0..255 otherwise, as files and raw bytes hold them.
      wrong_dtype: what is wrong with the type; "": nothing.

    """

    first: int
    array: Array
    dtype: str
    served: bool
    wrong_dtype: str = ""


@dataclass
class SentImages:
    """The images of one request.

    Attributes:
      count: how many there are.
      stacks: their numbers; a row that is in none has become no image.
      files: the PNG or JPEG file by row, of those that came as one.
      broken: what is wrong with each row that has become no image.
      wrong_dtype: what is wrong with the type of all; "": nothing.

    """

    count: int
    stacks: list[Stack] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    broken: dict[int, Flag] = field(default_factory=dict)
    wrong_dtype: str = ""


def images_of_tensor(
    proto: Any, name: str, image: ImageSpec, parse_example: ParseExample, *, serialised: bool
) -> SentImages:
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
        shape = shape_of(proto)
        batch = as_batch(shape, image, name)
        _require_few(batch[0])
        numbers = decode_numbers(proto, math.prod(batch[1:]), shape).reshape(batch)
        images = SentImages(batch[0], [Stack(0, numbers, dtype, served=True)])
    if image.dtype not in (None, dtype) and not serialised:
        images.wrong_dtype = f"input {name!r} must be {image.dtype}, and is {dtype}"
    return images


def images_of_examples(examples: Sequence[Any], image: ImageSpec) -> SentImages:
    """The images of tf.Examples, each in a feature: bytes (raw, PNG or JPEG), floats or integers.

    Raises:
      BrokenError: there is no example.

    """
    if not examples:
        raise BrokenError(Problem.NO_IMAGE, "the request must hold tf.Examples, and holds none")
    return _gather(examples, lambda example: _image_of_example(example, image))


class _One(NamedTuple):
    """One image of several, as a stack of one, and the file it came as."""

    stack: Stack
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
        return _One(Stack(0, np.array(feature.int64_list.value, np.int64).reshape(shape), "int64", served=False))
    numbers = np.array(feature.float_list.value, np.float32).reshape(shape)
    known = image.dtype in (None, "float32", STRING)
    wrong = "" if known else f"feature {name!r} must be {image.dtype}, and is float32"
    return _One(Stack(0, numbers, "float32", served=True, wrong_dtype=wrong))


def _image_of_bytes(value: bytes, image: ImageSpec) -> _One:
    if is_image_file(value):
        try:
            pixels = decode_or_raise(value, image.channels, image.size)
        except ImageFileError as error:
            raise BrokenError(Problem.BAD_IMAGE, str(error)) from error
        return _One(Stack(0, pixels[np.newaxis], "uint8", served=False), value)
    if image.shape is None or not _is_raw(value, image):
        wanted = _kinds_of_bytes(image)
        raise BrokenError(Problem.BAD_IMAGE, f"an image must be {wanted}, and one of {len(value)} bytes is none")
    return _One(Stack(0, np.frombuffer(value, np.uint8).reshape(1, *image.shape), "uint8", served=False))


def _is_raw(value: bytes, image: ImageSpec) -> bool:
    return image.shape is not None and len(value) == math.prod(image.shape)


def _kinds_of_bytes(image: ImageSpec) -> str:
    files = "a PNG or JPEG file"
    return files if image.shape is None else f"{files}, {math.prod(image.shape)} raw bytes"


def _gather(values: Sequence[Any], decode: Callable[[Any], _One]) -> SentImages:
    """The images that `decode` finds in single values."""
    _require_few(len(values))
    images = SentImages(len(values))
    unpacked = 0
    for row, value in enumerate(values):
        try:
            if unpacked > MAX_VALUES_OF_FILES:
                text = f"the images of the request before it have {unpacked} values, of {MAX_VALUES_OF_FILES} allowed"
                raise BrokenError(Problem.BAD_IMAGE, text)
            one = decode(value)
        except BrokenError as error:
            images.broken[row] = (error.problem, error.reason)
            continue
        images.stacks.append(one.stack._replace(first=row))
        if one.file is not None:
            images.files[row] = one.file
        unpacked += one.stack.array.size if _is_finite(one.stack.array) else 0
    return images


def _require_few(images: int) -> None:
    if images > MAX_IMAGES:
        text = f"the request has {images} images; at most {MAX_IMAGES} may be in one"
        raise BrokenError(Problem.TOO_MANY_IMAGES, text)


def _is_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
