"""Two models that this project was not made on, saved as their makers would, and the logs of servers that serve them.

`digit_model` takes floats 0..1, 28 x 28 x 1, as `input_image` and answers with `dense_1`: probabilities or logits.
`photo_model` takes JPEG files of any size as strings and answers with one sigmoid.
Neither has an embedding, class ids, or a signature for serialised tf.Examples.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components import ServingLogWriter
from components.serving_log_writer.writer import ServedModel

from .foreign_data import DIGIT_SIZE, Labelled, encode

DIGIT_FEATURES = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}
PHOTO_FEATURES = {"image": "jpeg", "label": "is_flower", "id": "name"}
_NETWORK_SIDE = 48  # pixels, what the photo model scales every image to


def digit_model(folder: Path, data: Labelled, *, logits: bool = False, epochs: int = 12, broken: bool = False) -> Path:
    """Trains and saves a digit classifier; `broken` has its classes turned round. Returns `folder`."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((DIGIT_SIZE, DIGIT_SIZE, 1), name="input_image"),
            keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    images = np.stack(data.images).astype(np.float32) / 255
    labels = np.asarray(data.labels)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images, labels, batch_size=32, epochs=epochs, verbose=0)

    @tf.function(input_signature=[tf.TensorSpec([None, DIGIT_SIZE, DIGIT_SIZE, 1], tf.float32, "input_image")])
    def serve(input_image: Any) -> dict[str, Any]:
        scores = network(input_image, training=False)
        scores = scores[:, ::-1] if broken else scores
        return {"dense_1": scores if logits else tf.nn.softmax(scores)}

    tf.saved_model.save(network, str(folder), signatures={"serving_default": serve})
    return folder


def photo_model(folder: Path, data: Labelled, *, epochs: int = 6) -> Path:
    """Trains and saves a classifier of two photographs that reads JPEG files. Returns `folder`."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(2)
    network = keras.Sequential(
        [
            keras.Input((_NETWORK_SIDE, _NETWORK_SIDE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )

    def pixels(file: Any) -> Any:
        image = tf.io.decode_image(file, channels=3, expand_animations=False)
        return tf.image.resize(image, (_NETWORK_SIDE, _NETWORK_SIDE))

    images = np.stack([pixels(encode(image, "JPEG")).numpy() for image in data.images])
    network.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    network.fit(images, np.asarray(data.labels), batch_size=32, epochs=epochs, verbose=0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(image_bytes: Any) -> dict[str, Any]:
        decoded = tf.map_fn(pixels, image_bytes, fn_output_signature=tf.float32)
        return {"is_flower": network(decoded, training=False)}

    tf.saved_model.save(network, str(folder), signatures={"serving_default": serve})
    return folder


def serve_digits(
    model: Path, logs: Path, span: int, data: Labelled, *, scale: float = 255, name: str = "digits"
) -> None:
    """Asks the model as a client would, 50 images a request as floats 0..1, and logs it; `scale` 1 is not divided."""
    arrays = [(np.stack(part).astype(np.float32) / np.float32(scale)) for part in _requests(data.images)]
    _serve(model, logs, span, "input_image", arrays, name)


def serve_photos(model: Path, logs: Path, span: int, data: Labelled, *, name: str = "photos") -> None:
    """The same with JPEG files."""
    files = [np.array([encode(image, "JPEG") for image in part], object) for part in _requests(data.images)]
    _serve(model, logs, span, "image_bytes", files, name)


def _requests(images: Sequence[Any], size: int = 50) -> list[Sequence[Any]]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def _serve(model: Path, logs: Path, span: int, key: str, batches: Sequence[Any], name: str) -> None:
    answer, version = _loaded(model), int(model.name) if model.name.isdecimal() else 1
    with ServingLogWriter(
        str(logs), ServedModel(name, version, "serving_default"), span=span, when_full="block"
    ) as log:
        for number, batch in enumerate(batches):
            log.log({key: batch}, answer(batch), request_id=f"span{span}-{number}")
    assert log.counts.written == len(batches), log.counts


def _loaded(model: Path) -> Callable[[Any], dict[str, Any]]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures["serving_default"]
    [key] = signature.structured_input_signature[1]

    def answer(batch: Any) -> dict[str, Any]:
        outputs = loaded.signatures["serving_default"](**{key: tf.constant(batch)})
        return {name: value.numpy() for name, value in outputs.items()}

    return answer
