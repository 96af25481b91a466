"""The outline says what the whole reader says, of records that TensorFlow Serving's own messages wrote."""

from typing import Any

import numpy as np
import pytest
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import prediction_log_pb2

from components.serving_log_example_gen.outline import outline
from components.serving_log_example_gen.prediction_log import read_origin
from components.serving_log_example_gen.record_kinds import parse_example, parse_log
from tests.components.serving_log_example_gen.conftest import SPEC, make_good_log, make_images, make_log, png
from tests.support.log_requests import read_request


def classify_log(count: int, *, with_context: bool) -> Any:
    log = prediction_log_pb2.PredictionLog()
    given = log.classify_log.request.input
    examples = given.example_list_with_context if with_context else given.example_list
    for _ in range(count):
        example = example_pb2.Example()
        example.features.feature[SPEC.image.feature].bytes_list.value.append(png(make_images(1)[0]))
        examples.examples.append(example)
    log.classify_log.response.model_spec.version.value = 9
    return log


def logs() -> dict[str, Any]:
    streamed = prediction_log_pb2.PredictionLog()
    streamed.predict_streamed_log.SetInParent()
    return {
        "rows": make_good_log(3),
        "metadata": make_good_log(2, timestamp=1_795_700_000, version=None, rate=0.0),
        "one image": make_log({SPEC.image.input: make_images(1)[0]}, {}),
        "strings": make_log({SPEC.image.input: np.array([png(each) for each in make_images(4)], object)}, {}),
        "wrong shape": make_log({SPEC.image.input: np.zeros((2, 3))}, {}),
        "no image": make_log({"other": np.zeros(3)}, {}),
        "classify": classify_log(3, with_context=False),
        "classify with context": classify_log(2, with_context=True),
        "classify nothing": classify_log(0, with_context=False),
        "nothing": prediction_log_pb2.PredictionLog(),
        "streamed": streamed,
    }


@pytest.mark.parametrize("name", logs())
def test_it_says_what_the_reader_says(name):
    log = logs()[name]
    found = outline(log.SerializeToString(), SPEC.image)
    request = read_request(log, read_origin(log), SPEC, b"x", parse_example)
    assert found is not None
    assert (found.images, found.origin) == (request.images, request.origin)


@pytest.mark.parametrize("record", [b"\xff" * 9, make_good_log().SerializeToString()[:-3], b"\x0b", b"\x0a\x05\xff"])
def test_what_is_no_log_for_the_reader_is_none(record):
    assert parse_log(record) is None
    assert outline(record, SPEC.image) is None


def test_a_shape_that_promises_too_much_counts_for_nothing():
    log = make_good_log(1)
    log.predict_log.request.inputs[SPEC.image.input].tensor_shape.dim[0].size = 1 << 40
    found = outline(log.SerializeToString(), SPEC.image)
    assert found is not None
    assert found.images == 0
