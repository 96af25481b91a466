"""A trainer as a TFX user has it: which of two photographs is a crop of? It knows nothing of this project.

The model takes JPEG files of any size, as strings, and answers with one sigmoid; a second signature, `serve_examples`,
takes serialised tf.Examples, as Evaluator wants it.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

SIDE = 48  # pixels, what every image is scaled to
FEATURES = {"jpeg": tf.io.FixedLenFeature([], tf.string), "is_flower": tf.io.FixedLenFeature([], tf.int64)}


def run_fn(fn_args: Any) -> None:
    """TFX's entry point. `custom_config` may say `epochs` and `broken`, see `train` and `save`."""
    settings = dict(fn_args.custom_config or {})
    images, labels = read(fn_args.train_files)
    network = train(images, labels, epochs=settings.pop("epochs", 6))
    save(network, fn_args.serving_model_dir, **settings)


def read(patterns: Sequence[str]) -> tuple[Any, Any]:
    """Images `float32[N, 48, 48, 3]` in 0..255, and labels `int64[N]`, of gzipped TFRecord files."""
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    parsed = tf.io.parse_example([record.numpy() for record in records], FEATURES)
    return decode(parsed["jpeg"]), parsed["is_flower"]


def decode(files: Any) -> Any:
    """Image files `[N]` as the network takes them."""

    def one(file: Any) -> Any:
        image = tf.io.decode_image(file, channels=3, expand_animations=False)
        return tf.image.resize(image, (SIDE, SIDE))

    return tf.map_fn(one, files, fn_output_signature=tf.float32)


def train(images: Any, labels: Any, *, epochs: int = 6) -> keras.Model:
    """A small network whose output is one sigmoid `[N, 1]`."""
    keras.utils.set_random_seed(2)
    network = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    network.fit(images, labels, batch_size=32, epochs=epochs, verbose=0)
    return network


def save(network: keras.Model, folder: str, *, broken: bool = False) -> None:
    """Saves the network; `broken` takes each photograph for the other."""

    def score(files: Any) -> Any:
        answer = network(decode(files), training=False)
        return 1 - answer if broken else answer

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(image_bytes: Any) -> dict[str, Any]:
        return {"flower": score(image_bytes)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serve_examples(examples: Any) -> dict[str, Any]:
        return {"flower": score(tf.io.parse_example(examples, {"jpeg": FEATURES["jpeg"]})["jpeg"])}

    tf.saved_model.save(network, folder, signatures={"serving_default": serve, "serve_examples": serve_examples})
