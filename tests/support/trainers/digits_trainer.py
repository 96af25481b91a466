"""A trainer as a TFX user has it: grey digits, 28 x 28. It knows nothing of this project.

The model takes floats 0..1 as `input_image` and answers with `dense_1`, probabilities unless told otherwise; a second
signature, `serve_examples`, takes serialised tf.Examples, as Evaluator wants it.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

SIZE = 28
CLASSES = 10
FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
}


def run_fn(fn_args: Any) -> None:
    """TFX's entry point. `custom_config` may say `logits`, `epochs` and `broken`, see `train` and `save`."""
    settings = dict(fn_args.custom_config or {})
    images, labels = read(fn_args.train_files)
    network = train(images, labels, epochs=settings.pop("epochs", 12))
    save(network, fn_args.serving_model_dir, **settings)


def read(patterns: Sequence[str]) -> tuple[Any, Any]:
    """Images `float32[N, 28, 28, 1]` in 0..1, and labels `int64[N]`, of gzipped TFRecord files."""
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    parsed = tf.io.parse_example([record.numpy() for record in records], FEATURES)
    return decode(parsed["image/encoded"]), parsed["image/class/label"]


def decode(files: Any) -> Any:
    """Image files `[N]` as the model takes them."""

    def one(file: Any) -> Any:
        return tf.cast(tf.io.decode_png(file, channels=1), tf.float32) / 255

    return tf.ensure_shape(tf.map_fn(one, files, fn_output_signature=tf.float32), [None, SIZE, SIZE, 1])


def train(images: Any, labels: Any, *, epochs: int = 12) -> keras.Model:
    """A small network whose output is logits `[N, 10]`."""
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images, labels, batch_size=32, epochs=epochs, verbose=0)
    return network


def save(
    network: keras.Model, folder: str, *, logits: bool = False, broken: bool = False, examples: bool = True
) -> None:
    """Saves the network; with `logits` without the softmax, `broken` with its classes in the wrong order.

    Not `examples`: without the signature that takes tf.Examples.
    """

    def scores(images: Any) -> Any:
        answer = network(images, training=False)
        answer = answer[:, ::-1] if broken else answer
        return answer if logits else tf.nn.softmax(answer)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.float32, "input_image")])
    def serve(input_image: Any) -> dict[str, Any]:
        return {"dense_1": scores(input_image)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serve_examples(examples: Any) -> dict[str, Any]:
        parsed = tf.io.parse_example(examples, {"image/encoded": FEATURES["image/encoded"]})
        return {"dense_1": scores(decode(parsed["image/encoded"]))}

    signatures = {"serving_default": serve, **({"serve_examples": serve_examples} if examples else {})}
    tf.saved_model.save(network, folder, signatures=signatures)
