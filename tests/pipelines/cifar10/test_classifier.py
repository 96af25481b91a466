import functools
import gzip
import hashlib
import http.server
import threading
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from components.common.errors import MonitorError
from pipelines.cifar10 import classifier
from pipelines.cifar10.classifier import FEATURES, WHITENING, WeightsFile, build, fit_whitening, with_fixed_signs

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10_sample" / "data_batch_1.bin.gz"


@pytest.fixture(scope="module")
def images():
    records = np.frombuffer(gzip.decompress(SAMPLE.read_bytes()), np.uint8).reshape(-1, 3073)[:300]
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory):
    """VGG16's weights in the layout in which Keras publishes them; random, because the real ones are on the network."""
    keras.utils.set_random_seed(7)
    path = tmp_path_factory.mktemp("weights") / "vgg16_notop.h5"
    with h5py.File(path, "w") as file:
        base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
        legacy_h5_format.save_weights_to_hdf5_group(file, base)
    return path


@pytest.fixture
def served(vgg16_file, monkeypatch, tmp_path):
    """The weights on a server of this machine, and an empty cache folder. Yields the paths that were asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(vgg16_file.parent))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{vgg16_file.name}"
    md5 = hashlib.md5(vgg16_file.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(classifier, "VGG16_IMAGENET", WeightsFile(url, md5))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["tiny_cnn", "small_cnn", "vgg16"])
def test_models_turn_bytes_into_probabilities(name, images):
    model = build(name, classes=10)
    assert model.input.dtype == "uint8"
    assert model.input.name == "image"
    probabilities = model.predict(images[:7], verbose=0)
    assert probabilities.shape == (7, 10)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert model.get_layer(FEATURES).output.shape == (None, 128)


def test_other_class_counts_and_image_sizes():
    model = build("small_cnn", classes=3, image_shape=(48, 40, 3))
    assert model.predict(np.zeros((1, 48, 40, 3), np.uint8), verbose=0).shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "arguments", "expected_error"),
    [
        ("small_cn", {}, r"`trainer.model` must be one of small_cnn, tiny_cnn, vgg16. .*did you mean 'small_cnn'"),
        ("small_cnn", {"classes": 1}, "`classes` must be 2 or more. Received: 1"),
        ("small_cnn", {"image_shape": (28, 28, 3)}, "`image_shape` must be"),
        ("small_cnn", {"image_shape": (32, 32, 1)}, "`image_shape` must be"),
        ("small_cnn", {"weights": "imagenet"}, "`trainer.weights` must be 'none' for all but vgg16.*'imagenet'"),
        ("vgg16", {"weights": "/nowhere/w.h5"}, "`trainer.weights` must be 'imagenet', 'none' or .*/nowhere/w.h5"),
        ("vgg16", {"weights": str(SAMPLE)}, "`trainer.weights` must be 'imagenet', 'none' or"),
    ],
)
def test_refuses_what_cannot_be_built(name, arguments, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        build(name, **{"classes": 10, **arguments})


def test_whitening_makes_patches_uncorrelated(images):
    model = build("small_cnn", classes=10)
    fit_whitening(model, images)
    layer = model.get_layer(WHITENING)
    assert not layer.trainable_variables
    stem = keras.Model(model.input, layer.output)
    # the layer sees each 2x2 patch; those it was fitted on begin at even rows and columns
    outputs = stem.predict(images, verbose=0)[:, ::2, ::2].reshape(-1, 24).astype(np.float64)
    np.testing.assert_allclose(outputs[:, :12], -outputs[:, 12:], atol=1e-5)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-3)
    covariance = np.cov(outputs[:, :12], rowvar=False)
    off_diagonal = covariance - np.diag(np.diag(covariance))
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-3)
    # the floor under the variances lets the fine directions, nearly noise, stay below 1
    assert (np.diag(covariance) <= 1.001).all()
    assert np.diag(covariance).max() > 0.99


def test_fixed_signs():
    columns = np.array([[1.0, -3.0], [-2.0, 1.0]])
    np.testing.assert_array_equal(with_fixed_signs(columns), [[-1.0, 3.0], [2.0, -1.0]])
    np.testing.assert_array_equal(with_fixed_signs(-columns), with_fixed_signs(columns))


def test_vgg16_sees_what_its_weights_were_trained_on(images):
    """BGR, the published channel means of ImageNet taken off, no scaling: what the published weights expect."""
    model = build("vgg16", classes=10)
    base = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    fed = keras.Model(model.input, base._inbound_nodes[-1].input_tensors[0]).predict(images[:3], verbose=0)
    expected = images[:3, :, :, ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    np.testing.assert_allclose(fed, expected, atol=1e-4)
    assert base.count_params() == 14_714_688  # VGG16 without its top, as published


def kernels(model):
    base = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    return base.get_weights()


def test_vgg16_weights_from_a_file_and_from_the_network(vgg16_file, served, tmp_path):
    with h5py.File(vgg16_file) as file:
        first_kernel = np.array(file["block1_conv1"]["block1_conv1"]["kernel"])
    from_file = kernels(build("vgg16", classes=10, weights=str(vgg16_file)))
    np.testing.assert_array_equal(from_file[0], first_kernel)
    assert served == []
    downloaded = kernels(build("vgg16", classes=10, weights="imagenet"))
    assert served == [f"/{vgg16_file.name}"]
    for expected, loaded in zip(from_file, downloaded, strict=True):
        np.testing.assert_array_equal(loaded, expected)
    build("vgg16", classes=10, weights="imagenet")
    assert len(served) == 1, "the file in the cache folder was fetched again"
    assert (tmp_path / "tfx-model-monitor" / vgg16_file.name).read_bytes() == vgg16_file.read_bytes()


def test_a_download_that_is_not_the_file_is_refused(served, monkeypatch, tmp_path):
    url = classifier.VGG16_IMAGENET.url
    monkeypatch.setattr(classifier, "VGG16_IMAGENET", WeightsFile(url, "0" * 32))
    with pytest.raises(MonitorError, match="is not the expected file: its md5 must be 00000"):
        build("vgg16", classes=10, weights="imagenet")
    assert not list((tmp_path / "tfx-model-monitor").glob("*.h5"))


def test_an_unreachable_download_says_what_to_do(served, monkeypatch):
    # an address of this machine at which nothing listens: port 1 is reserved
    monkeypatch.setattr(classifier, "VGG16_IMAGENET", WeightsFile("http://127.0.0.1:1/vgg16.h5", "0" * 32))
    with pytest.raises(MonitorError, match=r"Fetch http://127.0.0.1:1/vgg16.h5 .*set `trainer.weights` to the file's"):
        build("vgg16", classes=10, weights="imagenet")


def test_weights_of_another_net_are_refused(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        legacy_h5_format.save_weights_to_hdf5_group(file, other)
    with pytest.raises(MonitorError, match=r"`trainer.weights` must be .*other.h5"):
        build("vgg16", classes=10, weights=str(path))


def test_the_published_address_and_digest_are_keras_own():
    from keras.src.applications import vgg16

    assert classifier.VGG16_IMAGENET.url == vgg16.WEIGHTS_PATH_NO_TOP
    assert classifier.VGG16_IMAGENET.md5 in Path(vgg16.__file__).read_text()
