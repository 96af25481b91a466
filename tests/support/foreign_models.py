"""Two models that this project was not made on, saved as their makers would, and the logs of servers that serve them.

`digit_model` takes floats 0..1, 28 x 28 x 1, as `input_image` and answers with `dense_1`: probabilities or logits.
`photo_model` takes JPEG files of any size as strings and answers with one sigmoid.
Neither has an embedding or class ids. How they are trained and saved is in `trainers`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components import ServingLogWriter
from components.serving_log_writer.writer import ServedModel

from .foreign_data import Labelled, encode

DIGIT_FEATURES = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}
PHOTO_FEATURES = {"image": "jpeg", "label": "is_flower", "id": "name"}


def digit_model(folder: Path, data: Labelled, **settings: Any) -> Path:
    """Trains and saves a digit classifier, see `digits_trainer.save`. Returns `folder`."""
    from .trainers import digits_trainer

    network = digits_trainer.train(np.stack(data.images).astype(np.float32) / 255, np.asarray(data.labels))
    digits_trainer.save(network, str(folder), **settings)
    return folder


def photo_model(folder: Path, data: Labelled, **settings: Any) -> Path:
    """Trains and saves a classifier of two photographs that reads JPEG files. Returns `folder`."""
    from .trainers import photos_trainer

    images = photos_trainer.decode(np.array([encode(image, "JPEG") for image in data.images]))
    photos_trainer.save(photos_trainer.train(images, np.asarray(data.labels)), str(folder), **settings)
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
