"""Logs of models that take other ranges, sizes and types than most, and answer with other scores than probabilities."""

from typing import Any

import numpy as np
import pytest

from components.common.class_scores import probabilities_of
from components.common.image_files import decode
from components.common.model_spec import ModelSpec
from components.serving_log_example_gen.problems import Problem
from tests.components.serving_log_example_gen.conftest import make_images, make_log, make_probabilities, png
from tests.components.serving_log_example_gen.test_prediction_log import classify_log, make_example, problems, read
from tests.support.specs import model_spec

GREY = (6, 7, 1)
DIGITS = make_images(3, GREY)
COLOUR = (6, 7, 3)
IMAGES = make_images(3, COLOUR)
ANSWER = {"probabilities": make_probabilities(3, 2)}
MEAN = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}


def spec(shape: Any = COLOUR, classes: Any = 2, *, image: dict[str, Any] | None = None, **outputs: Any) -> ModelSpec:
    return model_spec(shape, classes, image=image, **outputs)


def stored(request: Any, shape: Any = COLOUR) -> np.ndarray:
    raw = [np.frombuffer(row.features["image"], np.uint8) for row in request.rows]
    return np.stack(raw).reshape(-1, *shape)


@pytest.mark.parametrize("setting", [[0, 1], [-1, 1], [0, 255], MEAN, [-128, 127]], ids=str)
def test_numbers_in_the_models_range_are_brought_back_to_pixels(setting: Any) -> None:
    taking = spec(image={"range": setting})
    request = read(make_log({"image": taking.image.range.to_model(IMAGES)}, ANSWER), taking)
    assert not request.flags
    np.testing.assert_array_equal(stored(request), IMAGES)


@pytest.mark.parametrize(
    ("setting", "sent", "problem", "words"),
    [
        ([0, 1], lambda x: x, Problem.SCALED_TO_255, "float32 values 0 to 255, where the model takes 0..1"),
        ([0, 1], lambda x: x / 127.5 - 1, Problem.SCALED_SIGNED, "float32 values -1 to 1, where the model takes 0..1"),
        ([0, 1], lambda x: x * 2, Problem.OUT_OF_RANGE, "float32 values 0 to 510, where the model takes 0..1"),
        ([-1, 1], lambda x: x, Problem.SCALED_TO_255, "float32 values 0 to 255, where the model takes -1..1"),
        ([-1, 1], lambda x: (x - 120) / 64, Problem.STANDARDISED, "where the model takes -1..1"),
        ([0, 255], lambda x: x / 255, Problem.SCALED_TO_1, "float32 values 0 to 1, where the model takes 0..255"),
        (
            MEAN,
            lambda x: x,
            Problem.SCALED_TO_255,
            "where the model takes mean 123.675, 116.28, 103.53 and standard deviation",
        ),
    ],
)
def test_leaving_the_models_range_is_named_as_the_scale_that_came(
    setting: Any, sent: Any, problem: Problem, words: str
) -> None:
    request = read(make_log({"image": sent(IMAGES.astype(np.float32))}, ANSWER), spec(image={"range": setting}))
    assert [(row, found) for row, found, _ in request.flags] == [(row, problem) for row in range(3)]
    assert all(words in found for _, _, found in request.flags)
    assert len(request.rows) == 3


@pytest.mark.parametrize(
    "given",
    [DIGITS, DIGITS[..., 0], DIGITS.reshape(3, -1), [png(image) for image in DIGITS]],
    ids=["4", "3", "2", "png"],
)
def test_grey_images_with_and_without_their_axes(given: Any) -> None:
    request = read(make_log({"image": given}, ANSWER), spec(GREY))
    assert not request.flags
    np.testing.assert_array_equal(stored(request, GREY), DIGITS)


def test_numbers_become_png_files_where_images_are_files() -> None:
    taking = spec(GREY, image={"format": "encoded", "range": [0, 1]})
    request = read(make_log({"image": DIGITS.astype(np.float32) / 255}, ANSWER), taking)
    assert not request.flags
    for row, image in zip(request.rows, DIGITS, strict=True):
        np.testing.assert_array_equal(decode(row.features["image"], 1), image)  # type: ignore[arg-type]


def test_files_stay_as_they_were_sent_whatever_their_size() -> None:
    files = [png(make_images(1, shape)[0], kind) for shape, kind in (((48, 60, 3), "JPEG"), ((128, 50, 3), "PNG"))]
    taking = spec(image={"format": "encoded", "size": None, "dtype": "string"})
    request = read(make_log({"image": [*files, b"\xff\xd8\xff broken"]}, ANSWER), taking)
    assert [row.features["image"] for row in request.rows] == files
    assert problems(request) == {Problem.BAD_IMAGE}
    assert [row for row, _, _ in request.broken] == [2]


