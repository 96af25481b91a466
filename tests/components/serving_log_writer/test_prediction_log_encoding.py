"""Every record is parsed with the real protobuf classes."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_log_pb2

from components.common.errors import MonitorError
from components.serving_log_writer.log_fields import CLIENT_ID, REQUEST_ID
from components.serving_log_writer.prediction_log_encoding import (
    ServedModel,
    classify_log,
    classify_log_of_bytes,
    metadata,
    predict_log,
    predict_log_of_bytes,
    sampling_rate,
)

MODEL = ServedModel("classifier", 1_795_492_524)
NUMBERS = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")


def parse(data):
    return prediction_log_pb2.PredictionLog.FromString(data)


def sent(value):
    """What arrives when `value` is logged, once as an input and once as an output."""
    log = parse(predict_log(MODEL, {"x": value}, {"y": value})).predict_log
    there, back = tf.make_ndarray(log.request.inputs["x"]), tf.make_ndarray(log.response.outputs["y"])
    np.testing.assert_array_equal(there, back)
    return there


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2, 3, 4), (300, 1)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_arrive_bit_by_bit(kind, shape, order):
    bits = np.random.default_rng(3).integers(0, 100, shape)
    value = np.asarray(bits % 2 if kind == "?" else bits).astype(np.dtype(kind).newbyteorder(order))
    found = sent(value)
    assert found.dtype == np.dtype(kind)
    assert found.shape == shape
    np.testing.assert_array_equal(found, value)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=5)))
def test_floats_arrive_bit_by_bit(value):
    assert sent(value).tobytes() == value.tobytes()  # NaN and -0.0 too


def test_bfloat16():
    value = tf.cast([1.5, -2.0], tf.bfloat16).numpy()
    assert sent(value).dtype == value.dtype
    np.testing.assert_array_equal(sent(value), value)


def test_arrays_that_are_not_contiguous():
    value = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)[:, ::-1, ::2]
    np.testing.assert_array_equal(sent(value), value)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_bytes_keep_their_zeros(values):
    # an empty list has no type, so it has to come as an array
    found = sent(values if values else np.array([], object))
    assert found.ravel().tolist() == values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a\0", b"a\0"),
        ("ä", "ä".encode()),
        ([["a", "b"]], [[b"a", b"b"]]),
        (np.array([b"a", b"bc"]), [b"a", b"bc"]),
        (np.array(["ä", "b"]), ["ä".encode(), b"b"]),
        (tf.constant([b"a"]), [b"a"]),
        (tf.constant([1, 2]), [1, 2]),
        ([0.5, 1], [0.5, 1]),
    ],
)
def test_what_numpy_makes_arrays_of(value, expected):
    assert sent(value).tolist() == expected


@given(st.integers(0, 2**63 - 1), st.integers(-(2**40), 2**40), st.floats(0, 1, exclude_min=True))
def test_metadata(version, timestamp, rate):
    model = ServedModel("ein modèle", version, "other")
    log = parse(metadata(model, timestamp) + predict_log(model, {}, {}) + sampling_rate(rate))
    assert log.log_metadata.timestamp_secs == timestamp
    assert log.log_metadata.sampling_config.sampling_rate == rate
    for spec in (log.log_metadata.model_spec, log.predict_log.request.model_spec, log.predict_log.response.model_spec):
        assert (spec.name, spec.version.value, spec.signature_name) == ("ein modèle", version, "other")


def test_a_version_that_is_not_known_is_left_out():
    log = parse(metadata(ServedModel("m"), 1))
    assert not log.log_metadata.model_spec.HasField("version")
    assert parse(metadata(ServedModel("m", 0), 1)).log_metadata.model_spec.HasField("version")


@pytest.mark.parametrize(("request_id", "expected"), [("a-1", b"a-1"), (["a", "b"], [b"a", b"b"])])
def test_request_and_client_ids_are_string_tensors(request_id, expected):
    log = parse(predict_log(MODEL, {"x": [1, 2]}, {}, request_id))
    assert tf.make_ndarray(log.predict_log.request.inputs[REQUEST_ID]).tolist() == expected
    assert CLIENT_ID not in log.predict_log.request.inputs
    log = parse(predict_log(MODEL, {"x": [1, 2]}, {}, client_id=request_id))
    assert tf.make_ndarray(log.predict_log.request.inputs[CLIENT_ID]).tolist() == expected
    assert REQUEST_ID not in log.predict_log.request.inputs


@pytest.mark.parametrize(
    ("make", "expected_error"),
    [
        (lambda: predict_log(MODEL, {"x": np.array(["2026"], "datetime64[Y]")}, {}), "`tensor x` must be of a type"),
        (lambda: predict_log(MODEL, {"x": [object()]}, {}), "`tensor x` must hold numbers, str or bytes.*object"),
        (lambda: predict_log(MODEL, {REQUEST_ID: "a"}, {}), "`inputs` must leave log/request_id to `request_id`"),
        (lambda: predict_log(MODEL, {CLIENT_ID: "a"}, {}), "`inputs` must leave log/client_id to `client_id`"),
        (lambda: ServedModel(""), "`model.name` must not be empty"),
        (lambda: ServedModel("m", -1), "`model.version` must be 0 or more, or None. Received: -1"),
    ],
)
def test_refuses_what_cannot_be_logged(make, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        make()


def test_the_bytes_of_a_predict_request_become_its_log():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(np.arange(6, dtype=np.uint8).reshape(1, 6)))
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 7
    response.outputs["p"].CopyFrom(tf.make_tensor_proto([[0.5, 0.5]]))
    sent = request.SerializeToString(), response.SerializeToString()
    log = parse(predict_log_of_bytes(*sent, "5f1c", "cam")).predict_log
    assert log.response == response
    ids = {name: list(log.request.inputs[name].string_val) for name in (REQUEST_ID, CLIENT_ID)}
    assert ids == {REQUEST_ID: [b"5f1c"], CLIENT_ID: [b"cam"]}
    for name in ids:
        del log.request.inputs[name]
    assert log.request == request
    assert parse(predict_log_of_bytes(*sent, None, None)).predict_log.request == request


def test_a_classify_request_of_features_becomes_its_log():
    examples = [{"image": [b"\x00\xff", b""], "n": [1, -2, 1 << 40]}, {"x": [0.5, -1.0], "none": []}]
    classes = [[("cat", 0.75), ("dog", 0.25)], [("", -1.5)]]
    told = classify_log(MODEL, examples, classes, {"who": [b"me"]}, request_id="5f1c", client_id="cam")
    log = parse(told).classify_log
    given = log.request.input.example_list_with_context
    first, second = (each.features.feature for each in given.examples)
    assert list(first["image"].bytes_list.value) == [b"\x00\xff", b""]
    assert list(first["n"].int64_list.value) == [1, -2, 1 << 40]
    assert list(second["x"].float_list.value) == [0.5, -1.0]
    assert list(second["none"].bytes_list.value) == []
    context = given.context.features.feature
    held = {name: list(context[name].bytes_list.value) for name in context}
    assert held == {"who": [b"me"], REQUEST_ID: [b"5f1c"], CLIENT_ID: [b"cam"]}
    rows = log.response.result.classifications
    assert [[(each.label, each.score) for each in row.classes] for row in rows] == classes
    assert (log.request.model_spec, log.response.model_spec.version.value) == (log.response.model_spec, MODEL.version)


def test_the_bytes_of_a_classify_request_become_its_log():
    request = classification_pb2.ClassificationRequest()
    example = request.input.example_list_with_context.examples.add()
    example.features.feature["image"].bytes_list.value.append(b"x")
    request.input.example_list_with_context.context.features.feature["who"].bytes_list.value.append(b"me")
    response = classification_pb2.ClassificationResponse()
    response.result.classifications.add().classes.add(label="cat", score=0.5)
    log = parse(classify_log_of_bytes(request.SerializeToString(), response.SerializeToString(), "5f1c", None))
    context = log.classify_log.request.input.example_list_with_context.context.features.feature
    assert list(context[REQUEST_ID].bytes_list.value) == [b"5f1c"]
    del context[REQUEST_ID]
    assert (log.classify_log.request, log.classify_log.response) == (request, response)
