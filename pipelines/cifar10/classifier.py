"""The example classifiers, as Keras 3 models. Building only: no data, no training, no TFX.

Every model takes raw uint8 images (input `image`, [B, height, width, 3], 0..255, RGB) and does its own scaling, so that
training and serving cannot differ in it. Every model returns class probabilities (float32 [B, classes]) and has a layer
called `features` whose output (float32 [B, D]) the last layer classifies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from components.common.errors import MonitorError, require, require_known

from .download import Limits, cache_folder, download

FEATURES = "features"  # the penultimate layer
WHITENING = "whitening"  # the layer that `fit_whitening` fills
_PATCH = 2  # side of the whitened patches, in pixels
_WHITENING_FLOOR = 5e-4  # added to the patches' variances (pixels in 0..1), so that noise is not blown up

# Step size at the top of the schedule. VGG16 has no normalisation layers and diverges at the other's.
DEFAULT_LEARNING_RATES = MappingProxyType({"tiny_cnn": 1e-2, "small_cnn": 6e-3, "vgg16": 1e-4})


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights on the network."""

    url: str
    md5: str  # the publisher gives no better digest


# The constants of keras.applications.vgg16 (WEIGHTS_PATH_NO_TOP and its file_hash).
_OF_WEIGHTS = Limits(most_bytes=256 << 20)  # there are 59 million
VGG16_IMAGENET = WeightsFile(
    url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    md5="6d6bbae143d832006294945121d1f1fc",
)


def build(
    name: str, *, classes: int, image_shape: tuple[int, int, int] = (32, 32, 3), weights: str = "none"
) -> keras.Model:
    """The untrained model called `name`.

    Args:
      name: `tiny_cnn`, `small_cnn` or `vgg16`.
      classes: how many classes it tells apart, 2 or more.
      image_shape: height, width and channels (3) of the images; sides of 32 pixels or more.
      weights: for `vgg16` only: `imagenet` (downloaded once into `cache_folder()`), the path of a Keras .h5 file of
        VGG16 without its top, or `none` for random ones.

    Raises:
      MonitorError: an argument breaks its rule, or the weights cannot be had.

    """
    require_known(name, _MODELS, "trainer.model")
    require(classes >= 2, "classes", "be 2 or more", classes)
    require(image_shape[2] == 3 and min(image_shape[:2]) >= 32, "image_shape", "be (>= 32, >= 32, 3)", image_shape)
    image = keras.Input(image_shape, dtype="uint8", name="image")
    features = layers.Identity(name=FEATURES)(_MODELS[name](image, weights))
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return keras.Model(image, probabilities, name=name)


def _small_cnn(image: Any, weights: str) -> Any:
    """Features [B, 128]: whitened 2x2 patches, then three blocks of two convolutions, averaged over the image.

    Follows the net of Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024), made narrow for CPUs: a frozen
    whitening layer, pooling right after each block's first convolution, batch normalisation with a short memory.
    """
    x = _whitened(image, weights)
    for filters in (32, 128, 128):
        x = layers.MaxPooling2D(2)(_convolution(x, filters))
        x = _normalised(x)
        x = _normalised(_convolution(x, filters))
    return layers.GlobalAveragePooling2D()(x)


def _tiny_cnn(image: Any, weights: str) -> Any:
    """Features [B, 128]: as `small_cnn`, of patches that do not overlap, with three convolutions instead of six.

    A third of its multiplications. It learns faster at first, and so more from a few passes over a few thousand images;
    with ten passes over 45,000 the larger net is far ahead.
    """
    x = _whitened(image, weights, stride=_PATCH)
    for filters in (64, 128):
        x = _normalised(layers.MaxPooling2D(2)(_convolution(x, filters)))
    return layers.GlobalAveragePooling2D()(_normalised(_convolution(x, 128)))


def _whitened(image: Any, weights: str, stride: int = 1) -> Any:
    rule = "be 'none' for all but vgg16, for there are no trained weights of it"
    require(weights == "none", "trainer.weights", rule, weights)
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(2 * 3 * _PATCH**2, _PATCH, strides=stride, trainable=False, name=WHITENING)(x)
    return layers.Activation("gelu")(x)


