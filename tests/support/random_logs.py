"""Serving logs in every form and with every fault that servers, clients and disks give them, drawn at random."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np

from components.common.artifacts.tfrecord import frame
from components.common.model_spec import ModelSpec
from components.serving_log_writer.prediction_log_encoding import ServedModel, classify_log, metadata, predict_log

Random = np.random.Generator
_LONGEST = 5  # images of a request


def log_file(spec: ModelSpec, chance: Random, records: int) -> bytes:
    """A TFRecord file of so many records; of some, bits are flipped behind their checksum."""
    file = bytearray()
    for _ in range(records):
        framed = bytearray(frame(_record(spec, chance)))
        if chance.random() < 0.03:
            framed[chance.integers(12, len(framed))] ^= 1 << int(chance.integers(8))
        file += framed
    return bytes(file) if chance.random() < 0.7 else bytes(file[: -int(chance.integers(1, 20))])


def _record(spec: ModelSpec, chance: Random) -> bytes:
    log = _log(spec, chance)
    way = chance.random()
    if way < 0.04:
        return log[: chance.integers(len(log))]
    if way < 0.06:
        return bytes(chance.bytes(int(chance.integers(40))))
    if way < 0.08:  # two in a row are one, in which the later one's fields win
        return log + _log(spec, chance)
    if way < 0.10:
        changed = bytearray(log)
        changed[chance.integers(len(changed))] ^= 1 << int(chance.integers(8))
        return bytes(changed)
    return log


def _log(spec: ModelSpec, chance: Random) -> bytes:
    batch = 1 if chance.random() < 0.6 else int(chance.integers(1, _LONGEST + 1))
    model = ServedModel("m", None if chance.random() < 0.1 else int(chance.integers(6, 8)))
    images = _images(spec, batch, chance)
    ids = _ids(batch, chance)
    if chance.random() < 0.15:
        one = ids if isinstance(ids, str) else None
        log = classify_log(model, _examples(images, chance), _classes(spec, batch, chance), request_id=one)
    else:
        log = predict_log(model, _inputs(spec, images, chance), _outputs(spec, batch, chance), ids, _client(chance))
    return log if chance.random() < 0.2 else metadata(model, 1_700_000_000 + int(chance.integers(100))) + log


def _images(spec: ModelSpec, batch: int, chance: Random) -> np.ndarray:
    """uint8 [batch, height, width, channels], mostly of the size that the spec gives."""
    size = spec.image.size or (3 + int(chance.integers(2)), 4)
    if chance.random() < 0.04:
        size = (5, 3)
    images = chance.integers(0, 256, (batch, *size, spec.image.channels), np.uint8)
    if chance.random() < 0.1:
        images[chance.integers(batch)] //= 255
    return images


def _ids(batch: int, chance: Random) -> Any:
    """None, one, one an image, too few or none that can be one; of a few names, so that there are duplicates."""
    names = [f"r{chance.integers(500)}" for _ in range(batch)]
    return [None, names[0], names[0], names, names[1:] or names, "", "x" * 300][chance.integers(7)]


def _client(chance: Random) -> str | None:
    return None if chance.random() < 0.3 else f"c{chance.integers(4)}"


def _inputs(spec: ModelSpec, images: np.ndarray, chance: Random) -> dict[str, Any]:
    name = spec.input if chance.random() < 0.97 else "another"
    inputs = {name: _FORMS[chance.integers(len(_FORMS))](spec, images, chance)}
    if chance.random() < 0.05:
        inputs["threshold"] = np.float32(0.5)
    if chance.random() < 0.02:
        inputs["second"] = images
    if chance.random() < 0.05:
        examples = [_example(spec, image, chance) for image in images]
        return {"examples": np.array(examples, object)}
    return inputs


def _as_floats(spec: ModelSpec, images: np.ndarray, chance: Random) -> np.ndarray:
    """In the model's range, or another; with values that are none."""
    dtype = [np.float32, np.float32, np.float64, np.float16][chance.integers(4)]
    floats = spec.image.range.to_model(images).astype(dtype)
    if chance.random() < 0.2:
        floats = (images / [255, 127.5, 1, 0.5][chance.integers(4)] - chance.integers(2)).astype(dtype)
    if chance.random() < 0.15:
        floats[chance.integers(len(floats)), 0, 0, 0] = [np.nan, np.inf, -1e4][chance.integers(3)]
    return floats


def _as_files(spec: ModelSpec, images: np.ndarray, chance: Random) -> np.ndarray:
    """PNG and JPEG files, some damaged, and what is no file."""
    return np.array([_string(spec, image, chance) for image in images], object)


