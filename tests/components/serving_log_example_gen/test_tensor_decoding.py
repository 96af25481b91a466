"""Every encoding, held against TensorFlow's own decoder; and what no decoder should believe."""

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from components.serving_log_example_gen.problems import BrokenError, Problem
from components.serving_log_example_gen.tensor_decoding import (
    NUMERIC_DTYPES,
    decode_numbers,
    decode_strings,
    dtype_name,
    shape_of,
)

FIELDS = {
    "float32": "float_val", "float64": "double_val", "int32": "int_val", "uint8": "int_val", "int16": "int_val",
    "int8": "int_val", "uint16": "int_val", "int64": "int64_val", "uint32": "uint32_val", "uint64": "uint64_val",
    "bool": "bool_val", "float16": "half_val", "bfloat16": "half_val",
}  # fmt: skip


def make_tensor(dtype: int, shape: list[int], **values: object) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def in_field(values: tf.Tensor) -> tensor_pb2.TensorProto:
    """The tensor with its values in the field of its type, one by one."""
    name = values.dtype.name
    proto = make_tensor(values.dtype.as_datatype_enum, list(values.shape))
    flat = values.numpy().ravel()
    if FIELDS[name] == "half_val":
        flat = flat.view(np.uint16).astype(int)
    getattr(proto, FIELDS[name]).extend(flat.tolist())
    return proto


@pytest.mark.parametrize("name", NUMERIC_DTYPES)
def test_both_ways_of_every_number_type(name: str) -> None:
    assert set(FIELDS) == set(NUMERIC_DTYPES)
    values = tf.cast(tf.constant([[0, 1, 2], [3, 100, 127]]), name)
    for proto in (tf.make_tensor_proto(values), in_field(values)):
        decoded = decode_numbers(proto)
        assert dtype_name(proto) == name
        assert shape_of(proto) == (2, 3)
        expected = tf.cast(values, tf.float32) if name == "bfloat16" else values
        assert decoded.dtype == expected.numpy().dtype
        np.testing.assert_array_equal(decoded, expected.numpy())


def test_fractions_in_half_precision() -> None:
    for name in ("float16", "bfloat16"):
        values = tf.constant([-1.5, 0.1, float("inf"), 65504.0], name)
        np.testing.assert_array_equal(decode_numbers(in_field(values)), tf.cast(values, tf.float32).numpy())


def test_last_value_repeats_and_none_means_zeros() -> None:
    for values in ([], [3.5], [1.0, 2.0]):
        proto = make_tensor(types_pb2.DT_FLOAT, [2, 2], float_val=values)
        np.testing.assert_array_equal(decode_numbers(proto), tf.make_ndarray(proto))


def test_integers_are_cut_to_the_width_as_tensorflow_does() -> None:
    proto = make_tensor(types_pb2.DT_UINT8, [3], int_val=[-1, 256, 300])
    np.testing.assert_array_equal(decode_numbers(proto), tf.io.parse_tensor(proto.SerializeToString(), tf.uint8))


def test_strings() -> None:
    assert decode_strings(tf.make_tensor_proto([[b"a"], [b"b\0"]])) == [b"a", b"b\0"]
    assert decode_strings(tf.make_tensor_proto(b"a")) == [b"a"]


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (make_tensor(types_pb2.DT_UINT8, [2**40]), "more than"),
        (make_tensor(types_pb2.DT_UINT8, [2**62, 2**62]), "more than"),
        (make_tensor(types_pb2.DT_UINT8, [1 << 25], int_val=[1]), "1 values stand for"),
        (make_tensor(types_pb2.DT_UINT8, [-1, 3], int_val=[1]), "unknown sizes"),
        (make_tensor(types_pb2.DT_UINT8, [1] * 17, int_val=[1]), "rank"),
        (make_tensor(types_pb2.DT_UINT8, [2], int_val=[1, 2, 3]), "3 values for a shape of 2"),
        (make_tensor(types_pb2.DT_INT32, [2], tensor_content=b"12345678x"), "must have 8 bytes"),
        (make_tensor(types_pb2.DT_STRING, [2], string_val=[b"a", b"b"]), "not strings"),
        (make_tensor(types_pb2.DT_COMPLEX64, [1]), "type number 8"),
        (make_tensor(types_pb2.DT_INVALID, [1]), "type number 0"),
        (make_tensor(999, [1]), "type number 999"),
        (tensor_pb2.TensorProto(dtype=4, tensor_shape={"unknown_rank": True}), "rank"),
    ],
)
def test_contradictions_are_refused_without_allocating(proto: tensor_pb2.TensorProto, message: str) -> None:
    tracemalloc.start()
    with pytest.raises(BrokenError) as error:
        decode_numbers(proto)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert message in error.value.reason
    assert error.value.problem is Problem.BAD_TENSOR


@pytest.mark.parametrize(("count", "bytes_of_values"), [(1 << 16, 1), (40 * 1024, 40), (1 << 20, 1 << 12)])
def test_what_is_filled_in_is_bounded_by_what_was_sent(count: int, bytes_of_values: int) -> None:
    proto = make_tensor(types_pb2.DT_UINT8, [count], int_val=[1] * bytes_of_values)
    assert decode_numbers(proto).sum() == count
    many = make_tensor(types_pb2.DT_UINT8, [1025 * proto.ByteSize() + (1 << 16)], int_val=[1] * bytes_of_values)
    with pytest.raises(BrokenError, match=r"values stand for .*; at most \d+ are filled in here"):
        decode_numbers(many)
    assert len(decode_numbers(many, free=1 << 26)) > count


def test_strings_are_not_filled_up() -> None:
    with pytest.raises(BrokenError, match="1 strings for the shape"):
        decode_strings(make_tensor(types_pb2.DT_STRING, [1000], string_val=[b"a"]))
    with pytest.raises(BrokenError, match="not uint8"):
        decode_strings(make_tensor(types_pb2.DT_UINT8, [1], int_val=[1]))
