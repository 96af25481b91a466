"""What the pushed model, and an untrained encoder, say of images. The one module here that needs TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common.errors import require

BATCH = 500
UNTRAINED_SIZE = 32
Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def load_model(folder: Path) -> Callable[[Images], tuple[Floats, Floats]]:
    """Images uint8 [N, 32, 32, 3] -> probabilities [N, K] and embedding [N, D], of the SavedModel in the folder."""
    require((folder / "saved_model.pb").is_file(), "model", "be the folder of a SavedModel", str(folder))
    model = tf.saved_model.load(str(folder))
    signature: Any = model.signatures["serving_default"]

    def score(images: Images) -> tuple[Floats, Floats]:
        parts = [signature(image=tf.constant(images[i : i + BATCH])) for i in range(0, len(images), BATCH)]
        probabilities, embedding = (
            np.concatenate([part[name].numpy() for part in parts]) for name in ("probabilities", "embedding")
        )
        return probabilities, embedding

    score.model = model  # type: ignore[attr-defined]  # a signature does not keep the variables alive
    return score


def untrained_encoder(seed: int = 0) -> Callable[[Images], Floats]:
    """Images -> [N, 32]: the encoder that alibi-detect's CIFAR-10 examples (cd_ks_cifar10, cd_mmd_cifar10) build.

    Three strided convolutions and a dense layer with random weights, on pixels divided by 255.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    convolutions = [layers.Conv2D(n, 4, strides=2, padding="same", activation="relu") for n in (64, 128, 512)]
    encoder = keras.Sequential(
        [keras.Input((32, 32, 3)), *convolutions, layers.Flatten(), layers.Dense(UNTRAINED_SIZE)]
    )

    def encode(images: Images) -> Floats:
        scaled = (images[i : i + BATCH].astype(np.float32) / 255 for i in range(0, len(images), BATCH))
        return np.concatenate([encoder(part, training=False).numpy() for part in scaled])

    return encode
