"""Spans of two models that this project was not made on, through the executor with real Beam, on real images."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.common.artifacts.tfrecord import frame
from components.common.class_scores import probabilities_of
from components.common.image_files import decode
from components.common.model_spec import ModelSpec
from tests.components.serving_log_example_gen.conftest import Result, make_log
from tests.support.foreign_data import crops, digits, encode

Run = Callable[..., Result]
DIGITS = {
    "image": {"feature": "image/encoded", "format": "encoded", "channels": 1, "size": [28, 28],
              "input": "input_image", "range": [0, 1], "dtype": "float32"},
    "label": "image/class/label",
    "classes": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "outputs": {"scores": "dense_1", "kind": "logits"},
}  # fmt: skip
PHOTOS = {
    "image": {"feature": "jpeg", "format": "jpeg", "channels": 3, "input": "image_bytes", "dtype": "string"},
    "classes": ["храм", "花"],
    "outputs": {"scores": "flower", "kind": "sigmoid"},
}


@pytest.fixture(scope="module")
def digit_images() -> np.ndarray:
    return np.stack(digits().images[:120])


def digit_span(images: np.ndarray, scores: Any = None, name: str = "input_image") -> bytes:
    """Requests of 20 images each; logits of ten classes unless told otherwise."""
    given = np.random.default_rng(1).normal(0, 3, (len(images), 10)).astype(np.float32) if scores is None else scores
    parts = [slice(start, start + 20) for start in range(0, len(images), 20)]
    logs = [make_log({name: images[p]}, {"dense_1": given[p]}, request_id=f"r{p.start}") for p in parts]
    return b"".join(frame(log.SerializeToString()) for log in logs)


def description(result: Result, title: str) -> str:
    infos = [*result.proto.anomaly_info.values()]
    (info,) = [info for info in infos if info.short_description == title]
    return info.description


def test_floats_and_logits(run_executor: Run, digit_images: np.ndarray) -> None:
    spec = ModelSpec.from_record(DIGITS)
    scores = np.random.default_rng(1).normal(0, 3, (120, 10)).astype(np.float32)
    result = run_executor({"a": digit_span(digit_images.astype(np.float32) / 255, scores)}, spec=spec)
    assert result.found == {}
    assert len(result.rows) == 120
    row = result.rows["r40/3"]
    np.testing.assert_array_equal(decode(row["image"], 1), digit_images[43])
    np.testing.assert_array_equal(row["probabilities"], probabilities_of(scores[43:44], "logits", 10)[0])
    assert row["class_id"] == scores[43].argmax()
    assert set(row) == {"image", "id", "request_id", "model_name", "model_version", "timestamp", "sampling_rate",
                        "probabilities", "class_id", "confidence", "entropy", "margin"}  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "range_", "expected"),
    [
        (lambda x: x.astype(np.float32), [0, 1], {"Pixels scaled to 0..255"}),
        (lambda x: x, [0, 1], {"Pixels scaled to 0..255", "Wrong type of pixels"}),
        (lambda x: x / np.float32(127.5) - 1, [0, 1], {"Pixels scaled to -1..1"}),
        (lambda x: (x - np.float32(78)) / 96, {"mean": 33.3, "std": 78.6}, {"Pixels outside the model's range"}),
    ],
)
def test_another_scale_than_the_models_is_an_error(
    run_executor: Run, digit_images: np.ndarray, sent: Any, range_: Any, expected: set[str]
) -> None:
    spec = ModelSpec.from_record(DIGITS | {"image": DIGITS["image"] | {"range": range_}})
    result = run_executor({"a": digit_span(sent(digit_images))}, spec=spec)
    assert result.found == dict.fromkeys(expected, "ERROR")
    assert len(result.rows) == 120


def test_a_span_without_a_negative_value_is_not_of_a_model_that_takes_them(
    run_executor: Run, digit_images: np.ndarray
) -> None:
    """One image of 0..1 could be one of -1..1. A hundred are not."""
    spec = ModelSpec.from_record(DIGITS | {"image": DIGITS["image"] | {"range": [-1, 1]}})
    result = run_executor({"a": digit_span(digit_images / np.float32(255))}, spec=spec)
    assert result.found == {"Pixels scaled to 0..1": "ERROR"}
    text = description(result, "Pixels scaled to 0..1")
    assert text.endswith("the values of all 120 images lie in 0 to 1, where the model takes -1..1")
    assert run_executor({"a": digit_span(digit_images / np.float32(127.5) - 1)}, spec=spec).found == {}


def test_scores_of_another_kind_are_named_once(run_executor: Run, digit_images: np.ndarray) -> None:
    floats = digit_images / np.float32(255)
    as_probabilities = ModelSpec.from_record(DIGITS | {"outputs": {"scores": "dense_1", "kind": "probabilities"}})
    result = run_executor({"a": digit_span(floats)}, spec=as_probabilities)
    assert result.found == {"Unusable response": "ERROR"}
    text = description(result, "Unusable response")
    assert text.startswith("Unusable response: 120 of 120 images (100 %), such as r0/0: output 'dense_1' must be prob")
    assert text.endswith("these look like logits (120 of 120 rows have scores outside 0..1); say `kind: logits`")
    probabilities = probabilities_of(np.random.default_rng(1).normal(0, 3, (120, 10)), "logits", 10)
    result = run_executor({"a": digit_span(floats, probabilities)}, spec=ModelSpec.from_record(DIGITS))
    assert result.found == {"Scores of another kind": "ERROR"}
    assert "these are probabilities already" in description(result, "Scores of another kind")


def photo_span(images: tuple[np.ndarray, ...], scores: np.ndarray) -> bytes:
    files = np.array([encode(image, "JPEG") for image in images], object)
    logs = [
        make_log({"image_bytes": files[s : s + 10]}, {"flower": scores[s : s + 10]}, request_id=f"r{s}")
        for s in range(0, len(files), 10)
    ]
    return b"".join(frame(log.SerializeToString()) for log in logs)


def test_jpeg_files_of_any_size_and_one_sigmoid(run_executor: Run) -> None:
    found = crops(40, seed=3)
    scores = np.random.default_rng(0).random((40, 1)).astype(np.float32)
    result = run_executor({"a": photo_span(found.images, scores)}, spec=ModelSpec.from_record(PHOTOS))
    assert result.found == {}
    for number in (0, 17, 39):
        row = result.rows[f"r{number // 10 * 10}/{number % 10}"]
        assert row["image"] == encode(found.images[number], "JPEG")
        np.testing.assert_allclose(row["probabilities"], [1 - scores[number, 0], scores[number, 0]])
        assert row["class_id"] == int(scores[number, 0] > 0.5)


def test_red_and_blue_exchanged_in_files(run_executor: Run) -> None:
    found = crops(60, seed=4)
    means = np.concatenate([image.reshape(-1, 3) for image in found.images]).mean(axis=0)
    record = PHOTOS | {"image": PHOTOS["image"] | {"channel_means": means.tolist()}}
    scores = np.full((60, 1), 0.25, np.float32)
    for images, expected in (
        (found.images, {}),
        (tuple(image[..., ::-1] for image in found.images), {"Red and blue look swapped (BGR)": "ERROR"}),
    ):
        result = run_executor({"a": photo_span(images, scores)}, spec=ModelSpec.from_record(record))
        assert result.found == expected


def test_a_file_that_cannot_be_decoded_is_a_dead_letter(run_executor: Run) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "GIF")
    log = make_log({"image_bytes": np.array([stream.getvalue()], object)}, {"flower": [[0.5]]})
    result = run_executor({"a": frame(log.SerializeToString())}, spec=ModelSpec.from_record(PHOTOS))
    ((line, _),) = result.dead_letters
    assert line["images"][0]["problem"] == "bad_image"
    assert line["images"][0]["reason"].startswith("a string must be a PNG or JPEG file or a tf.Example, and one of ")
