"""Requests and responses in every encoding, and what the checks have to say about them."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import prediction_log_pb2

from components.common.model_spec import ModelSpec
from components.serving_log_example_gen.prediction_log import read_contents, read_origin
from components.serving_log_example_gen.problems import Problem
from components.serving_log_example_gen.record_kinds import parse_example, parse_log
from components.serving_log_example_gen.requests import Request, read_requests
from components.serving_log_example_gen.subsampling import ClientKey
from components.serving_log_writer.log_fields import CLIENT_ID
from tests.components.serving_log_example_gen.conftest import (
    SHAPE,
    SPEC,
    make_good_log,
    make_images,
    make_log,
    make_probabilities,
    png,
)
from tests.support.log_requests import read_request
from tests.support.specs import model_spec

IMAGES = make_images(3)
ANSWER = {"probabilities": make_probabilities(3)}
BEST = int(ANSWER["probabilities"][0].argmax())
EVERY_OUTPUT = model_spec(SHAPE, 3, embedding="embedding", class_id="class_id")
NAMED = model_spec(SHAPE, ["cat", "dog", "owl"])
SIZE = int(np.prod(SHAPE))


def read(log: Any, spec: ModelSpec = SPEC) -> Request:
    log = prediction_log_pb2.PredictionLog.FromString(log.SerializeToString())
    return read_request(log, read_origin(log), spec, b"part-0:5", parse_example)


def taking(dtype: str, **image: Any) -> ModelSpec:
    return model_spec(SHAPE, 3, image={"dtype": dtype} | image)


def problems(request: Request) -> set[Problem]:
    return {problem for _, problem, _ in request.flags}


def pixels(request: Request) -> np.ndarray:
    raw = [np.frombuffer(row.features["image"], np.uint8) for row in request.rows]  # type: ignore[arg-type]
    return np.stack(raw).reshape(-1, *SHAPE)


def make_example(**features: Any) -> tf.train.Example:
    kinds = {bytes: ("bytes_list", tf.train.BytesList), float: ("float_list", tf.train.FloatList)}
    built = {}
    for name, values in features.items():
        kind, message = kinds.get(type(values[0]), ("int64_list", tf.train.Int64List))
        built[name] = tf.train.Feature(**{kind: message(value=values)})
    return tf.train.Example(features=tf.train.Features(feature=built))


def classify_log(examples: list[Any], scores: Any = None, labels: list[str] | None = None, context: Any = None) -> Any:
    log = prediction_log_pb2.PredictionLog()
    given = log.classify_log.request.input
    if context is not None:
        given.example_list_with_context.context.CopyFrom(context)
    (given.example_list_with_context if context is not None else given.example_list).examples.extend(examples)
    for row in [] if scores is None else scores:
        found = log.classify_log.response.result.classifications.add()
        for label, score in zip(labels or [""] * len(row), row, strict=True):
            found.classes.add(label=label, score=score)
    return log


def by_values(images: np.ndarray, dtype: int) -> Any:
    """With the pixels in int_val or half_val, as clients in other languages send them."""
    proto = tf.make_tensor_proto(images.astype(np.uint8))
    proto.dtype, proto.tensor_content = dtype, b""
    if dtype in (tf.uint8.as_datatype_enum, tf.int32.as_datatype_enum, tf.int16.as_datatype_enum):
        proto.int_val.extend(images.ravel().tolist())
    else:
        bits = tf.cast(tf.constant(images), tf.as_dtype(dtype)).numpy().ravel().view(np.uint16)
        proto.half_val.extend(bits.astype(int).tolist())
    return proto


ENCODINGS = {
    "tensor_content": IMAGES,
    "int_val": by_values(IMAGES, tf.uint8.as_datatype_enum),
    "int16": by_values(IMAGES, tf.int16.as_datatype_enum),
    "int32": IMAGES.astype(np.int32),
    "int64": IMAGES.astype(np.int64),
    "float32": IMAGES.astype(np.float32) + 0.4,
    "float64": IMAGES.astype(np.float64),
    "float16": by_values(IMAGES, tf.float16.as_datatype_enum),
    "bfloat16": by_values(IMAGES, tf.bfloat16.as_datatype_enum),
    "png": [png(image) for image in IMAGES],
    "raw strings": [image.tobytes() for image in IMAGES],
    "examples in strings": [make_example(image=[i.tobytes()]).SerializeToString() for i in IMAGES],
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_the_same_pixels(encoding: str) -> None:
    log = make_log({"image": ENCODINGS[encoding]}, ANSWER)
    request = read(log)
    np.testing.assert_array_equal(pixels(request), IMAGES)
    assert problems(request) == set()
    of_that_type = encoding in ("tensor_content", "int_val")
    assert problems(read(log, taking("uint8"))) == (set() if of_that_type else {Problem.WRONG_DTYPE})
    assert request.images == 3
    assert not request.broken


def test_expected_dtype_is_no_problem() -> None:
    request = read(make_log({"image": IMAGES.astype(np.float32)}, ANSWER), taking("float32"))
    assert problems(request) == set()
    assert problems(read(make_log({"image": IMAGES}, ANSWER), taking("float32"))) == {Problem.WRONG_DTYPE}


def test_jpeg_is_what_pillow_decodes() -> None:
    smooth = np.full((1, *SHAPE), 120, np.uint8)
    request = read(make_log({"image": [png(smooth[0], "JPEG")]}, {"probabilities": make_probabilities(1)}))
    assert np.abs(pixels(request).astype(int) - 120).max() <= 3


def test_missing_batch_dimension() -> None:
    spec = model_spec(SHAPE, 3, class_id="class_id")
    request = read(
        make_log({"image": IMAGES[0]}, {"probabilities": ANSWER["probabilities"][0], "class_id": BEST}), spec
    )
    np.testing.assert_array_equal(pixels(request), IMAGES[:1])
    assert request.rows[0].features["class_id"] == BEST
    np.testing.assert_array_equal(request.rows[0].features["probabilities"], ANSWER["probabilities"][0])
    assert not request.flags


def test_features_of_a_row() -> None:
    p = np.array([[0.5, 0.25, 0.25], [0, 1, 0]], np.float32)
    embedding = np.array([[1, 2], [3, 4]], np.float32)
    log = make_log({"image": IMAGES[:2]}, {"probabilities": p, "embedding": embedding}, request_id="abc", rate=0.25)
    first, second = (row.features for row in read(log, model_spec(SHAPE, 3, embedding="embedding")).rows)
    assert {k: v for k, v in first.items() if k not in ("image", "probabilities", "embedding")} == {
        "id": b"abc/0",
        "request_id": b"abc",
        "model_name": b"classifier",
        "model_version": 7,
        "timestamp": 1_700_000_000,
        "sampling_rate": 0.25,
        "class_id": 0,
        "confidence": 0.5,
        "entropy": 1.5,
        "margin": 0.25,
    }
    assert (second["id"], second["class_id"], second["entropy"], second["margin"]) == (b"abc/1", 1, 0.0, 1.0)
    np.testing.assert_array_equal(second["embedding"], [3, 4])


def test_what_the_log_does_not_say_is_absent() -> None:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.CopyFrom(make_log({"image": IMAGES}, ANSWER).predict_log)
    features = read(log).rows[1].features
    assert features["id"] == b"part-0:5/1"
    assert not {"model_name", "model_version", "timestamp", "sampling_rate", "embedding"} & set(features)


@pytest.mark.parametrize(
    ("request_id", "ids"),
    [
        ("r", [b"r/0", b"r/1", b"r/2"]),
        (["a", "b", "c"], [b"a/0", b"b/1", b"c/2"]),
        (["a", "b"], [b"a/0", b"a/1", b"a/2"]),
        ("", [b"part-0:5/0", b"part-0:5/1", b"part-0:5/2"]),
        ("x" * 300, [b"part-0:5/0", b"part-0:5/1", b"part-0:5/2"]),
        (5, [b"part-0:5/0", b"part-0:5/1", b"part-0:5/2"]),
    ],
)
def test_ids(request_id: Any, ids: list[bytes]) -> None:
    request = read(make_log({"image": IMAGES}, ANSWER, request_id=request_id))
    assert [row.id for row in request.rows] == ids
    assert [row.features["id"] for row in request.rows] == ids


def test_version_comes_from_the_response_first() -> None:
    log = make_log({"image": IMAGES}, ANSWER, version=None)
    assert read(log).origin.model_version is None
    log.predict_log.request.model_spec.version.value = 3
    assert read(log).origin.model_version == 3
    log.predict_log.response.model_spec.version.value = 0
    assert read(log).origin.model_version == 0


@pytest.mark.parametrize(
    ("scale", "problem"),
    [
        (lambda x: x / 255, Problem.SCALED_TO_1),
        (lambda x: x / 127.5 - 1, Problem.SCALED_SIGNED),
        (lambda x: (x - 120) / 64, Problem.STANDARDISED),
        (lambda x: x - 120, Problem.OUT_OF_RANGE),
        (lambda x: x * 2, Problem.OUT_OF_RANGE),
    ],
)
def test_scales_of_floats(scale: Any, problem: Problem) -> None:
    scaled = scale(IMAGES.astype(np.float32))
    request = read(make_log({"image": scaled}, ANSWER), taking("float32"))
    assert {(row, found) for row, found, _ in request.flags} == {(row, problem) for row in range(3)}
    # what the model saw: 0..1 pixels are black to a model that takes 0..255
    np.testing.assert_array_equal(pixels(request), np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def test_scale_of_bytes_and_black_images() -> None:
    images = IMAGES.copy()
    images[0], images[1] = images[0] // 255, 0
    request = read(make_log({"image": images}, ANSWER))
    assert [(row, problem) for row, problem, _ in request.flags] == [(0, Problem.SCALED_TO_1)]
    assert len(request.rows) == 3


def test_nan_is_one_broken_image() -> None:
    images = IMAGES.astype(np.float32)
    images[1, 0, 0, 0] = np.nan
    images[2, 0, 0, 0] = np.inf
    request = read(make_log({"image": images}, ANSWER), taking("float32"))
    assert [row.number for row in request.rows] == [0]
    assert [(row, problem) for row, problem, _ in request.broken] == [(1, Problem.NOT_FINITE), (2, Problem.NOT_FINITE)]
    np.testing.assert_array_equal(request.rows[0].features["probabilities"], ANSWER["probabilities"][0])


def spoiled_png() -> bytes:
    return png(IMAGES[0])[:-30]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"image": IMAGES.transpose(0, 3, 1, 2)}, Problem.CHANNELS_FIRST),
        ({"image": IMAGES[0].transpose(2, 0, 1)}, Problem.WRONG_SHAPE),
        ({"image": IMAGES[:, :3]}, Problem.WRONG_SHAPE),
        ({"image": IMAGES.reshape(6, -1)}, Problem.WRONG_SHAPE),
        ({"image": IMAGES[np.newaxis]}, Problem.WRONG_SHAPE),
        ({"image": IMAGES[:0]}, Problem.NO_IMAGE),
        ({"picture": IMAGES}, Problem.NO_IMAGE),
        ({}, Problem.NO_IMAGE),
        ({"image": tf.make_tensor_proto([], tf.string)}, Problem.NO_IMAGE),
        ({"image": [spoiled_png()]}, Problem.BAD_IMAGE),
        ({"image": [png(IMAGES[0, :3])]}, Problem.BAD_IMAGE),
        ({"image": [b"hello"]}, Problem.BAD_IMAGE),
        ({"image": [b""]}, Problem.BAD_IMAGE),
        ({"examples": [make_example(label=[1]).SerializeToString()]}, Problem.BAD_IMAGE),
        ({"examples": [make_example(image=[0.5] * (SIZE - 1)).SerializeToString()]}, Problem.BAD_IMAGE),
        ({"examples": [b"\xff\xff"]}, Problem.BAD_IMAGE),
        ({"image": IMAGES.astype(np.complex64)}, Problem.BAD_TENSOR),
    ],
)
def test_requests_without_a_readable_image(inputs: dict[str, Any], problem: Problem) -> None:
    request = read(make_log(inputs, ANSWER))
    assert not request.rows
    assert problem in problems(request)
    assert {found for _, found, _ in request.broken} == {problem}
    assert request.images == sum(row is not None for row, _, _ in request.broken)


def test_other_kinds_of_logs() -> None:
    log = prediction_log_pb2.PredictionLog()
    assert [problem for _, problem, _ in read(log).broken] == [Problem.NOT_A_LOG]
    for kind in ("regress_log", "session_run_log", "multi_inference_log", "predict_streamed_log"):
        getattr(log, kind).SetInParent()
        assert [problem for _, problem, _ in read(log).broken] == [Problem.UNSUPPORTED_LOG]


def test_one_bad_png_of_three() -> None:
    request = read(make_log({"image": [png(IMAGES[0]), spoiled_png(), png(IMAGES[2])]}, ANSWER))
    assert [row.number for row in request.rows] == [0, 2]
    assert [row for row, _, _ in request.broken] == [1]
    np.testing.assert_array_equal(request.rows[1].features["probabilities"], ANSWER["probabilities"][2])


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ({}, Problem.MISSING_RESPONSE),
        ({"scores": np.ones((3, 2), np.float32)}, Problem.BAD_RESPONSE),
        ({"probabilities": make_probabilities(2)}, Problem.RESPONSE_ROWS),
        ({"probabilities": make_probabilities(3), "embedding": np.ones((2, 4), np.float32)}, Problem.RESPONSE_ROWS),
        ({"probabilities": np.ones((3, 3), np.float32)}, Problem.BAD_RESPONSE),
        ({"probabilities": np.full((3, 3), np.nan, np.float32)}, Problem.BAD_RESPONSE),
        ({"probabilities": np.full((3, 3), 1e300)}, Problem.BAD_RESPONSE),
        ({"probabilities": [[1.5, -0.5, 0]] * 3}, Problem.BAD_RESPONSE),
        ({"probabilities": np.ones((3, 1), np.float32)}, Problem.BAD_RESPONSE),
        ({"probabilities": make_probabilities(3, 4)}, Problem.BAD_RESPONSE),
        ({"probabilities": np.ones((3, 2, 2), np.float32)}, Problem.BAD_RESPONSE),
        ({"probabilities": ["a", "b", "c"]}, Problem.BAD_RESPONSE),
        ({"class_id": [0.5, 1, 2]}, Problem.BAD_RESPONSE),
        ({"class_id": [-1, -1, -1]}, Problem.BAD_RESPONSE),
        ({"class_id": [3, 4, 3]}, Problem.BAD_RESPONSE),
        ({"probabilities": make_probabilities(3), "embedding": np.full((3, 2), np.inf)}, Problem.BAD_RESPONSE),
    ],
)
def test_rows_without_predictions(outputs: dict[str, Any], problem: Problem) -> None:
    request = read(make_log({"image": IMAGES}, outputs), EVERY_OUTPUT)
    flags = [(row, found) for row, found, _ in request.flags if found is not Problem.MISSING_OUTPUT]
    assert flags == [(row, problem) for row in range(3)]
    assert len(request.rows) == 3
    for row in request.rows:
        assert not {"probabilities", "class_id", "confidence", "entropy", "margin", "embedding"} & set(row.features)


def test_one_unusable_answer_of_three() -> None:
    p = make_probabilities(3)
    p[1] = np.nan
    request = read(make_log({"image": IMAGES}, {"probabilities": p}))
    assert [(row, found) for row, found, _ in request.flags] == [(1, Problem.BAD_RESPONSE)]
    assert ["confidence" in row.features for row in request.rows] == [True, False, True]


def test_class_ids_alone_and_names_of_outputs() -> None:
    spec = model_spec(SHAPE, 3, scores="softmax", class_id="best")
    request = read(make_log({"image": IMAGES}, {"best": [[2], [0], [1]]}), spec)
    assert [row.features["class_id"] for row in request.rows] == [2, 0, 1]
    assert {(problem, found) for _, problem, found in request.flags} == {
        (Problem.MISSING_OUTPUT, "the response must have the output 'softmax', too, and has ['best']")
    }
    request = read(make_log({"image": IMAGES}, {"softmax": ANSWER["probabilities"]}), spec)
    assert [row.features["class_id"] for row in request.rows] == ANSWER["probabilities"].argmax(axis=1).tolist()
    assert not request.flags
    request = read(
        make_log({"image": IMAGES}, {"softmax": ANSWER["probabilities"]}), model_spec(SHAPE, 3, scores="softmax")
    )
    assert not request.flags


def test_grey_images() -> None:
    grey = make_images(2, (4, 5, 1))
    for inputs in (grey, [png(image) for image in grey]):
        request = read(make_log({"image": inputs}, {"probabilities": make_probabilities(2)}), model_spec((4, 5, 1), 3))
        assert [row.features["image"] for row in request.rows] == [image.tobytes() for image in grey]


def accounted_for(request: Request) -> bool:
    """Every image is a row or broken, or the request as a whole is broken."""
    rows, broken = [row.number for row in request.rows], [row for row, _, _ in request.broken]
    if broken == [None]:
        return not rows and request.images == 0
    return sorted(rows + broken) == list(range(request.images)) and request.images > 0


SERIALISED = [
    make_log({"image": value}, ANSWER, request_id="r").SerializeToString() for value in ENCODINGS.values()
] + [classify_log([make_example(image=[IMAGES[0].tobytes()])], [[0.5, 0.25, 0.25]]).SerializeToString()]


@given(st.data())
@settings(max_examples=300)
def test_flipped_bytes_never_crash_and_always_add_up(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SERIALISED)))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    log = parse_log(bytes(content))
    if log is not None:
        assert accounted_for(read_request(log, read_origin(log), SPEC, b"f:0", parse_example))


TENSORS = st.fixed_dictionaries(
    {"dtype": st.integers(-3, 130), "shape": st.lists(st.integers(-2, 2**62) | st.sampled_from(SHAPE), max_size=5)},
    optional={
        "tensor_content": st.binary(max_size=2 * SIZE) | st.just(bytes(SIZE)) | st.just(b"\xff" * (4 * SIZE)),
        "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "half_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "float_val": st.lists(st.floats(width=32), max_size=4),
        "double_val": st.lists(st.floats(), max_size=4),
        "uint64_val": st.lists(st.integers(0, 2**64 - 1), max_size=4),
        "string_val": st.lists(st.binary(max_size=9) | st.just(png(IMAGES[0])), max_size=4),
    },
)


@given(
    st.dictionaries(st.sampled_from(["image", "examples", "log/request_id", "x"]), TENSORS),
    st.dictionaries(st.sampled_from(["probabilities", "class_id", "embedding"]), TENSORS),
    st.sampled_from([SHAPE, (1, 1, 1)]),
)
@settings(max_examples=400)
def test_adversarial_tensors_never_crash_and_always_add_up(inputs: Any, outputs: Any, shape: Any) -> None:
    log = prediction_log_pb2.PredictionLog()
    for fields, tensors in ((log.predict_log.request.inputs, inputs), (log.predict_log.response.outputs, outputs)):
        for name, tensor in tensors.items():
            for field, value in tensor.items():
                if field == "shape":
                    for size in value:
                        fields[name].tensor_shape.dim.add(size=size)
                elif field in ("dtype", "tensor_content"):
                    setattr(fields[name], field, value)
                else:
                    getattr(fields[name], field).extend(value)
    assert accounted_for(read(log, model_spec(shape, 3, embedding="embedding", class_id="class_id")))


def test_the_client_of_a_classify_request() -> None:
    example = make_example(image=[IMAGES[0].tobytes()])
    log = classify_log([example] * 2, context=make_example(**{CLIENT_ID: [b"a", b"b"]}))
    request = read_request(log, read_origin(log), SPEC, b"f:0", parse_example, client_field=CLIENT_ID)
    key = ClientKey.parse("client")
    assert [request.client(row, key) for row in range(2)] == [b"a", b"b"]
    assert not read(log, SPEC).client_ids  # nobody asked


def test_a_file_name_names_no_client() -> None:
    """An id that is made of the file's name has a prefix too, which would make all its requests one client's."""
    request = read(make_good_log(1))
    assert request.client(0, ClientKey.parse("client:prefix:-")) == b""


@pytest.mark.parametrize("first", [0, 1])
def test_class_ids_are_held_against_the_probabilities(first: int) -> None:
    spec = model_spec(SHAPE, 3, class_id="class_id", class_id_from=first)
    best = ANSWER["probabilities"].argmax(axis=1)
    log = make_log({"image": IMAGES}, {**ANSWER, "class_id": best + 1})
    together = read_requests([read_contents(log, read_origin(log), spec, b"f:0", parse_example)], spec)
    (request,), numbering = together.requests, together.numbering
    if first:
        assert not request.flags
        assert [row.features["class_id"] for row in request.rows] == best.tolist()
        return
    unusable = {row for row, problem, _ in request.flags if problem is Problem.BAD_RESPONSE}
    other = {row for row, problem, _ in request.flags if problem is Problem.OTHER_CLASS}
    assert unusable == set(np.flatnonzero(best == 2).tolist())
    assert other == set(range(3)) - unusable
    assert numbering.one_less == numbering.labelled == 3
