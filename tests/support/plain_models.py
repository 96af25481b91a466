"""Examples and models in plain Python: a class is a grey level, and a model tells it by the mean of the pixels."""

import io

import numpy as np
from PIL import Image

from components.common.errors import MonitorError
from components.served_model.tensors import TensorInfo
from model_monitor.onboarding.described import Examples, Signature, Tensor

SIDE = 6


class Model:
    """A model whose signatures are functions, called as a SavedModel is."""

    def __init__(self, *signatures):
        self._functions = {signature.name: function for signature, function in signatures}
        self.signatures = tuple(signature for signature, _ in signatures)

    def call(self, signature, values):
        return self._functions[signature](values)


def tensor(name, dtype, shape):
    return Tensor(name, TensorInfo(shape, dtype))


def numeric(dtype="float32", *, name="serving_default", shape=(None, SIDE, SIDE, 1), key="x"):
    return Signature(name, (tensor(key, dtype, shape),), ())


def strings(name="serving_default", key="files"):
    return Signature(name, (tensor(key, "string", (None,)),), ())


def levels(values, *, low=0.0, high=1.0, classes=3):
    """Logits of the class whose grey level, evenly spaced from low to high, is nearest to the mean of the pixels."""
    means = np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)
    centres = low + (high - low) * (np.arange(classes) + 0.5) / classes
    return (-(((means[:, None] - centres) / (high - low)) ** 2) * 200).astype(np.float32)


def softmax(logits):
    wide = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (wide / wide.sum(axis=1, keepdims=True)).astype(np.float32)


def pixels(count=60, *, classes=3, channels=1, seed=0):
    """Images [N, 6, 6, C] and their classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = 255 * (labels + 0.5) / classes
    noise = random.normal(0, 12, (count, SIDE, SIDE, channels))
    return np.clip(centres[:, None, None, None] + noise, 0, 255).astype(np.uint8), labels


def png(image):
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return file.getvalue()


def png_mean(value):
    """The mean pixel of an image file, as one pixel of 0..1. Raises `MonitorError` as a model refuses a batch."""
    try:
        with Image.open(io.BytesIO(value), formats=("PNG",)) as file:
            return np.full((1, 1), np.asarray(file).mean() / 255)
    except OSError as error:
        raise MonitorError("not an image file") from error


def examples(**features):
    """Examples of these columns, with something for a serialised record."""
    columns = {name.replace("__", "/"): list(values) for name, values in features.items()}
    rows = [
        {name: [value] for name, value in zip(columns, values, strict=True) if value is not None}
        for values in zip(*columns.values(), strict=True)
    ]
    return Examples.of([f"record {number}".encode() for number in range(len(rows))], rows)


def held_out(count=60, *, classes=3, raw=False, **more):
    images, labels = pixels(count, classes=classes)
    files = [image.tobytes() if raw else png(image) for image in images]
    ids = [f"image-{number}".encode() for number in range(count)]
    columns = {"image__encoded": files, "image__label": labels.tolist(), "image__id": ids, **more}
    return examples(**{name: values for name, values in columns.items() if values is not None})