def _convolution(x: Any, filters: int) -> Any:
    return layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)


def _normalised(x: Any) -> Any:
    # Keras's momentum of 0.99 would still remember the start after the few hundred steps of the small data set
    return layers.Activation("gelu")(layers.BatchNormalization(momentum=0.9)(x))


def fit_whitening(model: keras.Model, images: npt.NDArray[np.uint8]) -> None:
    """Sets the whitening layer of `model`, where it has one, from training images [N, height, width, 3].

    The filters are the eigenvectors of the covariance of all 2x2 patches, divided by their standard deviations, and the
    same negated: the layer's outputs are uncorrelated, of mean 0 and, nearly, of variance 1. Training then starts
    where it would otherwise have to get first.
    """
    if WHITENING not in {layer.name for layer in model.layers}:
        return
    height, width = (side - _PATCH + 1 for side in images.shape[1:3])
    # every second pixel is enough
    corners = [images[:, y : y + height : _PATCH, x : x + width : _PATCH] for y in range(_PATCH) for x in range(_PATCH)]
    patches = np.stack(corners, axis=3).reshape(-1, 3 * _PATCH**2).astype(np.float32) / 255
    mean = patches.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(patches, rowvar=False).astype(np.float64))
    vectors = with_fixed_signs(vectors / np.sqrt(np.maximum(variances, 0) + _WHITENING_FLOOR))
    kernel = np.concatenate([vectors, -vectors], axis=1)
    model.get_layer(WHITENING).set_weights([kernel.reshape(_PATCH, _PATCH, 3, -1), -mean @ kernel])


def with_fixed_signs(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`columns` [D, K], each multiplied by -1 where its entry of largest size is negative.

    An eigenvector's sign is arbitrary and differs between linear algebra libraries; this makes it the same everywhere.
    """
    largest = np.abs(columns).argmax(axis=0)
    return columns * np.where(columns[largest, np.arange(columns.shape[1])] < 0, -1.0, 1.0)


def _vgg16(image: Any, weights: str) -> Any:
    """Features [B, 128]: VGG16 (Simonyan and Zisserman 2014) without its top, averaged over the image, then Dense."""
    # what keras.applications means by "caffe": BGR, the mean of ImageNet taken off each channel, no scaling
    bgr = keras.applications.vgg16.preprocess_input(layers.Rescaling(1.0)(image))
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=image.shape[1:])
    _load_vgg16(base, weights)
    return layers.Dense(128, activation="relu")(layers.GlobalAveragePooling2D()(base(bgr)))


def _load_vgg16(base: keras.Model, weights: str) -> None:
    if weights == "none":
        return
    path = _downloaded(VGG16_IMAGENET) if weights == "imagenet" else Path(weights).expanduser()
    rule = "be 'imagenet', 'none' or the path of a .h5 file with Keras's weights of VGG16 without its top"
    require(path.is_file() and path.suffix == ".h5", "trainer.weights", rule, weights)
    try:
        base.load_weights(path)
    except (OSError, ValueError, KeyError) as error:  # what h5py and Keras raise for a file of something else
        raise MonitorError(f"`trainer.weights` must {rule}. Received: {weights!r} ({error})") from error


def _downloaded(file: WeightsFile) -> Path:
    try:
        return download(file.url, cache_folder() / file.url.rpartition("/")[2], md5=file.md5, limits=_OF_WEIGHTS)
    except MonitorError as error:
        raise MonitorError(
            f"VGG16's ImageNet weights could not be had: {error} Fetch {file.url} where it can be reached and set "
            "`trainer.weights` to the file's path, or set it to 'none' to start from random weights."
        ) from error


_MODELS: dict[str, Callable[[Any, str], Any]] = {"tiny_cnn": _tiny_cnn, "small_cnn": _small_cnn, "vgg16": _vgg16}
