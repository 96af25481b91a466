"""What a client sends of Examples: numbers in the model's range, image files as they are stored, or whole Examples."""

import io
from dataclasses import dataclass, field

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.common.errors import MonitorError
from components.common.image_files import decode, encode_png
from components.served_model.tensors import TensorInfo
from model_monitor.traffic import replay, shifts
from tests.support.foreign_data import Labelled, encode, write_examples
from tests.support.model_specs import digits_spec

FEATURES = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}
RANDOM = np.random.default_rng(7)


@dataclass
class Asked:
    """A signature that answers anything, and keeps what it was asked."""

    inputs: dict
    name: str = "serving_default"
    outputs: dict = field(default_factory=lambda: {"dense_1": TensorInfo((None, 10), "float32")})
    batches: list = field(default_factory=list)

    def __call__(self, batch):
        self.batches.append(batch)
        [values] = batch.values()
        return {"dense_1": np.tile(np.eye(10, dtype=np.float32)[3], (len(values), 1))}


def data(sizes, channels=1):
    images = tuple(RANDOM.integers(0, 256, (*size, channels), np.uint8) for size in sizes)
    labels = tuple(number % 10 for number in range(len(images)))
    return Labelled(images, labels, tuple(f"id-{number}" for number in range(len(images))))


def source(folder, held, spec, file_type="PNG"):
    write_examples(folder / "a.tfrecord.gz", held, FEATURES, file_type)
    return replay.from_examples(str(folder / "*.gz"), spec)


def send(signature, spec, found, shift=None, size=4, **settings):
    if shift is None:
        window = replay.plain(found, None, 0)
    else:
        window = shifts.apply_to_each(shift, found.images, found.labels, severity=3, **settings)
    return window, list(replay.send(signature, spec, found, window, size))


def pixels_of(sent, key="input_image"):
    return np.concatenate([each.inputs[key] for each in sent])


def numbers(dtype="float32", shape=(None, 28, 28, 1)):
    return Asked({"input_image": TensorInfo(shape, dtype)})


def files():
    return Asked({"input_image": TensorInfo((None,), "string")})


def test_numbers_are_sent_in_the_models_range(tmp_path):
    held = data([(28, 28)] * 6)
    spec = digits_spec()
    _, sent = send(numbers(), spec, source(tmp_path, held, spec))
    assert [len(each.rows) for each in sent] == [4, 2]
    np.testing.assert_allclose(pixels_of(sent), np.stack(held.images) / np.float32(255), rtol=1e-6)
    assert pixels_of(sent).dtype == np.float32


def test_a_client_that_scales_twice_sends_numbers_that_are_too_small(tmp_path):
    held = data([(28, 28)] * 6)
    spec = digits_spec()
    _, sent = send(numbers(), spec, source(tmp_path, held, spec), "unit_scale")
    np.testing.assert_allclose(pixels_of(sent), np.stack(held.images) / np.float32(255**2), rtol=1e-5)


def test_image_files_are_sent_as_they_are_stored(tmp_path):
    held = data([(48, 60), (50, 50), (48, 60)])
    spec = digits_spec(image={"size": None, "dtype": "string", "range": None})
    found = source(tmp_path, held, spec, "JPEG")
    _, sent = send(files(), spec, found)
    assert [*pixels_of(sent)] == [encode(image, "JPEG") for image in held.images]


@pytest.mark.parametrize(("file_type", "format_"), [("PNG", "PNG"), ("JPEG", "JPEG")])
def test_shifted_image_files_are_of_the_same_type(tmp_path, file_type, format_):
    spec = digits_spec(image={"size": None, "dtype": "string", "range": None})
    found = source(tmp_path, data([(48, 60), (50, 50), (48, 60), (50, 50)]), spec, file_type)
    window, sent = send(files(), spec, found, "darkness", fraction=0.5)
    assert window.shifted.sum() == 2
    for file, image, shifted, place in zip(pixels_of(sent), window.images, window.shifted, window.indices, strict=True):
        if shifted:
            assert Image.open(io.BytesIO(file)).format == format_
            assert np.abs(decode(file, 1).astype(int) - image).mean() < 12
        else:
            assert file == found.stored[place]


