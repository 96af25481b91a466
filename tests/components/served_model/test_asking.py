"""How images become what a served input takes, and what is said of inputs and outputs that do not fit the spec."""

import io

import numpy as np
import pytest
from PIL import Image

from components.common.errors import MonitorError
from components.served_model.asking import Asker
from components.served_model.questions import UnusableImageError, numbers_for, pixels_of
from components.served_model.tensors import TensorInfo
from tests.support.model_specs import digits_spec

TWO = ["no", "yes"]


class Echo:
    """A signature that answers with fixed probabilities and keeps what it was asked."""

    def __init__(self, inputs, outputs=None, name="serving_default", rows=None):
        self.name = name
        self.inputs = inputs
        self.outputs = outputs or {"dense_1": TensorInfo((None, 10), "float32")}
        self.asked = []
        self.rows = rows

    def __call__(self, batch):
        (value,) = batch.values()
        self.asked.append(value)
        return {"dense_1": np.full((self.rows or len(value), 10), 0.1, np.float32)}


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def asked(spec, info, images, **settings):
    signature = Echo({"input_image": info}, **settings)
    asker = Asker(signature, spec)
    answers = list(asker.ask([asker.question(image) for image in images]))
    return signature, answers


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((None, 28, 28, 1), (3, 28, 28, 1)),
        ((None, 28, 28), (3, 28, 28)),
        ((None, 784), (3, 784)),
        (None, (3, 28, 28, 1)),
    ],
)
def test_numbers_come_in_the_shape_and_range_of_the_input(shape, wanted):
    images = [drawn(28, 28, 1, seed=seed) for seed in range(3)]
    signature, answers = asked(digits_spec(), TensorInfo(shape, "float32"), [png(image) for image in images])
    (value,) = signature.asked
    assert (value.shape, value.dtype) == (wanted, np.float32)
    np.testing.assert_allclose(value.reshape(3, 28, 28, 1), np.stack(images) / 255, rtol=1e-6)
    assert [answer.rows for answer in answers] == [[0, 1, 2]]


@pytest.mark.parametrize(("dtype", "kind"), [("uint8", np.uint8), ("int32", np.int32), ("float64", np.float64)])
def test_the_kind_of_number_is_the_input_s(dtype, kind):
    pixels = drawn(2, 4, 4, 1)
    spec = digits_spec(image={"range": [0, 255], "size": [4, 4]})
    value = numbers_for(pixels, spec.image, TensorInfo((None, 4, 4, 1), dtype))
    assert value.dtype == kind
    np.testing.assert_array_equal(value, pixels)


def test_images_of_any_size_are_asked_about_one_size_at_a_time():
    spec = digits_spec(image={"size": None, "channels": 3})
    images = [drawn(4, 5, 3), drawn(6, 5, 3), drawn(4, 5, 3, seed=1)]
    signature, answers = asked(spec, TensorInfo((None, None, None, 3), "float32"), [png(image) for image in images])
    assert [value.shape for value in signature.asked] == [(2, 4, 5, 3), (1, 6, 5, 3)]
    assert [answer.rows for answer in answers] == [[0, 2], [1]]


def test_a_batch_of_fixed_size_is_filled_up_and_cut():
    images = [png(drawn(28, 28, 1, seed=seed)) for seed in range(5)]
    signature, answers = asked(digits_spec(), TensorInfo((2, 28, 28, 1), "float32"), images)
    assert [len(value) for value in signature.asked] == [2, 2, 2]
    assert [(answer.rows, len(answer.outputs["dense_1"])) for answer in answers] == [([0, 1], 2), ([2, 3], 2), ([4], 1)]


def test_strings_are_the_files_as_they_are_stored():
    images = [png(drawn(28, 28, 1, seed=seed)) for seed in range(2)]
    signature, _ = asked(digits_spec(image={"range": [0, 255]}), TensorInfo((None,), "string"), images)
    assert signature.asked[0].tolist() == images
    signature, _ = asked(digits_spec(image={"range": [0, 255]}), TensorInfo((None, 1), "string"), images)
    assert signature.asked[0].tolist() == [[image] for image in images]


