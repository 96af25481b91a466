"""TensorProto messages to arrays, in every encoding that clients produce, without trusting a word they say.

Works on anything with the fields of `tensorflow/core/framework/tensor.proto`, so it imports no TensorFlow.
`tf.make_ndarray` is not for such messages: a shape of 2**40 in 20 bytes makes it allocate a terabyte.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .problems import BrokenError, Problem

MAX_VALUES = 1 << 26  # of a tensor: a batch of 128 images of 299 x 299 x 3 has 2**25
# Of a tensor that repeats its last value, for each byte that it takes: as much as deflate can make of one.
MAX_EXPANSION = 1024
FREE_VALUES = 1 << 16  # that are filled in however few bytes there are
MAX_RANK = 16
STRING = "string"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Kind:
    """A dtype of tensor.proto: its name, its NumPy type, and the field that holds single values."""

    name: str
    dtype: np.dtype[Any]
    field: str


# By number in tensorflow/core/framework/types.proto.
_KINDS = {
    1: _Kind("float32", np.dtype("<f4"), "float_val"),
    2: _Kind("float64", np.dtype("<f8"), "double_val"),
    3: _Kind("int32", np.dtype("<i4"), "int_val"),
    4: _Kind("uint8", np.dtype("u1"), "int_val"),
    5: _Kind("int16", np.dtype("<i2"), "int_val"),
    6: _Kind("int8", np.dtype("i1"), "int_val"),
    7: _Kind(STRING, np.dtype("O"), "string_val"),
    9: _Kind("int64", np.dtype("<i8"), "int64_val"),
    10: _Kind("bool", np.dtype("?"), "bool_val"),
    14: _Kind("bfloat16", np.dtype("<u2"), "half_val"),
    17: _Kind("uint16", np.dtype("<u2"), "int_val"),
    19: _Kind("float16", np.dtype("<f2"), "half_val"),
    22: _Kind("uint32", np.dtype("<u4"), "uint32_val"),
    23: _Kind("uint64", np.dtype("<u8"), "uint64_val"),
}
NUMERIC_DTYPES = tuple(kind.name for kind in _KINDS.values() if kind.name != STRING)


def dtype_name(proto: Any) -> str:
    """The name of the tensor's type, such as "uint8", "bfloat16" or "string".

    Raises:
      BrokenError: the type is unknown or none of numbers and strings.

    """
    return _kind(proto).name


def shape_of(proto: Any) -> tuple[int, ...]:
    """The tensor's shape; nothing is allocated for it.

    Raises:
      BrokenError: the rank or a size is unknown, or there are too many values to be decoded.

    """
    shape = proto.tensor_shape
    if shape.unknown_rank or len(shape.dim) > MAX_RANK:
        raise _bad(f"the rank must be known and at most {MAX_RANK}")
    sizes = tuple([dim.size for dim in shape.dim])
    if min(sizes, default=0) < 0:
        raise _bad(f"the shape {list(sizes)} has unknown sizes")
    if math.prod(sizes) > MAX_VALUES:
        raise _bad(f"the shape {list(sizes)} has more than {MAX_VALUES} values")
    return sizes


def decode_numbers(proto: Any, free: int = FREE_VALUES, shape: tuple[int, ...] | None = None) -> Array:
    """The values in their shape; bfloat16 becomes float32, all other types stay.

    As TensorFlow does it: fewer values than the shape has means that the last one repeats, none means zeros. So many
    values as the bytes of the tensor can stand for, see `MAX_EXPANSION`, are filled in, and `free` ones in any case.

    Args:
      proto: the tensor.
      free: see above.
      shape: `shape_of(proto)`, where that is known.

    Raises:
      BrokenError: the tensor holds strings, or its type, shape and values contradict each other.

    """
    kind = _kind(proto)
    if kind.name == STRING:
        raise _bad("numbers are needed, not strings")
    shape = shape_of(proto) if shape is None else shape
    count = math.prod(shape)
    content = proto.tensor_content  # a copy each time
    if content:
        expected = count * kind.dtype.itemsize
        if len(content) != expected:
            raise _bad(f"tensor_content must have {expected} bytes for {kind.name} {list(shape)}, not {len(content)}")
        values = np.frombuffer(content, kind.dtype)
    else:
        values = _filled(_single_values(proto, kind), count, max(free, MAX_EXPANSION * proto.ByteSize()))
    if kind.name == "bfloat16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(shape)


def decode_strings(proto: Any) -> list[bytes]:
    """The strings of a tensor of any shape, in row-major order.

    Raises:
      BrokenError: the tensor holds numbers, or another number of strings than its shape says.

    """
    if _kind(proto).name != STRING:
        raise _bad(f"strings are needed, not {dtype_name(proto)}")
    shape = shape_of(proto)
    strings = list(proto.string_val)
    if len(strings) != math.prod(shape):
        # filling up, as for numbers, would let a kilobyte of PNG become a million images
        raise _bad(f"{len(strings)} strings for the shape {list(shape)}")
    return strings


def _kind(proto: Any) -> _Kind:
    kind = _KINDS.get(proto.dtype)
    if kind is None:
        raise _bad(f"tensors of type number {proto.dtype} hold no numbers or strings")
    return kind


def _single_values(proto: Any, kind: _Kind) -> Array:
    values = getattr(proto, kind.field)
    if kind.field == "half_val":  # 16 bits each, in int32
        return np.array(values, np.int64).astype(np.uint16).view(kind.dtype)
    if kind.field == "int_val":  # int32, cut to the type's width as TensorFlow does
        return np.array(values, np.int64).astype(kind.dtype)
    return np.array(values, kind.dtype)


def _filled(values: Array, count: int, most: int) -> Array:
    if len(values) > count:
        raise _bad(f"{len(values)} values for a shape of {count}")
    if len(values) == count:
        return values
    if count > most:
        raise _bad(f"{len(values)} values stand for {count}; at most {most} are filled in here")
    filled = np.full(count, values[-1] if len(values) else 0, values.dtype)
    filled[: len(values)] = values
    return filled


def _bad(reason: str) -> BrokenError:
    return BrokenError(Problem.BAD_TENSOR, reason)
