"""How fast code of our own is against a library's that does the same, as ratios of processor time.

    python -m benchmarks.own_code

Messages of one or two images of 32 x 32; a ratio says how many times as long the library takes. The figures are in
docs/decisions/2026-11-26-own-code.md.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components.common.artifacts.tf_example import parse_example
from components.serving_log_writer.prediction_log_encoding import ServedModel, predict_log

ROUNDS = 25
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


def seconds(work: Callable[[], Any]) -> float:
    """The least processor time of a few rounds."""
    best = math.inf
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def _example() -> bytes:
    numbers = tf.train.FloatList(value=np.linspace(0, 1, 10))
    image = tf.train.BytesList(value=[IMAGES[0].tobytes()])
    kinds = {
        "image": tf.train.Feature(bytes_list=image),
        "probabilities": tf.train.Feature(float_list=numbers),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[3])),
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"request-1/0"])),
    }
    return tf.train.Example(features=tf.train.Features(feature=kinds)).SerializeToString()


def _by_tensorflow(record: bytes) -> dict[str, Any]:
    features = tf.train.Example.FromString(record).features.feature
    return {name: list(getattr(each, each.WhichOneof("kind")).value) for name, each in features.items()}


def _log_of_messages(model: ServedModel, inputs: dict[str, Any], outputs: dict[str, Any]) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    spec = log.predict_log.request.model_spec
    spec.name, spec.version.value, spec.signature_name = model.name, model.version, model.signature
    log.predict_log.response.model_spec.CopyFrom(spec)
    for tensors, values in ((log.predict_log.request.inputs, inputs), (log.predict_log.response.outputs, outputs)):
        for name, array in values.items():
            tensor = tensors[name]
            tensor.dtype = tf.as_dtype(array.dtype).as_datatype_enum
            for size in array.shape:
                tensor.tensor_shape.dim.add(size=size)
            tensor.tensor_content = array.tobytes()
    return log.SerializeToString()


def comparisons() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """By what is done: our way and the library's."""
    record, model = _example(), ServedModel("m", 7)
    inputs, outputs = {"image": IMAGES}, {"probabilities": np.full((2, 10), 0.1, np.float32)}
    return {
        "tf.Example: parse_example, tf.train.Example": (
            lambda: [parse_example(record) for _ in range(2_000)],
            lambda: [_by_tensorflow(record) for _ in range(2_000)],
        ),
        "PredictionLog: predict_log, protobuf's messages": (
            lambda: [predict_log(model, inputs, outputs) for _ in range(2_000)],
            lambda: [_log_of_messages(model, inputs, outputs) for _ in range(2_000)],
        ),
    }


def main() -> None:
    """Prints the ratios."""
    for what, (ours, theirs) in comparisons().items():
        print(f"{what}: {seconds(theirs) / seconds(ours):.2f}")


if __name__ == "__main__":
    main()
