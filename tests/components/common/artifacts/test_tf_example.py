"""Our reader of tf.Examples against TensorFlow's own messages."""

import pytest
import tensorflow as tf

from components.common.artifacts.tf_example import may_hold, parse_example
from components.common.errors import MonitorError


def example(**lists):
    kinds = {bytes: ("bytes_list", tf.train.BytesList), float: ("float_list", tf.train.FloatList),
             int: ("int64_list", tf.train.Int64List)}  # fmt: skip
    features = {}
    for name, values in lists.items():
        if values:
            field, kind = kinds[type(values[0])]
            features[name] = tf.train.Feature(**{field: kind(value=values)})
        else:
            features[name] = tf.train.Feature()
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_every_kind_of_value_is_read():
    given = {"id": [b"a:1"], "image": [bytes(range(256)) * 20, b""], "scores": [0.5, -2.0], "none": [],
             "label": [3, -1, 2**62, -(2**63)]}  # fmt: skip
    assert parse_example(example(**given)) == given


def test_the_quick_look_finds_what_is_there():
    for identity in (b"a", b"x" * 300):
        assert may_hold(example(id=[identity], image=[bytes(3072)], label=[1]), "id") == identity
    assert may_hold(example(image=[bytes(3072)]), "id") == b""
    assert may_hold(example(id=[7]), "id") == b""


def test_unpacked_numbers_are_read():
    packed = example(label=[5])
    unpacked = packed.replace(b"\x1a\x03\x0a\x01\x05", b"\x1a\x02\x08\x05")
    assert unpacked != packed
    unpacked = b"\x0a" + bytes([len(unpacked) - 2]) + unpacked[2:]
    unpacked = unpacked[:3] + bytes([unpacked[3] - 1]) + unpacked[4:]
    at = unpacked.index(b"label") + 6
    unpacked = unpacked[:at] + bytes([unpacked[at] - 1]) + unpacked[at + 1 :]
    assert tf.train.Example.FromString(unpacked).features.feature["label"].int64_list.value == [5]
    assert parse_example(unpacked) == {"label": [5]}


@pytest.mark.parametrize("cut", [1, 5, 20, 60])
def test_a_record_that_is_cut_off_is_an_error(cut):
    record = example(id=[b"a"], image=[bytes(50)])
    with pytest.raises(MonitorError, match=r"must be a tf\.Example"):
        parse_example(record[:-cut])


@pytest.mark.parametrize("record", [b"hello, this is no message", b"\xff" * 30, b"\x08\x01\x0b"])
def test_what_is_no_example_is_an_error(record):
    with pytest.raises(MonitorError, match=r"must be a tf\.Example"):
        parse_example(record)