def test_images_of_different_sizes_go_in_different_requests(tmp_path):
    held = data([(20, 30), (30, 20), (20, 30), (30, 20), (20, 30)])
    spec = digits_spec(image={"size": None})
    found = source(tmp_path, held, spec)
    _, sent = send(numbers(shape=(None, None, None, 1)), spec, found)
    assert [each.rows for each in sent] == [[0, 2, 4], [1, 3]]
    replay.write_labels(tmp_path / "labels.csv", sent, found.labels, "r")
    assert (tmp_path / "labels.csv").read_text().split() == [
        "id,label",
        "r-0/0,0",
        "r-0/1,2",
        "r-0/2,4",
        "r-1/0,1",
        "r-1/1,3",
    ]
    assert replay.right(sent, found.labels, spec) == (1, 5)


def test_whole_examples_are_sent_with_the_shifted_image_in_them(tmp_path):
    spec = digits_spec(
        signatures={"serve": "serve_examples", "examples": "serve_examples"}, image={"dtype": "string", "range": None}
    )
    found = source(tmp_path, data([(28, 28)] * 3), spec)
    signature = Asked({"input_image": TensorInfo((None,), "string")}, name="serve_examples")
    window, sent = send(signature, spec, found, "darkness")
    for record, image, name in zip(pixels_of(sent), window.images, ("id-0", "id-1", "id-2"), strict=True):
        features = tf.train.Example.FromString(record).features.feature
        np.testing.assert_array_equal(decode(features["image/encoded"].bytes_list.value[0], 1), image)
        assert features["image/id"].bytes_list.value[0].decode() == name


def test_a_shift_gives_images_of_one_size_what_it_gives_an_array():
    images, labels = RANDOM.integers(0, 256, (50, 16, 16, 3), np.uint8), np.arange(50) % 5
    for name in shifts.SHIFTS:
        settings = {"severity": 2, "fraction": 0.4, "seed": 3, "count": 30}
        one, each = (function(name, images, labels, **settings) for function in (shifts.apply, shifts.apply_to_each))
        np.testing.assert_array_equal(one.indices, each.indices)
        np.testing.assert_array_equal(one.images[one.shifted], np.stack(each.images)[one.shifted])


def test_examples_of_another_shape_are_refused_with_both_shapes(tmp_path):
    with pytest.raises(
        MonitorError, match=r"hold images of 28 x 28 x 1, as the model takes them\. Received: '20 x 20 x 1'"
    ):
        source(tmp_path, data([(20, 20)]), digits_spec())


def test_an_array_of_another_shape_is_refused():
    with pytest.raises(MonitorError, match="`--dataset` must hold images of 28 x 28 x 1"):
        replay.from_arrays(np.zeros((2, 32, 32, 3), np.uint8), np.zeros(2, np.int64), digits_spec(), "--dataset")


def test_a_shift_of_scale_is_refused_for_image_files(tmp_path):
    spec = digits_spec(image={"size": None, "dtype": "string", "range": None})
    found = source(tmp_path, data([(20, 20)] * 2), spec)
    with pytest.raises(MonitorError, match="keep pixels whole numbers where the model takes image files"):
        send(files(), spec, found, "unit_scale")


def test_images_that_cannot_be_decoded_are_counted(tmp_path):
    spec = digits_spec()
    good = encode_png(data([(28, 28)]).images[0])
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for value in (good, good[:60], b"no image"):
            example = tf.train.Example()
            example.features.feature["image/encoded"].bytes_list.value.append(value)
            writer.write(example.SerializeToString())
    found = replay.from_examples(str(tmp_path / "*"), spec)
    assert (len(found.images), found.left_out, found.labels.tolist()) == (1, 2, [replay.NO_LABEL])
