"""Rows are encoded as TensorFlow's own messages are, to the byte but for the order of features."""

import numpy as np
import pytest
import tensorflow as tf

from components.common.canonical_rows import Value
from components.common.row_encoding import serialised


def by_tensorflow(features: dict[str, Value]) -> bytes:
    example = tf.train.Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.extend(np.atleast_1d(value).tolist())
    return example.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"a", b"x" * 127, b"x" * 128, b"x" * 16_383, b"x" * 16_384, b"x" * 3_000_000,
        0, 1, 127, 128, -1, 1 << 62, -(1 << 63),
        0.0, -0.0, 0.1, 1e-45, 3.4e38, float("inf"), float("nan"),
        np.zeros(1, np.float32), np.arange(1_000, dtype=np.float32), np.arange(12, dtype=np.float32)[::3],
    ],
    ids=lambda value: f"{type(value).__name__} {len(value)}" if hasattr(value, "__len__") else None,
)  # fmt: skip
@pytest.mark.parametrize("name", ["a", "n" * 200, "äöü"])
def test_a_value_of_every_kind_and_length(name: str, value: Value) -> None:
    assert serialised({name: value}) == by_tensorflow({name: value})


def test_rows_of_many_features() -> None:
    chance = np.random.default_rng(3)
    for _ in range(200):
        names = chance.choice(["image", "id", "Z", "a_b", "a", "class_id", "é", "probabilities"], 6, replace=False)
        values = [
            bytes(chance.bytes(int(chance.integers(200)))),
            int(chance.integers(-3, 1_000)),
            float(np.float32(chance.normal())),
            chance.normal(size=int(chance.integers(1, 50))).astype(np.float32),
            b"id",
            7,
        ]
        features = dict(zip(names.tolist(), values, strict=True))
        row = serialised(features)
        assert tf.train.Example.FromString(row) == tf.train.Example.FromString(by_tensorflow(features))
        assert row == serialised(dict(sorted(features.items())))  # TensorFlow's own order is another with protobuf 6