def test_raw_pixels_become_png_files_for_an_input_of_files():
    pixels = drawn(28, 28, 1)
    spec = digits_spec(image={"format": "raw", "range": [0, 255]})
    signature, _ = asked(spec, TensorInfo((None,), "string"), [pixels.tobytes()])
    with Image.open(io.BytesIO(signature.asked[0][0])) as file:
        np.testing.assert_array_equal(np.asarray(file)[..., np.newaxis], pixels)


def test_a_signature_of_examples_gets_the_records():
    spec = digits_spec(signatures={"examples": "serve_examples"})
    signature = Echo({"whatever": TensorInfo((None,), "string")}, name="serve_examples")
    asker = Asker(signature, spec)
    list(asker.ask([asker.question(png(drawn(28, 28, 1)), b"an example")]))
    assert asker.takes_examples
    assert signature.asked[0].tolist() == [b"an example"]


@pytest.mark.parametrize(
    ("image", "value", "reason", "found"),
    [
        ({}, None, "missing", ""),
        ({}, b"no image", "unreadable", "it is no whole PNG or JPEG file"),
        ({}, png(drawn(20, 30, 1)), "unreadable", "the image is 20 x 30, not 28 x 28"),
        ({"format": "raw"}, bytes(783), "not of 784 bytes", "one of 783"),
        (
            {"size": None},
            png(drawn(20, 30, 1)),
            "of a size that the model does not take",
            "20 x 30 for float32 [?, 28,",
        ),
    ],
)
def test_an_image_that_cannot_be_asked_about_has_a_reason(image, value, reason, found):
    asker = Asker(Echo({"input_image": TensorInfo((None, 28, 28, 1), "float32")}), digits_spec(image=image))
    with pytest.raises(UnusableImageError) as caught:
        asker.question(value)
    assert caught.value.reason == reason
    assert found in caught.value.found


def test_colour_becomes_grey_where_the_model_is_of_grey_images():
    assert pixels_of(png(drawn(28, 28, 3)), digits_spec().image).shape == (28, 28, 1)


IMAGE = {"input_image": TensorInfo((None, 28, 28, 1), "float32")}


@pytest.mark.parametrize(
    ("changes", "spec", "expected"),
    [
        (
            {"inputs": {"input_1": IMAGE["input_image"]}},
            {},
            r"`image.input` must be an input of signature 'serving_default': input_1 \(float32 \[\?, 28, 28, 1\]\)"
            r". Received: 'input_image'",
        ),
        (
            {"inputs": {**IMAGE, "mask": TensorInfo((None,), "bool")}},
            {},
            r"must have one input, that of images, .* Received: input_image .*, mask \(bool \[\?\]\)",
        ),
        (
            {"inputs": {"input_image": TensorInfo((None, 32, 32, 1), "float32")}},
            {},
            r"must have the shape \[\?, 28, 28, 1\] or \[\?, 28, 28\] or \[\?, 784\] .*Received: float32 \[\?, 32, 32",
        ),
        (
            {"inputs": {"input_image": TensorInfo((None, 1, 28, 28), "float32")}},
            {},
            "Channels come first there, which cannot be monitored",
        ),
        ({"inputs": {"input_image": TensorInfo((), "string")}}, {}, r"must have the shape \[batch\]. Received: string"),
        ({"inputs": {"input_image": TensorInfo((None,), "bool")}}, {}, "must take numbers or strings. Received: bool"),
        (
            {"outputs": {"probs": TensorInfo((None, 10), "float32")}},
            {},
            r"`outputs.scores` must be an output .*: probs \(float32 \[\?, 10\]\). Received: 'dense_1'",
        ),
        (
            {"outputs": {"dense_1": TensorInfo((None, 7), "float32")}},
            {},
            r"the spec has 10 classes, and output 'dense_1' is float32 \[\?, 7\]: .* Received: \[1, 7\]",
        ),
        (
            {"outputs": {"dense_1": TensorInfo((None, 1), "float32")}},
            {"classes": TWO},
            "One score an image is the sigmoid of two classes: say `kind: sigmoid`",
        ),
        (
            {"name": "serve_examples"},
            {"signatures": {"examples": "serve_examples"}},
            "must take serialised tf.Examples, strings. Received: input_image",
        ),
    ],
)
def test_a_signature_that_does_not_fit_the_spec_is_refused_with_what_it_has(changes, spec, expected):
    with pytest.raises(MonitorError, match=expected):
        Asker(Echo(**{"inputs": IMAGE, **changes}), digits_spec(**spec))
