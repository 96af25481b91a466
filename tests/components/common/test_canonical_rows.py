"""What a model's outputs become in rows that are the same for every model, and what an error says of others."""

import io

import numpy as np
import pytest
from PIL import Image

from components.common.canonical_rows import PREDICTED, predictions_of, stored_image
from components.common.errors import MonitorError
from tests.support.model_specs import digits_spec

THREE = {"classes": ["a", "b", "c"]}
SPEC = digits_spec(**THREE)
EVERYTHING = digits_spec(**THREE, outputs={"embedding": "features", "class_id": "best"})
TWO = {"classes": ["no", "yes"]}
ROWS = np.array([[0.25, 0.5, 0.25], [1, 0, 0]], np.float32)


def test_rows_say_what_the_model_answered_by_the_names_of_rows():
    outputs = {"dense_1": ROWS, "features": np.array([[1, 2], [3, 4]], np.float64), "best": np.array([[1], [0]])}
    found = predictions_of(outputs, EVERYTHING, 2)
    features = found.features(0)
    assert set(features) == set(PREDICTED)
    assert (features["class_id"], features["confidence"], features["entropy"], features["margin"]) == (
        1,
        0.5,
        1.5,
        0.25,
    )
    np.testing.assert_array_equal(features["probabilities"], ROWS[0])
    np.testing.assert_array_equal(features["embedding"], [1, 2])
    assert features["embedding"].dtype == np.float32
    assert found.features(1)["class_id"] == 0


def test_without_class_ids_the_largest_probability_says_the_class():
    assert predictions_of({"dense_1": ROWS}, SPEC, 2).class_ids.tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
@pytest.mark.parametrize(("kind", "values"), [("sigmoid", [0.25, 0.75]), ("logits", np.log([1 / 3, 3]))])
def test_one_score_is_two_probabilities(kind, values, shape):
    found = predictions_of(
        {"p": np.reshape(values, shape)}, digits_spec(**TWO, outputs={"scores": "p", "kind": kind}), 2
    )
    np.testing.assert_allclose(found.probabilities, [[0.75, 0.25], [0.25, 0.75]], rtol=1e-6)
    assert found.class_ids.tolist() == [0, 1]
    assert found.usable.all()


def test_logits_become_probabilities():
    spec = digits_spec(**THREE, outputs={"kind": "logits"})
    found = predictions_of({"dense_1": np.log(ROWS[:1]) + 7}, spec, 1)
    np.testing.assert_allclose(found.probabilities, ROWS[:1], rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "usable"),
    [
        ({"dense_1": np.array([[0.5, 0.5, 0.5], [np.nan, 1, 0], [1, 0, 0]])}, [False, False, True]),
        ({"dense_1": ROWS[[0, 0, 0]], "best": np.array([-1, 3, 2])}, [False, False, True]),
        ({"dense_1": ROWS[[0, 0, 0]], "features": np.array([[np.inf], [1e300], [1.0]])}, [False, False, True]),
    ],
)
def test_a_row_without_usable_numbers_says_nothing(outputs, usable):
    outputs = {"features": np.zeros((3, 1)), "best": np.zeros(3, np.int64), **outputs}
    found = predictions_of(outputs, EVERYTHING, 3)
    assert found.usable.tolist() == usable
    assert [bool(found.features(row)) for row in range(3)] == usable


def test_scores_of_another_kind_are_counted():
    found = predictions_of({"dense_1": np.array([[4.0, -2, 0], [7, 0, 1]])}, SPEC, 2)
    assert "say `kind: logits`" in found.counts.wrong_kind("probabilities")


def test_an_answer_with_class_ids_alone_will_do_where_the_spec_names_them():
    spec = digits_spec(**THREE, outputs={"class_id": "best"})
    assert predictions_of({"best": np.array([2, 0])}, spec, 2).features(0) == {"class_id": 2}


@pytest.mark.parametrize(
    ("outputs", "spec", "expected"),
    [
        ({"other": ROWS}, SPEC, r"`outputs.scores` must be among the model's outputs, other. Received: 'dense_1'"),
        ({}, SPEC, "among the model's outputs, there are none"),
        ({"dense_1": ROWS}, EVERYTHING, r"`outputs.embedding` must be among .*dense_1. Received: 'features'"),
        ({"dense_1": ROWS[:1]}, SPEC, r"'dense_1' must have a row for each of 2 images. Received: the shape \[1, 3\]"),
        ({"dense_1": np.zeros((2, 4))}, SPEC, r"'dense_1': .*must have the shape \[batch, 3\]. Received: \[2, 4\]"),
        ({"dense_1": np.zeros((2, 1))}, digits_spec(**TWO), "One score an image is the sigmoid of two classes"),
        ({"dense_1": np.array([["a"] * 3] * 2)}, SPEC, "output 'dense_1': could not convert"),
        (
            {"dense_1": ROWS, "best": ROWS, "features": ROWS},
            EVERYTHING,
            r"'best' must be one whole number an image. Received: float32 of the shape \[2, 3\]",
        ),
        (
            {"dense_1": ROWS, "best": np.array([0, 1]), "features": np.zeros((2, 1, 3))},
            EVERYTHING,
            r"'features' must have the shape \[batch, D\]. Received: \[2, 1, 3\]",
        ),
    ],
)
def test_outputs_that_do_not_fit_the_spec_are_named_with_what_was_wanted(outputs, spec, expected):
    with pytest.raises(MonitorError, match=expected):
        predictions_of(outputs, spec, 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_stored_as_the_spec_says(channels):
    pixels = np.random.default_rng(3).integers(0, 256, (4, 5, channels), np.uint8)
    raw = digits_spec(image={"format": "raw", "size": [4, 5], "channels": channels}).image
    assert stored_image(pixels, raw) == pixels.tobytes()
    encoded = stored_image(pixels, digits_spec(image={"channels": channels, "size": None}).image)
    with Image.open(io.BytesIO(encoded)) as file:
        assert file.format == "PNG"
        np.testing.assert_array_equal(np.asarray(file).reshape(pixels.shape), pixels)


@pytest.mark.parametrize(("first", "ids", "differ"), [(0, [2, 1], [True, True]), (1, [2, 1], [False, False])])
def test_class_ids_are_held_against_the_scores_and_counted_from_0(first, ids, differ):
    spec = digits_spec(**THREE, outputs={"class_id": "best", "class_id_from": first})
    found = predictions_of({"dense_1": ROWS, "best": np.array(ids)}, spec, 2)
    assert found.class_ids.tolist() == [number - first for number in ids]
    assert found.disagreeing.tolist() == differ
    assert (found.numbering.right, found.numbering.one_less) == ((0, 2) if first == 0 else (2, 0))