def test_images_of_any_size_come_as_numbers_too() -> None:
    taking = spec(image={"format": "encoded", "size": None, "range": [0, 1]})
    image = make_images(2, (9, 8, 3))
    request = read(make_log({"image": image / np.float32(255)}, {"probabilities": make_probabilities(2, 2)}), taking)
    assert not request.flags
    np.testing.assert_array_equal(decode(request.rows[1].features["image"], 3), image[1])  # type: ignore[arg-type]


def test_a_string_input_may_hold_examples_with_the_specs_feature() -> None:
    taking = spec(image={"feature": "photo/jpeg", "format": "encoded", "input": "serialised"})
    examples = [make_example(**{"photo/jpeg": [png(image)]}).SerializeToString() for image in IMAGES]
    for name in ("serialised", "examples"):
        request = read(make_log({name: examples}, ANSWER), taking)
        assert not request.flags
        assert [row.features["image"] for row in request.rows] == [png(image) for image in IMAGES]
    other = make_example(image=[b"x"]).SerializeToString()
    assert read(make_log({"serialised": [other]}), taking).broken == [
        (0, Problem.BAD_IMAGE, "the tf.Example must have the feature 'photo/jpeg', and has ['image']")
    ]


@pytest.mark.parametrize(
    ("inputs", "problem", "words"),
    [
        (
            {"picture": IMAGES, "flag": [1]},
            Problem.NO_IMAGE,
            "the request must have the input 'image', and has ['flag', 'picture']",
        ),
        (
            {"image": IMAGES[:, :3]},
            Problem.WRONG_SHAPE,
            "input 'image' must have the shape [batch, 6, 7, 3] or [batch, 126], and has [3, 3, 7, 3]",
        ),
        ({"image": IMAGES, "right": IMAGES}, Problem.SEVERAL_IMAGES, "beside 'image' the request has 'right'"),
        ({"image": [png(IMAGES[0, :3])]}, Problem.BAD_IMAGE, "the image is 3 x 7, not 6 x 7"),
        (
            {"image": [b"abc"]},
            Problem.BAD_IMAGE,
            "a string must be a PNG or JPEG file, 126 raw bytes or a tf.Example, ",
        ),
    ],
)
def test_a_problem_says_what_was_wanted_and_what_came(inputs: dict[str, Any], problem: Problem, words: str) -> None:
    request = read(make_log(inputs, ANSWER), spec())
    assert not request.rows
    assert {found for _, found, _ in request.broken} == {problem}
    assert request.broken[0][2].startswith(words)


def test_another_input_that_is_no_image_does_no_harm() -> None:
    inputs = {"image": IMAGES, "temperature": np.ones((3, 1), np.float32), "crop": np.ones((3, 2, 2), np.float32)}
    assert not read(make_log(inputs, ANSWER), spec()).flags


def test_the_type_is_checked_where_the_spec_gives_it() -> None:
    floats, files = IMAGES.astype(np.float32), [png(image) for image in IMAGES]
    assert not read(make_log({"image": floats}, ANSWER), spec(image={"dtype": "float32"})).flags
    for given, came in ((floats, "float32"), (files, "string")):
        request = read(make_log({"image": given}, ANSWER), spec(image={"dtype": "uint8"}))
        assert {found for _, _, found in request.flags} == {f"input 'image' must be uint8, and is {came}"}
        assert len(request.rows) == 3


SCORES = "probabilities"
LOGITS = np.array([[2.0, -1.0, 0.5], [30, 0, -30], [-4, -4, -4]], np.float32)


@pytest.mark.parametrize(
    ("classes", "kind", "scores"),
    [
        (3, "logits", LOGITS),
        (2, "logits", LOGITS[:, :2]),
        (2, "logits", LOGITS[:, :1]),
        (2, "logits", LOGITS[:, 0]),
        (2, "sigmoid", np.array([[0.25], [1.0], [0.0]], np.float32)),
        (2, "sigmoid", np.array([0.25, 1.0, 0.0], np.float32)),
        (1000, "logits", np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)),
    ],
)
def test_other_scores_become_probabilities(classes: int, kind: str, scores: np.ndarray) -> None:
    request = read(make_log({"image": IMAGES}, {"dense_1": scores}), spec(classes=classes, scores="dense_1", kind=kind))
    assert not request.flags
    expected = probabilities_of(scores, kind, classes)
    np.testing.assert_array_equal(np.stack([row.features["probabilities"] for row in request.rows]), expected)
    assert [row.features["class_id"] for row in request.rows] == expected.argmax(axis=1).tolist()
    assert request.outputs == (classes, 0)


def test_a_single_image_gets_a_single_sigmoid() -> None:
    for scores in (np.float32(0.75), np.array([0.75], np.float32), np.array([[0.75]], np.float32)):
        request = read(make_log({"image": IMAGES[0]}, {"probabilities": scores}), spec(kind="sigmoid"))
        assert not request.flags
        np.testing.assert_allclose(request.rows[0].features["probabilities"], [0.25, 0.75])