def _string(spec: ModelSpec, image: np.ndarray, chance: Random) -> bytes:
    from tests.components.serving_log_example_gen.conftest import png

    value = png(image, ["PNG", "JPEG"][chance.integers(2)])
    way = chance.random()
    if way < 0.1:
        return value[: len(value) // 2]
    if way < 0.2:
        return base64.b64encode(value)
    if way < 0.3:
        return image.tobytes()
    return _example(spec, image, chance) if way < 0.4 else value


def _as_strange(_: ModelSpec, images: np.ndarray, chance: Random) -> np.ndarray:
    """Other axes: channels first, flat, of one image, too many, empty."""
    ways = (
        images.transpose(0, 3, 1, 2),
        images.reshape(len(images), -1),
        images[0],
        images[np.newaxis],
        images[:0],
        images.astype(np.complex64),
        np.float32(0),
    )
    return ways[chance.integers(len(ways))]


_FORMS: list[Callable[[ModelSpec, np.ndarray, Random], Any]] = [
    lambda _, images, __: images,
    lambda _, images, __: images,
    lambda _, images, __: images,
    lambda _, images, chance: images.astype([np.int64, np.int32, np.uint16][chance.integers(3)]),
    _as_floats,
    _as_floats,
    _as_files,
    _as_strange,
]


def _examples(images: np.ndarray, chance: Random) -> list[dict[str, Any]]:
    return [_features(image, chance) for image in images]


def _features(image: np.ndarray, chance: Random) -> dict[str, Any]:
    name = "image" if chance.random() < 0.95 else "other"
    values = image.ravel().tolist()
    ways = ([image.tobytes()], values, [float(value) for value in values], [float("nan")] * len(values), [b"a", b"b"])
    return {name: ways[chance.integers(len(ways))]}


def _example(_: ModelSpec, image: np.ndarray, chance: Random) -> bytes:
    from components.serving_log_writer.prediction_log_encoding import example_bytes

    return example_bytes(_features(image, chance))


def _scores(spec: ModelSpec, batch: int, chance: Random) -> np.ndarray:
    classes = spec.num_classes
    probabilities = chance.dirichlet(np.ones(classes), batch)
    way = chance.random()
    if way < 0.1:
        probabilities[chance.integers(batch)] = [np.nan, np.inf, 1e300, -1, 0][chance.integers(5)]
    elif way < 0.15:
        probabilities = -np.sort(-probabilities, axis=1)
    elif way < 0.2:
        probabilities = chance.normal(0, 5, (batch, classes))
    elif way < 0.25:
        probabilities = chance.random((batch, 1))
    elif way < 0.3:
        probabilities = probabilities[:, 1:]
    elif way < 0.33:
        probabilities = np.full((batch, classes), 1e-39)
    with np.errstate(over="ignore"):
        return probabilities.astype([np.float32, np.float32, np.float32, np.float64, np.float16][chance.integers(5)])


def _outputs(spec: ModelSpec, batch: int, chance: Random) -> dict[str, Any]:
    if chance.random() < 0.03:
        return {}
    rows = batch if chance.random() < 0.95 else batch + 1
    scores = _scores(spec, rows, chance)
    outputs: dict[str, Any] = {spec.outputs.scores: scores[0] if rows == 1 and chance.random() < 0.1 else scores}
    if chance.random() < 0.8:
        embedding = chance.normal(size=(batch, 3 if chance.random() < 0.9 else 2))
        if chance.random() < 0.1:
            embedding[0, 0] = [np.nan, 1e300][chance.integers(2)]
        with np.errstate(over="ignore"):
            outputs["embedding"] = embedding.astype([np.float32, np.float64][chance.integers(2)], copy=False)
    if chance.random() < 0.5:
        classes = chance.integers(-1 if chance.random() < 0.1 else 0, spec.num_classes + 1, batch)
        as_floats = chance.random() < 0.1
        outputs["class_id"] = classes.astype(float) if as_floats else classes[:, None] if batch % 2 else classes
    if chance.random() < 0.1:
        del outputs[spec.outputs.scores]
    return outputs


def _classes(spec: ModelSpec, batch: int, chance: Random) -> list[list[tuple[str, float]]]:
    rows = _scores(spec, batch if chance.random() < 0.95 else batch + 1, chance).astype(np.float32).tolist()
    names = list(spec.classes)
    way = chance.random()
    if way < 0.3:
        names = [""] * len(names)
    elif way < 0.5:
        names = [str(number) for number in range(len(names))]
    elif way < 0.55:
        names[0] = "nobody"
    listed = [list(zip(names, row, strict=False)) for row in rows]
    for row in listed:
        chance.shuffle(row)
    return [] if chance.random() < 0.05 else listed