@pytest.mark.parametrize(
    ("kind", "outputs", "words"),
    [
        ("probabilities", {SCORES: [[3.0, -1.0]] * 3}, "must be probabilities, which add up to 1, and is 3, -1"),
        ("sigmoid", {SCORES: [[3.0]] * 3}, "must be a sigmoid's, 0 to 1, and is 3"),
        ("logits", {SCORES: [[np.nan, 0]] * 3}, "must be logits, finite numbers, and is nan, 0"),
        (
            "probabilities",
            {SCORES: np.ones((3, 1), "f4")},
            "must have the shape [batch, 2]. Received: [3, 1]. One score an image is the sigmoid of two classes",
        ),
        ("probabilities", {"boxes": np.ones((3, 4), "f4")}, "must have the output 'probabilities', and has ['boxes']"),
        (
            "probabilities",
            {SCORES: np.ones((3, 5, 2), "f4")},
            "must be [batch, numbers], as the output of an image classifier is, and has the shape [3, 5, 2]",
        ),
    ],
)
def test_an_answer_that_is_none_says_what_was_wanted_and_what_came(kind: str, outputs: Any, words: str) -> None:
    request = read(make_log({"image": IMAGES}, outputs), spec(kind=kind))
    assert [(row, found) for row, found, _ in request.flags] == [(row, Problem.BAD_RESPONSE) for row in range(3)]
    assert all(words in found for _, _, found in request.flags)
    assert all("probabilities" not in row.features for row in request.rows)


CATS = spec(classes=["cat", "dog", "owl"])
EXAMPLE = make_example(image=[IMAGES[0].tobytes()])


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        (["cat", "dog", "owl"], [0.1, 0.7, 0.2]),
        (["dog", "owl", "cat"], [0.7, 0.2, 0.1]),
        (["1", "2", "0"], [0.7, 0.2, 0.1]),
        ([b"dog".decode(), "0", "owl"], [0.7, 0.1, 0.2]),
        (["", "", ""], [0.1, 0.7, 0.2]),
    ],
)
def test_labels_say_whose_score_is_whose(labels: list[str], scores: list[float]) -> None:
    request = read(classify_log([EXAMPLE], [scores], labels), CATS)
    assert not request.flags
    np.testing.assert_allclose(request.rows[0].features["probabilities"], [0.1, 0.7, 0.2], rtol=1e-6)
    assert request.rows[0].features["class_id"] == 1


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            ["cat", "dog", "bird"],
            "each label must be a class, such as 'cat', or its number, 0 to 2, and some are 'bird'",
        ),
        (["1", "2", "3"], "and some are '3'"),
        (["cat", "dog", "dog"], "each of the 3 classes must have one score; 2 have 3"),
        (["cat", "0", "owl"], "each of the 3 classes must have one score; 2 have 3"),
    ],
)
def test_labels_that_are_no_classes_are_no_prediction(labels: list[str], words: str) -> None:
    request = read(classify_log([EXAMPLE], [[0.1, 0.7, 0.2]], labels), CATS)
    assert problems(request) == {Problem.BAD_RESPONSE}
    assert words in request.flags[0][2]
    assert "probabilities" not in request.rows[0].features


def test_a_classify_response_may_list_both_classes_of_a_sigmoid_or_its_one_score() -> None:
    sigmoid = spec(classes=["day", "night"], kind="sigmoid")
    for labels, scores in ((["night", "day"], [0.75, 0.25]), ([""], [0.75])):
        request = read(classify_log([EXAMPLE], [scores], labels), sigmoid)
        assert not request.flags
        np.testing.assert_allclose(request.rows[0].features["probabilities"], [0.25, 0.75])


def test_classify_requests() -> None:
    examples = [
        make_example(image=[IMAGES[0].tobytes()]),
        make_example(image=[png(IMAGES[1])]),
        make_example(image=IMAGES[2].astype(float).ravel().tolist()),
    ]
    context = make_example(**{"log/request_id": [b"call"]})
    scores = [[0.1, 0.7, 0.2], [0.5, 0.25, 0.25], [0, 0, 1]]
    request = read(classify_log(examples, scores, ["cat", "dog", "owl"], context), CATS)
    np.testing.assert_array_equal(stored(request), IMAGES)
    assert [row.id for row in request.rows] == [b"call/0", b"call/1", b"call/2"]
    assert [row.features["class_id"] for row in request.rows] == [1, 0, 2]
    assert not request.flags
    np.testing.assert_allclose(request.rows[1].features["probabilities"], scores[1])


def test_classify_without_or_with_another_response() -> None:
    examples = [make_example(image=[image.tobytes()]) for image in IMAGES]
    assert problems(read(classify_log(examples), CATS)) == {Problem.MISSING_RESPONSE}
    assert problems(read(classify_log(examples, [[0.5, 0.5]] * 2), CATS)) == {Problem.RESPONSE_ROWS}
    assert problems(read(classify_log(examples, [[0.5, 0.25, 0.25], [1.0], [1.0]]), CATS)) == {Problem.BAD_RESPONSE}
    assert problems(read(classify_log([]), CATS)) == {Problem.NO_IMAGE}
